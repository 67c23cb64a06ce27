// <fp-floor>: the map, with the fleet's list or one robot beside it.
import { html } from '../../vendor/lit.js';
import { Part } from '../part.js';
import '../map/map.js';
import './fleet_list.js';
import './floor_strip.js';
import './look_back.js';
import './node_panel.js';
import './robot_panel.js';

class FpFloor extends Part {
  static properties = { robot: {}, node: {} };

  constructor() {
    super();
    this.robot = '';
    this.node = '';
  }

  updated() {
    if (this.robot) /** @type {any} */ (this.querySelector('fp-map'))?.show(this.robot);
  }

  render() {
    return html`<div class="with-side">
      <div class="with-strip"><fp-map .selected=${this.robot} .node=${this.node} @choose-node=${(/** @type {CustomEvent} */ e) => { location.hash = e.detail ? `#/nodes/${encodeURIComponent(e.detail)}` : '#/'; }} @choose=${(/** @type {CustomEvent} */ e) => { location.hash = e.detail ? `#/robots/${e.detail}` : '#/'; }}></fp-map><div><fp-look-back></fp-look-back><fp-strip></fp-strip></div></div>
      <aside class="side" aria-label="Robots">
        ${this.robot ? html`<fp-robot .robot=${this.robot}></fp-robot>` : this.node ? html`<fp-node .node=${this.node}></fp-node>` : html`<fp-fleet></fp-fleet>`}
      </aside>
    </div>`;
  }
}
customElements.define('fp-floor', FpFloor);
