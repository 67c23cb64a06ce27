// The still layer: roads, cells with and without pods, lanes, stations, chargers, doors, the conveyor loop.

import { closed, closedEdges, drawLift, placeNames, zoneNames, zones } from './draw_rules.js';

/**
 * @typedef {{pods: Map<string, string>, chutes: Record<string, string[]>,
 *   stations: Map<string, import('../types.js').StationView>, doors: Map<string, string>, lifts: Map<string, import('../types.js').LiftView>, closed: string[], edges: string[]}} Standing
 */

/**
 * @param {CanvasRenderingContext2D} g
 * @param {import('./camera.js').Camera} c
 * @param {import('./scene.js').Scene} s
 * @param {Record<string, string>} paint
 * @param {Standing} standing
 */
export function drawFloor(g, c, s, paint, standing) {
  g.clearRect(0, 0, c.width, c.height);
  const unit = s.pitch * c.scale;
  zones(g, c, s, paint);
  roads(g, c, s, paint, unit);
  cells(g, c, s, paint, standing, unit);
  if (s.belt) belt(g, c, s.belt, s.pitch, paint, standing);
  for (const place of s.stations) station(g, c, s, place, paint, standing.stations.get(place.station.id), unit);
  for (const lift of s.lifts) drawLift(g, c, lift, standing.lifts.get(lift.id), paint, unit);
  placeNames(g, c, s, paint, unit);
  zoneNames(g, c, s, paint);
  closed(g, c, s, paint, standing.closed, unit);
  closedEdges(g, c, s, paint, standing.edges, unit);
  for (const door of s.doors) drawDoor(g, c, door, standing.doors.get(door.id) ?? '', paint, unit);
}

/** @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {import('./scene.js').Scene} s
 * @param {Record<string, string>} paint @param {number} unit */
function roads(g, c, s, paint, unit) {
  g.strokeStyle = paint['map-road'];
  g.lineWidth = Math.max(1, unit * 0.1);
  g.lineCap = 'round';
  g.beginPath();
  for (const [a, b] of s.roads) {
    g.moveTo(c.px(a.x), c.py(a.y));
    g.lineTo(c.px(b.x), c.py(b.y));
  }
  g.stroke();
  g.strokeStyle = paint['map-lane'];
  g.lineWidth = unit * 0.86;
  g.lineJoin = 'round';
  g.beginPath();
  for (const { lane } of s.stations) lane.forEach((p, i) => (i ? g.lineTo(c.px(p.x), c.py(p.y)) : g.moveTo(c.px(p.x), c.py(p.y))));
  g.stroke();
}

/** @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {import('./scene.js').Scene} s
 * @param {Record<string, string>} paint @param {Standing} standing @param {number} unit */
function cells(g, c, s, paint, standing, unit) {
  const half = unit * 0.43;
  const square = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ h) => g.roundRect(c.px(x) - h, c.py(y) - h, 2 * h, 2 * h, h * 0.22);
  g.beginPath();
  for (const n of s.kinds.get('storage') ?? []) square(n.x_m, n.y_m, half);
  g.fillStyle = paint['map-cell'];
  g.fill();
  g.strokeStyle = paint['map-cell-line'];
  g.lineWidth = 1;
  g.stroke();
  g.beginPath();
  const stand = [];
  for (const [pod, id] of standing.pods) {
    const n = s.node.get(id);
    if (!n) continue;
    square(n.x_m, n.y_m, half * 0.84);
    stand.push({ pod, n });
  }
  g.fillStyle = paint['map-pod'];
  g.fill();
  if (unit > 34) {
    g.fillStyle = paint['map-text'];
    g.font = `${Math.min(12, unit * 0.26)}px system-ui`;
    g.textAlign = 'center';
    g.textBaseline = 'middle';
    for (const { pod, n } of stand) g.fillText(pod, c.px(n.x_m), c.py(n.y_m));
  }
  glyphs(g, c, s.kinds.get('charger') ?? [], '⚡', paint['robot-charging'], paint, unit);
  glyphs(g, c, s.kinds.get('park') ?? [], 'P', paint['map-text'], paint, unit);
}

/** @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {import('../types.js').Node[]} nodes
 * @param {string} glyph @param {string} colour @param {Record<string, string>} paint @param {number} unit */
