// <fp-picture>: a plan as a picture, beside its baseline: heat map with moves, Gantt chart, walks in aisles, routes on a map.
import { html, nothing } from '../../vendor/lit.js';
import { Part } from '../part.js';
import { gantt } from './gantt.js';
import { heat } from './heat.js';
import { routes } from './routes.js';
import { stations } from './stations.js';
import { walks } from './walks.js';

/** @typedef {{lit: string, light: (name: string) => void}} Light Which walk or route stands out; another one is chosen by its name. */

class FpPicture extends Part {
  static properties = { picture: { attribute: false }, plan: { attribute: false }, lit: { state: true } };

  constructor() {
    super();
    /** @type {any} As REST writes it. */
    this.picture = null;
    /** @type {any} */
    this.plan = null;
    this.lit = '';
  }

  render() {
    const shown = this.picture;
    if (!shown) return nothing;
    const light = { lit: this.lit, light: (/** @type {string} */ name) => (this.lit = this.lit === name ? '' : name) };
    switch (shown.kind) {
      case 'heat': return heat(shown, this.plan);
      case 'gantt': return this.plan?.stations ? html`${stations(shown, this.plan, light)}` : gantt(shown);
      case 'routes': return routes(shown, this.plan, light);
      case 'walks': return html`${walks(shown, this.plan, light)}`;
      default: return anything(shown);
    }
  }
}

/** A picture of a kind that this console does not know yet: what of it are numbers, as bars; the rest as it is. @param {any} shown */
function anything(shown) {
  const numbers = Object.entries(shown).filter(([, v]) => typeof v === 'number' && Number.isFinite(v));
  const most = Math.max(1e-9, ...numbers.map(([, v]) => Math.abs(/** @type {number} */ (v))));
  return html`<div class="anything" data-picture="other"><p class="soft">This console has no picture of the kind <b class="mono">${String(shown.kind)}</b> yet; this is what the plan says.</p>
    ${numbers.map(([name, v]) => html`<p><span class="mono">${name}</span> <progress max=${most} value=${Math.abs(/** @type {number} */ (v))}></progress> ${v}</p>`)}
    <details><summary>All of it</summary><pre class="mono">${JSON.stringify(shown, null, 1).slice(0, 20_000)}</pre></details></div>`;
}
customElements.define('fp-picture', FpPicture);
