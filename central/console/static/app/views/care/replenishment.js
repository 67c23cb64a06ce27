// <fp-replenishment>: how items stand where robots pick and in the reserve, what is on its way, and the rules that bring it.
import { html, nothing, repeat, svg } from '../../../vendor/lit.js';
import { ask } from '../../dialog.js';
import { moment, some } from '../../format.js';
import { doHand } from '../../hand_dialog.js';
import { change, get, postOnce } from '../../rest.js';
import { may } from '../../roles.js';
import { Listing } from '../../listing.js';

/**
 * @typedef {{item: string, min_qty: number, max_qty: number, pack: number, target: string | null, priority: number, active: boolean}} Rule
 * @typedef {{item: string, bins: number, reserve: number, under_way: number, held: number, waiting: number, promised: number, available_to_promise: number}} Front
 */
const MOST_FRONTS = 40;

class FpReplenishment extends Listing {
  static events = ['floorplane.stock.*', 'floorplane.hands.*', 'floorplane.order.*'];

  constructor() {
    super();
    /** @type {Rule[] | null} */
    this.rules = null;
    /** @type {Map<string, Front>} */
    this.fronts = new Map();
    /** @type {any[]} */
    this.tasks = [];
  }

  async read() {
    const [rules, open, leased] = await Promise.all([get('/v1/replenishment/rules', { limit: 200 }),
      get('/v1/hands', { kind: 'replenish', state: 'open', limit: 200 }), get('/v1/hands', { kind: 'replenish', state: 'leased', limit: 200 })]);
    this.tasks = [...leased.items, ...open.items];
    const items = [...new Set([...rules.items.map((/** @type {Rule} */ r) => r.item), ...this.tasks.map((t) => t.item)])].slice(0, MOST_FRONTS);
    const fronts = await Promise.all(items.map((item) => this.front(item)));
    this.fronts = new Map(fronts.map((f) => [f.item, f]));
    this.rules = rules.items;
  }

  /** @param {string} item @returns {Promise<Front>} */
  front(item) {
    return get(`/v1/replenishment/items/${encodeURIComponent(item)}`);
  }

  /** @param {string} item */
  detailOf(item) {
    return this.front(item);
  }

  /** @param {Rule} [r] */
  rule(r) {
    return this.then(ask({
      title: r ? `The rule of ${r.item}` : 'A rule for an item', action: 'Keep', text: 'Below the minimum of free pieces in bins, pieces come from shelves, what expires first before the rest, up to the maximum.',
      fields: [...(r ? [] : [{ name: 'item', label: 'Item' }]), { name: 'min_qty', label: 'Below so many …', kind: 'number', min: 0, value: r?.min_qty ?? 12 },
        { name: 'max_qty', label: '… up to so many', kind: 'number', min: 1, value: r?.max_qty ?? 60 }, { name: 'pack', label: 'In packs of', kind: 'number', min: 1, value: r?.pack ?? 1 },
        { name: 'target', label: 'Into this bin', optional: true, value: r?.target ?? '', hint: 'Else the emptiest that has it, else an empty one' },
        { name: 'active', label: 'Active', kind: 'choice', options: ['yes', 'no'], value: r && !r.active ? 'no' : 'yes' }],
      does: ({ item, active, ...rest }) => change(`/v1/replenishment/rules/${encodeURIComponent(r?.item ?? item)}`, { ...rest, active: active === 'yes', priority: r?.priority ?? 0 }),
    }));
  }

  render() {
    return this.frame(
      html`${may('hands') ? html`<button class="button primary" data-do="replenish" @click=${() => this.then(postOnce('/v1/replenishment:run', null))}>Look now</button>` : nothing}
        ${may('cancel') ? html`<button class="button" data-do="rule" @click=${() => this.rule()}>New rule …</button>` : nothing}
        <span class="soft">${this.rules ? `${some(this.rules.length, 'rule')}, ${this.tasks.length} on the way` : ''}</span>`,
      html`<div class="panel"><h2>Items <small>the bar is what lies free in bins, the marks are minimum and maximum</small></h2>${this.table()}</div>
        <div class="panel"><h2>To bring <small>from the reserve to the bins</small></h2>${this.way(this.tasks)}</div>`,
      this.detail(), '#/care/replenishment');
  }

