// <fp-outbound>: what goes out: trucks as pictures of what stands on them, stop by stop, and how far the waves are.
import { html, nothing, repeat, svg } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { moment, words } from '../format.js';
import { Part } from '../part.js';
import { get } from '../rest.js';

/** @typedef {import('../types.js').Truck} Truck */
const AGAIN_MS = 4000;
const SHADES = ['#4c78a8', '#72b7b2', '#eeca3b', '#f58518', '#b279a2', '#9d755d'];
const WIDE = 560;
const HIGH = 74;

/** @param {number} stop */
const shade = (stop) => SHADES[(stop - 1) % SHADES.length];

class FpOutbound extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['me']);
  static properties = { trucks: { state: true }, waves: { state: true }, waiting: { state: true }, all: { state: true }, failed: { state: true } };

  constructor() {
    super();
    /** @type {Truck[] | null} */
    this.trucks = null;
    /** @type {import('../types.js').Wave[]} */
    this.waves = [];
    /** @type {{id: string, ref: string, waits: string, due: string}[]} */
    this.waiting = [];
    this.all = false;
    this.failed = '';
  }

  connectedCallback() {
    super.connectedCallback();
    void this.read();
    this.timer = setInterval(() => document.hidden || void this.read(), AGAIN_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  async read() {
    try {
      const [trucks, waves, waiting] = await Promise.all([
        get('/v1/trucks', { newest: true, open: !this.all, limit: 50 }), get('/v1/waves', { newest: true, limit: 30 }),
        get('/v1/orders', { state: 'allocated', limit: 100 }),
      ]);
      this.trucks = trucks.items;
      this.waves = waves.items;
      this.waiting = waiting.items;
      this.failed = '';
    } catch (e) {
      this.failed = /** @type {Error} */ (e).message;
    }
  }

  render() {
    return html`<section class="view"><header><h1>Outbound</h1>
      <button class="chip" aria-pressed=${this.all} @click=${() => { this.all = !this.all; void this.read(); }}>departed ones too</button>
      <span class="end">${this.failed ? html`<span class="bad-text">${this.failed}</span>` : `${this.trucks?.length ?? 0} trucks, ${this.waves.length} waves, ${this.waiting.length} orders wait`}</span></header>
      <div class="scroll"><div class="inbound">
        <div class="panel"><h2>Trucks <small>the door is on the right: what is unloaded first is loaded last</small></h2>${this.pictures()}</div>
        <div class="panel"><h2>Waves <small>newest first</small></h2>${this.table()}</div>
        <div class="panel"><h2>Waiting <small>and why</small></h2>${this.why()}</div>
      </div></div></section>`;
  }

  pictures() {
    if (this.trucks === null) return html`<p class="none">Reading …</p>`;
    if (!this.trucks.length) return html`<p class="none">No truck is planned. They come to POST /v1/trucks.</p>`;
    return html`${repeat(this.trucks, (t) => t.id, (t) => html`<figure class="truck" data-truck=${t.id} data-state=${t.state}>
      <figcaption><b class="mono">${t.id}</b> <span class="pill ${t.state === 'loading' ? 'picking' : t.state === 'planned' ? 'expected' : 'shipped'}">${words(t.state)}</span>
        ${t.route}${t.carrier ? ` · ${t.carrier}` : ''} <span class="soft">${t.dock ? `at ${t.dock}, ` : ''}leaves ${moment(t.departs_at)}</span></figcaption>
      ${this.picture(t)}
      <ol class="stops">${t.stops.map((s) => html`<li><svg viewBox="0 0 10 10"><rect width="10" height="10" rx="2" fill=${shade(s.stop)}/></svg> <b>${s.stop}</b> ${s.ship_to || '–'}
        <span class="soft">${s.loaded} of ${s.loaded + s.expected} totes, ${s.orders.length} orders</span></li>`)}</ol></figure>`)}`;
  }

  /** The box of a truck: a cell a tote, the last stop's at the far end; filled when it is loaded. @param {Truck} t */
  picture(t) {
    const cells = [...t.stops].reverse().flatMap((s) => [...Array(s.loaded).fill([s, true]), ...Array(s.expected).fill([s, false])]);
    const step = Math.min(26, (WIDE - 16) / Math.max(1, Math.ceil(cells.length / 2)));
    return html`<svg viewBox="0 0 ${WIDE + 70} ${HIGH + 22}" role="img" aria-label="${t.id}: ${cells.filter((c) => c[1]).length} of ${cells.length} totes are loaded">
      <path d="M0 22h52v${HIGH - 26}h-52z" fill="none" stroke="currentColor" opacity=".5"/><path d="M8 30h22v20h-22z" fill="currentColor" opacity=".15"/>
      <rect x="58" y="2" width=${WIDE} height=${HIGH - 4} rx="3" fill="none" stroke="currentColor" opacity=".6"/>
      ${[24, 130, WIDE - 60, WIDE].map((x) => svg`<circle cx=${x} cy=${HIGH + 6} r="9" fill="none" stroke="currentColor" opacity=".6"/>`)}
      ${cells.map(([s, loaded], n) => svg`<rect x=${66 + Math.floor(n / 2) * step} y=${8 + (n % 2) * 30} width=${step - 3} height="27" rx="2"
        fill=${loaded ? shade(s.stop) : 'none'} stroke=${shade(s.stop)} stroke-dasharray=${loaded ? 'none' : '3 2'}><title>stop ${s.stop}: ${loaded ? 'loaded' : 'missing'}</title></rect>`)}</svg>`;
  }

  table() {
    if (!this.waves.length) return html`<p class="none">No wave. Orders are released by time and capacity.</p>`;
    return html`<table data-table="waves"><thead><tr><th>Wave</th><th>State</th><th>Picks</th><th>Totes packed</th><th>Orders</th><th>Planned</th></tr></thead>
      <tbody>${repeat(this.waves, (w) => w.id, (w) => {
        const { picks, totes, orders } = w.progress;
        return html`<tr data-wave=${w.id}><td class="mono">${w.id}</td><td><span class="pill ${w.state === 'released' ? 'picking' : w.state === 'done' ? 'shipped' : w.state}">${words(w.state)}</span></td>
          <td><progress class=${picks.done >= picks.total ? 'done' : ''} max=${picks.total || 1} value=${picks.done}></progress> ${picks.done} / ${picks.total}
            ${picks.short ? html`<span class="warn-text">${picks.short} short</span>` : nothing}</td>
          <td><progress class=${totes.packed >= totes.total ? 'done' : ''} max=${totes.total || 1} value=${totes.packed}></progress> ${totes.packed} / ${totes.total}</td>
          <td class="soft">${Object.entries(orders).map(([state, n]) => `${n} ${words(state)}`).join(', ') || '–'}</td><td class="soft">${moment(w.created_at)}</td></tr>`;
      })}</tbody></table>`;
  }

  why() {
    if (!this.waiting.length) return html`<p class="none">No order waits.</p>`;
    return html`<table data-table="waiting"><thead><tr><th>Order</th><th>Due</th><th>It waits, since</th></tr></thead>
      <tbody>${repeat(this.waiting, (o) => o.id, (o) => html`<tr><td><a class="mono" href="#/orders/${o.id}">${o.ref}</a></td>
        <td class=${Date.parse(o.due) < floor.clock.now() ? 'warn-text' : 'soft'}>${moment(o.due)}</td><td>${o.waits}</td></tr>`)}</tbody></table>`;
  }
}
customElements.define('fp-outbound', FpOutbound);
