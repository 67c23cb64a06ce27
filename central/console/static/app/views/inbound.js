// <fp-inbound>: what comes in: the doors' day, ASNs with how much of them is here, and what is to be put away and why there.
import { html, nothing, repeat } from '../../vendor/lit.js';
import { askReason } from '../dialog.js';
import { floor } from '../floor.js';
import { moment, words } from '../format.js';
import { Part } from '../part.js';
import { get, postOnce } from '../rest.js';
import { may } from '../roles.js';
import './doors.js';

/** @typedef {import('../types.js').Asn} Asn */
const AGAIN_MS = 4000;
const DAY_MS = 86_400_000;

class FpInbound extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['me']);
  static properties = { asns: { state: true }, docks: { state: true }, visits: { state: true }, putaway: { state: true }, shift: { state: true }, all: { state: true }, failed: { state: true } };

  constructor() {
    super();
    /** @type {Asn[] | null} */
    this.asns = null;
    /** @type {{code: string}[]} */
    this.docks = [];
    /** @type {import('../types.js').Appointment[]} */
    this.visits = [];
    /** @type {import('../types.js').Putaway[]} */
    this.putaway = [];
    /** Days from today. */
    this.shift = 0;
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

  day() {
    return Math.floor(floor.clock.now() / DAY_MS) * DAY_MS + this.shift * DAY_MS;
  }

  async read() {
    try {
      const day = new Date(this.day()).toISOString().slice(0, 10);
      const [asns, docks, visits, putaway] = await Promise.all([
        get('/v1/asns', { newest: true, open: !this.all, limit: 200 }), get('/v1/docks'),
        get('/v1/appointments', { day }), get('/v1/putaway', { limit: 200 }),
      ]);
      this.asns = asns.items;
      this.docks = docks;
      this.visits = visits.filter((/** @type {any} */ a) => a.state !== 'cancelled');
      this.putaway = putaway.items;
      this.failed = '';
    } catch (e) {
      this.failed = /** @type {Error} */ (e).message;
    }
  }

  /** @param {number} days */
  turn(days) {
    this.shift = days === 0 ? 0 : this.shift + days;
    void this.read();
  }

  /** @param {Asn} a @param {'arrive' | 'close'} what */
  async ask(a, what) {
    const texts = {
      arrive: { title: `${a.ref} is here`, text: 'Tasks to receive it are opened, one a line.', action: 'It is here', suggestions: ['the truck stands at the door'] },
      close: { title: `Close ${a.ref}`, text: `${a.received} of ${a.qty} pieces have come. The ERP is told what is short; nothing more is taken in.`, action: 'Close', danger: true, suggestions: ['the truck is empty'] },
    };
    await askReason({ ...texts[what], does: (reason) => postOnce(`/v1/asns/${encodeURIComponent(a.id)}/${what}`, { reason }) });
    void this.read();
  }

  render() {
    const day = new Date(this.day());
    return html`<section class="view"><header><h1>Inbound</h1>
      <div class="chips" role="group" aria-label="Day"><button class="chip" @click=${() => this.turn(-1)} aria-label="A day earlier">‹</button>
        <button class="chip" aria-pressed=${this.shift === 0} @click=${() => this.turn(0)}>${day.toLocaleDateString('en-GB', { weekday: 'short', day: '2-digit', month: 'short', timeZone: 'UTC' })}</button>
        <button class="chip" @click=${() => this.turn(1)} aria-label="A day later">›</button></div>
      <button class="chip" aria-pressed=${this.all} @click=${() => { this.all = !this.all; void this.read(); }}>closed ones too</button>
      <span class="end">${this.failed ? html`<span class="bad-text">${this.failed}</span>` : `${this.asns?.length ?? 0} ASNs, ${this.putaway.length} to put away`}</span></header>
      <div class="scroll"><div class="inbound">
        <div class="panel"><h2>Doors <small>UTC</small></h2>
          <fp-doors .docks=${this.docks.map((d) => d.code)} .appointments=${this.visits} .day=${this.day()}></fp-doors></div>
        <div class="panel"><h2>Announced <small>newest first</small></h2>${this.table()}</div>
        <div class="panel"><h2>To put away <small>and why there</small></h2>${this.tasks()}</div>
      </div></div></section>`;
  }

  table() {
    if (this.asns === null) return html`<p class="none">Reading …</p>`;
    if (!this.asns.length) return html`<p class="none">Nothing is announced. Suppliers’ notices come to POST /v1/asns.</p>`;
    return html`<table data-table="asns"><thead><tr><th>Reference</th><th>State</th><th>Supplier</th><th>Due</th><th>Received</th><th class="num">Lines</th><th>Lane</th><th></th></tr></thead>
      <tbody>${repeat(this.asns, (a) => a.id, (a) => this.row(a))}</tbody></table>`;
  }

  /** @param {Asn} a */
  row(a) {
    const late = a.state === 'expected' && Date.parse(a.due) < floor.clock.now();
    const open = a.state === 'expected' || a.state === 'arrived';
    const short = a.state === 'closed' && a.received < a.qty;
    return html`<tr data-asn=${a.id}><td class="mono">${a.ref}</td><td><span class="pill ${a.state === 'closed' ? (short ? 'short' : 'shipped') : a.state === 'arrived' ? 'picking' : a.state}">${words(a.state)}</span></td>
      <td>${a.supplier}</td><td class=${late ? 'warn-text' : 'soft'}>${moment(a.due)}${late ? ' late' : ''}</td>
      <td><progress class=${a.received >= a.qty ? 'done' : ''} max=${a.qty || 1} value=${a.received}></progress> ${a.received} / ${a.qty}
        ${a.damaged ? html`<span class="bad-text">${a.damaged} damaged</span>` : nothing} ${short ? html`<span class="warn-text">${a.qty - a.received} short</span>` : nothing}</td>
      <td class="num">${a.lines}</td><td class="mono soft">${a.staging ?? '–'}</td>
      <td>${open && may('hands') ? html`${a.state === 'expected' ? html`<button class="button small" @click=${() => this.ask(a, 'arrive')}>Is here …</button>` : nothing}
        <button class="button small" @click=${() => this.ask(a, 'close')}>Close …</button>` : nothing}</td></tr>`;
  }

  tasks() {
    if (!this.putaway.length) return html`<p class="none">Nothing waits on a lane.</p>`;
    return html`<table data-table="putaway"><thead><tr><th>Item</th><th>Lot</th><th class="num">Pieces</th><th>From</th><th>To</th><th>Why there</th></tr></thead>
      <tbody>${repeat(this.putaway, (t) => t.task, (t) => html`<tr data-task=${t.task}><td class="mono">${t.item}</td><td class="mono soft">${t.lot || '–'}</td><td class="num">${t.qty}</td>
        <td class="mono">${t.source}</td><td class="mono">${t.target ?? html`<span class="warn-text">choose</span>`}</td>
        <td class="soft wrap" title=${(t.why.passed ?? []).map((p) => `${p.place}: ${p.why}`).join('\n')}>${t.why.because ?? ''}</td></tr>`)}</tbody></table>`;
  }
}
customElements.define('fp-inbound', FpInbound);
