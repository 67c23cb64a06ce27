// The moving layer: one path a colour, so that a thousand robots cost a few milliseconds.
import { COLOUR } from './paint.js';

/**
 * @typedef {{pose: import('../poses.js').Pose, id: string, stale: boolean, age: string, alarm: boolean}} Shown
 * @typedef {{selected: string, over: string, links: [string, string][], node?: import('../types.js').Node | null}} Marks
 */

const HALF_M = 0.42;

/**
 * @param {CanvasRenderingContext2D} g
 * @param {import('./camera.js').Camera} c
 * @param {Shown[]} robots
 * @param {Record<string, string>} paint
 * @param {CanvasPattern | null} hatch
 * @param {Marks} marks
 */
export function drawRobots(g, c, robots, paint, hatch, marks) {
  g.clearRect(0, 0, c.width, c.height);
  const r = Math.max(4.2, HALF_M * c.scale);
  if (marks.node) {
    g.beginPath();
    g.roundRect(c.px(marks.node.x_m) - r * 1.5, c.py(marks.node.y_m) - r * 1.5, r * 3, r * 3, r * 0.4);
    g.strokeStyle = paint.accent;
    g.lineWidth = 2;
    g.stroke();
  }
  const loads = robots.filter((s) => s.pose.loaded);
  if (loads.length) {
    g.beginPath();
    for (const { pose } of loads) box(c, pose, r * 1.32, r * 1.32, POD, g);
    g.fillStyle = paint['map-pod'];
    g.globalAlpha = 0.92;
    g.fill();
    g.globalAlpha = 1;
    g.strokeStyle = paint['robot-load'];
    g.lineWidth = Math.max(1, r * 0.12);
    g.stroke();
  }
  /** @type {Map<string, Shown[]>} */
  const groups = new Map();
  for (const robot of robots) {
    const key = robot.stale ? 'stale' : (COLOUR[robot.pose.state] ?? 'robot-offline');
    const group = groups.get(key);
    if (group) group.push(robot);
    else groups.set(key, [robot]);
  }
  for (const [key, group] of groups) {
    g.beginPath();
    for (const { pose } of group) box(c, pose, r, r * 0.82, ROBOT, g);
    if (key === 'stale') {
      g.fillStyle = paint['map-ground'];
      g.fill();
      g.fillStyle = hatch ?? paint['robot-offline'];
      g.fill();
      g.strokeStyle = paint['robot-offline'];
      g.lineWidth = 1.4;
      g.stroke();
    } else {
      g.fillStyle = paint[key];
      g.fill();
    }
  }
  g.beginPath();
  for (const { pose } of robots) nose(c, pose, r, g);
  g.strokeStyle = paint['robot-nose'];
  g.lineWidth = Math.max(1.3, r * 0.2);
  g.lineCap = 'round';
  g.lineJoin = 'round';
  g.stroke();
  marksOn(g, c, robots, paint, r, marks);
  labels(g, c, robots, paint, r, marks);
}

/** @param {import('./camera.js').Camera} c @param {import('../poses.js').Pose} p @param {number} l @param {number} w
 * @param {number[][]} corners @param {CanvasRenderingContext2D} g half length and half width in pixels */
function box(c, p, l, w, corners, g) {
  const [x, y, cos, sin] = [c.px(p.x), c.py(p.y), Math.cos(p.h), -Math.sin(p.h)];
  corners.forEach(([a, b], i) => {
    const [px, py] = [x + a * l * cos - b * w * sin, y + a * l * sin + b * w * cos];
    if (i) g.lineTo(px, py);
    else g.moveTo(px, py);
  });
  g.closePath();
}

/** A box with its corners cut, in half lengths and half widths; `k`: where the cut begins. @param {number} k */
const cut = (k) => [[k, -1], [1, -k], [1, k], [k, 1], [-k, 1], [-1, k], [-1, -k], [-k, -1]];
const ROBOT = cut(0.66);
const POD = cut(0.86);

/** @param {number[]} p @returns {[number, number]} */
const pair = (p) => [p[0], p[1]];

/** @param {import('./camera.js').Camera} c @param {import('../poses.js').Pose} p @param {number} r @param {CanvasRenderingContext2D} g */
function nose(c, p, r, g) {
  const [x, y, cos, sin] = [c.px(p.x), c.py(p.y), Math.cos(p.h), -Math.sin(p.h)];
  const corner = (/** @type {number} */ a, /** @type {number} */ b) => [x + a * cos - b * sin, y + a * sin + b * cos];
  g.moveTo(...pair(corner(r * 0.18, -r * 0.42)));
  g.lineTo(...pair(corner(r * 0.62, 0)));
  g.lineTo(...pair(corner(r * 0.18, r * 0.42)));
}

/** @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {Shown[]} robots
 * @param {Record<string, string>} paint @param {number} r @param {Marks} marks */
function marksOn(g, c, robots, paint, r, marks) {
  const where = new Map(robots.map((s) => [s.id, s.pose]));
  g.strokeStyle = paint['robot-waiting'];
  g.lineWidth = 1.6;
  g.setLineDash([5, 4]);
  g.beginPath();
  for (const [from, to] of marks.links) {
    const [a, b] = [where.get(from), where.get(to)];
    if (!a || !b) continue;
    g.moveTo(c.px(a.x), c.py(a.y));
    g.lineTo(c.px(b.x), c.py(b.y));
  }
  g.stroke();
  g.setLineDash([]);
  for (const s of robots) {
    const chosen = s.id === marks.selected;
    if (!chosen && s.id !== marks.over && !s.alarm) continue;
    g.beginPath();
    g.arc(c.px(s.pose.x), c.py(s.pose.y), r * (chosen ? 2.1 : 1.9), 0, 7);
    g.strokeStyle = chosen || s.id === marks.over ? paint.accent : paint.bad;
    g.lineWidth = chosen ? 2.4 : 1.6;
    g.stroke();
  }
}

/** @param {CanvasRenderingContext2D} g @param {import('./camera.js').Camera} c @param {Shown[]} robots
 * @param {Record<string, string>} paint @param {number} r @param {Marks} marks */
function labels(g, c, robots, paint, r, marks) {
  g.textAlign = 'center';
  g.textBaseline = 'top';
  g.font = '600 10.5px system-ui';
  const all = c.scale > 24;
  for (const s of robots) {
    if (!all && !s.stale && s.id !== marks.selected) continue;
    const text = s.stale ? (all || s.id === marks.selected ? `${s.id} · ${s.age}` : s.age) : s.id;
    const [x, y] = [c.px(s.pose.x), c.py(s.pose.y) + r * 1.5];
    g.lineWidth = 3;
    g.strokeStyle = paint['map-ground'];
    g.strokeText(text, x, y);
    g.fillStyle = s.stale ? paint['ink-3'] : paint['ink-2'];
    g.fillText(text, x, y);
  }
}
