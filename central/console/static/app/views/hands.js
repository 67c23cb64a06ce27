// <fp-hands>: work for people with handhelds: who has what, what waits, what was done; withdrawn, given to others, taken back.
import { html, nothing, repeat } from '../../vendor/lit.js';
import { askReason } from '../dialog.js';
import { floor } from '../floor.js';
import { age, clock, moment, words } from '../format.js';
import { doHand } from '../hand_dialog.js';
import { Reading } from '../reading.js';
import { get, postOnce } from '../rest.js';
import { may } from '../roles.js';

/** @typedef {import('../types.js').HandTask} HandTask */

const STATES = ['leased', 'open', 'done', 'undone', 'cancelled'];

class FpHands extends Reading {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['tick']);
  static events = ['floorplane.hands.*'];
  static every = 3000; // who takes a task makes no event
  static properties = { kind: { state: true }, only: { state: true } };

  constructor() {
    super();
    /** @type {HandTask[]} */
    this.rows = [];
    /** @type {{kind: string, open: number}[]} */
    this.kinds = [];
    this.kind = '';
    this.only = '';
  }

  async read() {
    const asked = { newest: true, limit: 200, kind: this.kind, state: this.only };
    const [page, kinds] = await Promise.all([get('/v1/hands', asked), get('/v1/hands/kinds')]);
    this.rows = page.items;
    this.kinds = kinds;
  }

  /** @param {'kind' | 'only'} which @param {string} value */
  choose(which, value) {
    this[which] = this[which] === value ? '' : value;
    void this.again();
  }

  /** @param {HandTask} t @param {'cancel' | 'undo' | 'release'} what */
  async ask(t, what) {
    const says = {
      cancel: { title: `Withdraw ${t.id}?`, text: 'Nobody will do it; whoever has it is told when they confirm it.', action: 'Withdraw', danger: true },
      undo: { title: `Take back ${t.id}?`, text: `What ${t.done_by} has posted is reversed by rows that point back, if the pieces are still there and free.`, action: 'Take back', danger: true },
      release: { title: `Take ${t.id} from ${t.person}?`, text: 'It is open again; what they confirm after this is refused.', action: 'Give to others', danger: false },
    }[what];
    const attempt = what === 'release' ? { attempt: t.attempt } : {};
    await this.then(askReason({ ...says, does: (reason) => postOnce(`/v1/hands/${t.id}/${what}`, { ...attempt, reason }) }));
  }

  render() {
    const rank = (/** @type {HandTask} */ t) => (t.state === 'leased' ? 0 : t.state === 'open' ? 1 : 2);
    const rows = [...this.rows].sort((a, b) => rank(a) - rank(b) || (rank(a) < 2 ? b.priority - a.priority : 0));
    return html`<section class="view">
      <header><h1>Hands</h1>
        <div class="chips" role="group" aria-label="Kind">${this.kinds.map((k) => html`<button class="chip" aria-pressed=${this.kind === k.kind} @click=${() => this.choose('kind', k.kind)}>${words(k.kind)} <b>${k.open}</b></button>`)}</div>
        <div class="chips" role="group" aria-label="State">${STATES.map((s) => html`<button class="chip" aria-pressed=${this.only === s} @click=${() => this.choose('only', s)}>${s}</button>`)}</div>
        <span class="end">${this.failed ? html`<span class="bad-text">${this.failed}</span>` : html`${rows.length} shown, the newest 200`}<a class="button" href="rf/" target="_blank">Handheld …</a></span></header>
      <div class="scroll"><table data-table="hands">
        <thead><tr><th>Task</th><th>Kind</th><th>State</th><th>Who</th><th>Item</th><th>Lot</th><th class="num">Pieces</th><th>From</th><th>To</th><th>For</th><th>Due</th><th>Age</th><th></th></tr></thead>
        <tbody>${repeat(rows, (t) => t.id, (t) => this.row(t))}</tbody></table>
        ${rows.length ? nothing : html`<p class="none">${this.kind || this.only ? 'No task fits.' : html`No task for people. Receiving, putting away, counts, returns, replenishment and loading open them; <a href="/rf">handhelds</a> do them.`}</p>`}
      </div></section>`;
  }

  /** @param {HandTask} t */
  row(t) {
    const open = t.state === 'open' || t.state === 'leased';
    const since = t.closed_at ? `closed ${clock(t.closed_at)}` : age(floor.clock.now() - Date.parse(t.created_at));
    const button = (/** @type {'cancel' | 'undo' | 'release'} */ what, /** @type {string} */ name) => html`<button class="button small" @click=${() => void this.ask(t, what)}>${name}</button> `;
    return html`<tr data-hand=${t.id} data-state=${t.state}>
      <td class="mono">${t.id}</td><td>${words(t.kind)}</td>
      <td><span class="pill ${t.state === 'leased' ? 'started' : t.state === 'open' ? 'released' : t.state}" title=${t.reason}>${t.state}</span>${t.attempt > 1 ? html` <span class="dim">attempt ${t.attempt}</span>` : nothing}</td>
      <td>${t.state === 'open' ? '' : t.done_by ?? t.person ?? ''}</td><td class="mono" title=${t.name ?? ''}>${t.item ?? ''}</td><td class="mono">${t.lot}</td>
      <td class="num">${t.done_qty === null ? t.qty ?? '' : `${t.done_qty} / ${t.qty ?? '–'}`}</td><td class="mono">${t.source ?? ''}</td><td class="mono">${t.target ?? ''}</td>
      <td class="mono">${t.ref ?? ''}</td><td class="soft">${t.due ? moment(t.due) : ''}</td><td class="soft">${since}</td>
      <td>${may('hands') && t.state === 'open' ? html`<button class="button small" data-do="do" @click=${() => void this.then(doHand(t.id, `Do ${t.id}`))}>Do …</button> ` : nothing}${may('hands') && open ? button('cancel', 'Withdraw …') : nothing}${may('hands_any') && t.state === 'leased' ? button('release', 'Take away …') : nothing}
        ${(may('hands_any') || (may('hands') && t.done_by === floor.me?.name)) && t.state === 'done' ? button('undo', 'Take back …') : nothing}</td></tr>`;
  }
}
customElements.define('fp-hands', FpHands);
