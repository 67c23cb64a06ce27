// <fp-counts>: what is counted, what two people found, and what waits for a third.
import { html, nothing, repeat, svg } from '../../../vendor/lit.js';
import { ask, askReason } from '../../dialog.js';
import { floor } from '../../floor.js';
import { count, moment, words } from '../../format.js';
import { doHand } from '../../hand_dialog.js';
import { get, postOnce } from '../../rest.js';
import { may } from '../../roles.js';
import { Listing } from '../../listing.js';

/**
 * @typedef {{id: string, place: string, item: string, lot: string, owner: string, status: string, cause: string, plan: string | null, state: string,
 *   rounds: number, difference: number | null, posted: number, opened_at: string, opened_by: string, closed_at: string | null, reason: string}} Count
 * @typedef {{id: number, place: string, item: string, lot: string, status: string, qty: number, reason: string, key: string, asked_by: string, asked_at: string}} Adjustment
 */
const SHADES = /** @type {Record<string, string>} */ ({ open: 'released', recount: 'short', agreed: 'good', posted: 'done', pending: 'short', refused: 'error', cancelled: 'cancelled' });
const CAUSES = /** @type {Record<string, string>} */ ({ class: 'by its class', zero: 'emptied by picks', doubt: 'a camera saw something else', short_pick: 'a pick came short', reserved: 'less than reserved', asked: 'asked for' });

class FpCounts extends Listing {
  static events = ['floorplane.count.*', 'floorplane.stock.count*', 'floorplane.stock.adjustment_*', 'floorplane.hands.done'];
  static properties = { only: { state: true } };

  constructor() {
    super();
    /** @type {Count[] | null} */
    this.open = null;
    /** @type {Count[]} */
    this.settled = [];
    /** @type {Adjustment[]} */
    this.pending = [];
    /** @type {Map<string, string>} Open hand task by count. */
    this.tasks = new Map();
    this.only = true;
  }

  async read() {
    const [open, all, pending, tasks] = await Promise.all([
      get('/v1/counts', { newest: true, open: true, limit: 200 }), get('/v1/counts', { newest: true, limit: 200 }),
      get('/v1/adjustments', { state: 'pending', limit: 100 }), get('/v1/hands', { kind: 'count', state: 'open', limit: 500 }),
    ]);
    this.open = open.items;
    this.settled = all.items.filter((/** @type {Count} */ c) => c.closed_at);
    this.pending = pending.items;
    this.tasks = new Map(tasks.items.map((/** @type {any} */ t) => [t.ref, t.id]));
  }

  /** @param {string} id */
  detailOf(id) {
    return get(`/v1/counts/${encodeURIComponent(id)}`);
  }

  wish() {
    return this.then(ask({
      title: 'Have an account counted', action: 'Open the count',
      text: 'A person gets a blind task: they see the place and the item, never the number in the books. Of an item of which the books know nothing there, too.',
      fields: [{ name: 'place', label: 'Place' }, { name: 'item', label: 'Item' }, { name: 'lot', label: 'Lot', optional: true },
        { name: 'status', label: 'Condition', kind: 'choice', options: ['ok', 'quality', 'hold', 'damaged'], value: 'ok' }],
      does: (values) => postOnce('/v1/counts', values),
    }));
  }

  /** @param {Adjustment} a @param {'approve' | 'refuse'} what */
  decide(a, what) {
    const sum = `${a.qty > 0 ? '+' : '−'}${Math.abs(a.qty)} × ${a.item} in ${a.place}`;
    return this.then(askReason({
      title: `${what === 'approve' ? 'Approve' : 'Refuse'}: ${sum}`, action: what === 'approve' ? 'Approve' : 'Refuse', danger: what === 'refuse',
      text: what === 'approve' ? `Asked by ${a.asked_by}. It is booked now, by you as the second person.` : `Asked by ${a.asked_by}. Nothing is booked; the books stay as they are.`,
      suggestions: what === 'approve' ? ['seen at the place', 'checked with the supplier'] : ['counted wrongly', 'count it again'],
      does: (reason) => postOnce(`/v1/adjustments/${a.id}/${what}`, { reason }),
    }));
  }

