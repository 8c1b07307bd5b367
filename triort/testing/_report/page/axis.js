// Draws the time axis with the flags of faults and the violation, and the overview of the whole run above it.
const FLAG_ROWS = 2, FLAG_HEIGHT = 17;
let drawnFlags = [];

// Marks at round times, or at events, far enough apart.
function ticks(width) {
  const room = view.to - view.from, step = niceStep((room / width) * 96);
  const found = [];
  for (let k = Math.ceil(view.from / step); k * step <= view.to; k++) {
    const at = k * step;
    if (view.mode === "time" && early && k < 0) found.push({ x: toX(at), text: k === -1 ? "start of the cluster" : "" });
    else if (view.mode === "time") found.push({ x: toX(at), text: timeText(at, step) });
    else if (at >= 0 && at < numEvents && Number.isInteger(at)) found.push({ x: toX(at), text: `${seconds(events.time[at])}` });
  }
  return found;
}

function niceStep(least) {
  const unit = 10 ** Math.floor(Math.log10(least));
  const step = unit * ([1, 2, 5].find((part) => part * unit >= least) ?? 10);
  return view.mode === "order" ? Math.max(1, Math.round(step)) : step;
}

function timeText(at, step) {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return `${(Math.abs(at) < step / 2 ? 0 : at).toFixed(digits)} s`;
}

function flags() {
  const all = faults.map((i) => ({ i, at: place(i), text: `${word(events.what[i])} ${word(events.node[i])}`.trim(), tone: "fault" }));
  if (run.violation) all.push({ i: run.violation.event, at: violationPlace(), text: run.violation.check, tone: "violation" });
  return all;
}

function paintAxis() {
  const [pen, width, height] = penOf(canvases.axis);
  pen.textBaseline = "middle";
  pen.font = `11px ${SANS}`;
  pen.strokeStyle = ink.line;
  pen.fillStyle = ink.quiet;
  for (const tick of ticks(width)) {
    line(pen, crisp(tick.x), height - 6, crisp(tick.x), height);
    if (tick.x + 4 + pen.measureText(tick.text).width < width) pen.fillText(tick.text, tick.x + 4, height - 9);
  }
  drawnFlags = [];
  const free = new Array(FLAG_ROWS).fill(-1e9);
  pen.font = `600 11px ${SANS}`;
  // The violation comes first: its flag is never without a text.
  for (const flag of flags().sort((a, b) => (b.tone === "violation") - (a.tone === "violation") || a.at - b.at)) {
    paintFlag(pen, width, height, flag, free);
  }
}
painters.add(paintAxis);

function paintFlag(pen, width, height, flag, free) {
  const x = toX(flag.at);
  if (x < -1 || x > width + 1) return;
  pen.fillStyle = pen.strokeStyle = ink[flag.tone];
  const size = pen.measureText(flag.text).width + 10;
  const left = x + size > width ? x - size : x;
  const taken = ({ left: a, right: b }) => left < b + 4 && left + size > a - 4;
  const row = free.findIndex((_, nth) => !drawnFlags.some((other) => other.row === nth && taken(other)));
  pen.lineWidth = flag.tone === "violation" ? 1.5 : 1;
  line(pen, flag.tone === "violation" ? x : crisp(x), row < 0 ? height - 8 : 3 + row * FLAG_HEIGHT, flag.tone === "violation" ? x : crisp(x), height);
  pen.lineWidth = 1;
  if (row < 0) {
    drawnFlags.push({ ...flag, row, left: x - 4, right: x + 4, top: height - FLAG_HEIGHT });
    return;
  }
  const top = 3 + row * FLAG_HEIGHT;
  if (flag.tone === "violation") {
    pen.fillRect(left, top, size, FLAG_HEIGHT - 2);
    pen.fillStyle = ink.panel;
  }
  pen.fillText(flag.text, left + 5, top + 8);
  drawnFlags.push({ ...flag, row, left, right: left + size, top });
}

// -- the overview: how much happens when (by order: where time passes), and where the window lies ------------------
let density = null;

function densityOf(width) {
  const key = `${view.mode} ${width}`;
  if (density?.key === key) return density;
  const [low, high] = extent(), counts = new Float64Array(Math.ceil(width / 3) + 1);
  for (let i = 0; i < numEvents; i++) {
    const weight = view.mode === "time" ? 1 : i ? events.time[i] - events.time[i - 1] : 0;
    counts[Math.floor(((place(i) - low) / (high - low)) * (width / 3))] += weight;
  }
  density = { key, counts, most: Math.max(1e-12, ...counts) };
  canvases.overview.title = view.mode === "time" ? "How much happens when; drag to move" : "Where time passes; drag to move";
  return density;
}

function paintOverview() {
  const [pen, width, height] = penOf(canvases.overview);
  const [low, high] = extent(), x = (at) => ((at - low) / (high - low)) * width;
  const { counts, most } = densityOf(width);
  pen.fillStyle = ink.life;
  counts.forEach((count, k) => {
    const size = count ? Math.max(2, Math.sqrt(count / most) * (height - 12)) : 0;
    pen.fillRect(k * 3, height - 3 - size, 2, size);
  });
  pen.fillStyle = ink.fault;
  for (const i of faults) pen.fillRect(x(place(i)) - 0.75, 3, 1.5, height - 6);
  pen.fillStyle = ink.violation;
  if (run.violation) pen.fillRect(x(violationPlace()) - 1, 3, 2, height - 6);
  const [from, to] = [x(view.from), Math.max(x(view.from) + 3, x(view.to))];
  pen.fillStyle = ink.page;
  pen.globalAlpha = 0.75;
  pen.fillRect(0, 0, from, height);
  pen.fillRect(to, 0, width - to, height);
  pen.globalAlpha = 1;
  pen.strokeStyle = ink.accent;
  if (from > 0.5 || to < width - 0.5) pen.strokeRect(from + 0.5, 0.5, to - from - 1, height - 1);
}
painters.add(paintOverview);