  table() {
    if (this.rules === null) return html`<p class="none">Reading …</p>`;
    if (!this.rules.length) return html`<p class="none">No rule yet. Orders that wait for goods need none: what they lack is brought first. A rule keeps the rest filled.</p>`;
    return html`<table data-table="rules"><thead><tr><th>Item</th><th>In bins</th><th class="num">Free</th><th class="num">On the way</th><th class="num">Reserve</th><th class="num">Waited for</th><th>Rule</th></tr></thead>
      <tbody>${repeat(this.rules, (r) => r.item, (r) => {
        const f = this.fronts.get(r.item);
        const low = f && f.bins < r.min_qty;
        return html`<tr data-rule=${r.item} aria-selected=${r.item === this.chosen}><td><a class="mono" href="#/care/replenishment/${encodeURIComponent(r.item)}">${r.item}</a></td>
          <td>${f ? gauge(f, r) : html`<span class="dim">–</span>`}</td><td class="num ${low ? 'warn-text' : ''}">${f?.bins ?? '–'}</td><td class="num">${f?.under_way || ''}</td><td class="num">${f?.reserve ?? '–'}</td>
          <td class="num ${f?.waiting ? 'bad-text' : ''}">${f?.waiting || ''}</td><td class="soft">${r.active ? `${r.min_qty} to ${r.max_qty}${r.pack > 1 ? `, in ${r.pack}s` : ''}` : 'at rest'}</td></tr>`;
      })}</tbody></table>`;
  }

  /** @param {any[]} tasks */
  way(tasks) {
    if (!tasks.length) return html`<p class="none">Nothing is to be brought. Central looks by itself a minute after anything has changed.</p>`;
    return html`<table data-table="replenish"><thead><tr><th class="far">Item</th><th class="num">Pieces</th><th>From</th><th>To</th><th>Who</th><th class="far">Since</th><th></th></tr></thead>
      <tbody>${repeat(tasks, (t) => t.id, (t) => html`<tr data-hand=${t.id}><td class="mono far">${t.item}</td><td class="num">${t.qty}</td><td class="mono">${t.source}</td><td class="mono">${t.target}</td>
        <td>${t.state === 'leased' ? t.person : html`<span class="dim">nobody yet</span>`}</td><td class="soft far">${moment(t.created_at)}</td>
        <td>${may('hands') && t.state === 'open' ? html`<button class="button small" @click=${() => this.then(doHand(t.id, `Bring ${t.item} to ${t.target}`))}>Done …</button>` : nothing}</td></tr>`)}</tbody></table>`;
  }

  detail() {
    /** @type {Front | null} */
    const f = this.shown;
    if (!f) return nothing;
    const r = this.rules?.find((x) => x.item === f.item);
    return html`<section>${r ? gauge(f, r) : nothing}<dl class="facts wide"><dt>Free in bins</dt><dd>${f.bins} <span class="dim">an order gets it at once</span></dd>
        <dt>Free in reserve</dt><dd>${f.reserve} <span class="dim">of it ${f.under_way} on the way</span></dd><dt>Held</dt><dd>${f.held} <span class="dim">not for sale, too old, or in doubt</span></dd>
        <dt>Reserved</dt><dd>${f.promised}</dd><dt>Waited for</dt><dd class=${f.waiting ? 'bad-text' : ''}>${f.waiting}</dd><dt>To promise</dt><dd><b>${f.available_to_promise}</b></dd></dl></section>
      <section><h3>On the way</h3>${this.way(this.tasks.filter((t) => t.item === f.item))}</section>
      ${r && may('cancel') ? html`<section><h3>Actions</h3><div class="actions"><button class="button" data-do="edit" @click=${() => this.rule(r)}>Change the rule …</button></div></section>` : nothing}`;
  }
}

/** What lies in bins beside what should. @param {Front} f @param {Rule} r */
function gauge(f, r) {
  const most = Math.max(r.max_qty, f.bins + f.under_way, 1) * 1.05;
  const x = (/** @type {number} */ n) => (n / most) * 200;
  return html`<svg class="gauge" viewBox="0 0 200 14" preserveAspectRatio="none" role="img" aria-label=${`${f.bins} in bins, ${f.under_way} on the way, minimum ${r.min_qty}, maximum ${r.max_qty}`}>
    <rect class="rest" y="3" width="200" height="8" rx="2"></rect><rect class=${f.bins < r.min_qty ? 'low' : 'ok'} y="3" width=${x(f.bins)} height="8" rx="2"></rect>
    ${f.under_way ? svg`<rect class="coming" x=${x(f.bins)} y="3" width=${x(f.under_way)} height="8"></rect>` : nothing}
    ${[r.min_qty, r.max_qty].map((n) => svg`<path class="mark" d=${`M${x(n)} 0v14`}></path>`)}</svg>`;
}
customElements.define('fp-replenishment', FpReplenishment);
