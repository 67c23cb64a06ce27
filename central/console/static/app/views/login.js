// <fp-login>: name and password; central's own words when they are refused.
import { html, nothing } from '../../vendor/lit.js';
import { Part } from '../part.js';
import { post } from '../rest.js';

class FpLogin extends Part {
  static properties = { refusal: { state: true }, busy: { state: true }, why: {} };

  constructor() {
    super();
    this.refusal = '';
    this.why = '';
    this.busy = false;
  }

  /** @param {SubmitEvent} e */
  async submit(e) {
    e.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (e.target));
    this.busy = true;
    try {
      await post('/v1/session', { name: form.get('name'), password: form.get('password') });
      this.dispatchEvent(new CustomEvent('entered'));
    } catch (error) {
      this.refusal = /** @type {Error} */ (error).message;
    }
    this.busy = false;
  }

  render() {
    return html`<div class="login"><form @submit=${this.submit}>
      <img src="icon.svg" alt=""><h1>Floorplane</h1>
      <p>${this.why || 'Log in to see the floor.'}</p>
      <label class="field"><span>Name</span><input class="input" name="name" autocomplete="username" required autofocus></label>
      <label class="field"><span>Password</span><input class="input" name="password" type="password" autocomplete="current-password" required></label>
      ${this.refusal ? html`<p class="refusal" role="alert">${this.refusal}</p>` : nothing}
      <button class="button primary" ?disabled=${this.busy}>Log in</button>
      <p class="dim">Or open the link that <span class="mono">floorplane up</span> has printed; it works once.</p>
    </form></div>`;
  }
}
customElements.define('fp-login', FpLogin);
