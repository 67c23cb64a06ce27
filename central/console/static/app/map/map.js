// <fp-map>: the live map. Two canvases, one for what stands and one for what moves; it draws only when something changed.
import { html, nothing } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { age, words } from '../format.js';
import { Part } from '../part.js';
import { until } from '../waits.js';
import { Camera } from './camera.js';
import { drawFloor } from './draw_floor.js';
import { drawRobots } from './draw_robots.js';
import { COLOUR, paints } from './paint.js';
import { levelAt, levels, lifts } from './levels.js';
import { scene } from './scene.js';

const LEGEND = ['driving', 'acting', 'waiting', 'charging', 'idle', 'paused', 'in_doubt', 'error'];
const COUNTS_MS = 500;

class FpMap extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['standing']);
  static properties = { selected: {}, node: {}, over: { state: true }, level: { state: true } };

  constructor() {
    super();
    /** @type {string} */
    this.selected = '';
    /** The node that is looked at. */
    this.node = '';
    /** @type {{id: string, x: number, y: number} | null} */
    this.over = null;
    /** Which level is shown, by its map's name. */
    this.level = '';
    this.camera = new Camera();
    this.paint = paints();
    /** @type {ReturnType<typeof scene> | null} */
    this.scene = null;
    /** @type {CanvasPattern | null} */
    this.hatch = null;
    this.stillWanted = true;
    this.queued = false;
    /** @type {{x: number, y: number, far: number} | undefined} */
    this.dragged = undefined;
    this.drawMs = 0;
    this.countsAt = 0;
    /** @type {import('./draw_robots.js').Shown[]} */
    this.shown = [];
  }

  connectedCallback() {
    super.connectedCallback();
    const still = () => this.ask(true);
    const moving = () => this.ask(false);
    this._off = [
      ...(this._off ?? []),
      floor.on('site', () => this.build()),
      floor.on('standing', still),
      floor.on('fleet', moving),
      floor.on('poses', moving),
      floor.on('tick', moving),
      floor.on('link', moving),
    ];
    this.size = new ResizeObserver(() => this.measure());
    this.size.observe(this);
    this.theme = new MutationObserver(() => {
      this.paint = paints();
      this.hatch = null;
      this.ask(true);
    });
    this.theme.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.size?.disconnect();
    this.theme?.disconnect();
  }

  firstUpdated() {
    this.measure();
    this.build();
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    const looked = changed.has('node') && this.node ? this.node : changed.has('selected') && this.selected ? floor.robots.get(this.selected)?.node : undefined;
    if (looked && floor.nodes.has(looked)) this.level = levelAt(looked);
    if (changed.has('level') && this.scene && floor.site && this.level) {
      this.scene = scene(floor.site, this.level);
      this.stillWanted = true;
    }
  }

  updated() {
    this.ask(false);
  }

  build() {
    if (!floor.site) return;
    const all = levels(floor.site);
    if (!all.includes(this.level)) this.level = all[0];
    this.scene = scene(floor.site, this.level);
    this.camera.fit(this.scene.bounds);
    this.ask(true);
    this.requestUpdate();
  }

  /** @param {number} by */
  turn(by) {
    const all = floor.site ? levels(floor.site) : [];
    this.level = all[Math.max(0, Math.min(all.length - 1, all.indexOf(this.level) + by))];
  }

  measure() {
    const [w, h] = [this.clientWidth, this.clientHeight];
    if (!w || !h) return;
    const ratio = devicePixelRatio || 1;
    for (const canvas of this.querySelectorAll('canvas')) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
      canvas.getContext('2d')?.setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.camera.width = w;
    this.camera.height = h;
    if (this.scene && this.camera.fitted) this.camera.fit(this.scene.bounds);
    this.ask(true);
  }

  /** @param {boolean} still Whether the still layer changed too. */
  ask(still) {
    this.stillWanted ||= still;
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.queued = false;
    if (!this.scene || !this.isConnected) return;
    const [below, above] = /** @type {HTMLCanvasElement[]} */ ([...this.querySelectorAll('canvas')]);
    const began = performance.now();
    if (this.stillWanted) {
      this.stillWanted = false;
      const view = floor.view;
      drawFloor(/** @type {CanvasRenderingContext2D} */ (below.getContext('2d')), this.camera, this.scene, this.paint, {
        pods: floor.pods,
        chutes: floor.chutes,
        stations: new Map(view?.stations.map((s) => [s.id, s])),
        doors: new Map(view?.doors?.map((d) => [d.id, d.state])),
        lifts: new Map(view?.lifts?.map((l) => [l.id, l])),
        closed: view?.closed ?? [],
        edges: view?.closed_edges ?? [],
      });
    }
    const gliding = floor.poses.blend(began);
    const g = /** @type {CanvasRenderingContext2D} */ (above.getContext('2d'));
    this.hatch ??= hatch(g, this.paint['robot-offline']);
    this.shown = shown(this.scene.node);
    drawRobots(g, this.camera, this.shown, this.paint, this.hatch, {
      selected: this.selected,
      node: this.scene.node.get(this.node) ?? null,
      over: this.over?.id ?? '',
      links: this.links(),
    });
    const now = performance.now();
    this.drawMs = 0.9 * this.drawMs + 0.1 * (now - began);
    if (now - this.countsAt > COUNTS_MS) this.tellCounts(now);
    if (gliding) this.ask(false);
  }

  /** For whoever looks from outside, tests among them. @param {number} now */
  tellCounts(now) {
    this.countsAt = now;
    this.dataset.robots = String(this.shown.length);
    this.dataset.stale = String(this.shown.filter((s) => s.stale).length);
    this.dataset.moved = String(floor.poses.movedSinceStart());
    this.dataset.frames = String(floor.poses.frames);
    this.dataset.pods = String(floor.pods.size);
    this.dataset.drawMs = this.drawMs.toFixed(2);
  }

  /** From the selected robot along whoever it waits for. @returns {[string, string][]} */
  links() {
    const robot = floor.robots.get(this.selected);
    let from = this.selected;
    /** @type {[string, string][]} */
    const links = [];
    for (const link of robot?.wait ?? []) {
      if (!floor.robots.has(link.holder) || link.holder === from) continue;
      links.push([from, link.holder]);
      from = link.holder;
    }
    return links;
  }

  /** @param {number} px @param {number} py @returns {string} */
  robotAt(px, py) {
    let [best, id] = [Math.max(11, 0.7 * this.camera.scale) ** 2, ''];
    for (const s of this.shown) {
      const d = (this.camera.px(s.pose.x) - px) ** 2 + (this.camera.py(s.pose.y) - py) ** 2;
      if (d < best) [best, id] = [d, s.id];
    }
    return id;
  }

  /** @param {number} px @param {number} py @returns {string} the node there, if any is near */
  nodeAt(px, py) {
    if (!this.scene) return '';
    const [x, y] = this.camera.metres(px, py);
    let [best, id] = [(this.scene.pitch * 0.6) ** 2, ''];
    for (const n of this.scene.node.values()) {
      const d = (n.x_m - x) ** 2 + (n.y_m - y) ** 2;
      if (d < best) [best, id] = [d, n.id];
    }
    return id;
  }

  /** @param {string} id */
  chooseNode(id) {
    if (id || location.hash.startsWith('#/nodes/')) this.dispatchEvent(new CustomEvent('choose-node', { detail: id }));
  }

  /** @param {WheelEvent} e */
  wheel(e) {
    e.preventDefault();
    this.camera.zoom(Math.exp(-e.deltaY * (e.ctrlKey ? 0.01 : 0.0016)), e.offsetX, e.offsetY);
    this.ask(true);
  }

  /** @param {PointerEvent} e */
  down(e) {
    if (/** @type {HTMLElement} */ (e.target).closest('button')) return;
    this.dragged = { x: e.clientX, y: e.clientY, far: 0 };
    /** @type {HTMLElement} */ (e.currentTarget).setPointerCapture(e.pointerId);
  }

  /** @param {PointerEvent} e */
  move(e) {
    if (this.dragged) {
      const [dx, dy] = [e.clientX - this.dragged.x, e.clientY - this.dragged.y];
      const far = this.dragged.far + Math.abs(dx) + Math.abs(dy);
      this.dragged = { x: e.clientX, y: e.clientY, far };
      if (far < 4) return;
      this.camera.pan(dx, dy);
      this.ask(true);
      return;
    }
    const box = this.getBoundingClientRect();
    const id = this.robotAt(e.clientX - box.x, e.clientY - box.y);
    if (id !== (this.over?.id ?? '')) this.over = id ? { id, x: e.clientX - box.x, y: e.clientY - box.y } : null;
  }

  /** @param {PointerEvent} e */
  up(e) {
    const drag = this.dragged;
    this.dragged = undefined;
    if (!drag || drag.far >= 4) return;
    const box = this.getBoundingClientRect();
    const id = this.robotAt(e.clientX - box.x, e.clientY - box.y);
    if (id || this.selected) this.choose(id);
    else this.chooseNode(this.nodeAt(e.clientX - box.x, e.clientY - box.y));
  }

  /** @param {string} id */
  choose(id) {
    this.dispatchEvent(new CustomEvent('choose', { detail: id }));
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    const step = 60;
    /** @type {Record<string, () => void>} */
    const does = {
      ArrowLeft: () => this.camera.pan(step, 0),
      ArrowRight: () => this.camera.pan(-step, 0),
      ArrowUp: () => this.camera.pan(0, step),
      ArrowDown: () => this.camera.pan(0, -step),
      PageUp: () => this.turn(1),
      PageDown: () => this.turn(-1),
      '+': () => this.zoom(1.3),
      '=': () => this.zoom(1.3),
      '-': () => this.zoom(1 / 1.3),
      0: () => this.fit(),
      Escape: () => this.choose(''),
    };
    const act = does[e.key];
    if (!act || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    act();
    this.ask(true);
  }

  /** @param {number} factor */
  zoom(factor) {
    this.camera.zoom(factor, this.camera.width / 2, this.camera.height / 2);
    this.ask(true);
  }

  fit() {
    if (this.scene) this.camera.fit(this.scene.bounds);
    this.ask(true);
  }

  /** Bring a robot into the picture if it is outside. @param {string} id */
  show(id) {
    const pose = floor.poses.all[floor.poses.names.indexOf(id)];
    const node = floor.robots.get(id)?.node;
    if (node && floor.nodes.has(node)) this.level = levelAt(node); // it may have gone by lift
    if (!pose) return;
    const [x, y] = [this.camera.px(pose.x), this.camera.py(pose.y)];
    if (x > 30 && y > 30 && x < this.camera.width - 30 && y < this.camera.height - 30) return;
    this.camera.x = pose.x;
    this.camera.y = pose.y;
    this.camera.fitted = false;
    this.ask(true);
  }

  render() {
    return html`
      <div class="map ${this.over ? 'over' : ''}" tabindex="0" role="application"
        aria-label="Map of the floor. Arrow keys move it, plus and minus zoom, zero shows all. The list beside it has every robot."
        @wheel=${{ handleEvent: (/** @type {WheelEvent} */ e) => this.wheel(e), passive: false }} @pointerdown=${this.down} @pointermove=${this.move} @pointerup=${this.up}
        @pointercancel=${() => (this.dragged = undefined)} @pointerleave=${() => (this.over = null)} @keydown=${this.key}>
        <canvas></canvas><canvas></canvas>
        <div class="map-tools">
          <button class="button" title="Zoom in (+)" aria-label="Zoom in" @click=${() => this.zoom(1.35)}>+</button>
          <button class="button" title="Zoom out (−)" aria-label="Zoom out" @click=${() => this.zoom(1 / 1.35)}>−</button>
          <button class="button" title="Show the whole floor (0)" aria-label="Show the whole floor" @click=${this.fit}>⤢</button>
          <button class="button" title="Look back: where robots were, and why they waited" aria-label="Look back" data-do="look-back" @click=${() => dispatchEvent(new CustomEvent('floorplane-look-back'))}>↺</button>
        </div>
        ${this.storeys()}
        <div class="legend" aria-hidden="true">
          ${LEGEND.map((state) => html`<span><i class="dot ${state}"></i>${words(state)}</span>`)}
          <span><i class="dot stale"></i>stale, with its age</span>
        </div>
        ${this.tip()}
      </div>`;
  }

  /** Which level is shown, and what the lifts between them do. */
  storeys() {
    const all = floor.site ? levels(floor.site) : [];
    if (all.length < 2) return nothing;
    const on = (/** @type {string} */ level) => [...floor.robots.values()].filter((r) => levelAt(r.node) === level).length;
    return html`<div class="storeys"><div class="chips" role="group" aria-label="Level">${all.map((level) => html`<button class="chip" data-level=${level} aria-pressed=${this.level === level} @click=${() => (this.level = level)}>${level} <b>${on(level)}</b></button>`)}</div>${lifts()}</div>`;
  }

  tip() {
    const robot = this.over && floor.robots.get(this.over.id);
    if (!robot || !this.over) return nothing;
    return html`<fp-tip class="tip" .at=${this.over}>
      <b>${robot.id}</b> <span class="pill">${words(robot.state)}</span> <span class="dim">${age(floor.robotAge(robot))} ago</span>
      <div class="soft">${robot.pod ? `carries ${robot.pod}` : 'carries nothing'}${robot.station ? ` → ${robot.station}` : ''}</div>
      ${robot.wait?.length ? html`<div class="warn-text">waits until ${until(robot.wait[0], robot.id)}</div>` : nothing}
    </fp-tip>`;
  }
}

