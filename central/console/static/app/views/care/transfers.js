// <fp-transfers>: goods on their way between sites: what was sent, what came, and what was lost between.
import { html, nothing, repeat } from '../../../vendor/lit.js';
import { ask, askReason } from '../../dialog.js';
import { moment, words } from '../../format.js';
import { get, postOnce } from '../../rest.js';
import { may } from '../../roles.js';
import { Listing, stacked } from '../../listing.js';

/**
 * @typedef {{line: number, item: string, lot: string, qty: number, sent: number, received: number, place: string | null}} Line
 * @typedef {{id: string, way: 'out' | 'in', ref: string, other_site: string, owner: string, state: string, reason: string, made_by: string, made_at: string,
 *   sent_at: string | null, closed_at: string | null, lines: Line[]}} Transfer
 */
const SHADES = /** @type {Record<string, string>} */ ({ open: 'expected', sent: 'picking', received: 'picking', closed: 'done', cancelled: 'cancelled' });

class FpTransfers extends Listing {
  static events = ['floorplane.transfer.*'];
  static properties = { all: { state: true } };

  constructor() {
    super();
    /** @type {Transfer[] | null} */
    this.rows = null;
    this.all = false;
  }

  async read() {
    this.rows = (await get('/v1/transfers', { newest: true, limit: 200 })).items;
  }

  /** @param {string} id */
  detailOf(id) {
    return get(`/v1/transfers/${encodeURIComponent(id)}`);
  }

  open() {
    return this.then(ask({
      title: 'A transfer', action: 'Open', text: 'One line; the ERP opens larger ones. Both sites use the same reference; what the sender has sent is what the receiver expects.',
      fields: [{ name: 'ref', label: 'Reference' }, { name: 'way', label: 'Way', kind: 'choice', options: [['out', 'goods leave this site'], ['in', 'the other site has sent them']], value: 'out' },
        { name: 'other_site', label: 'The other site' }, { name: 'item', label: 'Item' }, { name: 'qty', label: 'Pieces', kind: 'number', min: 1, value: 1 },
        { name: 'place', label: 'From this place', optional: true, hint: 'Else from wherever it is free' }],
      does: ({ item, qty, place, ...rest }) => postOnce('/v1/transfers', { ...rest, lines: [{ line: 1, item, qty, ...(place ? { place } : {}) }] }),
    }));
  }

  /** @param {Transfer} t */
  receive(t) {
    const due = t.lines.find((l) => l.received < (t.way === 'in' ? l.qty : l.sent)) ?? t.lines[0];
    return this.then(ask({
      title: `${t.ref}: what has come`, action: 'It is here', text: 'More or less than was sent is the difference that is told at the end.',
      fields: [{ name: 'line', label: 'Line', kind: 'choice', value: String(due.line), options: t.lines.map((l) => /** @type {[string, string]} */ ([String(l.line), `${l.line}: ${l.item}, ${l.received} of ${l.qty} here`])) },
        { name: 'qty', label: 'Pieces', kind: 'number', min: 1, value: Math.max(1, due.qty - due.received) }, { name: 'status', label: 'Condition', kind: 'choice', options: ['ok', 'quality', 'hold', 'damaged'], value: 'ok' }, { name: 'place', label: 'Put into' }],
      does: ({ line, qty, status, place }) => postOnce(`/v1/transfers/${encodeURIComponent(t.id)}/receipts`, { place, lines: [{ line: Number(line), qty, status }] }),
    }));
  }

  /** @param {Transfer} t */
  send(t) {
    return this.then(ask({ title: `Send ${t.ref}`, action: 'It has left', text: `All of it goes to ${t.other_site}, or nothing does: a line that lacks free pieces is named.`, does: () => postOnce(`/v1/transfers/${encodeURIComponent(t.id)}/send`, null) }));
  }

  /** @param {Transfer} t */
  close(t) {
    const out = t.way === 'out';
    return this.then(askReason({
      title: `Close ${t.ref}`, action: 'Close', danger: true, text: out ? 'Say what the other site has received: what was lost or found on the way is booked out of transit.' : 'Nothing more comes of it; the sender is told what has come.',
      fields: out ? t.lines.map((l) => ({ name: `line-${l.line}`, label: `Line ${l.line}, ${l.item}: received of ${l.sent}`, kind: 'number', min: 0, value: l.sent })) : [],
      does: (reason, values) => postOnce(`/v1/transfers/${encodeURIComponent(t.id)}/close`, { reason, received: out ? t.lines.map((l) => ({ line: l.line, received: values[`line-${l.line}`] })) : [] }),
    }));
  }

