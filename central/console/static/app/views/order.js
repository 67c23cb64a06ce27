// <fp-order>: one order on one page: line → task → robot → ledger rows, its totes, its shipment.
import { html, nothing } from '../../vendor/lit.js';
import { askReason } from '../dialog.js';
import { floor } from '../floor.js';
import { clock, moment, words } from '../format.js';
import { Part } from '../part.js';
import { get, post } from '../rest.js';
import { may } from '../roles.js';

/** @type {[string, keyof import('../types.js').Order][]} */
const STEPS = [['received', 'received_at'], ['released', 'released_at'], ['picking', 'started_at'], ['packed', 'packed_at'], ['shipped', 'closed_at']];

class FpOrder extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['fleet', 'me']);
  static properties = { order: {}, task: {}, detail: { state: true }, failed: { state: true } };

  constructor() {
    super();
    this.order = '';
    this.task = '';
    /** @type {import('../types.js').OrderDetail | null} */
    this.detail = null;
    this.failed = '';
    this.timer = 0;
    /** @type {import('../types.js').Order | undefined} The row as it was when the detail was read. */
    this.seen = undefined;
  }

  connectedCallback() {
    super.connectedCallback();
    const later = () => {
      if (this.timer) return;
      this.timer = setTimeout(() => { this.timer = 0; this.read(); }, 300);
    };
    const mine = () => {
      const now = floor.orders.get(this.order);
      if (now && now !== this.seen) { this.seen = now; later(); }
    };
    this._off?.push(floor.on('orders', mine), floor.on('link', later));
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (changed.has('order')) { this.detail = null; this.read(); }
  }

  async read() {
    const order = this.order;
    try {
      const detail = await get(`/v1/orders/${encodeURIComponent(order)}`);
      if (order !== this.order) return;
      this.detail = detail;
      this.failed = '';
    } catch (e) {
      this.failed = /** @type {Error} */ (e).message;
    }
  }

  cancel() {
    askReason({
      title: `Cancel ${this.detail?.ref}`,
      text: 'Picks that nobody has begun are withdrawn; what is in totes already goes on.',
      action: 'Cancel the order', danger: true, suggestions: ['customer called', 'wrong address'],
      does: async (reason) => { await post(`/v1/orders/${encodeURIComponent(this.order)}/cancel`, { reason }); await this.read(); },
    });
  }

  render() {
    const d = this.detail;
    const title = html`<h1><a href="#/orders" aria-label="Back to orders">Orders</a> <span class="arrow">/</span> <span class="mono">${d?.ref ?? this.order}</span></h1>`;
    if (!d) return html`<section class="view"><header>${title}</header><p class="none">${this.failed || 'Reading …'}</p></section>`;
    const can = may('cancel') && !d.closed_at;
    return html`<section class="view" data-order-detail=${d.id}>
      <header>${title}<span class="pill ${d.state}">${words(d.state)}</span>${this.steps(d)}
        <span class="end">${this.failed ? html`<span class="bad-text">${this.failed}</span>` : nothing}${can ? html`<button class="button danger small" @click=${this.cancel}>Cancel …</button>` : nothing}</span></header>
      <div class="scroll"><div class="trace">
        <dl class="summary">
          ${fact('From', d.source)}${fact('Due', moment(d.due))}${fact('Pieces', `${d.done} of ${d.qty}${d.short ? `, ${d.short} short` : ''}`)}
          ${fact('Totes', d.totes)}${fact('Priority', d.priority)}${fact('Ship to', d.ship_to || '–')}${fact('Correlation', html`<span class="mono">${d.correlation || '–'}</span>`)}
        </dl>
        <div class="panel"><h2>Line → task → robot → ledger <small>what was asked, who did it, what the books say</small></h2>${this.lines(d)}</div>
        <div class="two"><div class="panel"><h2>Totes</h2>${totes(d)}</div><div class="panel"><h2>Shipment</h2>${shipment(d)}</div></div>
      </div></div></section>`;
  }

  /** @param {import('../types.js').OrderDetail} d */
  steps(d) {
    const last = STEPS.findLastIndex(([, at]) => d[at]);
    return html`<ol class="steps">${STEPS.map(([name, at], i) => html`
      <li class=${i <= last ? 'past' : i === last + 1 ? 'now' : ''}>${name} <small>${d[at] ? clock(String(d[at])) : ''}</small></li>`)}</ol>`;
  }

  /** @param {import('../types.js').OrderDetail} d */
  lines(d) {
    return html`<table data-table="trace"><thead><tr><th>Line</th><th>Item</th><th class="num">Pieces</th><th>Task</th><th>State</th><th>Bin → tote</th><th>Robot</th><th>Station</th><th>Ledger</th></tr></thead>
      <tbody>${d.order_lines.map((line) => {
        const tasks = d.tasks.filter((t) => t.kind === 'pick' && t.line === line.line);
        const head = html`<td>${line.line}</td><td><span class="mono">${line.item}</span></td>
          <td class="num">${line.done} / ${line.qty}${line.short ? html` <span class="warn-text">${line.short} short</span>` : nothing}${line.cancelled ? html` <span class="dim">${line.cancelled} cancelled</span>` : nothing}</td>`;
        if (!tasks.length) return html`<tr class="group">${head}<td colspan="6" class="dim">${line.kind === 'service' ? 'a service: it ships with the order, without a pick' : 'nothing was there to pick'}</td></tr>`;
        return tasks.map((t, i) => html`<tr class="${i ? '' : 'group'} ${t.id === this.task ? 'lit' : ''}" data-task=${t.id}>
          ${i ? html`<td></td><td></td><td></td>` : head}
          <td class="mono">${t.id}</td><td><span class="pill ${t.state}">${t.state}</span>${t.reason ? html` <span class="dim">${words(t.reason)}</span>` : nothing}</td>
          <td><span class="mono">${t.bin}</span><span class="arrow">→</span><span class="mono">${t.tote}</span></td>
          <td>${robot(t, d)}</td><td>${t.station ?? html`<span class="dim">–</span>`}</td><td data-ledger>${ledger(d, t)}</td></tr>`);
      })}</tbody></table>`;
  }
}

