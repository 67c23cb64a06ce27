// What pages share that are a list with its address in the page's own, and beside it whatever was chosen.
import { html, nothing, svg } from '../vendor/lit.js';
import { Reading } from './reading.js';

export class Listing extends Reading {
  static topics = /** @type {import('./floor.js').Topic[]} */ (['me']);
  /** @type {Record<string, object>} */
  static properties = { chosen: {}, shown: { state: true } };

  constructor() {
    super();
    /** Which row's detail is shown: the end of the address. */
    this.chosen = '';
    /** @type {any} */
    this.shown = null;
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (changed.has('chosen') && changed.get('chosen') !== undefined) {
      this.shown = null;
      this.soon();
    }
  }

  async readMore() {
    const asked = this.chosen;
    const found = asked ? await this.detailOf(asked) : null;
    if (asked === this.chosen) this.shown = found;
  }

  /** @param {string} id @returns {Promise<any>} */
  async detailOf(id) {
    return { id };
  }

  /** @param {unknown} tools @param {unknown} list @param {unknown} detail @param {string} back Address of the list. */
  frame(tools, list, detail, back) {
    return html`${tools || this.failed ? html`<div class="care-tools">${tools}${this.failed ? html`<span class="end bad-text" role="alert">${this.failed}</span>` : nothing}</div>` : nothing}
      <div class="with-detail ${this.chosen ? 'open' : ''}"><div class="scroll"><div class="inbound">${list}</div></div>
        ${this.chosen ? html`<aside class="side detail" aria-label="Detail"><header><h2><a href=${back} aria-label="Close the detail" title="Close">←</a> <span class="mono">${this.chosen}</span></h2></header>
          ${this.shown ? detail : html`<p class="none">Reading …</p>`}</aside>` : nothing}</div>`;
  }
}

/** Part of a whole in colours, with its words for those who do not see it. @param {[string, number, string][]} parts Name, pieces, class. @param {number} whole */
export function stacked(parts, whole) {
  let x = 0;
  const shown = parts.filter(([, n]) => n > 0);
  const most = Math.max(1, whole, shown.reduce((sum, [, n]) => sum + n, 0));
  return html`<svg class="stacked" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=${`${shown.map(([name, n]) => `${n} ${name}`).join(', ') || 'nothing yet'} of ${whole}`}>
    <rect class="rest" width="100" height="6" rx="1"></rect>${shown.map(([, n, shade]) => {
      const [left, wide] = [x, (n / most) * 100];
      x += wide;
      return svg`<rect class=${shade} x=${left} width=${wide} height="6"></rect>`;
    })}</svg>`;
}
