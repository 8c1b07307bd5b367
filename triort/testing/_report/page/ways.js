// Draws the messages: arrows between the lives of two nodes; the more there are, the fainter.
// Both ends of a message in pixels; one that was not delivered ends on its way, one whose beginning is not known starts there.
function endsOfWay(way) {
  const known = way.sent >= 0 ? way.sent : way.got;
  const here = rowOfLane[events.lane[known]], other = rowOfLane[peerLane(known)];
  if (!here || !other || here === other) return null;
  const [x, y] = [toX(place(known)), lifeOf(here)], far = lifeOf(other);
  if (way.sent >= 0 && way.got >= 0) return [x, y, toX(place(way.got)), far];
  const part = y + Math.sign(far - y) * Math.min(Math.abs(far - y) * 0.6, 26);
  return way.sent >= 0 ? [x, y, x + 7, part] : [x - 7, part, x, y];
}

function paintWays(pen, width, height) {
  const groups = new Map(), seen = new Set();
  for (const way of ways) {
    if (hiddenTones.has(way.tone)) continue;
    const first = way.sent >= 0 ? way.sent : way.got, last = way.got >= 0 ? way.got : way.sent;
    if (place(last) < view.from - (view.to - view.from) * 0.01 || place(first) > view.to) continue;
    const ends = endsOfWay(way);
    if (!ends || Math.max(ends[1], ends[3]) < 0 || Math.min(ends[1], ends[3]) > height) continue;
    const key = Math.round(ends[0] / 1.5) * 4096 + Math.round(ends[2] / 1.5) + (Math.round(ends[1]) * 4096 + Math.round(ends[3])) * 2 ** 26;
    if (seen.has(key)) continue;
    seen.add(key);
    const style = `${isFaint(way.sent, way.got) ? "faint" : ""} ${way.got < 0 ? "lost" : way.tone}`;
    if (!groups.has(style)) groups.set(style, []);
    groups.get(style).push(ends);
    drawnWays.push({ way, ends });
  }
  for (const [style, group] of groups) paintGroup(pen, style.split(" "), group, drawnWays.length);
  pen.globalAlpha = 1;
  pen.setLineDash([]);
}

function paintGroup(pen, [faint, tone], group, total) {
  const color = tone === "lost" ? ink.stop : ink[tone];
  pen.strokeStyle = pen.fillStyle = color;
  // The more there are, the fainter: thousands still let the bars shine through.
  pen.globalAlpha = (faint ? 0.1 : tone === "other" ? 0.7 : 0.85) * Math.min(1, Math.max(0.12, 500 / total));
  pen.setLineDash(tone === "lost" ? [3, 3] : []);
  pen.beginPath();
  for (const [x1, y1, x2, y2] of group) { pen.moveTo(x1, y1); pen.lineTo(x2, y2); }
  pen.stroke();
  pen.setLineDash([]);
  if (total > 1500) return;
  for (const ends of group) tone === "lost" ? paintCross(pen, ends[2], ends[3]) : paintHead(pen, ends, 5);
}

function paintHead(pen, [x1, y1, x2, y2], size) {
  const angle = Math.atan2(y2 - y1, x2 - x1);
  pen.beginPath();
  pen.moveTo(x2, y2);
  for (const turn of [2.75, -2.75]) pen.lineTo(x2 + size * Math.cos(angle + turn), y2 + size * Math.sin(angle + turn));
  pen.fill();
}

function paintCross(pen, x, y) {
  line(pen, x - 3, y - 3, x + 3, y + 3);
  line(pen, x - 3, y + 3, x + 3, y - 3);
}
