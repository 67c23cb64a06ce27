// <fp-outbound>: what goes out: trucks as pictures of what stands on them, stop by stop, and how far the waves are.
import { html, nothing, repeat, svg } from '../../vendor/lit.js';
import { ask, askReason } from '../dialog.js';
import { floor } from '../floor.js';
import { count, moment, some, words } from '../format.js';
import { doHand } from '../hand_dialog.js';
import { Reading } from '../reading.js';
import { get, postOnce } from '../rest.js';
import { may } from '../roles.js';

/** @typedef {import('../types.js').Truck} Truck */
const SHADES = ['#4c78a8', '#72b7b2', '#eeca3b', '#f58518', '#b279a2', '#9d755d'];
const WIDE = 560;
const HIGH = 74;

/** @param {number} stop */
const shade = (stop) => SHADES[(stop - 1) % SHADES.length];

class FpOutbound extends Reading {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['me']);
  static events = ['floorplane.truck.*', 'floorplane.wave.*', 'floorplane.unit.*', 'floorplane.order.*', 'floorplane.hands.*'];
  static properties = { all: { state: true } };

  constructor() {
    super();
    /** @type {Truck[] | null} */
    this.trucks = null;
    /** @type {import('../types.js').Wave[]} */
    this.waves = [];
    /** @type {{id: string, ref: string, waits: string, due: string}[]} */
    this.waiting = [];
    /** @type {any[]} Open hand tasks that load trucks. */
    this.loads = [];
    this.all = false;
  }

  async read() {
    const [trucks, waves, waiting, loads] = await Promise.all([
      get('/v1/trucks', { newest: true, open: !this.all, limit: 50 }), get('/v1/waves', { newest: true, limit: 30 }),
      get('/v1/orders', { state: 'allocated', limit: 100 }), get('/v1/hands', { kind: 'load', state: 'open', limit: 500 }),
    ]);
    this.trucks = trucks.items;
    this.waves = waves.items;
    this.waiting = waiting.items;
    this.loads = loads.items;
  }

  wave() {
    return this.then(ask({
      title: 'Plan a wave', action: 'Plan it', text: 'Takes the orders that wait and fit, the most urgent first; nothing is picked before it is released.',
      fields: [{ name: 'route', label: 'Route', optional: true, list: [...new Set((this.trucks ?? []).map((t) => t.route))] }, { name: 'carrier', label: 'Carrier', optional: true }, { name: 'zone', label: 'With a pick in this zone', optional: true },
        { name: 'most', label: 'At most so many orders', kind: 'number', min: 1, max: 5000, value: 200 }],
      does: (values) => postOnce('/v1/waves', values),
    }));
  }

  /** @param {import('../types.js').Wave} w */
  release(w) {
    const orders = Object.values(w.progress.orders).reduce((a, b) => a + b, 0);
    return this.then(ask({ title: `Release ${w.id}`, action: 'Release', text: `${some(orders, 'order')} with ${some(w.progress.picks.total, 'pick')} begin now, the most urgent first. It cannot be taken back as a whole.`, does: () => postOnce(`/v1/waves/${w.id}/release`, null) }));
  }

  /** @param {import('../types.js').Wave} w */
  giveUp(w) {
    return this.then(askReason({ title: `Give up ${w.id}`, action: 'Give up', danger: true, text: 'Its orders wait again.', suggestions: ['truck is late', 'planned by mistake'], does: (reason) => postOnce(`/v1/waves/${w.id}/cancel`, { reason }) }));
  }

  /** @param {Truck} t @param {'load' | 'depart'} what */
  step(t, what) {
    const says = {
      load: { title: `Load ${t.id}`, action: 'It stands at the door', text: 'People get the totes of the last stop first.', fields: [{ name: 'dock', label: 'Door', value: t.dock ?? '' }] },
      depart: { title: `${t.id} departs`, action: 'It has left', text: 'From now on nothing on it can be taken back.', fields: [] },
    }[what];
    return this.then(ask({ ...says, does: (values) => postOnce(`/v1/trucks/${t.id}/${what}`, what === 'load' ? values : null) }));
  }

  /** @param {Truck} t */
  dispatchTruck(t) {
    const missing = t.stops.reduce((n, s) => n + s.expected, 0);
    return this.then(ask({
      title: `Dispatch ${t.id}`, action: 'Dispatch', danger: missing > 0, text: missing ? `${some(missing, 'tote')} of its stops are not on it. They stay here only with a reason.` : 'All of it is loaded; its orders are shipped and its manifest is written.',
      fields: [{ name: 'reason', label: 'Why what is missing stays here', optional: true }], does: (values) => postOnce(`/v1/trucks/${t.id}/dispatch`, values),
    }));
  }

  /** @param {Truck} t */
  cancelTruck(t) {
    return this.then(askReason({ title: `Cancel ${t.id}`, action: 'Cancel the truck', danger: true, text: 'Its orders wait for another one.', suggestions: ['did not come', 'another carrier'], does: (reason) => postOnce(`/v1/trucks/${t.id}/cancel`, { reason }) }));
  }

  /** @param {Truck} t */
  reopen(t) {
    return this.then(askReason({ title: `Open ${t.id} again`, action: 'Open again', danger: true, text: 'Its shipments are taken back as long as it stands at its door; the ERP hears of it.', does: (reason) => postOnce(`/v1/trucks/${t.id}/reopen`, { reason }) }));
  }

  /** @param {Truck} t */
  buttons(t) {
    if (!may('hands')) return nothing;
    const next = this.loads.filter((l) => l.ref === t.id).sort((a, b) => b.detail.stop - a.detail.stop)[0];
    return html`<span class="actions end">
      ${t.state === 'planned' ? html`<button class="button small primary" data-do="load" @click=${() => this.step(t, 'load')}>Load …</button><button class="button small danger" @click=${() => this.cancelTruck(t)}>Cancel …</button>` : nothing}
      ${t.state === 'loading' ? html`${next ? html`<button class="button small" data-do="tote" @click=${() => this.then(doHand(next.id, `Load the next tote on ${t.id}`))}>Load ${next.source ?? 'the next tote'} …</button>` : nothing}
        <button class="button small primary" data-do="dispatch" @click=${() => this.dispatchTruck(t)}>Dispatch …</button>` : nothing}
      ${t.state === 'dispatched' ? html`<button class="button small primary" data-do="depart" @click=${() => this.step(t, 'depart')}>Departs …</button><button class="button small" @click=${() => this.reopen(t)}>Open again …</button>` : nothing}</span>`;
  }

  render() {
    return html`<section class="view"><header><h1>Outbound</h1>
      <button class="chip" aria-pressed=${this.all} @click=${() => { this.all = !this.all; void this.again(); }}>departed ones too</button>
      <span class="end">${this.failed ? html`<span class="bad-text">${this.failed}</span>` : `${some(this.trucks?.length ?? 0, 'truck')}, ${some(this.waves.length, 'wave')}, ${count(this.waiting.length)} orders wait`}
      ${may('hands') ? html`<button class="button small" data-do="wave" @click=${() => this.wave()}>Plan a wave …</button>` : nothing}</span></header>
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
        ${t.route}${t.carrier ? ` · ${t.carrier}` : ''} <span class="soft">${t.dock ? `at ${t.dock}, ` : ''}leaves ${moment(t.departs_at)}</span>${this.buttons(t)}</figcaption>
      ${this.picture(t)}
      <ol class="stops">${t.stops.map((s) => html`<li><svg viewBox="0 0 10 10"><rect width="10" height="10" rx="2" fill=${shade(s.stop)}/></svg> <b>${s.stop}</b> ${s.ship_to || '–'}
        <span class="soft">${s.loaded + s.expected ? `${s.loaded} of ${some(s.loaded + s.expected, 'tote')}, ` : ''}${some(s.orders.length, 'order')}</span></li>`)}</ol></figure>`)}`;
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
    return html`<table data-table="waves"><thead><tr><th>Wave</th><th>State</th><th>Picks</th><th>Totes packed</th><th>Orders</th><th>Planned</th><th></th></tr></thead>
      <tbody>${repeat(this.waves, (w) => w.id, (w) => {
        const { picks, totes, orders } = w.progress;
        return html`<tr data-wave=${w.id}><td class="mono">${w.id}</td><td><span class="pill ${w.state === 'released' ? 'picking' : w.state === 'done' ? 'shipped' : w.state}">${words(w.state)}</span></td>
          <td><progress class=${picks.done >= picks.total ? 'done' : ''} max=${picks.total || 1} value=${picks.done}></progress> ${picks.done} / ${picks.total}
            ${picks.short ? html`<span class="warn-text">${picks.short} short</span>` : nothing}</td>
          <td><progress class=${totes.packed >= totes.total ? 'done' : ''} max=${totes.total || 1} value=${totes.packed}></progress> ${totes.packed} / ${totes.total}</td>
          <td class="soft">${Object.entries(orders).map(([state, n]) => `${n} ${words(state)}`).join(', ') || '–'}</td><td class="soft">${moment(w.created_at)}</td>
          <td>${w.state === 'planned' && may('hands') ? html`<button class="button small primary" data-do="release" @click=${() => this.release(w)}>Release …</button> <button class="button small" @click=${() => this.giveUp(w)}>Give up …</button>` : nothing}</td></tr>`;
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
