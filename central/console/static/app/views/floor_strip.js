// <fp-strip>: below the map, what an operator asks first: how fast, what holds robots up, what needs me.
import { html, svg } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { age, clock, count } from '../format.js';
import { Part } from '../part.js';
import { causes } from '../waits.js';

const BUCKETS = 24;
const BUCKET_MS = 300_000;

class FpStrip extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['stats', 'fleet', 'alarms']);

  render() {
    return html`<div class="strip">${this.rate()}${this.holdups()}${this.needs()}</div>`;
  }

  rate() {
    const now = Math.floor(floor.clock.now() / BUCKET_MS) * BUCKET_MS;
    const known = new Map((floor.stats?.buckets ?? []).map((b) => [Date.parse(b.at), b]));
    const bars = Array.from({ length: BUCKETS }, (_, i) => ({ at: now - (BUCKETS - 1 - i) * BUCKET_MS, n: 0 })).map((b) => ({ ...b, n: known.get(b.at)?.lines ?? 0 }));
    const most = Math.max(5, ...bars.map((b) => b.n));
    const total = bars.reduce((n, b) => n + b.n, 0);
    return html`<a class="cell" href="#/throughput"><h3>Lines, last two hours <b>${count(total)}</b></h3>
      <svg class="bars" viewBox="0 0 240 40" preserveAspectRatio="none" role="img" aria-label="${total} lines in two hours">${bars.map((b, i) => svg`
        <rect x=${i * 10 + 1} y=${40 - (b.n / most) * 38 - 1} width="8" height=${(b.n / most) * 38 + 1} rx="1"><title>${clock(b.at)}: ${b.n} lines</title></rect>`)}</svg></a>`;
  }

  holdups() {
    const all = causes();
    const held = all.reduce((n, c) => n + c.held.length, 0);
    return html`<div class="cell"><h3>What holds robots up <b>${held || ''}</b></h3>
      ${all.length ? html`<ul>${all.slice(0, 3).map((c) => html`<li><span class="count">${c.held.length}</span> <a href="#/robots/${c.robot}" title=${c.held.join(', ')}>until ${c.text}</a></li>`)}</ul>`
        : html`<p class="dim">Nobody waits for another.</p>`}</div>`;
  }

  needs() {
    const all = [...floor.alarms.values()].filter((a) => !a.cleared_at && !a.acknowledged_at).reverse();
    return html`<div class="cell"><h3>Needs you <b class=${all.length ? 'bad-text' : ''}>${all.length || ''}</b></h3>
      ${all.length ? html`<ul>${all.slice(0, 3).map((a) => html`<li><span class="pill ${a.severity}">${a.severity}</span> <a href="#/alarms">${a.text}</a> <span class="dim">${age(floor.clock.now() - Date.parse(a.raised_at))}</span></li>`)}</ul>`
        : html`<p class="dim">Nothing.</p>`}</div>`;
  }
}
customElements.define('fp-strip', FpStrip);