/** @param {import('../types.js').Task} t @param {import('../types.js').OrderDetail} d */
function robot(t, d) {
  const id = t.robot ?? floor.view?.robots.find((r) => r.tasks?.includes(t.id))?.id;
  if (!id) return html`<span class="dim">${d.closed_at ? '–' : 'not chosen yet'}</span>`;
  const r = floor.robots.get(id);
  return html`<a class="mono" href="#/robots/${id}">${r ? html`<i class="dot ${r.state}"></i> ` : nothing}${id}</a>`;
}

/** @param {import('../types.js').OrderDetail} d @param {import('../types.js').Task} t */
function ledger(d, t) {
  const rows = d.ledger.filter((g) => g.task === t.id);
  if (!rows.length) return html`<span class="dim">nothing posted</span>`;
  return rows.map((g) => html`<div title="${g.key} · ${g.actor} · ${moment(g.at)}"><span class="dim">#${g.seq}</span> <b>${g.qty}</b> <span class="mono">${g.from}</span><span class="arrow">→</span><span class="mono">${g.to}</span> <span class="dim">${words(g.reason)} ${clock(g.at)}</span></div>`);
}

/** @param {import('../types.js').OrderDetail} d */
function totes(d) {
  if (!d.tote_list.length) return html`<p class="none">None.</p>`;
  return html`<table><thead><tr><th>Tote</th><th>State</th><th>At</th><th class="num">Weight</th><th>Then</th></tr></thead><tbody>
    ${d.tote_list.map((t) => html`<tr><td class="mono">${t.id}</td><td><span class="pill ${t.state}">${t.state}</span></td><td>${t.place ?? '–'}</td>
      <td class="num">${t.weight_g === null ? '–' : `${(t.weight_g / 1000).toFixed(2)} kg`}</td>
      <td>${d.tasks.filter((k) => k.tote === t.id && k.kind !== 'pick').map((k) => html`<span class="pill ${k.state}" title=${k.id}>${k.kind}: ${k.state}</span> `)}</td></tr>`)}
  </tbody></table>`;
}

/** @param {import('../types.js').OrderDetail} d */
function shipment(d) {
  const s = d.shipment;
  if (!s) return html`<p class="none">Not shipped yet.</p>`;
  const out = d.ledger.filter((g) => !g.task);
  return html`<table><tbody><tr><td class="soft">Shipped</td><td>${moment(s.at)} <span class="mono dim">${s.id}</span></td></tr>
    <tr><td class="soft">Content</td><td>${s.pieces} pieces in ${s.totes} totes${s.services ? `, ${s.services} services` : ''}, ${(s.weight_g / 1000).toFixed(2)} kg</td></tr>
    ${out.map((g) => html`<tr><td class="soft">Ledger</td><td><span class="dim">#${g.seq}</span> <b>${g.qty}</b> <span class="mono">${g.from}</span><span class="arrow">→</span><span class="mono">${g.to}</span> <span class="dim">${words(g.reason)}</span></td></tr>`)}</tbody></table>`;
}

/** @param {string} name @param {unknown} value */
const fact = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
customElements.define('fp-order', FpOrder);
