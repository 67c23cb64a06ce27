// <fp-plans>: what planner workers plan: how far they are, what they found as a picture beside its baseline; taken or left.
import { html, nothing, repeat, svg } from '../../vendor/lit.js';
import { askReason } from '../dialog.js';
import { count, moment, percent, some } from '../format.js';
import { Listing } from '../listing.js';
import '../plans/picture.js';
import { askPlan, cards, SAYS } from '../plans/wish.js';
import { get, postOnce } from '../rest.js';
import { may } from '../roles.js';

/** @typedef {import('../types.js').PlanRow} PlanRow @typedef {import('../types.js').PlanDetail} PlanDetail */
const OFTEN_MS = 1000;
const SHADES = /** @type {Record<string, string>} */ ({ queued: '', running: 'started', done: 'good', accepted: 'done', discarded: 'cancelled', cancelled: 'cancelled', failed: 'error' });
const SOON = new Set(['waiting', 'open']);
const TAKES = /** @type {Record<string, string>} */ ({ slotting: 'Its moves become tasks for people, a few at a time while there is nothing else to do.', transport: 'Planned from orders, each route becomes a truck with its stops in order.',
  stations: 'Of the orders that wait, totes get free slots where it says, and in its order.', batching: 'Of an area’s orders, its batches are given to people who begin rounds.', picking: 'Of a round, it becomes its walk.' });

class FpPlans extends Listing {
  static events = ['floorplane.plan.*'];

  constructor() {
    super();
    /** @type {PlanRow[] | null} */
    this.rows = null;
    /** @type {any[]} */
    this.moves = [];
  }

  connectedCallback() {
    super.connectedCallback();
    // how far a plan is makes no event: while one is made, it is looked at every second
    this.often = setInterval(() => document.hidden || !this.rows?.some(isOpen) || this.soon(), OFTEN_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.often);
  }

  async read() {
    this.rows = (await get('/v1/plans', { limit: 50 })).items;
  }

  async readMore() {
    const id = this.chosen || this.rows?.[0]?.id;
    const row = this.rows?.find((r) => r.id === id);
    const same = this.shown?.id === id && row && this.shown.state === row.state;
    if (!id) this.shown = null;
    else if (!same || isOpen(row)) this.shown = await get(`/v1/plans/${encodeURIComponent(id)}`);
    const accepted = this.shown?.kind === 'slotting' && this.shown.state === 'accepted';
    this.moves = accepted ? (await get(`/v1/plans/${encodeURIComponent(id ?? '')}/moves`, { limit: 500 })).items : [];
  }

  /** @param {PlanRow} plan @param {string} to @param {string} action */
  decide(plan, to, action) {
    const says = /** @type {Record<string, string>} */ ({ accept: TAKES[plan.kind] ?? 'It is kept and told as an event. Nothing moves by this alone.', stop: 'The best so far is the plan; of an accepted one the moves that are left are given up.', discard: 'It can still be looked at.', cancel: 'Its worker stops within seconds.' });
    return this.then(askReason({
      title: `${action} · ${plan.id}`, text: `It is a plan of ${plan.kind}, asked for by ${plan.asked_by}.`, action, note: to === 'accept' ? says.accept : undefined,
      suggestions: to === 'accept' ? ['looks right', 'as agreed with the shift'] : [], danger: to === 'discard' || to === 'cancel', does: (reason) => postOnce(`/v1/plans/${plan.id}/${to}`, { reason }),
    }).then((done) => (done ? this.anew() : undefined)));
  }

  anew() {
    this.shown = null;
  }

  /** @param {string} kind */
  async wish(kind) {
    try {
      const made = await askPlan(kind);
      if (made) location.hash = `#/plans/${made}`;
      await this.again();
    } catch (e) {
      this.fail(e);
    }
  }

  render() {
    return html`<section class="view"><header><h1>Plans</h1>
      <span class="end">${this.failed ? html`<span class="bad-text" role="alert">${this.failed}</span>` : 'newest first'}
      <a class="button small" href="#/whatif">What if …</a></span></header>
      <div class="scroll"><div class="inbound">
        ${this.chosen ? this.picture(this.shown) : nothing}${this.cards()}${this.chosen ? nothing : this.picture(this.shown)}
        <div class="panel"><h2>All plans <small>newest first</small></h2>${this.table()}</div></div></div></section>`;
  }

  cards() {
    return may('plan') ? html`<div class="panel"><h2>Plan <small>something new</small></h2>${cards((kind) => this.wish(kind))}</div>` : nothing;
  }

