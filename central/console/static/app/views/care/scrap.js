// <fp-scrap>: what is thrown away and why; above the limit a second person lets it go.
import { html, nothing, repeat } from '../../../vendor/lit.js';
import { ask, askReason } from '../../dialog.js';
import { floor } from '../../floor.js';
import { moment, words } from '../../format.js';
import { get, postOnce } from '../../rest.js';
import { may } from '../../roles.js';
import { Listing } from '../../listing.js';

/**
 * @typedef {{id: string, place: string, item: string, lot: string, owner: string, status: string, qty: number, reason: string, note: string, state: string,
 *   asked_by: string, asked_at: string, decided_by: string | null, decided_at: string | null, why: string, move: number | null}} Scrap
 */
const SHADES = /** @type {Record<string, string>} */ ({ pending: 'short', posted: 'done', refused: 'error' });
const REASONS = ['broken', 'expired', 'contaminated', 'recalled', 'obsolete', 'returned', 'other'];

class FpScrap extends Listing {
  static events = ['floorplane.stock.scrap*', 'floorplane.ledger.reversed'];

  constructor() {
    super();
    /** @type {Scrap[] | null} */
    this.rows = null;
    this.limit = 0;
  }

  async read() {
    const [page, policy] = await Promise.all([get('/v1/scrap', { newest: true, limit: 200 }), get('/v1/care/policy')]);
    this.limit = policy.scrap_limit;
    this.rows = page.items;
  }

  /** @param {string} id */
  async detailOf(id) {
    const scrap = this.rows?.find((s) => s.id === id);
    if (!scrap) return { id };
    return { ...scrap, moved: scrap.move === null ? null : await get(`/v1/ledger/${scrap.move}`) };
  }

  wish() {
    return this.then(ask({
      title: 'Throw goods away', action: 'Scrap', danger: true, text: `Up to ${this.limit} pieces it is posted at once; above that a supervisor, not you, lets it go.`,
      fields: [{ name: 'place', label: 'Place' }, { name: 'item', label: 'Item' }, { name: 'lot', label: 'Lot', optional: true },
        { name: 'status', label: 'Condition they are in', kind: 'choice', options: ['ok', 'quality', 'hold', 'damaged'], value: 'damaged' },
        { name: 'qty', label: 'Pieces', kind: 'number', min: 1, value: 1 }, { name: 'reason', label: 'Why', kind: 'choice', options: REASONS, value: 'broken' }, { name: 'note', label: 'Note', optional: true }],
      does: (values) => postOnce('/v1/scrap', values),
    }));
  }

  /** @param {Scrap} s @param {'approve' | 'refuse'} what */
  decide(s, what) {
    return this.then(askReason({
      title: `${what === 'approve' ? 'Let go' : 'Keep'} ${s.qty} × ${s.item}`, action: what === 'approve' ? 'Approve' : 'Refuse', danger: what === 'refuse',
      text: `Asked by ${s.asked_by}: ${s.reason}${s.note ? `, ${s.note}` : ''}. They lie in ${s.place}.`, suggestions: what === 'approve' ? ['seen, it is broken'] : ['can be repaired', 'goes back to the supplier'],
      does: (reason) => postOnce(`/v1/scrap/${encodeURIComponent(s.id)}/${what}`, { reason }),
    }));
  }

  /** @param {Scrap} s */
  undo(s) {
    return this.then(askReason({ title: `Take back ${s.qty} × ${s.item}`, action: 'Take back', danger: true, text: 'Its move is reversed by a row that points back: the pieces are in the books again.',
      suggestions: ['booked in error', 'was found again'], does: (reason) => postOnce(`/v1/ledger/${s.move}/reverse`, { reason }) }));
  }