  /** @param {Transfer} t */
  cancel(t) {
    return this.then(askReason({ title: `Cancel ${t.ref}`, action: 'Cancel the transfer', danger: true, text: 'What has left comes back by rows that point back, as long as nobody has received any of it.', does: (reason) => postOnce(`/v1/transfers/${encodeURIComponent(t.id)}/cancel`, { reason }) }));
  }

  render() {
    const rows = this.rows?.filter((t) => this.all || !t.closed_at) ?? null;
    return this.frame(
      html`${may('cancel') ? html`<button class="button primary" data-do="transfer" @click=${() => this.open()}>Open a transfer …</button>` : nothing}
        <button class="chip" aria-pressed=${this.all} @click=${() => (this.all = !this.all)}>closed ones too</button><span class="soft">${rows ? `${rows.length} shown` : ''}</span>`,
      html`<div class="panel"><h2>Transfers <small>each site keeps its half</small></h2>${this.table(rows)}</div>`, this.detail(), '#/care/transfers');
  }

  /** @param {Transfer[] | null} rows */
  table(rows) {
    if (rows === null) return html`<p class="none">Reading …</p>`;
    if (!rows.length) return html`<p class="none">${this.all ? 'No transfer yet.' : 'No transfer is open.'} The ERP opens them by POST /v1/transfers, or you do above.</p>`;
    return html`<table data-table="transfers"><thead><tr><th>Reference</th><th>Way</th><th>State</th><th>Why</th><th>Opened</th><th>Left</th><th>Closed</th></tr></thead>
      <tbody>${repeat(rows, (t) => t.id, (t) => html`<tr data-transfer=${t.id} aria-selected=${t.id === this.chosen}><td><a class="mono" href="#/care/transfers/${encodeURIComponent(t.id)}">${t.ref}</a></td>
        <td>${t.way === 'out' ? html`to <b>${t.other_site}</b>` : html`from <b>${t.other_site}</b>`}</td><td><span class="pill ${SHADES[t.state] ?? ''}">${words(t.state)}</span></td><td class="soft wrap">${t.reason || '–'}</td>
        <td class="soft">${moment(t.made_at)}</td><td class="soft">${moment(t.sent_at)}</td><td class="soft">${moment(t.closed_at)}</td></tr>`)}</tbody></table>`;
  }

  detail() {
    /** @type {Transfer | null} */
    const t = this.shown;
    if (!t) return nothing;
    return html`<section><dl class="facts"><dt>Way</dt><dd>${t.way === 'out' ? 'to' : 'from'} ${t.other_site}</dd><dt>State</dt><dd><span class="pill ${SHADES[t.state] ?? ''}">${words(t.state)}</span></dd>
        <dt>Opened</dt><dd>${moment(t.made_at)} by ${t.made_by}</dd>${t.reason ? html`<dt>Why</dt><dd>${t.reason}</dd>` : nothing}</dl></section>
      <section><h3>Lines <span class="legend-inline"><i class="ok"></i>received <i class="coming"></i>in transit</span></h3>
        ${t.lines.map((l) => html`<div class="line" data-line=${l.line}><b class="mono">${l.item}</b> <span class="soft">${t.way === 'out' ? `${l.sent} of ${l.qty} sent, ${l.received} received` : `${l.received} of ${l.qty} received`}</span>
          ${stacked([['received', l.received, 'ok'], ['in transit', Math.max(0, (t.way === 'out' ? l.sent : l.qty) - l.received), 'coming']], l.qty)}</div>`)}</section>
      ${t.closed_at ? nothing : html`<section><h3>Actions</h3><div class="actions">
        ${may('hands') && t.way === 'out' && t.state === 'open' ? html`<button class="button" data-do="send" @click=${() => this.send(t)}>It leaves …</button>` : nothing}
        ${may('hands') && t.way === 'in' ? html`<button class="button" data-do="receive" @click=${() => this.receive(t)}>Something has come …</button>` : nothing}
        ${may('cancel') && t.state !== 'open' ? html`<button class="button" @click=${() => this.close(t)}>Close …</button>` : nothing}
        ${may('cancel') ? html`<button class="button danger" @click=${() => this.cancel(t)}>Cancel …</button>` : nothing}</div></section>`}`;
  }
}
customElements.define('fp-transfers', FpTransfers);
