// <fp-audit>: every command that somebody gave: who, what, why.
import { html, nothing } from '../../vendor/lit.js';
import { moment } from '../format.js';
import { Part } from '../part.js';
import { get } from '../rest.js';

const AGAIN_MS = 5000;

class FpAudit extends Part {
  static properties = { rows: { state: true }, next: { state: true }, failed: { state: true } };

  constructor() {
    super();
    /** @type {import('../types.js').AuditRow[]} */
    this.rows = [];
    /** @type {number | null} */
    this.next = null;
    this.failed = '';
  }

  connectedCallback() {
    super.connectedCallback();
    this.read();
    this.timer = setInterval(() => this.rows.length <= 100 && this.read(), AGAIN_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  /** @param {number} [cursor] */
  async read(cursor) {
    try {
      const page = await get('/v1/audit', { limit: 100, cursor });
      this.rows = cursor ? [...this.rows, ...page.items] : page.items;
      this.next = page.next;
      this.failed = '';
    } catch (e) {
      this.failed = /** @type {Error} */ (e).message;
    }
  }

  render() {
    return html`<section class="view"><header><h1>Audit</h1><span class="end">${this.failed ? html`<span class="bad-text">${this.failed}</span>` : 'newest first'}</span></header>
      <div class="scroll"><table data-table="audit"><thead><tr><th>When</th><th>Who</th><th>Role</th><th>Did</th><th>To</th><th>Because</th></tr></thead>
        <tbody>${this.rows.map((r) => html`<tr><td class="soft">${moment(r.at)}</td><td>${r.who}</td><td class="dim">${r.role}</td><td class="mono">${r.action}</td><td class="mono clip" title=${r.subject}>${r.subject}</td><td class="wrap">${r.reason}</td></tr>`)}</tbody></table>
        ${this.next ? html`<p class="none"><button class="button" @click=${() => this.read(this.next ?? undefined)}>Older ones</button></p>` : nothing}</div></section>`;
  }
}
customElements.define('fp-audit', FpAudit);
