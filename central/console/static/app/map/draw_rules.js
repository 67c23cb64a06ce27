// What holds on the roads: zones and what they ask, lifts, places and ways that are closed.

/** What each kind of zone asks, and in which colour. @type {Record<string, [string, string]>} */
const ZONES = { speed: ['warn', 'slow'], one_robot: ['accent', 'one robot'], no_stop: ['robot-doubt', 'no stopping'], closed: ['bad', 'closed'] };

/** @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {import('./scene.js').Scene} s @param {Record<string, string>} paint */
export function zones(g, c, s, paint) {
  for (const zone of s.zones) {
    const [colour, says] = ZONES[zone.kind] ?? ['ink-3', zone.kind];
    g.beginPath();
    zone.corners.forEach((p, n) => (n ? g.lineTo(c.px(p.x), c.py(p.y)) : g.moveTo(c.px(p.x), c.py(p.y))));
    g.closePath();
    g.fillStyle = g.strokeStyle = paint[colour];
    g.globalAlpha = 0.1;
    g.fill();
    g.globalAlpha = 0.7;
    g.lineWidth = 1;
    g.setLineDash([4, 3]);
    g.stroke();
    g.setLineDash([]);
    g.globalAlpha = 1;
  }
}

/** What each zone asks, above what stands on it. @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {import('./scene.js').Scene} s @param {Record<string, string>} paint */
export function zoneNames(g, c, s, paint) {
  for (const zone of s.zones) {
    const [colour, says] = ZONES[zone.kind] ?? ['ink-3', zone.kind];
    const text = `${zone.id}: ${says}${zone.speed ? ` ${zone.speed} m/s` : ''}`;
    const [left, top] = [Math.min(...zone.corners.map((p) => c.px(p.x))), Math.min(...zone.corners.map((p) => c.py(p.y)))];
    g.font = '600 10px system-ui';
    g.textAlign = 'left';
    g.textBaseline = 'bottom';
    g.lineWidth = 3;
    g.strokeStyle = paint['map-ground'];
    g.strokeText(text, left, top - 2);
    g.fillStyle = paint[colour];
    g.fillText(text, left, top - 2);
  }
}

/** @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {import('./scene.js').Scene['lifts'][0]} lift
 * @param {import('../types.js').LiftView | undefined} now @param {Record<string, string>} paint @param {number} unit */
export function drawLift(g, c, lift, now, paint, unit) {
  const r = unit * 0.5;
  const [x, y] = [c.px(lift.at.x), c.py(lift.at.y)];
  g.beginPath();
  g.roundRect(x - r, y - r, 2 * r, 2 * r, 2);
  g.moveTo(x - r * 0.45, y - r * 0.1);
  g.lineTo(x, y - r * 0.65);
  g.lineTo(x + r * 0.45, y - r * 0.1);
  g.moveTo(x - r * 0.45, y + r * 0.1);
  g.lineTo(x, y + r * 0.65);
  g.lineTo(x + r * 0.45, y + r * 0.1);
  const here = now?.level === lift.level;
  const colour = now?.state === 'fault' ? 'bad' : now?.state === 'moving' ? 'warn' : here ? (now?.state === 'open' ? 'good' : 'accent') : 'ink-3';
  g.strokeStyle = paint[colour];
  g.lineWidth = here ? 2 : 1.3;
  if (!here) g.setLineDash([3, 2]); // the cabin stands elsewhere
  g.stroke();
  g.setLineDash([]);
  if (unit < 11) return;
  g.fillStyle = paint[colour === 'ink-3' ? 'map-text' : colour];
  g.font = '600 10px system-ui';
  g.textAlign = 'center';
  g.textBaseline = 'bottom';
  g.fillText(here || !now?.level ? lift.id : `${lift.id} at ${now.level}`, x, y - r - 2);
}

/** Places that have a name of their own, for transports. @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {import('./scene.js').Scene} s @param {Record<string, string>} paint @param {number} unit */
export function placeNames(g, c, s, paint, unit) {
  const r = Math.max(3, unit * 0.3);
  g.strokeStyle = paint.accent;
  g.lineWidth = 1.3;
  g.beginPath();
  for (const { at } of s.places) g.roundRect(c.px(at.x) - r, c.py(at.y) - r, 2 * r, 2 * r, 2);
  g.stroke();
  if (unit < 9) return;
  g.font = `600 ${Math.max(9, Math.min(12, unit * 0.5))}px system-ui`;
  g.textAlign = 'center';
  g.textBaseline = 'top';
  g.lineWidth = 3;
  g.strokeStyle = paint['map-ground'];
  g.fillStyle = paint['ink-2'];
  for (const { name, at } of s.places) {
    g.strokeText(name, c.px(at.x), c.py(at.y) + r + 2);
    g.fillText(name, c.px(at.x), c.py(at.y) + r + 2);
  }
}

/** Edges that nobody may drive, in their one direction. @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c
 * @param {import('./scene.js').Scene} s @param {Record<string, string>} paint @param {string[]} edges @param {number} unit */
export function closedEdges(g, c, s, paint, edges, unit) {
  g.strokeStyle = paint.bad;
  g.lineWidth = Math.max(1.5, unit * 0.09);
  for (const id of edges) {
    const ends = s.edge.get(id);
    if (!ends) continue;
    const [x1, y1, x2, y2] = [c.px(ends[0].x), c.py(ends[0].y), c.px(ends[1].x), c.py(ends[1].y)];
    const long = Math.hypot(x2 - x1, y2 - y1) || 1;
    const [dx, dy, r] = [(x2 - x1) / long, (y2 - y1) / long, Math.max(4, unit * 0.2)];
    const [mx, my] = [(x1 + x2) / 2 - dy * r * 0.5, (y1 + y2) / 2 + dx * r * 0.5];
    g.setLineDash([5, 4]);
    g.beginPath();
    g.moveTo(x1 - dy * r * 0.5, y1 + dx * r * 0.5);
    g.lineTo(x2 - dy * r * 0.5, y2 + dx * r * 0.5);
    g.stroke();
    g.setLineDash([]);
    g.beginPath();
    g.moveTo(mx - dx * r * 0.6 - dy * r, my - dy * r * 0.6 + dx * r);
    g.lineTo(mx + dx * r * 0.6, my + dy * r * 0.6);
    g.lineTo(mx - dx * r * 0.6 + dy * r, my - dy * r * 0.6 - dx * r);
    g.moveTo(mx - dy * r, my + dx * r);
    g.lineTo(mx + dy * r, my - dx * r);
    g.stroke();
  }
}

/** Nodes that an operator has closed. @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c
 * @param {import('./scene.js').Scene} s @param {Record<string, string>} paint @param {string[]} nodes @param {number} unit */
export function closed(g, c, s, paint, nodes, unit) {
  const r = unit * 0.34;
  g.beginPath();
  for (const id of nodes) {
    const n = s.node.get(id);
    if (!n) continue;
    const [x, y] = [c.px(n.x_m), c.py(n.y_m)];
    g.roundRect(x - r * 1.3, y - r * 1.3, 2.6 * r, 2.6 * r, 2);
    g.moveTo(x - r, y - r);
    g.lineTo(x + r, y + r);
    g.moveTo(x + r, y - r);
    g.lineTo(x - r, y + r);
  }
  g.strokeStyle = paint.bad;
  g.lineWidth = Math.max(1.5, unit * 0.1);
  g.stroke();
}
