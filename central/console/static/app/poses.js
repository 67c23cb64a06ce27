// Pose frames (`contracts/poses.py`): read, and blended so that robots glide between two of them.

const MAGIC = 0x50464c31;
const HEADER = 16;
const RECORD = 10;
const STEP_M = 0.02;
const JUMP_M = 6;

export const STATES = [
  'offline', 'idle', 'driving', 'acting', 'waiting', 'in_doubt', 'cancelling', 'rejected', 'paused', 'manual', 'charging', 'error', 'new',
];

/**
 * @typedef {{x: number, y: number, h: number, fromX: number, fromY: number, fromH: number, toX: number, toY: number,
 *   toH: number, since: number, takes: number, changed: number, state: string, loaded: boolean, firstX: number,
 *   firstY: number}} Pose Where a robot is shown now (x, y, h) and between which two places it glides.
 */

export class Poses {
  constructor() {
    /** @type {string[]} Robots in the order of the fleet view, which the frames' indices mean. */
    this.names = [];
    /** @type {Pose[]} By index. */
    this.all = [];
    this.frames = 0;
    this.heard = -Infinity;
  }

  /** @param {ArrayBuffer} frame @returns {number} its time in ms since 1970; 0: it was no frame */
  take(frame) {
    const view = new DataView(frame);
    if (frame.byteLength < HEADER || view.getUint32(0, true) !== MAGIC) return 0;
    const count = view.getUint32(4, true);
    if (frame.byteLength !== HEADER + count * RECORD) return 0;
    const now = performance.now();
    for (let i = 0, o = HEADER; i < count; i++, o += RECORD) {
      const x = view.getInt16(o + 2, true) * STEP_M;
      const y = view.getInt16(o + 4, true) * STEP_M;
      const h = (view.getInt16(o + 6, true) * Math.PI) / 32768;
      this._place(view.getUint16(o, true), x, y, h, STATES[view.getUint8(o + 8)] ?? 'offline', (view.getUint8(o + 9) & 1) === 1, now);
    }
    this.frames++;
    this.heard = now;
    return Number(view.getBigUint64(8, true));
  }

  /** Robots as they stood at a moment, at once. @param {import('./types.js').RobotView[]} robots */
  show(robots) {
    this.names = robots.map((r) => r.id);
    this.all = [];
    robots.forEach((r, i) => this._place(i, r.x_m, r.y_m, r.heading_rad, r.state, !!r.pod, performance.now()));
  }

  /** @param {number} i @param {number} x @param {number} y @param {number} h @param {string} state @param {boolean} loaded @param {number} now */
  _place(i, x, y, h, state, loaded, now) {
    const p = this.all[i];
    if (!p) {
      this.all[i] = {
        x, y, h, fromX: x, fromY: y, fromH: h, toX: x, toY: y, toH: h, since: now, takes: 200, changed: now, state, loaded, firstX: x, firstY: y,
      };
      return;
    }
    p.state = state;
    p.loaded = loaded;
    if (p.toX === x && p.toY === y && p.toH === h) return;
    const jumps = Math.hypot(x - p.x, y - p.y) > JUMP_M;
    // it is shown one of its own steps late, so that it need not stop before the next place is known
    p.takes = Math.min(1200, Math.max(90, 0.5 * p.takes + 0.5 * (now - p.changed)));
    p.fromX = jumps ? x : p.x;
    p.fromY = jumps ? y : p.y;
    p.fromH = jumps ? h : p.h;
    p.toX = x;
    p.toY = y;
    p.toH = h;
    p.since = p.changed = now;
  }

  /** Move every robot to where it is shown at `now`; says whether any still glides. @param {number} now */
  blend(now) {
    let gliding = false;
    for (const p of this.all) {
      if (!p) continue;
      const part = (now - p.since) / p.takes;
      if (part >= 1) {
        p.x = p.toX;
        p.y = p.toY;
        p.h = p.toH;
        continue;
      }
      gliding = true;
      let turn = p.toH - p.fromH;
      if (turn > Math.PI) turn -= 2 * Math.PI;
      if (turn < -Math.PI) turn += 2 * Math.PI;
      p.x = p.fromX + (p.toX - p.fromX) * part;
      p.y = p.fromY + (p.toY - p.fromY) * part;
      p.h = p.fromH + turn * part;
    }
    return gliding;
  }

  /** How many robots are now more than 10 cm from where they were first seen. */
  movedSinceStart() {
    return this.all.filter((p) => p && Math.hypot(p.toX - p.firstX, p.toY - p.firstY) > 0.1).length;
  }
}
