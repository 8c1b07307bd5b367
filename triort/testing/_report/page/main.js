// Puts it together: buttons, the legend, the first view.
const press = (id, act) => byId(id)?.addEventListener("click", act);
press("by-time", () => setMode("time"));
press("by-order", () => setMode("order"));
press("zoom-in", () => zoom(0.6));
press("zoom-out", () => zoom(1 / 0.6));
press("fit", fit);
press("open-all", () => { closed.clear(); layOutLanes(); });
press("close-all", () => closeBelow(1));
press("to-violation", () => select(run.violation.event));

const filterBox = byId("filter");
filterBox.addEventListener("input", () => setFilter(filterBox.value));
filterBox.addEventListener("keydown", (key) => {
  if (key.key === "Escape") { filterBox.value = ""; setFilter(""); list.focus(); }
  if (key.key === "Enter" || key.key === "ArrowDown") { key.preventDefault(); list.focus(); if (view.selected < 0) step(1); }
});

// Only what the run has.
function showLegend() {
  const barNames = { value: "value", error: "error", cancelled: "cancelled", timeout: "timeout", died: "killed", open: "not ended" };
  const wayNames = { work: "work", result: "outcomes", stop: "cancels, losses", other: "other messages" };
  const add = (className, color, text) => {
    const entry = element("li"), swatch = element("span", className);
    if (color) swatch.style.background = `var(--${color})`;
    entry.append(swatch, text);
    byId("legend").append(entry);
  };
  for (const [tone, text] of Object.entries(barNames)) if (bars.some((bar) => bar.tone === tone)) add("swatch", tone, text);
  for (const [tone, text] of Object.entries(wayNames)) if (ways.some((way) => way.got >= 0 && way.tone === tone)) addSwitch(tone, text);
  if (ways.some((way) => way.got < 0)) add("arrow lost", "", "not delivered");
  if (faults.length) add("rule", "", "fault");
}

// The messages of one tone, which can be hidden.
function addSwitch(tone, text) {
  const entry = element("li"), button = element("button", "", ""), swatch = element("span", "arrow");
  swatch.style.background = `var(--${tone})`;
  button.type = "button";
  button.title = "Show or hide these messages";
  button.setAttribute("aria-pressed", "true");
  button.append(swatch, text);
  button.addEventListener("click", () => {
    if (!hiddenTones.delete(tone)) hiddenTones.add(tone);
    button.setAttribute("aria-pressed", String(!hiddenTones.has(tone)));
    repaint();
  });
  entry.append(button);
  byId("legend").append(entry);
}

measure();
showLegend();
setFilter("");
closeBelow(lanes.length > 80 ? 1 : Infinity);
setMode(betterMode());
showRun();
showSelected();
scrollListTo(run.violation ? run.violation.event : firstOfRun());
new ResizeObserver(layOutLanes).observe(canvases.lanes);
new ResizeObserver(repaint).observe(list);
