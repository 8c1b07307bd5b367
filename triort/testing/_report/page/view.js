// What is shown of the run: the window on its time, which lanes are open, what is selected; and how that maps to pixels.
const byId = (id) => document.getElementById(id);
const canvases = { overview: byId("overview"), axis: byId("axis"), lanes: byId("lanes") };
const tree = byId("tree");

const view = { mode: "time", from: 0, to: 1, selected: -1, hovered: null, lane: -1, filter: "" };
const closed = new Set();
let rows = [];          // The lanes that are shown: { lane, top, height, folded }
let rowOfLane = [];     // For each lane its row, or that of the closed boss it hides in
let rowsHeight = 0;
let matches = null;     // A Uint8Array over events while there is a filter
let shown = [];         // The events of the list, by number
const painters = new Set();
const hiddenTones = new Set();

// Heights by what there is room for: a row has a line for its life, with messages and signs, and its bars hang below it.
const ROOMY_MAX = 1.45, SLOTS_MAX = 8;
let roomy = 1;
const lineHeight = () => 20 * roomy, slotHeight = () => 15 * roomy, barHeight = () => Math.round(slotHeight() - 2);

// -- the horizontal axis: seconds, or the number of the event ----------------------------------------------------
// What comes before time 0 is the start of the cluster, maybe long before: by time, it is drawn right before 0.
const numEarly = lowerBound(events.time, 0);
const early = numEarly > 0 && numEarly < numEvents
  ? events.time[numEarly - 1] + Math.max(1e-6, events.time[numEvents - 1] * 0.02) : 0;
const drawnTime = (time) => (time < 0 ? time - early : time);
const place = (i) => (view.mode === "time" ? drawnTime(events.time[i]) : i);

function extent() {
  if (view.mode === "order") return [-1, Math.max(1, numEvents)];
  let first = numEvents ? drawnTime(events.time[0]) : 0;
  let last = numEvents ? drawnTime(events.time[numEvents - 1]) : 1;
  if (run.violation) { first = Math.min(first, drawnTime(run.violation.time)); last = Math.max(last, drawnTime(run.violation.time)); }
  const room = Math.max(1e-6, (last - first) * 0.03);
  return [first - room, last + room];
}

const spanMin = () => (view.mode === "time" ? 1e-7 : 5);
const widthOf = (canvas) => canvas.clientWidth || 1;
// Measured once a frame: asking the document again and again costs more than all painting.
const stage = { width: 1, height: 1, scroll: 0 };
function measure() {
  stage.width = widthOf(canvases.lanes);
  stage.height = tree.clientHeight;
  stage.scroll = tree.scrollTop;
}
const toX = (at) => ((at - view.from) / (view.to - view.from)) * stage.width;
const fromX = (x) => view.from + (x / stage.width) * (view.to - view.from);
const violationPlace = () => (view.mode === "time" ? drawnTime(run.violation.time) : run.violation.event + 0.5);

function setWindow(from, to) {
  const [low, high] = extent();
  const size = Math.min(Math.max(to - from, spanMin()), high - low);
  const middle = (from + to) / 2;
  view.from = Math.min(Math.max(middle - size / 2, low), high - size);
  view.to = view.from + size;
  repaint();
}

function zoom(factor, at = (view.from + view.to) / 2) {
  const size = Math.max((view.to - view.from) * factor, spanMin());
  const share = (at - view.from) / (view.to - view.from);
  setWindow(at - size * share, at + size * (1 - share));
}

const pan = (share) => setWindow(view.from + share * (view.to - view.from), view.to + share * (view.to - view.from));
const fit = () => setWindow(...extent());

// The first event that is not before a place.
function eventFrom(at) {
  let low = 0, high = numEvents;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (place(middle) < at) low = middle + 1; else high = middle;
  }
  return low;
}

// The first event that is not before a time.
const indexAt = (time) => lowerBound(events.time, time);

function setMode(mode) {
  if (mode !== view.mode) {
    const first = eventFrom(view.from), last = Math.max(first, eventFrom(view.to) - 1);
    const all = view.from <= extent()[0] && view.to >= extent()[1];
    view.mode = mode;
    const [from, to] = all || first >= numEvents ? extent() : [place(first), place(last)];
    const room = (to - from) * 0.03 || spanMin();
    setWindow(from - room, to + room);
  }
  for (const name of ["time", "order"]) byId(`by-${name}`).setAttribute("aria-pressed", String(mode === name));
}

// The first look is at what comes after the start of the cluster.
const firstOfRun = () => (numEarly < numEvents ? numEarly : 0);

function showRun() {
  const [low, high] = extent(), first = firstOfRun();
  setWindow(first ? place(first) - (high - place(first)) * 0.03 : low, high);
}

