// <fp-returns>: what customers send back: announced, unpacked, graded; where each piece went.
import { html, nothing, repeat } from '../../../vendor/lit.js';
import { ask, askReason } from '../../dialog.js';
import { moment, words } from '../../format.js';
import { doHand } from '../../hand_dialog.js';
import { get, postOnce } from '../../rest.js';
import { may } from '../../roles.js';
import { Listing, stacked } from '../../listing.js';

/**
 * @typedef {{line: number, order_line: number | null, item: string, qty: number, received: number, back: number, other: number, damaged: number, scrapped: number, reason: string}} Line
 * @typedef {{id: string, source: string, ref: string, owner: string, order_id: string | null, state: string, reason: string, made_by: string, made_at: string, closed_at: string | null}} Return
 * @typedef {Return & {lines: Line[], grading: string[]}} Detail
 */
const SHADES = /** @type {Record<string, string>} */ ({ announced: 'expected', receiving: 'picking', received: 'picking', closed: 'done', cancelled: 'cancelled' });

class FpReturns extends Listing {
  static events = ['floorplane.return.*', 'floorplane.hands.*', 'floorplane.ledger.reversed'];
  static properties = { all: { state: true } };

  constructor() {
    super();
    /** @type {Return[] | null} */
    this.rows = null;
    /** @type {any[]} */
    this.grading = [];
    this.all = false;
  }

  async read() {
    const [page, tasks] = await Promise.all([get('/v1/returns', { newest: true, limit: 200 }), get('/v1/hands', { kind: 'grade', limit: 200, newest: true })]);
    this.rows = page.items;
    this.grading = tasks.items.filter((/** @type {any} */ t) => t.state === 'open' || t.state === 'leased');
  }

  /** @param {string} id @returns {Promise<Detail>} */
  detailOf(id) {
    return get(`/v1/returns/${encodeURIComponent(id)}`);
  }

  announce() {
    return this.then(ask({
      title: 'Announce a return', action: 'Announce', text: 'One line; the ERP sends several at once. Without an order it is blind: at most what has left of the item comes back.',
      fields: [{ name: 'ref', label: 'Reference' }, { name: 'order', label: 'Order (its id)', optional: true }, { name: 'item', label: 'Item' },
        { name: 'qty', label: 'Pieces', kind: 'number', min: 1, value: 1 }, { name: 'reason', label: 'What the customer says', optional: true }],
      does: ({ item, qty, ...rest }) => postOnce('/v1/returns', { ...rest, lines: [{ line: 1, item, qty }] }),
    }));
  }

  /** @param {Detail} r */
  receive(r) {
    const due = r.lines.find((l) => l.received < l.qty) ?? r.lines[0];
    return this.then(ask({
      title: `Unpack ${r.ref}`, action: 'It is here', text: 'What has come is not for sale until somebody has graded it; a task for that is opened.',
      fields: [...(r.lines.length ? [{ name: 'line', label: 'Line', kind: /** @type {'choice'} */ ('choice'), value: String(due.line), options: r.lines.map((l) => /** @type {[string, string]} */ ([String(l.line), `${l.line}: ${l.item}, ${l.received} of ${l.qty} here`])) }]
        : [{ name: 'item', label: 'Item' }]),
        { name: 'qty', label: 'Pieces', kind: 'number', min: 1, value: due ? Math.max(1, due.qty - due.received) : 1 }, { name: 'lot', label: 'Lot', optional: true }, { name: 'place', label: 'Laid down at', value: 'returns' }],
      does: ({ place, line, ...rest }) => postOnce(`/v1/returns/${encodeURIComponent(r.id)}/receipts`, { place, lines: [{ ...rest, ...(line ? { line: Number(line) } : {}) }] }),
    }));
  }

  /** @param {Detail} r */
  close(r) {
    return this.then(askReason({ title: `Close ${r.ref}`, action: 'Nothing more comes', danger: true, text: 'What was graded is refunded, the rest counts as not returned. The ERP is told line by line.',
      suggestions: ['the parcel is empty', 'the customer keeps the rest'], does: (reason) => postOnce(`/v1/returns/${encodeURIComponent(r.id)}/close`, { reason }) }));
  }

  /** @param {Detail} r @param {string} task */
  undo(r, task) {
    return this.then(askReason({ title: `Take back the receipt ${task}`, action: 'Take back', danger: true, text: 'It is reversed by a row that points back; the pieces are to come again.',
      suggestions: ['booked twice', 'another parcel'], does: (reason) => postOnce(`/v1/returns/${encodeURIComponent(r.id)}/receipts/${encodeURIComponent(task)}/undo`, { reason }) }));
  }

  render() {
    const rows = this.rows?.filter((r) => this.all || !r.closed_at) ?? null;
    return this.frame(
      html`${may('cancel') ? html`<button class="button primary" data-do="return" @click=${() => this.announce()}>Announce a return …</button>` : nothing}
        <button class="chip" aria-pressed=${this.all} @click=${() => (this.all = !this.all)}>closed ones too</button>
        <span class="soft">${rows ? `${rows.length} shown, ${this.grading.length} to grade` : ''}</span>`,
      html`<div class="panel"><h2>Returns <small>newest first</small></h2>${this.table(rows)}</div>
        <div class="panel"><h2>To grade <small>A back to stock, B another item or held, damaged aside, scrap away</small></h2>${this.tasks(this.grading)}</div>`,
      this.detail(), '#/care/returns');
  }

