// What the mouse and the keys do to the time line.
const tip = byId("tip");
let drag = null;

// What lies under the mouse: a small sign, a bar, a message, in this order.
function underMouse(x, y) {
  const sign = drawnSigns.findLast((drawn) => Math.abs(drawn.x - x) < 5 && Math.abs(drawn.y - y) < 7);
  if (sign) return { event: sign.i, lines: signLines(sign.i) };
  const way = nearestWay(x, y, 4);
  if (way) return { event: way.way.sent >= 0 ? way.way.sent : way.way.got, ends: way.ends, lines: wayLines(way.way) };
  const box = drawnBars.findLast((drawn) => x >= drawn.x - 2 && x <= drawn.x + drawn.width + 2 && y >= drawn.y && y <= drawn.y + drawn.height);
  if (box) return { event: box.bar.start >= 0 ? box.bar.start : box.bar.end, box, lines: barLines(box.bar) };
  return null;
}

function nearestWay(x, y, reach) {
  let best = null, least = reach;
  for (const drawn of drawnWays) {
    const [x1, y1, x2, y2] = drawn.ends, [dx, dy] = [x2 - x1, y2 - y1];
    const share = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
    const far = Math.hypot(x - x1 - share * dx, y - y1 - share * dy);
    if (far < least) [best, least] = [drawn, far];
  }
  return best;
}

const signLines = (i) => [`${word(events.node[i])}  ${textOf(i)}`, `${seconds(events.time[i])} s`];

function wayLines(way) {
  const known = way.sent >= 0 ? way.sent : way.got, here = word(events.node[known]), there = word(events.peer[known]);
  const [from, to] = way.sent >= 0 ? [here, there] : [there, here];
  const when = way.sent >= 0 && way.got >= 0
    ? `${seconds(events.time[way.sent])} s, ${spanText(events.time[way.got] - events.time[way.sent])} on its way`
    : `${seconds(events.time[known])} s, ${way.sent >= 0 ? "never delivered" : "its sending was not kept"}`;
  return [word(events.what[known]), `link ${from} → ${to}, frame ${events.number[known]}`, when];
}

function barLines(bar) {
  const start = bar.start >= 0 ? events.time[bar.start] : null, end = bar.end >= 0 ? events.time[bar.end] : null;
  const when = start !== null && end !== null ? `${seconds(start)} s, for ${spanText(end - start)}`
    : start !== null ? `from ${seconds(start)} s, never ended` : `until ${seconds(end)} s`;
  return [`${bar.isJob ? "job" : "task"} ${bar.name}: ${bar.how}`, `on ${lanes[bar.lane].name}`, when];
}

function showTip(found, x, y) {
  tip.hidden = !found;
  if (!found) return;
  tip.replaceChildren(...found.lines.map((text) => element("div", "", text)));
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + 18 + height > innerHeight ? y - height - 10 : y + 18}px`;
}

function hover(found, move) {
  const changed = view.hovered?.event !== found?.event || view.hovered?.ends !== found?.ends;
  view.hovered = found;
  canvases.lanes.classList.toggle("over", Boolean(found));
  showTip(found, move.clientX, move.clientY);
  if (changed) repaint();
}

function underAxis(x, y) {
  const flag = drawnFlags.find((drawn) => x >= drawn.left && x <= drawn.right && y >= drawn.top && y <= drawn.top + FLAG_HEIGHT);
  if (!flag) return null;
  const lines = flag.tone === "violation" ? [flag.text, `${seconds(run.violation.time)} s`] : signLines(flag.i);
  return { event: flag.i, lines };
}

for (const canvas of [canvases.lanes, canvases.axis]) {
  const find = canvas === canvases.lanes ? underMouse : underAxis;
  canvas.addEventListener("pointerdown", (down) => {
    canvas.setPointerCapture(down.pointerId);
    drag = { x: down.clientX, y: down.clientY, from: view.from, to: view.to, top: tree.scrollTop, moved: false };
  });
  canvas.addEventListener("pointermove", (move) => {
    if (!drag) return hover(find(move.offsetX, move.offsetY), move);
    const [dx, dy] = [move.clientX - drag.x, move.clientY - drag.y];
    drag.moved ||= Math.hypot(dx, dy) > 3;
    if (!drag.moved) return undefined;
    hover(null, move);
    canvas.classList.add("dragging");
    const shift = (dx / widthOf(canvas)) * (drag.to - drag.from);
    tree.scrollTop = drag.top - dy;
    return setWindow(drag.from - shift, drag.to - shift);
  });
  canvas.addEventListener("pointerup", (up) => {
    canvas.classList.remove("dragging");
    if (drag && !drag.moved) select(find(up.offsetX, up.offsetY)?.event ?? -1, { reveal: false });
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; canvas.classList.remove("dragging"); });
  canvas.addEventListener("pointerleave", (leave) => hover(null, leave));
  canvas.addEventListener("wheel", turnWheel, { passive: false });
}

function turnWheel(wheel) {
  wheel.preventDefault();
  const unit = wheel.deltaMode === 1 ? 20 : 1, [dx, dy] = [wheel.deltaX * unit, wheel.deltaY * unit];
  if (wheel.altKey) { tree.scrollTop += dy; return; }
  const isSideways = wheel.shiftKey || Math.abs(dx) > Math.abs(dy);
  if (isSideways) pan((dx || dy) / widthOf(canvases.lanes));
  else zoom(Math.exp(dy * (wheel.ctrlKey ? 0.01 : 0.0016)), fromX(wheel.offsetX));
}

// The overview: press or drag to bring the window there.
function moveWindow(at) {
  const [low, high] = extent(), size = view.to - view.from;
  const middle = low + (at.offsetX / widthOf(canvases.overview)) * (high - low);
  setWindow(middle - size / 2, middle + size / 2);
}
canvases.overview.addEventListener("pointerdown", (down) => { canvases.overview.setPointerCapture(down.pointerId); moveWindow(down); });
canvases.overview.addEventListener("pointermove", (move) => { if (move.buttons) moveWindow(move); });
canvases.overview.addEventListener("wheel", turnWheel, { passive: false });

const KEYS = {
  ArrowLeft: (key) => pan(key.shiftKey ? -0.5 : -0.1),
  ArrowRight: (key) => pan(key.shiftKey ? 0.5 : 0.1),
  ArrowUp: () => { tree.scrollTop -= 40; },
  ArrowDown: () => { tree.scrollTop += 40; },
};
canvases.lanes.addEventListener("keydown", (key) => {
  if (!KEYS[key.key] || key.ctrlKey || key.metaKey || key.altKey) return;
  key.preventDefault();
  KEYS[key.key](key);
});

const ANYWHERE = {
  "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: fit,
  n: () => step(1), p: () => step(-1), t: () => setMode(view.mode === "time" ? "order" : "time"),
  "/": () => { byId("filter").focus(); byId("filter").select(); },
  Escape: () => select(-1),
  Enter: () => view.selected >= 0 && otherEnd(view.selected) >= 0 && select(otherEnd(view.selected)),
};
document.addEventListener("keydown", (key) => {
  const isTyping = key.target instanceof HTMLInputElement, isButton = key.target.closest?.("button, summary");
  if (key.ctrlKey || key.metaKey || key.altKey || isTyping || (isButton && key.key === "Enter") || !Object.hasOwn(ANYWHERE, key.key)) return;
  key.preventDefault();
  ANYWHERE[key.key]();
});
