// <fp-care>: the care of the stock: counts, returns, replenishment, kits, scrap and transfers, a tab each.
import { html, nothing } from '../../vendor/lit.js';
import { ask } from '../dialog.js';
import { Part } from '../part.js';
import { change, get } from '../rest.js';
import { may } from '../roles.js';
import './care/counts.js';
import './care/kits.js';
import './care/replenishment.js';
import './care/returns.js';
import './care/scrap.js';
import './care/transfers.js';

/** @type {[string, string][]} */
const TABS = [['counts', 'Counts'], ['returns', 'Returns'], ['replenishment', 'Replenishment'], ['kits', 'Kits'], ['scrap', 'Scrap'], ['transfers', 'Transfers']];

class FpCare extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['me']);
  static properties = { tab: {}, chosen: {} };

  constructor() {
    super();
    this.tab = '';
    this.chosen = '';
  }

  async limits() {
    const policy = await get('/v1/care/policy');
    await ask({
      title: 'Limits of care', action: 'Keep', text: `What is open already goes on under them.${policy.changed_by ? ` Last set by ${policy.changed_by}.` : ''}`,
      fields: [{ name: 'count_limit', label: 'Pieces that two counters may correct', kind: 'number', min: 1, value: policy.count_limit, hint: 'Above it a third person decides' },
        { name: 'count_rounds', label: 'Rounds before a supervisor is called', kind: 'number', min: 2, max: 50, value: policy.count_rounds },
        { name: 'count_after_short', label: 'Count a bin that a pick found short', kind: 'choice', options: ['yes', 'no'], value: policy.count_after_short ? 'yes' : 'no' },
        { name: 'scrap_limit', label: 'Pieces that one person may scrap', kind: 'number', min: 1, value: policy.scrap_limit },
        { name: 'blind_returns', label: 'Returns without an order', kind: 'choice', value: policy.blind_returns, options: [['shipped', 'at most what has left of the item'], ['any', 'any number']] }],
      does: ({ count_after_short, ...rest }) => change('/v1/care/policy', { ...rest, count_after_short: count_after_short === 'yes' }),
    });
  }

  render() {
    const tab = this.tab || 'counts';
    return html`<section class="view care"><header><h1>Care</h1>
      <nav class="tabs" aria-label="Care of the stock">${TABS.map(([t, name]) => html`<a href="#/care/${t}" aria-current=${t === tab ? 'page' : nothing}>${name}</a>`)}</nav>
      <span class="end">${may('approve') ? html`<button class="button small" data-do="limits" @click=${() => this.limits()}>Limits …</button>` : nothing}</span></header>
      ${this.page(tab)}</section>`;
  }

  /** @param {string} tab */
  page(tab) {
    switch (tab) {
      case 'returns': return html`<fp-returns .chosen=${this.chosen}></fp-returns>`;
      case 'replenishment': return html`<fp-replenishment .chosen=${this.chosen}></fp-replenishment>`;
      case 'kits': return html`<fp-kits .chosen=${this.chosen}></fp-kits>`;
      case 'scrap': return html`<fp-scrap .chosen=${this.chosen}></fp-scrap>`;
      case 'transfers': return html`<fp-transfers .chosen=${this.chosen}></fp-transfers>`;
      default: return html`<fp-counts .chosen=${this.chosen}></fp-counts>`;
    }
  }
}
customElements.define('fp-care', FpCare);