  /** @param {Return[] | null} rows */
  table(rows) {
    if (rows === null) return html`<p class="none">Reading …</p>`;
    if (!rows.length) return html`<p class="none">${this.all ? 'No return yet.' : 'No return is open.'} Shops announce them by POST /v1/returns, or you do above.</p>`;
    return html`<table data-table="returns"><thead><tr><th>Reference</th><th>State</th><th>Order</th><th>What they say</th><th>Announced</th><th>Closed</th></tr></thead>
      <tbody>${repeat(rows, (r) => r.id, (r) => html`<tr data-return=${r.id} aria-selected=${r.id === this.chosen}><td><a class="mono" href="#/care/returns/${encodeURIComponent(r.id)}">${r.ref}</a></td>
        <td><span class="pill ${SHADES[r.state] ?? ''}">${words(r.state)}</span></td><td>${r.order_id ? html`<a class="mono" href="#/orders/${encodeURIComponent(r.order_id)}">${r.order_id}</a>` : html`<span class="dim">blind</span>`}</td>
        <td class="soft wrap">${r.reason || '–'}</td><td class="soft">${moment(r.made_at)}</td><td class="soft">${moment(r.closed_at)}</td></tr>`)}</tbody></table>`;
  }

  /** @param {any[]} tasks @param {Detail} [of] */
  tasks(tasks, of) {
    if (!tasks.length) return html`<p class="none">Nothing waits for a grade.</p>`;
    return html`<table data-table="grading"><thead><tr><th>Item</th><th class="num">Pieces</th><th class="far">At</th><th class="far">Of</th><th>Who</th><th></th></tr></thead>
      <tbody>${repeat(tasks, (t) => t.id, (t) => html`<tr data-hand=${t.id}><td class="mono">${t.item}</td><td class="num">${t.qty - (t.done_qty ?? 0)}</td><td class="mono far">${t.source}</td>
        <td class="far"><a class="mono" href="#/care/returns/${encodeURIComponent(t.ref)}">${t.ref}</a></td><td>${t.state === 'leased' ? t.person : html`<span class="dim">nobody yet</span>`}</td>
        <td>${may('hands') ? html`<button class="button small" data-do="grade" ?disabled=${t.state === 'leased'} @click=${() => this.then(doHand(t.id, `Grade ${t.item} of ${t.ref}`))}>Grade …</button>
          ${of ? html`<button class="button small danger" @click=${() => this.undo(of, t.id)}>Not here …</button>` : nothing}` : nothing}</td></tr>`)}</tbody></table>`;
  }

  detail() {
    /** @type {Detail | null} */
    const r = this.shown;
    if (!r) return nothing;
    return html`<section><dl class="facts"><dt>State</dt><dd><span class="pill ${SHADES[r.state] ?? ''}">${words(r.state)}</span></dd>
        <dt>Order</dt><dd>${r.order_id ? html`<a class="mono" href="#/orders/${encodeURIComponent(r.order_id)}">${r.order_id}</a>` : 'blind, without an order'}</dd>
        <dt>Announced</dt><dd>${moment(r.made_at)} by ${r.made_by}</dd>${r.reason ? html`<dt>They say</dt><dd>${r.reason}</dd>` : nothing}</dl></section>
      <section><h3>Lines <span class="legend-inline"><i class="ok"></i>in stock again <i class="other"></i>as B <i class="damaged"></i>damaged <i class="gone"></i>scrapped <i class="wait"></i>to grade</span></h3>
        ${r.lines.length ? r.lines.map((l) => html`<div class="line" data-line=${l.line}><b class="mono">${l.item}</b> <span class="soft">${l.received} of ${l.qty} have come</span>
          ${stacked([['in stock again', l.back, 'ok'], ['as B', l.other, 'other'], ['damaged', l.damaged, 'damaged'], ['scrapped', l.scrapped, 'gone'], ['to grade', l.received - l.back - l.other - l.damaged - l.scrapped, 'wait']], l.qty)}
          ${l.reason ? html`<small class="dim">${l.reason}</small>` : nothing}</div>`) : html`<p class="soft">No lines: what comes is seen then.</p>`}</section>
      <section><h3>To grade</h3>${this.tasks(this.grading.filter((t) => t.ref === r.id), r)}</section>
      ${r.closed_at ? nothing : html`<section><h3>Actions</h3><div class="actions">
        ${may('hands') ? html`<button class="button" data-do="receive" @click=${() => this.receive(r)}>Something has come …</button>` : nothing}
        ${may('cancel') ? html`<button class="button danger" @click=${() => this.close(r)}>Nothing more comes …</button>` : nothing}</div></section>`}`;
  }
}
customElements.define('fp-returns', FpReturns);