function glyphs(g, c, nodes, glyph, colour, paint, unit) {
  const h = unit * 0.36;
  g.beginPath();
  for (const n of nodes) g.roundRect(c.px(n.x_m) - h, c.py(n.y_m) - h, 2 * h, 2 * h, h * 0.5);
  g.fillStyle = paint['map-ground'];
  g.fill();
  g.strokeStyle = colour;
  g.globalAlpha = glyph === 'P' ? 0.35 : 0.75;
  g.lineWidth = 1;
  g.stroke();
  g.fillStyle = colour;
  if (glyph === 'P') {
    g.font = `600 ${Math.max(6, unit * 0.34)}px system-ui`;
    g.textAlign = 'center';
    g.textBaseline = 'middle';
    if (unit > 15) for (const n of nodes) g.fillText(glyph, c.px(n.x_m), c.py(n.y_m) + 0.5);
  } else {
    g.beginPath();
    for (const n of nodes) bolt(g, c.px(n.x_m), c.py(n.y_m), h * 0.8);
    g.fill();
  }
  g.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} g @param {number} x @param {number} y @param {number} r */
function bolt(g, x, y, r) {
  const points = [[0.15, -0.9], [-0.5, 0.15], [-0.05, 0.15], [-0.15, 0.9], [0.5, -0.18], [0.05, -0.18]];
  points.forEach(([px, py], i) => (i ? g.lineTo(x + px * r, y + py * r) : g.moveTo(x + px * r, y + py * r)));
  g.closePath();
}

/** @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {import('./scene.js').Scene} s
 * @param {import('./scene.js').Scene['stations'][0]} place @param {Record<string, string>} paint
 * @param {import('../types.js').StationView | undefined} view @param {number} unit */
function station(g, c, s, place, paint, view, unit) {
  const { at, side } = place;
  const far = 1.62 * s.pitch;
  const x = c.px(at.x + side.x * far);
  const y = c.py(at.y + side.y * far);
  const upright = side.x !== 0;
  const [w, h] = upright ? [unit * 1.5, unit * 2.5] : [unit * 2.9, unit * 1.62];
  g.beginPath();
  g.roundRect(x - w / 2, y - h / 2, w, h, Math.min(6, unit * 0.16));
  g.fillStyle = paint['map-plate'];
  g.fill();
  g.strokeStyle = view?.pod ? paint.accent : paint['map-plate-line'];
  g.lineWidth = view?.pod ? 1.5 : 1;
  g.stroke();
  // the working place itself
  g.beginPath();
  g.roundRect(c.px(at.x) - unit * 0.47, c.py(at.y) - unit * 0.47, unit * 0.94, unit * 0.94, unit * 0.12);
  g.strokeStyle = paint['map-plate-line'];
  g.stroke();
  g.fillStyle = paint.ink;
  g.font = `650 ${Math.max(8, Math.min(16, unit * 0.52))}px system-ui`;
  g.textBaseline = 'middle';
  if (upright || !place.station.slots) {
    g.textAlign = 'center';
    g.fillText(place.station.id, x, y);
    return;
  }
  g.textAlign = 'left';
  g.fillText(place.station.id, x - w / 2 + unit * 0.2, y - h * 0.2);
  if (view && view.open_picks > 0) {
    g.textAlign = 'right';
    g.fillStyle = paint['ink-2'];
    g.font = `${Math.max(8, Math.min(13, unit * 0.42))}px system-ui`;
    g.fillText(`${view.open_picks}`, x + w / 2 - unit * 0.2, y - h * 0.2);
  }
  const n = place.station.slots;
  const gap = unit * 0.07;
  const sw = (w - unit * 0.36 - gap * (n - 1)) / n;
  for (let i = 0; i < n; i++) {
    g.beginPath();
    g.roundRect(x - w / 2 + unit * 0.18 + i * (sw + gap), y + h * 0.12, sw, h * 0.26, 1.5);
    if (view?.totes[i]) {
      g.fillStyle = paint['robot-acting'];
      g.fill();
    } else {
      g.strokeStyle = paint['map-plate-line'];
      g.lineWidth = 1;
      g.stroke();
    }
  }
}

/** @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {import('./scene.js').Scene['doors'][0]} door
 * @param {string} state @param {Record<string, string>} paint @param {number} unit */