  /** @param {Count} c */
  cancel(c) {
    return this.then(askReason({ title: `Give up the count of ${c.place}`, text: 'The books stay as they are; its task is withdrawn.', action: 'Give up', danger: true,
      suggestions: ['place is blocked', 'opened by mistake'], does: (reason) => postOnce(`/v1/counts/${encodeURIComponent(c.id)}/cancel`, { reason }) }));
  }

  render() {
    const rows = this.only ? this.settled.filter((c) => c.difference) : this.settled;
    return this.frame(
      html`${may('hands') ? html`<button class="button primary" data-do="count" @click=${() => this.wish()}>Count something …</button>
        <button class="button" @click=${() => this.then(postOnce('/v1/counts/plans:run', null))}>Run the plans</button>` : nothing}
        <span class="soft">${this.open ? `${count(this.open.length)} open, ${count(this.pending.length)} ${this.pending.length === 1 ? 'waits' : 'wait'} for a second person` : ''}</span>`,
      html`${this.pending.length ? html`<div class="panel" data-panel="second"><h2>Waits for a second person <small>above the limit; never by who has asked</small></h2>
          <table data-table="pending"><thead><tr><th>Place</th><th>Item</th><th class="num">Pieces</th><th>Why</th><th>Asked by</th><th>Since</th><th></th></tr></thead>
          <tbody>${repeat(this.pending, (a) => a.id, (a) => this.adjustment(a))}</tbody></table></div>` : nothing}
        <div class="panel"><h2>Open <small>blind: nobody sees a number before it is settled</small></h2>${this.table(this.open, 'open',
          'Nothing is being counted. Plans open counts by class and where picks have emptied a place; so do short picks and cameras, or you above.')}</div>
        <div class="panel"><h2>Settled <small>newest first</small><button class="chip end" aria-pressed=${this.only} @click=${() => (this.only = !this.only)}>differences only</button></h2>
          ${this.table(rows, 'settled', this.only ? 'No difference among the last 200 counts.' : 'Nothing was counted yet.')}</div>`,
      this.detail(), '#/care/counts');
  }

  /** @param {Adjustment} a */
  adjustment(a) {
    const mine = a.asked_by === floor.me?.name;
    const of = a.key.startsWith('count/') ? a.key.slice(6) : '';
    return html`<tr data-adjustment=${a.id}><td class="mono">${a.place}</td><td class="mono">${a.item}${a.lot ? html` <span class="dim">${a.lot}</span>` : nothing}</td>
      <td class="num ${a.qty < 0 ? 'bad-text' : 'good-text'}">${a.qty > 0 ? '+' : '−'}${Math.abs(a.qty)}</td>
      <td>${of ? html`<a href="#/care/counts/${of}">count</a>` : words(a.reason)}</td><td>${a.asked_by}</td><td class="soft">${moment(a.asked_at)}</td>
      <td>${may('approve') ? (mine ? html`<span class="dim">you have asked; somebody else decides</span>` : html`<button class="button small primary" @click=${() => this.decide(a, 'approve')}>Approve …</button>
        <button class="button small danger" @click=${() => this.decide(a, 'refuse')}>Refuse …</button>`) : html`<span class="dim">a supervisor decides</span>`}</td></tr>`;
  }