  table() {
    if (this.rows === null) return html`<p class="none">Reading …</p>`;
    if (!this.rows.length) return html`<p class="none">Nothing was planned yet. Ask above, or by <code class="mono">POST /v1/plans/{kind}</code>.</p>`;
    const at = this.chosen || this.rows[0].id;
    return html`<table data-table="plans"><thead><tr><th>Plan</th><th>Kind</th><th>State</th><th>Done</th><th class="num">Cost</th><th>Asked</th><th>By</th><th>Reason</th></tr></thead>
      <tbody>${repeat(this.rows, (r) => r.id, (r) => html`<tr aria-selected=${r.id === at}><td><a class="mono" href="#/plans/${encodeURIComponent(r.id)}">${r.id}</a></td><td>${r.kind}</td><td data-state=${r.state}><span class="pill ${SHADES[r.state] ?? ''}">${r.state}</span></td>
        <td><progress class=${isOpen(r) ? '' : 'done'} max="1" value=${r.share} aria-label="share of the effort"></progress></td><td class="num">${r.cost === null ? '' : count(Math.round(r.cost))}</td>
        <td class="soft">${moment(r.asked_at)}</td><td>${r.asked_by}</td><td class="wrap">${r.reason}</td></tr>`)}</tbody></table>`;
  }

  /** @param {PlanDetail | null} plan */
  picture(plan) {
    if (!plan) return nothing;
    return html`<div class="panel" data-plan=${plan.id}><h2>${plan.kind} <span class="pill ${SHADES[plan.state] ?? ''}">${plan.state}</span><small>${SAYS[plan.kind] ?? ''}${plan.worker ? `, by ${plan.worker}` : ''}</small>${this.buttons(plan)}</h2>
      <div class="plan-body">
        ${isOpen(plan) ? html`<div class="how-far" data-progress=${plan.share}><progress max="1" value=${plan.share} aria-label="share of the effort"></progress><b>${percent(plan.share)}</b>
          <span class="soft">${plan.state === 'queued' ? 'waits for a planner worker' : html`${count(plan.done ?? 0)} steps of effort${plan.eta_s ? html`, about ${Math.ceil(plan.eta_s)} s more` : nothing}${plan.cost === null ? nothing : html`, best so far ${count(Math.round(plan.cost))}`}`}</span></div>` : nothing}
        ${plan.state === 'failed' ? html`<p class="refusal" role="alert">${plan.reason}</p>` : nothing}
        <div class="beside">${beside(plan)}${(plan.steps ?? []).length > 1 ? steps(plan) : nothing}</div>
        <fp-picture .picture=${plan.picture} .plan=${plan.plan}></fp-picture>
        ${this.outcome(plan)}</div></div>`;
  }

  /** @param {PlanDetail} plan */
  buttons(plan) {
    if (!may('plan')) return nothing;
    /** @type {[string, string][]} */
    const ends = plan.state === 'done' ? [['accept', 'Accept'], ['discard', 'Discard']] : plan.state === 'running' ? [['stop', 'Stop with the best'], ['cancel', 'Cancel the plan']] : plan.state === 'queued' ? [['cancel', 'Cancel the plan']]
      : this.moves.some((m) => SOON.has(m.state)) ? [['stop', 'Stop moving']] : [];
    return ends.length ? html`<span class="end actions">${ends.map(([to, name]) => html`<button class="button small ${to === 'accept' ? 'primary' : to === 'stop' ? '' : 'danger'}" data-do=${to} @click=${() => this.decide(plan, to, name)}>${name} …</button>`)}</span>` : nothing;
  }

  /** What an accepted plan became. @param {PlanDetail} plan */
  outcome(plan) {
    const trucks = plan.outcome?.trucks ?? [];
    const done = this.moves.filter((m) => m.state === 'done').length;
    return html`${plan.kind === 'slotting' && plan.plan?.moves?.length === 0 ? html`<p class="soft" data-none="moves">No move gains more than it costs by the orders so far: nothing would be moved.</p>` : nothing}${trucks.length ? html`<p class="soft">It became ${some(trucks.length, 'truck')}: ${trucks.map((/** @type {string} */ t) => html`<a class="mono" href="#/outbound">${t}</a> `)}</p>` : nothing}
      ${this.moves.length ? html`<div class="how-far"><progress max=${this.moves.length} value=${done} aria-label="moves done"></progress><b>${done} of ${some(this.moves.length, 'move')}</b><span class="soft">done by people with <a href="#/hands">handhelds</a> in idle time</span></div>${this.moving()}` : nothing}`;
  }

