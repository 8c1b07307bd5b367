// Draws the lanes: lives, bars, small signs of all else, faults, the violation, the selection.
let drawnBars = [], drawnWays = [], drawnSigns = [];    // For the mouse: what has been drawn where

function paintLanes() {
  const [pen, width, height] = penOf(canvases.lanes);
  drawnBars = []; drawnWays = []; drawnSigns = [];
  const inSight = rows.filter((row) => row.top + row.height > stage.scroll && row.top < stage.scroll + height);
  paintGround(pen, width, height, inSight);
  paintLives(pen, width);
  for (const row of inSight) {
    paintBars(pen, width, row, row.lane.id);
    for (const lane of row.hidden) paintBars(pen, width, row, lane);
  }
  paintWays(pen, width, height);
  for (const row of inSight) paintSigns(pen, width, row);
  paintSelection(pen, width, height);
}
painters.add(paintLanes);

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}
const crisp = (x) => Math.round(x) + 0.5;

function paintGround(pen, width, height, inSight) {
  for (const row of inSight) {
    if (row.lane.id === view.lane || (view.selected >= 0 && rowOfLane[events.lane[view.selected]] === row)) {
      pen.fillStyle = ink["accent-soft"];
      pen.globalAlpha = 0.55;
      pen.fillRect(0, row.top - stage.scroll, width, row.height);
      pen.globalAlpha = 1;
    }
    if (row.lane.depth <= 1 && row.lane.id) {
      pen.strokeStyle = ink.line;
      line(pen, 0, crisp(row.top - stage.scroll), width, crisp(row.top - stage.scroll));
    }
  }
  for (const [i, until] of run.bands) paintBand(pen, i, until);
  pen.strokeStyle = ink.line;
  pen.globalAlpha = 0.6;
  for (const tick of ticks(width)) line(pen, crisp(tick.x), 0, crisp(tick.x), height);
  pen.globalAlpha = 1;
  pen.strokeStyle = ink.fault;
  pen.setLineDash([3, 4]);
  for (const i of faults) line(pen, crisp(toX(place(i))), 0, crisp(toX(place(i))), height);
  pen.setLineDash([]);
  if (run.violation) paintViolation(pen, width, height);
}

// How long a fault lasts, on the lane that it hits.
function paintBand(pen, i, until) {
  const row = rowOfLane[events.lane[i]];
  if (!row) return;
  const x = toX(place(i)), end = toX(view.mode === "time" ? until : indexAt(until));
  pen.fillStyle = ink.fault;
  pen.globalAlpha = 0.12;
  pen.fillRect(x, row.top - stage.scroll + 2, Math.max(1, end - x), row.height - 4);
  pen.globalAlpha = 1;
}

function paintViolation(pen, width, height) {
  const x = toX(violationPlace());
  pen.fillStyle = ink["violation-soft"];
  pen.globalAlpha = 0.7;
  if (x < width) pen.fillRect(Math.max(0, x), 0, width - Math.max(0, x), height);
  pen.globalAlpha = 1;
  pen.strokeStyle = ink.violation;
  pen.lineWidth = 1.5;
  line(pen, x, 0, x, height);
  pen.lineWidth = 1;
}

function paintLives(pen, width) {
  pen.strokeStyle = ink.life;
  for (const [lane, born, died] of run.lives) {
    const row = rowOfLane[lane];
    if (row.lane.id !== lane) continue;
    const from = born < 0 ? 0 : Math.max(0, toX(place(born)));
    const to = died < 0 ? width : Math.min(width, toX(place(died)));
    if (to >= from) line(pen, from, crisp(lifeOf(row)), to, crisp(lifeOf(row)));
  }
}

// Where a bar lies in its row; those of hidden lanes share the row in thin stripes.
function barBox(row, bar) {
  const top = row.top - stage.scroll;
  if (row.lane.id !== bar.lane) {
    const each = (row.height - 8) / row.hidden.length;
    return [top + 4 + hiddenPlace.get(bar.lane) * each, Math.max(1, each - (each > 3 ? 1 : 0))];
  }
  return [top + lineHeight() + Math.min(bar.slot, SLOTS_MAX - 1) * slotHeight(), barHeight()];
}

function paintBars(pen, width, row, lane) {
  pen.font = `11px ${MONO}`;
  pen.textBaseline = "middle";
  let last = -1, lastSlot = -1;
  for (const bar of barsOfLane[lane]) {
    const from = bar.start < 0 ? -2 : toX(place(bar.start));
    const to = bar.end < 0 ? width + 2 : toX(place(bar.end));
    if (to < 0 || from > width) continue;
    if (to - from < 1 && Math.round(from) === last && bar.slot === lastSlot) continue;
    [last, lastSlot] = [Math.round(from), bar.slot];
    const [y, high] = barBox(row, bar);
    const x = Math.max(-3, from), size = Math.max(1.5, Math.min(width + 3, to) - x);
    pen.globalAlpha = isFaint(bar.start, bar.end) ? 0.2 : 1;
    pen.fillStyle = ink[bar.tone];
    pen.beginPath();
    pen.roundRect(x, y, size, high, Math.min(2.5, size / 2, high / 2));
    pen.fill();
    if (row.lane.id === lane && size > 4) paintStems(pen, lifeOf(row), y, [bar.start >= 0 && from, bar.end >= 0 && to - 1]);
    if (bar.end < 0) paintRagged(pen, x + size, y, high);
    if (high >= 10 && size > 26) paintName(pen, bar, Math.max(0, x), y + high / 2 + 0.5, size + Math.min(0, x));
    drawnBars.push({ bar, x, y, width: size, height: high });
  }
  pen.globalAlpha = 1;
}