// By time, unless nearly all events crowd in a small part of it: then evenly.
function betterMode() {
  const start = firstOfRun(), number = numEvents - start;
  if (number < 2) return "time";
  const used = new Set(), [first, last] = [events.time[start], events.time[numEvents - 1]];
  if (last <= first) return "order";
  for (let i = start; i < numEvents; i++) used.add(Math.floor(((events.time[i] - first) / (last - first)) * 100));
  return used.size < Math.min(25, number / 2) ? "order" : "time";
}

// -- the vertical axis: lanes ------------------------------------------------------------------------------------
function layOutLanes() {
  roomy = 1;
  stackLanes();
  roomy = Math.min(ROOMY_MAX, Math.max(1, (tree.clientHeight - 12) / (rowsHeight - 12)));
  if (roomy > 1) stackLanes();
  byId("tree-rows").style.height = `${rowsHeight}px`;
  repaint();
}

const openHeight = (lane) => Math.round(lineHeight() + (lane.slots ? Math.min(lane.slots, SLOTS_MAX) * slotHeight() + 4 : 6));
const foldedHeight = (lane) => Math.round(Math.min(64, 20 + lane.total * 5) * roomy);

let layouts = 0;
function stackLanes() {
  layouts += 1;
  rows = [];
  rowOfLane = new Array(lanes.length);
  rowsHeight = 6;
  for (const lane of lanes) {
    const above = lane.boss >= 0 ? rowOfLane[lane.boss] : null;
    if (above && (above.folded || closed.has(lane.boss))) {
      above.folded = true;
      above.hidden.push(lane.id);
      rowOfLane[lane.id] = above;
      continue;
    }
    const height = closed.has(lane.id) ? foldedHeight(lane) : openHeight(lane);
    const row = { lane, top: rowsHeight, height, folded: false, hidden: [] };
    rows.push(row);
    rowOfLane[lane.id] = row;
    rowsHeight += height;
  }
  for (const row of rows) row.hidden.forEach((id, nth) => hiddenPlace.set(id, nth));
  rowsHeight += 6;
}
const hiddenPlace = new Map();

function closeBelow(depth) {
  closed.clear();
  for (const lane of lanes) if (lane.below.length && lane.depth >= depth) closed.add(lane.id);
  layOutLanes();
}

function setClosed(lane, isClosed) {
  if (isClosed) closed.add(lane); else closed.delete(lane);
  layOutLanes();
}

// Where the line of a node's life lies, at which messages leave and arrive.
const lifeOf = (row) => row.top + (row.folded ? row.height / 2 : lineHeight() / 2 + 2) - stage.scroll;

function revealLane(lane) {
  if (lane < 0) return;
  const row = rowOfLane[lane], height = tree.clientHeight;
  if (row.top < tree.scrollTop) tree.scrollTop = row.top - 8;
  else if (row.top + row.height > tree.scrollTop + height) tree.scrollTop = row.top + row.height - height + 8;
}

// -- selection and filter ----------------------------------------------------------------------------------------
function select(i, { reveal = true } = {}) {
  view.selected = i;
  if (i >= 0 && reveal) {
    const at = place(i), size = view.to - view.from;
    if (at < view.from + size * 0.04 || at > view.to - size * 0.04) setWindow(at - size / 2, at + size / 2);
    revealLane(events.lane[i]);
  }
  showSelected();
  repaint();
}

// @m0 asks for the events of node m0 alone; every other word must stand in the event's node, kind, text or detail.
function setFilter(text) {
  view.filter = text.trim();
  const words = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
  matches = words.length ? new Uint8Array(numEvents) : null;
  shown = [];
  for (let i = 0; i < numEvents; i++) {
    if (matches) {
      const node = word(events.node[i]).toLowerCase();
      const hay = `${node} ${kindOf(i)} ${textOf(i)} ${word(events.peer[i])} ${word(events.detail[i])}`.toLowerCase();
      if (!words.every((part) => (part[0] === "@" ? node === part.slice(1) : hay.includes(part)))) continue;
      matches[i] = 1;
    }
    shown.push(i);
  }
  showList();
  if (view.selected >= 0) scrollListTo(view.selected);
  repaint();
}
const isFaint = (...numbers) => matches !== null && !numbers.some((i) => i >= 0 && matches[i]);

// -- painting: once a frame, by all painters ---------------------------------------------------------------------
let isDue = false;
function repaint() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    measure();
    for (const paint of painters) paint();
  });
}

function readInk() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy({}, { get: (known, name) => (known[name] ??= style.getPropertyValue(`--${name}`).trim()) });
}
let ink = readInk();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { ink = readInk(); repaint(); });

// The canvas, cleared, at the resolution of the screen.
function penOf(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.textRendering = "optimizeSpeed";  // No ligatures: names are shown as they are.
  return [pen, width, height];
}
const SANS = getComputedStyle(document.body).fontFamily;
const MONO = getComputedStyle(byId("list")).getPropertyValue("--mono");
