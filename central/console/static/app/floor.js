// What the console knows of the floor: one place, fed by REST at the start and by the live feed after it.
import { get } from './rest.js';
import { FloorClock } from './floor_clock.js';
import { Poses } from './poses.js';

/** @typedef {'me' | 'site' | 'fleet' | 'poses' | 'tasks' | 'orders' | 'alarms' | 'stats' | 'link' | 'standing' | 'tick'} Topic */

const MOST_ROWS = 2000;
const BRIEF_MS = 12_000;
const MOVING = new Set(['driving', 'acting', 'waiting', 'in_doubt', 'cancelling', 'manual']);
/** A robot that said nothing for so long on the floor's clock is stale: it speaks at least every 30 s. */
export const STALE_MS = 45_000;
/** So long without a word from central, on the browser's clock, and everything shown is old. */
export const SILENT_MS = 4_000;

class Floor {
  constructor() {
    /** @type {import('./types.js').Me | null} */
    this.me = null;
    /** @type {import('./types.js').Site | null} */
    this.site = null;
    /** @type {Map<string, import('./types.js').Node>} */
    this.nodes = new Map();
    /** @type {import('./types.js').FleetView | null} */
    this.view = null;
    /** @type {Map<string, import('./types.js').RobotView>} */
    this.robots = new Map();
    this.poses = new Poses();
    this.clock = new FloorClock();
    /** @type {Map<string, import('./types.js').Task>} Newest change last. */
    this.tasks = new Map();
    /** @type {Map<string, import('./types.js').Order>} */
    this.orders = new Map();
    /** @type {Map<number, import('./types.js').Alarm>} */
    this.alarms = new Map();
    /** @type {import('./types.js').Stats | null} */
    this.stats = null;
    /** @type {Map<string, string>} Node by pod. */
    this.pods = new Map();
    /** @type {Record<string, string[]>} */
    this.chutes = {};
    /** @type {{state: 'connecting' | 'live' | 'lost', heard: number}} `heard` on performance.now(). */
    this.link = { state: 'connecting', heard: performance.now() };
    /** What came of the last command, while it is news. */
    this.brief = '';
    /** The moment that is looked back at instead of now. @type {import('./types.js').FleetView | null} */
    this.past = null;
    /** @type {import('./types.js').FleetView | null} */
    this._newest = null;
    /** @type {Map<Topic, Set<() => void>>} */
    this._listeners = new Map();
  }

  /** @param {Topic} topic @param {() => void} listener @returns {() => void} */
  on(topic, listener) {
    const all = this._listeners.get(topic) ?? new Set();
    this._listeners.set(topic, all.add(listener));
    return () => all.delete(listener);
  }

  /** @param {Topic} topic */
  tell(topic) {
    for (const listener of this._listeners.get(topic) ?? []) listener();
  }

  /** How old what is shown is, in ms of the browser's clock. */
  silence() {
    return performance.now() - this.link.heard;
  }

  /** How old the newest pose frame is, in ms of the browser's clock; Infinity: none yet. */
  frameAge() {
    return performance.now() - this.poses.heard;
  }

  /** `stopped`: by `floorplane stop`, which holds newcomers too; `paused`: nobody moves, and most are paused. */
  get halt() {
    if (this.view?.stopped) return 'stopped';
    const there = this.view?.robots.filter((r) => r.state !== 'offline') ?? [];
    const moves = there.some((r) => MOVING.has(r.state));
    return !moves && this.pausedCount * 2 > there.length ? 'paused' : '';
  }

  /** Who stopped the fleet and why, as the dispatcher's alarm says. */
  get stopTold() {
    return this.activeAlarms.find((a) => a.key === 'stop')?.text ?? '';
  }

  get pausedCount() {
    return this.view?.robots.filter((r) => r.state === 'paused').length ?? 0;
  }

  get isOld() {
    return this.link.state !== 'live' || this.frameAge() > SILENT_MS;
  }

  /** @param {import('./types.js').RobotView} robot @returns {number} ms of the floor's clock */
  robotAge(robot) {
    return Math.max(0, this.clock.now() - robot.at_ms);
  }

  /** @param {import('./types.js').RobotView} robot */
  isStale(robot) {
    return this.isOld || robot.state === 'offline' || this.robotAge(robot) > STALE_MS;
  }

  /** Read what the feed does not bring by itself. */
  async begin() {
    this.me = await get('/v1/me');
    this.tell('me');
    const [id] = await get('/v1/sites');
    this.site = await get(`/v1/sites/${id}`);
    this.nodes = new Map(this.site?.layout.nodes.map((n) => [n.id, n]));
    this.tell('site');
    await this.readAnew();
  }