// From the line of the node's life, where messages are, down to the ends of a bar.
function paintStems(pen, life, y, places) {
  for (const x of places) if (x !== false) pen.fillRect(x, life, 1, y - life + 2);
}

function paintRagged(pen, x, y, high) {
  pen.fillStyle = ink.panel;
  for (let k = 0; k < 3; k++) pen.fillRect(x - 4 - k * 5, y, 2, high);
}

function paintName(pen, bar, x, y, room) {
  const text = bar.tone === "value" || bar.isJob ? bar.name : `${bar.name} ${bar.how}`;
  const fitting = [text, bar.name].find((words) => pen.measureText(words).width < room - 8);
  if (!fitting) return;
  pen.fillStyle = ink[`${bar.tone}-ink`];
  pen.fillText(fitting, x + 5, y);
}

const SIGNS = {
  settle: (pen, x, y, tone) => { pen.fillStyle = ink[`${tone}-ink`]; pen.arc(x, y, 3, 0, 7); pen.fill(); },
  submit: (pen, x, y) => { pen.strokeStyle = ink.work; pen.fillStyle = ink.panel; pen.arc(x, y, 2.5, 0, 7); pen.fill(); pen.stroke(); },
  cancelled: (pen, x, y) => { pen.strokeStyle = ink.stop; paintCross(pen, x, y); },
  close: (pen, x, y) => { pen.strokeStyle = ink.stop; line(pen, x, y - 5, x, y + 5); },
  died: (pen, x, y) => { pen.strokeStyle = ink.ink; pen.lineWidth = 1.5; line(pen, x, y - 6, x, y + 7); line(pen, x - 4, y - 2, x + 4, y - 2); pen.lineWidth = 1; },
  born: (pen, x, y) => { pen.strokeStyle = ink.faint; line(pen, x, y - 4, x, y + 4); },
  log: (pen, x, y) => { pen.fillStyle = ink.fault; pen.moveTo(x, y - 10); pen.lineTo(x + 4, y - 3); pen.lineTo(x - 4, y - 3); pen.fill(); },
  mark: (pen, x, y) => { pen.fillStyle = ink.quiet; pen.fillRect(x - 2, y + 3, 4, 4); },
  fault: (pen, x, y, missed) => {
    pen.fillStyle = missed ? ink.panel : ink.fault;
    pen.strokeStyle = ink.fault;
    pen.moveTo(x, y - 6);
    for (const [dx, dy] of [[6, 0], [0, 6], [-6, 0]]) pen.lineTo(x + dx, y + dy);
    pen.closePath();
    pen.fill();
    pen.stroke();
  },
};

function paintSigns(pen, width, row) {
  const y = lifeOf(row), last = {};
  const list = eventsOfLane[row.lane.id], first = lowerBound(list, eventFrom(view.from));
  for (let k = first; k < list.length; k++) {
    const i = list[k], x = toX(place(i)), kind = kindOf(i);
    if (x > width + 4) break;
    if (!SIGNS[kind] || Math.abs((last[kind] ?? -9) - x) < 1.5) continue;
    last[kind] = x;
    pen.globalAlpha = isFaint(i) ? 0.15 : 1;
    pen.beginPath();
    SIGNS[kind](pen, x, y, kind === "settle" ? toneOfEnd(word(events.detail[i])) : isMissed(i));
    drawnSigns.push({ i, x, y });
  }
  pen.globalAlpha = 1;
}

function lowerBound(list, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}

// The moment of the selected event, its message thick, and all bars of its task framed.
function paintSelection(pen, width, height) {
  const hovered = view.hovered;
  if (hovered && hovered.ends) strongWay(pen, hovered.ends, ink.ink);
  if (hovered && hovered.box) frame(pen, hovered.box, ink.quiet);
  const i = view.selected;
  if (i < 0) return;
  const x = toX(place(i)), task = taskOf(i);
  pen.strokeStyle = ink.accent;
  line(pen, crisp(x), 0, crisp(x), height);
  for (const drawn of drawnBars) if (task && drawn.bar.name === task) frame(pen, drawn, ink.accent);
  const way = wayOf.get(i), ends = way && endsOfWay(way);
  if (ends) strongWay(pen, ends, ink.accent);
  if (events.lane[i] < 0) return;
  pen.fillStyle = ink.accent;
  pen.beginPath();
  pen.arc(x, lifeOf(rowOfLane[events.lane[i]]), 3.5, 0, 7);
  pen.fill();
}

function strongWay(pen, ends, color) {
  pen.strokeStyle = pen.fillStyle = color;
  pen.lineWidth = 2;
  line(pen, ...ends);
  pen.lineWidth = 1;
  paintHead(pen, ends, 8);
}

function frame(pen, { x, y, width, height }, color) {
  pen.strokeStyle = color;
  pen.lineWidth = 1.5;
  pen.strokeRect(x - 0.5, y - 0.5, width + 1, height + 1);
  pen.lineWidth = 1;
}
