// <fp-fleet>: every robot in a line, those that need a person first; also the map's keyboard.
import { html, nothing, repeat } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { age, percent, words } from '../format.js';
import { Part } from '../part.js';
import { until } from '../waits.js';

const FIRST = ['new', 'error', 'rejected', 'in_doubt', 'cancelling', 'offline', 'paused', 'manual', 'waiting', 'acting', 'driving', 'charging', 'idle'];

class FpFleet extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['fleet', 'tick', 'link']);
  static properties = { only: { state: true } };

  constructor() {
    super();
    this.only = '';
  }

  render() {
    const robots = floor.view?.robots ?? [];
    /** @type {Map<string, number>} */
    const by = new Map();
    for (const r of robots) by.set(r.state, (by.get(r.state) ?? 0) + 1);
    const states = FIRST.filter((s) => by.has(s));
    const shown = robots
      .filter((r) => !this.only || r.state === this.only)
      .sort((a, b) => FIRST.indexOf(a.state) - FIRST.indexOf(b.state) || (a.id < b.id ? -1 : 1));
    return html`
      <header><h2>Fleet <span class="count">${robots.length}</span></h2>
        <div class="chips" role="group" aria-label="Only robots that are">
          ${states.map((s) => html`<button class="chip" aria-pressed=${this.only === s} @click=${() => (this.only = this.only === s ? '' : s)}>
            <i class="dot ${s}"></i>${words(s)} <b>${by.get(s)}</b></button>`)}
        </div></header>
      ${robots.length ? nothing : html`<p class="none">No robot was heard of yet. Whoever connects to the broker is shown here, and gets work once a supervisor adopts it.</p>`}
      <ul class="robots" data-list="robots">
        ${repeat(shown, (r) => r.id, (r) => html`<li><button @click=${() => { location.hash = `#/robots/${r.id}`; }} title=${doing(r)}>
          <i class="dot ${floor.isStale(r) ? 'stale' : r.state}"></i><span class="mono">${r.id}</span>
          <span class="what">${doing(r)}</span>
          <span class="num ${r.battery < 0.2 ? 'bad-text' : ''}">${percent(r.battery)}</span>
          <span class="num ${floor.isStale(r) ? 'warn-text' : ''}" title="When it last spoke">${age(floor.robotAge(r))}</span>
        </button></li>`)}
      </ul>`;
  }
}

/** @param {import('../types.js').RobotView} r */
export function doing(r) {
  if (r.state === 'new') return 'not adopted yet';
  const out = r.retired ? 'retired · ' : '';
  if (r.errors?.length) return `${out}${r.errors[0]}`;
  if (r.state === 'paused') return `${out}paused${r.pod ? ` with ${r.pod}` : ''}`;
  if (r.state === 'acting') return `${out}${r.pod ? `handles ${r.pod}` : 'at work'}${r.station ? ` at ${r.station}` : ''}`;
  if (r.wait?.length && r.state !== 'driving') return `${out}until ${until(r.wait[0], r.id)}`;
  if (r.pod) return `${out}${r.pod}${r.station ? ` → ${r.station}` : ' back to storage'}`;
  if (r.mission) return `${out}fetches a pod (${r.mission})`;
  return `${out}${words(r.state)}`;
}
customElements.define('fp-fleet', FpFleet);
