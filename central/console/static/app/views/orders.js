// <fp-orders>: orders, newest first, each row as it is now.
import { html, nothing, repeat } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { moment, words } from '../format.js';
import { Part } from '../part.js';
import { get } from '../rest.js';

const STATES = ['received', 'allocated', 'released', 'picking', 'packed', 'shipped', 'short', 'cancelled'];

class FpOrders extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['orders', 'stats']);
  static properties = { only: { state: true }, search: { state: true }, found: { state: true }, failed: { state: true } };

  constructor() {
    super();
    this.only = '';
    this.search = '';
    this.failed = '';
    /** @type {string[] | null} Ids that central found for the filter; null: what is known here is enough. */
    this.found = null;
    this.asked = 0;
    this.fresh = new Set();
  }

  connectedCallback() {
    super.connectedCallback();
    this._off?.push(floor.on('link', () => floor.link.state === 'live' && this.ask()));
  }

  async ask() {
    const turn = ++this.asked;
    if (!this.only && !this.search) {
      this.found = null;
      return;
    }
    try {
      const page = await get('/v1/orders', { newest: true, state: this.only, search: this.search, limit: 200 });
      if (turn !== this.asked) return;
      for (const o of page.items.reverse()) if (!floor.orders.has(o.id)) floor.orders.set(o.id, o);
      this.found = page.items.map((/** @type {any} */ o) => o.id);
      this.failed = '';
    } catch (e) {
      this.failed = /** @type {Error} */ (e).message;
    }
  }

  /** @param {string} state */
  filter(state) {
    this.only = this.only === state ? '' : state;
    this.ask();
  }

  rows() {
    const text = this.search.toLowerCase();
    const fits = (/** @type {import('../types.js').Order} */ o) =>
      (!this.only || o.state === this.only) && (!text || o.ref.toLowerCase().includes(text) || o.id.toLowerCase().includes(text));
    return [...floor.orders.values()].filter(fits).sort((a, b) => (a.received_at < b.received_at ? 1 : -1)).slice(0, 500);
  }

  render() {
    const rows = this.rows();
    const counts = floor.stats?.orders ?? {};
    return html`<section class="view">
      <header><h1>Orders</h1>
        <input class="input" type="search" placeholder="Find by reference" aria-label="Find by reference" .value=${this.search}
          @input=${(/** @type {InputEvent} */ e) => { this.search = /** @type {HTMLInputElement} */ (e.target).value.trim(); this.ask(); }}>
        <div class="chips" role="group" aria-label="Only orders that are">${STATES.filter((s) => counts[s] || this.only === s).map((s) => html`
          <button class="chip" aria-pressed=${this.only === s} @click=${() => this.filter(s)}>${s} <b>${counts[s] ?? 0}</b></button>`)}</div>
        <span class="end">${this.failed ? html`<span class="bad-text">${this.failed}</span>` : `${rows.length} shown`}</span></header>
      <div class="scroll"><table data-table="orders">
        <thead><tr><th>Reference</th><th>State</th><th class="num">Lines</th><th>Pieces picked</th><th class="num">Totes</th><th>Received</th><th>Due</th><th>Ship to</th><th>From</th></tr></thead>
        <tbody>${repeat(rows, (o) => o.id, (o) => row(o))}</tbody></table>
        ${rows.length ? nothing : html`<p class="none">${this.only || this.search ? 'No order fits.' : 'No order has come yet. The ERP sends them to POST /v1/orders.'}</p>`}
      </div></section>`;
  }
}

/** @param {import('../types.js').Order} o */
function row(o) {
  const done = Number(o.done);
  const qty = Number(o.qty);
  const late = !o.closed_at && Date.parse(o.due) < floor.clock.now();
  return html`<tr class="link-row" data-order=${o.id} @click=${() => { location.hash = `#/orders/${encodeURIComponent(o.id)}`; }}>
    <td><a class="mono" href="#/orders/${encodeURIComponent(o.id)}">${o.ref}</a></td>
    <td><span class="pill ${o.state}">${words(o.state)}</span></td><td class="num">${o.lines}</td>
    <td><progress class=${o.state === 'shipped' ? 'done' : ''} max=${qty || 1} value=${done}></progress> ${done} / ${qty}
      ${Number(o.short) ? html`<span class="warn-text">${o.short} short</span>` : nothing}</td>
    <td class="num">${o.totes}</td><td class="soft">${moment(o.received_at)}</td>
    <td class=${late ? 'warn-text' : 'soft'}>${moment(o.due)}${late ? ' late' : ''}</td><td class="soft">${o.ship_to || '–'}</td><td class="dim">${o.source}</td></tr>`;
}
customElements.define('fp-orders', FpOrders);
