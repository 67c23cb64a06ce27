// <fp-tasks>: open work and what was closed just now; each row changes where it stands.
import { html, nothing, repeat } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { age, clock } from '../format.js';
import { Part } from '../part.js';

const KINDS = ['pick', 'convey', 'pack'];
const OPEN = new Set(['waiting', 'released', 'started']);
const STATES = ['started', 'released', 'waiting', 'done', 'short', 'cancelled'];

class FpTasks extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['tasks', 'tick']);
  static properties = { kind: { state: true }, only: { state: true } };

  constructor() {
    super();
    this.kind = '';
    this.only = '';
  }

  render() {
    const all = [...floor.tasks.values()];
    const some = all.filter((t) => !this.kind || t.kind === this.kind);
    const rows = some.filter((t) => !this.only || t.state === this.only);
    // what is worked on first, then what waits, then what was closed last
    const rank = (/** @type {import('../types.js').Task} */ t) => (t.state === 'started' ? 0 : OPEN.has(t.state) ? 1 : 2);
    const at = (/** @type {import('../types.js').Task} */ t) => Date.parse(t.closed_at ?? t.started_at ?? t.created_at);
    rows.sort((a, b) => rank(a) - rank(b) || (rank(a) === 1 ? at(a) - at(b) : at(b) - at(a)) || (a.id < b.id ? -1 : 1));
    const shown = rows.slice(0, 400);
    return html`<section class="view">
      <header><h1>Tasks</h1>
        <div class="chips" role="group" aria-label="Kind">${KINDS.map((k) => html`<button class="chip" aria-pressed=${this.kind === k} @click=${() => (this.kind = this.kind === k ? '' : k)}>${k} <b>${all.filter((t) => t.kind === k && OPEN.has(t.state)).length}</b></button>`)}</div>
        <div class="chips" role="group" aria-label="State">${STATES.map((s) => html`<button class="chip" aria-pressed=${this.only === s} @click=${() => (this.only = this.only === s ? '' : s)}>${s} <b>${some.filter((t) => t.state === s).length}</b></button>`)}</div>
        <span class="end">${shown.length === rows.length ? `${rows.length} shown` : `${shown.length} of ${rows.length} shown`}; closed ones since this page was opened</span></header>
      <div class="scroll"><table data-table="tasks">
        <thead><tr><th>Task</th><th>Kind</th><th>State</th><th>Order</th><th class="num">Line</th><th>Item</th><th class="num">Pieces</th><th>From</th><th>Station</th><th>Robot</th><th>Age</th></tr></thead>
        <tbody>${repeat(shown, (t) => t.id, (t) => this.row(t))}</tbody></table>
        ${shown.length ? nothing : html`<p class="none">No task${this.kind || this.only ? ' fits' : ' is open'}.</p>`}
      </div></section>`;
  }

  /** @param {import('../types.js').Task} t */
  row(t) {
    const carrier = t.robot ?? floor.view?.robots.find((r) => r.tasks?.includes(t.id))?.id;
    const since = t.closed_at ? `closed ${clock(t.closed_at)}` : age(floor.clock.now() - Date.parse(t.started_at ?? t.created_at));
    return html`<tr data-task=${t.id} data-state=${t.state}>
      <td><a class="mono" href="#/orders/${encodeURIComponent(t.order_id)}?task=${t.id}">${t.id}</a></td><td>${t.kind}</td>
      <td><span class="pill ${t.state}">${t.state}</span>${t.attempt > 1 ? html` <span class="dim">attempt ${t.attempt}</span>` : nothing}</td>
      <td><a class="mono" href="#/orders/${encodeURIComponent(t.order_id)}">${t.order_id}</a></td><td class="num">${t.line ?? ''}</td>
      <td class="mono">${t.item ?? ''}</td><td class="num">${t.qty === null ? '' : `${t.done_qty ?? 0} / ${t.qty}`}</td><td class="mono">${t.bin ?? t.tote}</td>
      <td>${t.station ?? ''}</td><td>${carrier ? html`<a class="mono" href="#/robots/${carrier}">${carrier}</a>` : ''}</td><td class="soft">${since}</td></tr>`;
  }
}
customElements.define('fp-tasks', FpTasks);
