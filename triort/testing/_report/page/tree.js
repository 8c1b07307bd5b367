// The names of the nodes at the left: a tree whose branches fold, of which only the rows in sight are in the document.
const treeRows = byId("tree-rows");

function deadLanes() {
  const dead = new Set();
  const at = view.selected >= 0 ? view.selected : numEvents;
  for (const [lane, born, died] of run.lives) {
    if (born <= at) dead.delete(lane);
    if ((died >= 0 && died <= at) || born > at) dead.add(lane);
  }
  return dead;
}

let treeShown = "";

function paintTree() {
  const state = [stage.scroll, stage.height, view.selected, view.lane, view.filter, layouts, document.activeElement === tree].join();
  if (state === treeShown) return;
  treeShown = state;
  const dead = deadLanes(), low = stage.scroll - 60, high = stage.scroll + stage.height + 60;
  treeRows.replaceChildren(...rows.filter((row) => row.top + row.height > low && row.top < high).map((row) => treeRow(row, dead)));
  if (view.lane >= 0) tree.setAttribute("aria-activedescendant", `lane-${view.lane}`);
}
painters.add(paintTree);
tree.addEventListener("scroll", repaint);

function treeRow(row, dead) {
  const { lane } = row, made = element("div", "node");
  made.id = `lane-${lane.id}`;
  made.dataset.lane = String(lane.id);
  Object.assign(made.style, { top: `${row.top}px`, height: `${row.height}px`, lineHeight: `${row.folded ? row.height : lineHeight() + 4}px`, paddingLeft: `${4 + lane.depth * 13}px` });
  made.classList.toggle("dead", dead.has(lane.id));
  made.classList.toggle("active", lane.id === view.lane && document.activeElement === tree);
  made.classList.toggle("match", view.filter === `@${lane.name}`);
  made.setAttribute("role", "treeitem");
  made.setAttribute("aria-level", String(lane.depth + 1));
  made.setAttribute("aria-label", dead.has(lane.id) ? `${lane.name}, gone` : lane.name);
  const twist = element("span", "twist");
  if (lane.below.length) {
    made.setAttribute("aria-expanded", String(!closed.has(lane.id)));
    twist.append(triangle());
  }
  const name = element("span", "name", lane.name);
  name.title = `${lane.name}: click to see its events alone`;
  made.append(twist, name);
  if (closed.has(lane.id)) made.append(element("span", "below", `+${grouped(lane.total)}`));
  return made;
}

function triangle() {
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  picture.setAttribute("viewBox", "0 0 8 8");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "M1.5 0 L7 4 L1.5 8 Z");
  picture.append(path);
  return picture;
}

function filterByLane(lane) {
  const text = `@${lanes[lane].name}`;
  byId("filter").value = view.filter === text ? "" : text;
  setFilter(byId("filter").value);
}

tree.addEventListener("click", (click) => {
  const node = click.target.closest(".node");
  if (!node) return;
  const lane = Number(node.dataset.lane);
  view.lane = lane;
  if (click.target.closest(".twist") && lanes[lane].below.length) setClosed(lane, !closed.has(lane));
  else if (click.target.closest(".name")) filterByLane(lane);
  repaint();
});

tree.addEventListener("keydown", (key) => {
  const at = rows.findIndex((row) => row.lane.id === view.lane), lane = lanes[view.lane];
  const goTo = (nth) => { view.lane = rows[Math.min(Math.max(nth, 0), rows.length - 1)].lane.id; revealLane(view.lane); };
  const acts = {
    ArrowDown: () => goTo(at + 1),
    ArrowUp: () => goTo(at - 1),
    Home: () => goTo(0),
    End: () => goTo(rows.length - 1),
    ArrowRight: () => lane && lane.below.length && (closed.has(lane.id) ? setClosed(lane.id, false) : goTo(at + 1)),
    ArrowLeft: () => lane && (lane.below.length && !closed.has(lane.id) ? setClosed(lane.id, true) : lane.boss >= 0 && (view.lane = lane.boss)),
    Enter: () => lane && filterByLane(lane.id),
  };
  if (!acts[key.key] || !rows.length) return;
  key.preventDefault();
  key.stopPropagation();
  acts[key.key]();
  repaint();
});
tree.addEventListener("focus", () => { if (view.lane < 0 && rows.length) view.lane = rows[0].lane.id; repaint(); });
tree.addEventListener("blur", () => { view.lane = -1; repaint(); });