  /** @param {Count[] | null} rows @param {string} name @param {string} none */
  table(rows, name, none) {
    if (rows === null) return html`<p class="none">Reading …</p>`;
    if (!rows.length) return html`<p class="none">${none}</p>`;
    const most = Math.max(1, ...rows.map((c) => Math.abs(c.difference ?? 0)));
    return html`<table data-table=${name}><thead><tr><th>Place</th><th>Item</th><th>State</th><th>Because</th><th>Round</th>${name === 'settled' ? html`<th>Difference</th>` : nothing}<th>${name === 'open' ? 'Opened' : 'Settled'}</th></tr></thead>
      <tbody>${repeat(rows, (c) => c.id, (c) => html`<tr data-count=${c.id} aria-selected=${c.id === this.chosen}><td><a class="mono" href="#/care/counts/${encodeURIComponent(c.id)}">${c.place}</a></td>
        <td class="mono">${c.item}${c.lot ? html` <span class="dim">${c.lot}</span>` : nothing}</td><td><span class="pill ${SHADES[c.state] ?? ''}">${words(c.state)}</span></td>
        <td class="soft">${CAUSES[c.cause] ?? words(c.cause)}</td><td>${c.rounds || '–'}</td>${name === 'settled' ? html`<td>${bar(c.difference ?? 0, most)}</td>` : nothing}
        <td class="soft">${moment(c.closed_at ?? c.opened_at)}</td></tr>`)}</tbody></table>`;
  }

  detail() {
    const c = this.shown;
    if (!c) return nothing;
    const task = this.tasks.get(c.id);
    return html`<section><dl class="facts"><dt>Place</dt><dd class="mono">${c.place}</dd><dt>Item</dt><dd class="mono">${c.item}${c.lot ? ` · ${c.lot}` : ''}</dd>
        <dt>Condition</dt><dd>${c.status}</dd><dt>State</dt><dd><span class="pill ${SHADES[c.state] ?? ''}">${words(c.state)}</span></dd>
        <dt>Because</dt><dd>${CAUSES[c.cause] ?? c.cause}${c.plan ? html` <span class="dim">plan ${c.plan}</span>` : nothing}</dd>
        <dt>Opened</dt><dd>${moment(c.opened_at)} by ${c.opened_by}</dd>
        ${c.closed_at ? html`<dt>Settled</dt><dd>${moment(c.closed_at)}</dd><dt>Difference</dt><dd>${c.difference ?? '–'}, of it ${c.posted} in the books</dd>` : nothing}
        ${c.reason ? html`<dt>Reason</dt><dd>${c.reason}</dd>` : nothing}</dl></section>
      <section><h3>What was found</h3>${c.results.length ? html`<table><thead><tr><th>Round</th><th>Who</th><th class="num">Counted</th><th class="num">Books</th></tr></thead>
        <tbody>${c.results.map((/** @type {any} */ r) => html`<tr><td>${r.round}</td><td>${r.person}${r.moving ? html` <span class="warn-text">something moved</span>` : nothing}</td><td class="num">${r.counted}</td><td class="num">${r.expected}</td></tr>`)}</tbody></table>`
        : html`<p class="soft">${c.closed_at ? 'Nobody has counted it.' : 'Hidden until it is settled, so that the next one counts blind.'}</p>`}</section>
      ${may('hands') && !c.closed_at ? html`<section><h3>Actions</h3><div class="actions">
        ${task ? html`<button class="button" data-do="do" @click=${() => this.then(doHand(task, `Count ${c.item} in ${c.place}`))}>Count it now …</button>` : nothing}
        <button class="button danger" @click=${() => this.cancel(c)}>Give up …</button></div></section>` : nothing}`;
  }
}

/** A difference left or right of the middle. @param {number} n @param {number} most */
function bar(n, most) {
  const wide = (Math.abs(n) / most) * 48;
  return html`<svg class="diverging" viewBox="0 0 100 10" role="img" aria-label=${`${n} pieces`}><path d="M50 0v10"></path>
    ${n ? svg`<rect class=${n < 0 ? 'minus' : 'plus'} x=${n < 0 ? 50 - wide : 50} y="1.5" width=${wide} height="7" rx="1"></rect>` : nothing}</svg> <b class="num ${n < 0 ? 'bad-text' : n ? 'good-text' : 'soft'}">${n > 0 ? '+' : ''}${n}</b>`;
}
customElements.define('fp-counts', FpCounts);
