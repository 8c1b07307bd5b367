// The run as page.py wrote it, and what follows from it alone. Events, lanes and bars are known by their numbers.
const run = JSON.parse(document.getElementById("run").textContent);
const events = run.events;
const numEvents = events.time.length;
const word = (number) => run.strings[number];
const kindOf = (i) => run.kinds[events.kind[i]];
const textOf = (i) => word(events.text[i]);

const lanes = run.lanes.map(([name, depth, boss, slots], id) => ({ id, name, depth, boss, slots, below: [], total: 0 }));
for (const lane of lanes) if (lane.boss >= 0) lanes[lane.boss].below.push(lane);
for (const lane of [...lanes].sort((a, b) => b.depth - a.depth)) {
  lane.total = lane.below.reduce((sum, other) => sum + 1 + other.total, 0);
}

const TONES = { value: "value", done: "value", error: "error", cancelled: "cancelled", timeout: "timeout", open: "open" };
const toneOfEnd = (how) => TONES[how.split(" ")[0]] || (/^(crash|kill|died|lost)/.test(how) ? "died" : "cancelled");
const bars = run.bars.map(([lane, start, end, slot, name, how, isJob], id) => ({
  id, lane, start, end, slot, name: word(name), how: word(how), isJob: Boolean(isJob),
  tone: isJob ? "job" : toneOfEnd(word(how)),
}));

function toneOfMessage(what) {
  if (/Cancel|Lost|Refuse|Error|Shutdown/.test(what)) return "stop";
  if (/Outcomes|JobEnded/.test(what)) return "result";
  return /Submit|Returned/.test(what) ? "work" : "other";
}
const ways = run.ways.map(([sent, got], id) => {
  const known = sent >= 0 ? sent : got;
  return { id, sent, got, tone: toneOfMessage(word(events.what[known])) };
});

// What belongs to an event: the message, the bar, or nothing.
const wayOf = new Map();
for (const way of ways) for (const i of [way.sent, way.got]) if (i >= 0) wayOf.set(i, way);
const barOf = new Map();
for (const bar of bars) for (const i of [bar.start, bar.end]) if (i >= 0 && !barOf.has(i)) barOf.set(i, bar);

const barsOfLane = lanes.map(() => []);
for (const bar of bars) barsOfLane[bar.lane].push(bar);
const eventsOfLane = lanes.map(() => []);
const faults = [];
const isMissed = (i) => word(events.detail[i]).startsWith("missed");
for (let i = 0; i < numEvents; i++) {
  if (events.lane[i] >= 0) eventsOfLane[events.lane[i]].push(i);
  if (kindOf(i) === "fault" && !isMissed(i)) faults.push(i);
}

// The other lane of a message of which one end alone was kept, or that was never delivered.
const laneNamed = new Map(lanes.map((lane) => [lane.name, lane.id]));
const peerLane = (i) => laneNamed.get(word(events.peer[i])) ?? -1;

// The tone of an event in the list: that of its message, or of what it says.
function toneOfEvent(i) {
  const kind = kindOf(i);
  if (kind === "send" || kind === "deliver") return toneOfMessage(word(events.what[i]));
  if (kind === "fault" || kind === "died" || kind === "log") return "fault";
  return kind === "mark" || kind === "open" || kind === "born" ? "other" : "";
}

const TASK_KINDS = new Set(["start", "end", "submit", "settle", "cancelled"]);
const taskOf = (i) => (TASK_KINDS.has(kindOf(i)) ? word(events.what[i]) : "");
const seconds = (time) => time.toFixed(6);
const grouped = (number) => number.toLocaleString("en");

function spanText(time) {
  if (time >= 1) return `${Number(time.toPrecision(4))} s`;
  return time >= 1e-3 ? `${Number((time * 1e3).toPrecision(4))} ms` : `${Number((time * 1e6).toPrecision(4))} µs`;
}
