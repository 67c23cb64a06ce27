// <fp-plans>: what planner workers plan: how far they are, and what they found as a picture; taken or left.
import { html, nothing } from '../../vendor/lit.js';
import { askReason } from '../dialog.js';
import { count, moment } from '../format.js';
import { Part } from '../part.js';
import { picture } from '../plan_picture.js';
import { get, postOnce } from '../rest.js';
import { may } from '../roles.js';

const AGAIN_MS = 2000;
const ENDS = /** @type {const} */ ([['accept', 'Accept'], ['discard', 'Discard']]);

class FpPlans extends Part {
  static properties = { rows: { state: true }, chosen: { state: true }, shown: { state: true }, failed: { state: true } };

  constructor() {
    super();
    /** @type {import('../types.js').PlanRow[]} */
    this.rows = [];
    this.chosen = '';
    /** @type {import('../types.js').PlanDetail | null} */
    this.shown = null;
    this.failed = '';
  }

  connectedCallback() {
    super.connectedCallback();
    this.read();
    this.timer = setInterval(() => document.hidden || this.read(), AGAIN_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  async read() {
    try {
      this.rows = (await get('/v1/plans', { limit: 50 })).items;
      this.chosen ||= this.rows[0]?.id ?? '';
      const row = this.rows.find((r) => r.id === this.chosen);
      if (row && (this.shown?.id !== row.id || this.shown.state !== row.state)) this.shown = await get(`/v1/plans/${row.id}`);
      this.failed = '';
    } catch (e) {
      this.failed = /** @type {Error} */ (e).message;
    }
  }

  /** @param {string} id */
  choose(id) {
    this.chosen = id;
    this.read();
  }

  /** @param {import('../types.js').PlanRow} plan @param {string} to @param {string} action */
  async decide(plan, to, action) {
    const done = await askReason({
      title: `${action} plan ${plan.id}?`, text: `It is a plan of ${plan.kind}, asked for by ${plan.asked_by}.`, action,
      note: to === 'accept' ? 'It is kept and told as an event. Nothing moves by this alone.' : undefined,
      danger: to !== 'accept', does: (reason) => postOnce(`/v1/plans/${plan.id}/${to}`, { reason }),
    });
    if (done) this.read();
  }

  async planSlotting() {
    try {
      this.choose((await postOnce('/v1/plans/slotting', {})).id);
    } catch (e) {
      this.failed = /** @type {Error} */ (e).message;
    }
  }

  render() {
    return html`<section class="view"><header><h1>Plans</h1>
      <span class="end">${this.failed ? html`<span class="bad-text">${this.failed}</span>` : 'newest first'}
      ${may('plan') ? html`<button class="button small" data-do="slotting" @click=${() => this.planSlotting()}>Plan the slotting</button>` : nothing}</span></header>
      <div class="scroll"><table data-table="plans"><thead><tr><th>Plan</th><th>Kind</th><th>State</th><th>Done</th><th>Cost</th><th>Asked</th><th>By</th><th>Reason</th></tr></thead>
        <tbody>${this.rows.map((r) => html`<tr class="link" aria-selected=${r.id === this.chosen} @click=${() => this.choose(r.id)}>
          <td class="mono">${r.id}</td><td>${r.kind}</td><td data-state=${r.state}>${r.state}</td>
          <td><progress max="1" value=${r.share} aria-label="share of the effort"></progress></td>
          <td class="num">${r.cost === null ? '' : count(Math.round(r.cost))}</td><td class="soft">${moment(r.asked_at)}</td><td>${r.asked_by}</td><td class="wrap">${r.reason}</td></tr>`)}</tbody></table>
        ${this.rows.length ? nothing : html`<p class="none">Nothing was planned yet. <code class="mono">POST /v1/plans/{kind}</code> asks for a plan.</p>`}
        ${this.shown ? this.detail(this.shown) : nothing}</div></section>`;
  }

  /** @param {import('../types.js').PlanDetail} plan */
  detail(plan) {
    const open = plan.state === 'queued' || plan.state === 'running';
    return html`<div class="panel" data-plan=${plan.id}><h2>${plan.kind} <small>${plan.state}${plan.worker ? `, by ${plan.worker}` : ''}</small></h2>
      ${picture(plan.picture)}
      ${may('plan') ? html`<p>${open ? html`<button class="button small danger" @click=${() => this.decide(plan, 'cancel', 'Cancel')}>Cancel …</button>` : nothing}
        ${plan.state === 'done' ? ENDS.map(([to, name]) => html`<button class="button small" data-do=${to} @click=${() => this.decide(plan, to, name)}>${name} …</button> `) : nothing}</p>` : nothing}</div>`;
  }
}
customElements.define('fp-plans', FpPlans);
