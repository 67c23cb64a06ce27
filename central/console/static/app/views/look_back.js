// <fp-look-back>: any moment of the last hours, or of a recording, on the map: where robots were, what they did, why they waited.
import { html, nothing } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { clock, moment } from '../format.js';
import { Part } from '../part.js';
import { get, Refused } from '../rest.js';

/** @typedef {import('../types.js').FleetView} FleetView */
const PLAY_MS = 250;
const PLAY_STEP_MS = 2000;
const TIME = /"at_ms":(\d+)/;

class FpLookBack extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['me']);
  static properties = { open: { state: true }, at: { state: true }, failed: { state: true }, file: { state: true }, plays: { state: true } };

  constructor() {
    super();
    this.open = !!floor.past;
    /** @type {[number, number] | null} Between which moments one may look. */
    this.span = null;
    this.at = floor.past?.at_ms ?? 0;
    this.failed = '';
    /** The recording's name; empty: what central has heard. */
    this.file = '';
    /** @type {{at: number, line: string}[]} Of the recording. */
    this.moments = [];
    this.plays = 0;
    this.asking = false;
  }

  connectedCallback() {
    super.connectedCallback();
    this.turn = () => this.toggle();
    addEventListener('floorplane-look-back', this.turn);
    this._off?.push(floor.on('me', () => floor.past || this.stop())); // somebody went back to now
    if (this.open) void this.reach();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    if (this.turn) removeEventListener('floorplane-look-back', this.turn);
    this.stop();
  }

  async toggle() {
    this.open = !this.open;
    if (!this.open) {
      this.now();
      return;
    }
    await this.reach();
    /** @type {HTMLElement | null} */ (this.querySelector('input[type=range]'))?.focus();
  }

  /** Learn how far back one may look. */
  async reach() {
    if (this.file) return;
    try {
      const { from_ms: from, to_ms: to } = await get('/v1/fleet/past');
      this.span = from === null ? null : [from, to];
      if (!this.at && this.span) this.at = this.span[1];
      this.failed = this.span ? '' : 'Nothing was heard of the fleet yet.';
    } catch (e) {
      this.fail(e);
    }
    this.requestUpdate();
  }

  /** @param {unknown} e */
  fail(e) {
    if (!(e instanceof Refused)) throw e;
    this.failed = e.message;
    this.stop();
  }

  /** Show a moment; the newest wish wins while one is fetched. @param {number} at */
  async look(at) {
    if (!this.span) return;
    this.at = Math.max(this.span[0], Math.min(this.span[1], at));
    if (this.asking) return;
    this.asking = true;
    try {
      let shown;
      do {
        shown = this.at;
        const view = await this.viewAt(shown);
        if (view && this.open) floor.lookBack(view);
      } while (shown !== this.at);
      this.failed = '';
    } catch (e) {
      this.fail(e);
    } finally {
      this.asking = false;
    }
  }

  /** @param {number} at @returns {Promise<FleetView | null>} */
  async viewAt(at) {
    if (!this.file) {
      const { view, from_ms: from, to_ms: to } = await get('/v1/fleet/past', { at_ms: Math.round(at) });
      if (from !== null) this.span = [from, to];
      return view;
    }
    let [low, high] = [0, this.moments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.moments[middle].at <= at) low = middle + 1;
      else high = middle;
    }
    return low ? JSON.parse(this.moments[low - 1].line) : null;
  }

  /** @param {File | undefined} file What `floorplane replay … --views` has written. */
  async read(file) {
    if (!file) return;
    const lines = (await file.text()).split('\n').filter(Boolean);
    const moments = lines.map((line) => ({ at: Number(TIME.exec(line)?.[1] ?? NaN), line }));
    if (!moments.length || moments.some((m) => !Number.isFinite(m.at) || !m.line.startsWith('{"site"'))) {
      this.failed = `${file.name} is not what “floorplane replay … --views FILE” writes.`;
      return;
    }
    this.file = file.name;
    this.moments = moments;
    this.span = [moments[0].at, moments[moments.length - 1].at];
    await this.look(this.span[0]);
  }

  play() {
    if (this.plays) {
      this.stop();
      return;
    }
    this.plays = setInterval(() => {
      if (this.span && this.at >= this.span[1]) this.stop();
      else void this.look(this.at + PLAY_STEP_MS);
    }, PLAY_MS);
  }

  stop() {
    clearInterval(this.plays);
    this.plays = 0;
  }

  now() {
    this.stop();
    this.file = '';
    this.moments = [];
    this.at = 0;
    floor.lookNow();
  }

  render() {
    if (!this.open) return nothing;
    const [from, to] = this.span ?? [0, 0];
    const by = (/** @type {number} */ s, /** @type {string} */ name) => html`<button class="button small" aria-label=${`${Math.abs(s)} seconds ${s < 0 ? 'back' : 'on'}`} @click=${() => this.look(this.at + s * 1000)}>${name}</button>`;
    return html`<div class="look-back" role="group" aria-label="Look back">
      <div class="row"><b data-at=${this.at}>${this.at ? moment(this.at) : '–'}</b>${by(-60, '−1 min')}${by(-5, '−5 s')}<button class="button small" aria-pressed=${this.plays > 0} @click=${() => this.play()}>${this.plays ? 'Pause' : 'Play'}</button>${by(5, '+5 s')}${by(60, '+1 min')}
        <span class="soft from">${this.file ? html`of the recording <b class="mono">${this.file}</b>` : this.span ? `since ${clock(from)}` : ''}</span>
        <label class="button small file" title="What floorplane replay RECORDING --views FILE has written">A recording …<input type="file" class="unseen" name="recording" @change=${(/** @type {Event} */ e) => this.read(/** @type {HTMLInputElement} */ (e.target).files?.[0])}></label>
        <button class="button small" @click=${() => this.toggle()}>Now</button></div>
      <input type="range" aria-label="Moment" min=${from} max=${to} step="1000" .value=${String(this.at)} ?disabled=${!this.span} @input=${(/** @type {Event} */ e) => this.look(Number(/** @type {HTMLInputElement} */ (e.target).value))}>
      ${this.failed ? html`<p class="refusal" role="alert">${this.failed}</p>` : nothing}</div>`;
  }
}
customElements.define('fp-look-back', FpLookBack);
