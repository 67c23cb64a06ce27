// What all views are: a Lit element in the page's own tree, drawn anew when a topic of the floor changes.
import { LitElement } from '../vendor/lit.js';
import { floor } from './floor.js';

export class Part extends LitElement {
  /** @type {import('./floor.js').Topic[]} */
  static topics = [];

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    const topics = /** @type {typeof Part} */ (this.constructor).topics;
    this._off = topics.map((topic) => floor.on(topic, () => this.requestUpdate()));
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const off of this._off ?? []) off();
  }
}