function drawDoor(g, c, door, state, paint, unit) {
  const [ax, ay, bx, by] = [c.px(door.from.x), c.py(door.from.y), c.px(door.to.x), c.py(door.to.y)];
  const colour = { open: paint.good, closed: paint['ink-2'], fault: paint.bad }[state] ?? paint.warn;
  // the leaf slides: whole across the road when closed, a stub when open
  const leaf = { open: 0.12, closed: 1, fault: 1 }[state] ?? 0.55;
  g.lineCap = 'butt';
  g.strokeStyle = colour;
  g.setLineDash([2, 3]);
  g.lineWidth = 1;
  g.beginPath();
  g.moveTo(ax, ay);
  g.lineTo(bx, by);
  g.stroke();
  g.setLineDash([]);
  g.lineWidth = Math.max(3, unit * 0.2);
  g.beginPath();
  g.moveTo(ax, ay);
  g.lineTo(ax + (bx - ax) * leaf, ay + (by - ay) * leaf);
  g.stroke();
  const post = Math.max(2.5, unit * 0.16);
  g.fillStyle = paint['ink-2'];
  g.fillRect(ax - post, ay - post, 2 * post, 2 * post);
  g.fillRect(bx - post, by - post, 2 * post, 2 * post);
  if (unit < 11) return;
  g.fillStyle = paint['map-text'];
  g.font = `600 ${Math.max(8, Math.min(12, unit * 0.5))}px system-ui`;
  g.textAlign = 'center';
  g.textBaseline = 'bottom';
  g.fillText(state === 'open' || state === 'closed' ? door.id : `${door.id} ${state || 'unknown'}`, (ax + bx) / 2, Math.min(ay, by) - post - 2);
}

/** @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {import('./scene.js').Belt} b
 * @param {number} pitch @param {Record<string, string>} paint @param {Standing} standing */
function belt(g, c, b, pitch, paint, standing) {
  const unit = pitch * c.scale;
  g.strokeStyle = paint['map-belt'];
  g.lineWidth = Math.max(3, unit * 0.42);
  g.beginPath();
  g.roundRect(c.px(b.left), c.py(b.top), (b.right - b.left) * c.scale, (b.top - b.bottom) * c.scale, unit * 0.75);
  g.stroke();
  g.strokeStyle = paint['map-ground'];
  g.lineWidth = 1;
  g.setLineDash([unit * 0.22, unit * 0.3]);
  g.stroke();
  g.setLineDash([]);
  g.strokeStyle = paint['map-belt'];
  g.lineWidth = Math.max(2, unit * 0.22);
  g.beginPath();
  for (const { x } of b.infeeds) {
    g.moveTo(c.px(x), c.py(b.top + 0.62 * pitch));
    g.lineTo(c.px(x), c.py(b.top));
  }
  for (const { x } of b.chutes) {
    g.moveTo(c.px(x), c.py(b.bottom));
    g.lineTo(c.px(x), c.py(b.bottom - 0.6 * pitch));
  }
  g.stroke();
  g.fillStyle = paint['map-text'];
  g.font = `${Math.max(8, Math.min(12, unit * 0.4))}px system-ui`;
  g.textAlign = 'center';
  g.textBaseline = 'middle';
  if (unit > 12) {
    g.fillText('scanner', c.px(b.scanner), c.py(b.bottom - 0.75 * pitch));
    g.fillText('conveyor and sorter', c.px((b.left + b.right) / 2), c.py((b.top + b.bottom) / 2));
  }
  g.fillStyle = paint['ink-2'];
  g.fillRect(c.px(b.scanner) - 1.5, c.py(b.bottom) - unit * 0.3, 3, unit * 0.6);
  for (const { chute, x } of b.chutes) {
    const here = standing.chutes[chute.id]?.length ?? 0;
    const w = unit * 1.9;
    const y = c.py(b.bottom - 0.6 * pitch);
    g.beginPath();
    g.roundRect(c.px(x) - w / 2, y, w, unit * 1.35, 3);
    g.fillStyle = paint['map-plate'];
    g.fill();
    g.strokeStyle = here >= chute.capacity ? paint.warn : paint['map-plate-line'];
    g.lineWidth = 1;
    g.stroke();
    g.fillStyle = paint.ink;
    g.font = `600 ${Math.max(7, Math.min(13, unit * 0.42))}px system-ui`;
    g.fillText(chute.id, c.px(x), y + unit * 0.45);
    const sw = (w - unit * 0.3) / chute.capacity;
    for (let i = 0; i < chute.capacity; i++) {
      g.beginPath();
      g.roundRect(c.px(x) - w / 2 + unit * 0.15 + i * sw + 0.5, y + unit * 0.86, sw - 1.5, unit * 0.26, 1.5);
      if (i < here) {
        g.fillStyle = paint['robot-acting'];
        g.fill();
      } else {
        g.strokeStyle = paint['map-plate-line'];
        g.stroke();
      }
    }
  }
}
