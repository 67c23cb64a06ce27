// <fp-transports>: things that robots bring from one place to another without any stock: ordered, followed, withdrawn.
import { html, nothing, repeat } from '../../vendor/lit.js';
import { ask, askReason } from '../dialog.js';
import { floor } from '../floor.js';
import { age, moment, some, words } from '../format.js';
import { Listing } from '../listing.js';
import { get, postOnce, remove } from '../rest.js';
import { may } from '../roles.js';

/** @typedef {import('../types.js').Transport} Transport */
const STATES = ['open', 'assigned', 'loaded', 'done', 'cancelled'];
const OPEN = new Set(['open', 'assigned', 'loaded']);
const SHADES = /** @type {Record<string, string>} */ ({ open: '', assigned: 'started', loaded: 'picking', done: 'done', cancelled: 'cancelled' });
const SAYS = /** @type {Record<string, string>} */ ({ open: 'waits for a robot', assigned: 'a robot fetches it', loaded: 'on its way', done: 'is there', cancelled: 'given up' });
const MOST_PLACES = 1500;

/** Where transports may begin and end, what has a name of its own first: storage is of the stock where there are pods. @returns {string[]} */
export function places() {
  const site = floor.site;
  if (!site) return [];
  const nodes = site.layout.nodes.filter((n) => !(site.pods.length && n.kind === 'storage'));
  return [...Object.keys(site.places ?? {}), ...site.stations.map((s) => s.id), ...nodes.map((n) => n.id)].slice(0, MOST_PLACES);
}

/** Order one. @param {{from?: string, to?: string}} [ends] @returns {Promise<string>} its id; empty: it was not ordered */
export async function askTransport(ends = {}) {
  let made = '';
  await ask({
    title: 'Have something brought', action: 'Order it', text: 'The best robot that is free gets it. Until it is picked up, it can be withdrawn.',
    fields: [
      { name: 'from', label: 'From', list: places(), value: ends.from, hint: 'a station, a named place, or a place of the road map' }, { name: 'to', label: 'To', list: places(), value: ends.to },
      { name: 'load', label: 'What is carried', optional: true }, { name: 'load_type', label: 'Kind of load, as the robots know it', value: 'EPAL' },
      { name: 'handling', label: 'The robot', kind: 'choice', options: [['yes', 'picks it up and sets it down'], ['no', 'only drives from one to the other']] },
      { name: 'priority', label: 'Priority, 0 to 9', kind: 'number', min: 0, max: 9, value: 0 }, { name: 'due', label: 'Due', kind: 'moment', optional: true },
    ],
    does: async ({ handling, ...rest }) => { made = (await postOnce('/v1/transports', { ...rest, handling: handling === 'yes' })).id; },
  });
  return made;
}