  /** The moves of an accepted slotting plan, what is at work first. */
  moving() {
    const rank = (/** @type {any} */ m) => (m.state === 'open' ? 0 : m.state === 'waiting' ? 1 : 2);
    const all = [...this.moves].sort((a, b) => rank(a) - rank(b) || a.n - b.n);
    return html`<div class="moves"><table data-table="moves"><thead><tr><th class="num">No.</th><th>Item</th><th>From pod</th><th>To pod</th><th>State</th><th class="num">Saves</th><th class="num">Costs</th><th class="num">Pieces</th><th>Why not, or who</th></tr></thead>
      <tbody>${repeat(all.slice(0, 200), (m) => m.n, (m) => html`<tr data-move=${m.n} data-state=${m.state}><td class="num">${m.n}</td><td class="mono">${m.item}</td><td class="mono">${m.origin}</td><td class="mono">${m.goal}</td>
        <td><span class="pill ${{ open: 'started', done: 'done', skipped: 'warning', stopped: 'cancelled' }[/** @type {string} */ (m.state)] ?? ''}">${m.state}</span></td><td class="num">${count(Math.round(m.gain_m))} m</td><td class="num soft">${count(Math.round(m.cost_m))} m</td><td class="num">${m.qty || ''}</td>
        <td class="wrap">${m.reason || (m.state === 'open' ? html`<a href="#/hands">${some(m.tasks.length, 'task')} for hands</a>` : '')}</td></tr>`)}</tbody></table></div>`;
  }
}

/** @param {PlanRow | undefined} r */
const isOpen = (r) => r?.state === 'queued' || r?.state === 'running';

/** The plan's cost beside the baseline's. @param {PlanDetail} plan */
function beside(plan) {
  const p = plan.plan ?? {};
  const was = p.baseline?.cost_m ?? p.baseline?.cost_s ?? p.baseline?.cost ?? p.baseline?.charge ?? p.cost_before_m ?? (plan.steps?.length ? plan.steps[0].cost : null);
  const named = p.baseline?.what ?? (p.cost_before_m != null ? 'as it is' : 'the first plan');
  const now = p.cost_m ?? p.cost_s ?? plan.cost;
  const unit = p.cost_m != null ? ' m' : p.cost_s != null ? ' s' : '';
  if (was == null || now == null || !(was > 0)) return nothing;
  const most = Math.max(was, now);
  const saved = 1 - now / was;
  const bar = (/** @type {string} */ name, /** @type {number} */ cost, /** @type {string} */ shade) => html`<dt>${name}</dt><dd><svg viewBox="0 0 200 10" preserveAspectRatio="none" aria-hidden="true"><rect class=${shade} width=${(cost / most) * 200} height="10" rx="2"></rect></svg> <b>${count(Math.round(cost))}${unit}</b></dd>`;
  return html`<dl class="versus" data-saved=${saved.toFixed(3)}>${bar(named, was, 'rest')}${bar('the plan', now, saved >= 0 ? 'ok' : 'low')}</dl>
    <p class="saved ${saved > 0.0005 ? 'good-text' : 'soft'}"><b>${Math.abs(saved) < 0.0005 ? 'as good' : `${saved > 0 ? '−' : '+'}${(Math.abs(saved) * 100).toFixed(1)} %`}</b><span class="soft">${Math.abs(saved) < 0.0005 ? 'as' : 'against'} ${named}</span></p>`;
}

/** How the best so far became better. @param {PlanDetail} plan */
function steps(plan) {
  const all = /** @type {{done: number, cost: number}[]} */ (plan.steps);
  const [first, last] = [all[0], all[all.length - 1]];
  const low = Math.min(...all.map((s) => s.cost));
  const high = Math.max(...all.map((s) => s.cost));
  const x = (/** @type {number} */ done) => (done / Math.max(1, plan.used ?? last.done)) * 196 + 2;
  const y = (/** @type {number} */ cost) => 38 - ((cost - low) / Math.max(1e-9, high - low)) * 34;
  return html`<figure class="spark"><svg viewBox="0 0 200 40" preserveAspectRatio="none" role="img" aria-label=${`from ${Math.round(first.cost)} to ${Math.round(last.cost)} in ${all.length} steps`}>
    ${svg`<path d=${`M${all.map((s, n) => `${n ? `H${x(s.done).toFixed(1)}V` : `${x(s.done).toFixed(1)} `}${y(s.cost).toFixed(1)}`).join('')}H198`}></path>`}</svg><figcaption>the best so far, over the effort</figcaption></figure>`;
}
customElements.define('fp-plans', FpPlans);