/** Placed by script, since the page's policy allows no style attributes. */
class FpTip extends HTMLElement {
  /** @param {{x: number, y: number}} at */
  set at({ x, y }) {
    this.style.left = `${x + 14}px`;
    this.style.top = `${y + 14}px`;
  }
}

/** @param {Map<string, import('../types.js').Node>} here The places of the level. @returns {import('./draw_robots.js').Shown[]} */
function shown(here) {
  const troubled = new Set(floor.activeAlarms.filter((a) => a.severity !== 'info').map((a) => a.subject));
  const all = [];
  for (const [i, id] of floor.poses.names.entries()) {
    const pose = floor.poses.all[i];
    const robot = floor.robots.get(id);
    if (!pose || !robot || (!here.has(robot.node) && floor.nodes.has(robot.node))) continue;
    const stale = floor.isStale(robot);
    all.push({ pose, id, stale, age: stale ? age(Math.max(floor.robotAge(robot), 0)) : '', alarm: troubled.has(id) });
  }
  return all;
}

/** @param {CanvasRenderingContext2D} g @param {string} colour */
function hatch(g, colour) {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 6;
  const t = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
  t.strokeStyle = colour;
  t.lineWidth = 1.8;
  t.beginPath();
  for (const o of [-6, 0, 6]) {
    t.moveTo(o, 6);
    t.lineTo(o + 6, 0);
  }
  t.stroke();
  return g.createPattern(tile, 'repeat');
}

customElements.define('fp-tip', FpTip);
customElements.define('fp-map', FpMap);
export { COLOUR };