class FpTransports extends Listing {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['me', 'tick', 'site']);
  static events = ['floorplane.transport.*'];
  static properties = { only: { state: true } };

  constructor() {
    super();
    /** @type {Transport[] | null} */
    this.rows = null;
    /** @type {number | null} */
    this.next = null;
    /** In which state; empty: all that are not closed. */
    this.only = '';
  }

  async read() {
    const page = await get('/v1/transports', { newest: true, limit: 200, ...(this.only ? { state: this.only } : { open: true }) });
    this.rows = page.items;
    this.next = page.next;
  }

  /** @param {string} id @returns {Promise<any>} */
  detailOf(id) {
    return get(`/v1/transports/${encodeURIComponent(id)}`);
  }

  /** @param {string} state */
  choose(state) {
    this.only = this.only === state ? '' : state;
    this.rows = null;
    void this.again();
  }

  async order() {
    const made = await askTransport();
    if (made) location.hash = `#/transports/${encodeURIComponent(made)}`;
    await this.again();
  }

  /** @param {Transport} t */
  cancel(t) {
    return this.then(askReason({
      title: `Withdraw ${t.load || t.id}`, text: `${t.from} → ${t.to}. ${t.robot ? `${t.robot} is on its way to fetch it and gets something else.` : 'No robot has it yet.'}`, action: 'Withdraw', danger: true,
      suggestions: ['not needed any more', 'wrong place'], does: (reason) => remove(`/v1/transports/${encodeURIComponent(t.id)}?${new URLSearchParams({ reason })}`),
    }));
  }

  render() {
    return html`<section class="view"><header><h1>Transports</h1>
      <div class="chips" role="group" aria-label="State"><button class="chip" aria-pressed=${!this.only} @click=${() => this.choose(this.only)}>not closed</button>${STATES.map((s) => html`<button class="chip" aria-pressed=${this.only === s} @click=${() => this.choose(s)}>${s}</button>`)}</div>
      <span class="end">${this.rows ? `${some(this.rows.length, 'transport')}${this.next ? ', the newest' : ''}` : ''}
        ${may('transport') ? html`<button class="button small primary" data-do="transport" @click=${() => this.order()}>New transport …</button>` : nothing}</span></header>
      <div class="page-body">${this.frame('', html`<div class="panel">${this.table()}</div>`, this.detail(), '#/transports')}</div></section>`;
  }

  table() {
    if (this.rows === null) return html`<p class="none">${this.failed || 'Reading …'}</p>`;
    if (!this.rows.length) return html`<p class="none">${this.only ? `None is ${this.only}.` : html`Nothing is to be brought. Order it above, on a place of the map, or by <code class="mono">POST /v1/transports</code>.`}</p>`;
    return html`<table data-table="transports"><thead><tr><th>Transport</th><th>State</th><th>From</th><th>To</th><th>Load</th><th>Robot</th><th class="away num">Priority</th><th class="away">Due</th><th class="away">Asked</th><th class="away"></th></tr></thead>
      <tbody>${repeat(this.rows, (t) => t.id, (t) => this.row(t))}</tbody></table>`;
  }

  /** @param {Transport} t */
  row(t) {
    const late = t.due && OPEN.has(t.state) && Date.parse(t.due) < floor.clock.now();
    return html`<tr data-transport=${t.id} data-state=${t.state} aria-selected=${t.id === this.chosen}><td><a class="mono" href="#/transports/${encodeURIComponent(t.id)}">${t.id}</a></td>
      <td><span class="pill ${SHADES[t.state] ?? ''}" title=${SAYS[t.state] ?? ''}>${t.state}</span></td><td class="mono">${t.from}</td><td class="mono">${t.to}</td><td>${t.load || html`<span class="dim">${t.handling ? t.load_type : 'only drives'}</span>`}</td>
      <td>${t.robot ? html`<a class="mono" href="#/robots/${t.robot}">${t.robot}</a>` : html`<span class="dim">none yet</span>`}</td><td class="num away">${t.priority}</td>
      <td class="away ${late ? 'warn-text' : 'soft'}">${t.due ? `${moment(t.due)}${late ? ' late' : ''}` : '–'}</td><td class="away soft">${age(floor.clock.now() - Date.parse(t.created_at))} ago</td>
      <td class="away">${may('transport') && (t.state === 'open' || t.state === 'assigned') ? html`<button class="button small danger" data-do="withdraw" @click=${() => this.cancel(t)}>Withdraw …</button>` : nothing}</td></tr>`;
  }

  detail() {
    /** @type {import('../types.js').TransportDetail | null} */
    const t = this.shown;
    if (!t) return nothing;
    const ends = (/** @type {string} */ name, /** @type {string} */ node) => html`<a class="mono" href="#/nodes/${encodeURIComponent(node)}">${name}</a>${name === node ? nothing : html` <span class="dim mono">${node}</span>`}`;
    return html`<section><dl class="facts"><dt>State</dt><dd><span class="pill ${SHADES[t.state] ?? ''}">${t.state}</span> <span class="soft">${SAYS[t.state] ?? ''}</span></dd>
        <dt>From</dt><dd>${ends(t.from, t.from_node)}</dd><dt>To</dt><dd>${ends(t.to, t.to_node)}</dd><dt>Load</dt><dd>${t.load || '–'} <span class="dim">${t.handling ? t.load_type : 'only drives'}</span></dd>
        <dt>Robot</dt><dd>${t.robot ? html`<a class="mono" href="#/robots/${t.robot}">${t.robot}</a>` : '–'}</dd><dt>Priority</dt><dd>${t.priority}</dd><dt>Due</dt><dd>${moment(t.due)}</dd>
        ${t.reason ? html`<dt>Reason</dt><dd>${words(t.reason)}</dd>` : nothing}</dl></section>
      <section><h3>What happened</h3><ol class="history">${t.history.map((h) => html`<li data-step=${h.state}><b>${h.state}</b> <span class="soft">${moment(h.at)}</span>
        <small>${h.robot ? html`<a class="mono" href="#/robots/${h.robot}">${h.robot}</a>${h.node ? html` at <span class="mono">${h.node}</span>` : nothing} ` : nothing}${h.who && h.who !== h.robot ? html`by ${h.who} ` : nothing}${h.reason ? html`<span class="dim">${words(h.reason)}</span>` : nothing}</small></li>`)}</ol></section>
      ${may('transport') && (t.state === 'open' || t.state === 'assigned') ? html`<section><h3>Commands</h3><div class="actions"><button class="button danger" data-do="withdraw" @click=${() => this.cancel(t)}>Withdraw …</button></div></section>` : nothing}`;
  }
}
customElements.define('fp-transports', FpTransports);