  render() {
    const waiting = this.rows?.filter((s) => s.state === 'pending') ?? [];
    return this.frame(
      html`${may('hands') ? html`<button class="button primary" data-do="scrap" @click=${() => this.wish()}>Scrap something …</button>` : nothing}
        <span class="soft">${this.rows ? `${waiting.length} ${waiting.length === 1 ? 'waits' : 'wait'} for a second person, limit ${this.limit} pieces` : ''}</span>`,
      html`${waiting.length ? html`<div class="panel"><h2>Waits for a second person <small>never who has asked</small></h2>${this.table(waiting, 'scrap-pending', '')}</div>` : nothing}
        <div class="panel"><h2>Decided <small>newest first</small></h2>${this.table(this.rows && this.rows.filter((s) => s.state !== 'pending'), 'scrap', 'Nothing was thrown away yet.')}</div>`,
      this.detail(), '#/care/scrap');
  }

  /** @param {Scrap[] | null} rows @param {string} name @param {string} none */
  table(rows, name, none) {
    if (rows === null) return html`<p class="none">Reading …</p>`;
    if (!rows.length) return html`<p class="none">${none}</p>`;
    return html`<table data-table=${name}><thead><tr><th>Item</th><th class="num">Pieces</th><th>Place</th><th>Why</th><th>State</th><th>Asked</th><th></th></tr></thead>
      <tbody>${repeat(rows, (s) => s.id, (s) => html`<tr data-scrap=${s.id} aria-selected=${s.id === this.chosen}><td><a class="mono" href="#/care/scrap/${encodeURIComponent(s.id)}">${s.item}</a></td><td class="num">${s.qty}</td><td class="mono">${s.place}</td>
        <td class="wrap">${words(s.reason)}${s.note ? html` <span class="soft">${s.note}</span>` : nothing}</td><td><span class="pill ${SHADES[s.state] ?? ''}">${s.state === 'posted' ? 'thrown away' : s.state === 'refused' ? 'kept' : s.state}</span></td>
        <td class="soft">${moment(s.asked_at)} by ${s.asked_by}</td><td>${this.buttons(s)}</td></tr>`)}</tbody></table>`;
  }

  /** @param {Scrap} s */
  buttons(s) {
    if (s.state !== 'pending') return nothing;
    if (!may('approve')) return html`<span class="dim">a supervisor decides</span>`;
    if (s.asked_by === floor.me?.name) return html`<span class="dim">you have asked; somebody else decides</span>`;
    return html`<button class="button small primary" @click=${() => this.decide(s, 'approve')}>Approve …</button> <button class="button small danger" @click=${() => this.decide(s, 'refuse')}>Refuse …</button>`;
  }

  detail() {
    const s = this.shown;
    if (!s?.place) return html`<p class="none">It is not among the newest 200.</p>`;
    const back = s.moved?.reversed_by;
    return html`<section><dl class="facts"><dt>Item</dt><dd class="mono">${s.item}${s.lot ? ` · ${s.lot}` : ''}</dd><dt>Pieces</dt><dd>${s.qty}, ${s.status}</dd><dt>Place</dt><dd class="mono">${s.place}</dd>
        <dt>Why</dt><dd>${s.reason}${s.note ? `: ${s.note}` : ''}</dd><dt>Asked</dt><dd>${moment(s.asked_at)} by ${s.asked_by}</dd>
        ${s.decided_by ? html`<dt>Decided</dt><dd>${moment(s.decided_at)} by ${s.decided_by}${s.why ? `: ${s.why}` : ''}</dd>` : nothing}
        ${s.move === null ? nothing : html`<dt>Ledger</dt><dd>row ${s.move}${back ? html`, <span class="warn-text">taken back by row ${back}</span>` : nothing}</dd>`}</dl></section>
      ${s.move !== null && !back && may('hands_any') ? html`<section><h3>Actions</h3><div class="actions"><button class="button danger" data-do="undo" @click=${() => this.undo(s)}>Take back …</button></div></section>` : nothing}`;
  }
}
customElements.define('fp-scrap', FpScrap);