  /** After each connection: rows that changed meanwhile were missed. */
  async readAnew() {
    const [alarms, tasks, orders] = await Promise.all([
      get('/v1/alarms', { limit: 200 }),
      get('/v1/tasks', { open: true, limit: 500 }),
      get('/v1/orders', { newest: true, limit: 200 }),
    ]);
    for (const alarm of alarms.items.reverse()) this.alarms.set(alarm.id, alarm);
    this.tasks = new Map(tasks.items.map((/** @type {any} */ t) => [t.id, t]));
    for (const order of orders.items.reverse()) put(this.orders, order);
    this.tell('alarms');
    this.tell('tasks');
    this.tell('orders');
    await Promise.all([this.readStats(), this.readStanding()]);
  }

  async readStats() {
    this.stats = await get('/v1/stats', { hours: 24 });
    this.tell('stats');
  }

  async readStanding() {
    const { pods, chutes } = await get('/v1/standing');
    this.pods = new Map(Object.entries(pods));
    this.chutes = chutes;
    for (const robot of this.robots.values()) if (robot.pod) this.pods.delete(robot.pod);
    this.tell('standing');
  }

  /** @param {import('./types.js').FleetView} view */
  heardFleet(view) {
    this._newest = view;
    if (this.past) {
      this.clock.heard(view.at_ms);
      return;
    }
    let moved = false;
    for (const robot of view.robots) {
      const carried = this.robots.get(robot.id)?.pod;
      if (robot.pod && this.pods.delete(robot.pod)) moved = true;
      if (carried && carried !== robot.pod && !this.pods.has(carried)) {
        this.pods.set(carried, robot.node);
        moved = true;
      }
    }
    const doors = (/** @type {any} */ v) => JSON.stringify([v?.doors, v?.lifts, v?.stations, v?.closed, v?.closed_edges]);
    moved ||= doors(view) !== doors(this.view);
    this.view = view;
    this.robots = new Map(view.robots.map((r) => [r.id, r]));
    this.poses.names = view.robots.map((r) => r.id);
    this.clock.heard(view.at_ms);
    this.tell('fleet');
    if (moved) this.tell('standing');
  }

  /** @param {ArrayBuffer} frame */
  heardPoses(frame) {
    if (this.past) {
      this.poses.heard = performance.now();
      return;
    }
    const at = this.poses.take(frame);
    if (at) this.clock.heard(at);
    this.tell('poses');
  }

  /** Say what came of a command, for a while. @param {string} text */
  tellBriefly(text) {
    this.brief = text;
    this.tell('me');
    setTimeout(() => {
      if (this.brief !== text) return;
      this.brief = '';
      this.tell('me');
    }, BRIEF_MS);
  }

  /** Show a moment of the past in place of now, until `lookNow`. @param {import('./types.js').FleetView} view */
  lookBack(view) {
    this.past = this.view = view;
    this.clock.held = view.at_ms;
    this.robots = new Map(view.robots.map((r) => [r.id, r]));
    this.poses.show(view.robots);
    for (const topic of /** @type {Topic[]} */ (['fleet', 'standing', 'poses', 'me'])) this.tell(topic);
  }

  lookNow() {
    this.past = this.clock.held = null;
    this.poses.all = [];
    if (this._newest) this.heardFleet(this._newest);
    for (const topic of /** @type {Topic[]} */ (['standing', 'poses', 'me'])) this.tell(topic);
  }

  /** @param {{tasks: import('./types.js').Task[], orders: import('./types.js').Order[]}} rows */
  heardRows({ tasks, orders }) {
    for (const task of tasks) put(this.tasks, task);
    for (const order of orders) put(this.orders, order);
    if (tasks.length) this.tell('tasks');
    if (orders.length) this.tell('orders');
  }

  /** @param {import('./types.js').Alarm} alarm */
  heardAlarm(alarm) {
    this.alarms.set(alarm.id, alarm);
    this.tell('alarms');
  }

  get activeAlarms() {
    return [...this.alarms.values()].filter((a) => !a.cleared_at);
  }
}

/**
 * Keep a row as the one that changed last; the one that changed longest ago goes when there are too many.
 * @template {{id: string}} T
 * @param {Map<string, T>} rows
 * @param {T} row
 */
function put(rows, row) {
  rows.delete(row.id);
  rows.set(row.id, row);
  if (rows.size > MOST_ROWS) rows.delete(/** @type {string} */ (rows.keys().next().value));
}

export const floor = new Floor();
