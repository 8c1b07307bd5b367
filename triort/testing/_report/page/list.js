// The list of events, of which only the rows in sight are in the document, and what is known about the selected one.
const list = byId("list"), listRows = byId("list-rows");
const EVENT_HEIGHT = 22;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function showList() {
  listRows.style.height = `${shown.length * EVENT_HEIGHT}px`;
  byId("count").textContent = shown.length === numEvents ? grouped(numEvents) : `${grouped(shown.length)} of ${grouped(numEvents)}`;
}

let listShown = "";

function paintList() {
  const top = list.scrollTop, height = list.clientHeight, state = [top, height, view.selected, view.filter].join();
  if (state === listShown) return;
  listShown = state;
  const first = Math.max(0, Math.floor(top / EVENT_HEIGHT) - 4);
  const last = Math.min(shown.length, Math.ceil((top + height) / EVENT_HEIGHT) + 4);
  const made = [];
  for (let nth = first; nth < last; nth++) made.push(eventRow(nth, nth * EVENT_HEIGHT >= top + EVENT_HEIGHT));
  listRows.replaceChildren(...(shown.length ? made : [element("p", "nothing", numEvents ? "No event matches the filter." : "No event was kept.")]));
  const active = shown.indexOf(view.selected);
  if (active >= first && active < last) list.setAttribute("aria-activedescendant", `event-${view.selected}`);
  else list.removeAttribute("aria-activedescendant");
}
painters.add(paintList);
list.addEventListener("scroll", repaint);

function eventRow(nth, mayHideTime) {
  const i = shown[nth];
  const row = element("div", "event");
  const sameTime = mayHideTime && nth > 0 && events.time[shown[nth - 1]] === events.time[i];
  row.classList.toggle("same", sameTime);
  row.classList.toggle("selected", i === view.selected);
  row.classList.toggle("violated", Boolean(run.violation) && run.violation.event === i);
  row.id = `event-${i}`;
  row.dataset.event = String(i);
  row.dataset.tone = toneOfEvent(i);
  row.style.top = `${nth * EVENT_HEIGHT}px`;
  row.setAttribute("role", "option");
  row.setAttribute("aria-selected", String(i === view.selected));
  row.setAttribute("aria-setsize", String(shown.length));
  row.setAttribute("aria-posinset", String(nth + 1));
  row.append(element("span", "when", seconds(events.time[i])), element("span", "who", word(events.node[i])), element("span", "text", textOf(i)));
  return row;
}

list.addEventListener("click", (click) => {
  const row = click.target.closest(".event");
  if (row) select(Number(row.dataset.event));
});

function scrollListTo(i) {
  const nth = lowerBound(shown, i);
  if (nth >= shown.length) return;
  const top = nth * EVENT_HEIGHT;
  if (top < list.scrollTop || top + EVENT_HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 2;
}

// The event so many rows further on in the list.
function step(by) {
  if (!shown.length) return;
  const nth = view.selected < 0 ? (by > 0 ? -1 : shown.length) : lowerBound(shown, view.selected);
  const skips = view.selected >= 0 && shown[nth] !== view.selected && by > 0 ? by - 1 : by;
  select(shown[Math.min(Math.max(nth + skips, 0), shown.length - 1)]);
}

list.addEventListener("keydown", (key) => {
  const page = Math.max(1, Math.floor(list.clientHeight / EVENT_HEIGHT) - 1);
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -numEvents, End: numEvents };
  if (key.key in moves) { key.preventDefault(); step(moves[key.key]); }
});

// -- the selected event --------------------------------------------------------------------------------------------
function otherEnd(i) {
  const way = wayOf.get(i), bar = barOf.get(i);
  const other = way ? (way.sent === i ? way.got : way.sent) : bar ? (bar.start === i ? bar.end : bar.start) : -1;
  return other === i ? -1 : other;
}

function relations(i) {
  const way = wayOf.get(i), bar = barOf.get(i), other = otherEnd(i);
  const took = other >= 0 ? `, ${spanText(Math.abs(events.time[other] - events.time[i]))} ${other > i ? "later" : "before"}` : "";
  if (way && other < 0) return [way.sent === i ? "never delivered" : "its sending was not kept", -1];
  if (way) return [`${way.sent === i ? "delivered" : "sent"} at ${seconds(events.time[other])} s${took}`, other];
  if (bar && other < 0) return [bar.start === i ? "never ended" : "its beginning was not kept", -1];
  if (bar) return [`${bar.start === i ? `ended (${bar.how})` : "began"} at ${seconds(events.time[other])} s${took}`, other];
  return null;
}

function showSelected() {
  const panel = byId("facts"), i = view.selected;
  if (i < 0) {
    panel.replaceChildren(element("p", "", "Select an event in the list or in the time line to see all it tells."));
    return;
  }
  const facts = element("dl");
  const entries = {
    event: `${grouped(run.first + i + 1)}, ${kindOf(i)}`, time: `${seconds(events.time[i])} s`, node: word(events.node[i]),
    what: word(events.what[i]), peer: word(events.peer[i]), number: events.number[i] ? String(events.number[i]) : "", detail: word(events.detail[i]),
  };
  for (const [name, text] of Object.entries(entries)) if (text) facts.append(element("dt", "", name), element("dd", "", text));
  panel.replaceChildren(element("h2", "", `${word(events.node[i])}  ${textOf(i)}`), facts);
  const known = relations(i);
  if (known) {
    const line = element("div", "ways");
    const jump = element(known[1] >= 0 ? "button" : "span", "", known[0]);
    if (known[1] >= 0) { jump.type = "button"; jump.addEventListener("click", () => select(known[1])); }
    line.append(jump);
    panel.append(line);
  }
  scrollListTo(i);
}
