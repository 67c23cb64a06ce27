// <fp-whatif>: what `floorplane whatif … --json FILE` found, both days side by side: a table, and a picture of what differs.
import { html, nothing, svg } from '../../vendor/lit.js';
import { count } from '../format.js';
import { Part } from '../part.js';

/** @typedef {Record<string, any>} Day @typedef {{change: Record<string, any>, was: Day, would: Day}} Comparison */
/** Name, words, unit, what it is divided by, digits, whether less is better. @type {[string, string, string, number, number, boolean | null][]} */
const FIGURES = [
  ['finish_h', 'The last tote is packed after', 'h', 1, 2, true], ['tote_p50_s', 'A tote takes, at the median', 'min', 60, 1, true], ['tote_p95_s', 'A tote takes, 95 of 100', 'min', 60, 1, true],
  ['distance_m', 'Robots drive', 'km', 1000, 1, true], ['pod_visits', 'Pods come to stations', 'times', 1, 0, true], ['most_waiting', 'Totes at work or waiting, at most', '', 1, 0, true],
  ['robots_with_pods', 'Robots with a pod, on average', '', 1, 1, null], ['busiest_share', 'The busiest station picks', '% of the day', 0.01, 0, null], ['picks', 'Picks', '', 1, 0, null], ['totes_packed', 'Totes packed', '', 1, 0, false],
];
const LEAST_H = 0.02;
const MOST_CAUSES = 14;
/** Kept while the page is open, whatever else is looked at. @type {{name: string, found: Comparison} | null} */
let kept = null;

class FpWhatif extends Part {
  static properties = { failed: { state: true } };

  constructor() {
    super();
    this.failed = '';
  }

  /** @param {File | undefined} file */
  async open(file) {
    if (!file) return;
    this.failed = '';
    try {
      const found = JSON.parse(await file.text());
      if (!found?.change || !found.was?.waiting_h || !found.would?.waiting_h) throw new Error('it is no comparison');
      kept = { name: file.name, found };
    } catch (e) {
      this.failed = `${file.name} is not what “floorplane whatif … --json FILE” writes: ${/** @type {Error} */ (e).message}.`;
    }
    this.requestUpdate();
  }

  render() {
    return html`<section class="view"><header><h1><a href="#/plans" aria-label="Back to plans">Plans</a> <span class="arrow">/</span> What if</h1>
      <span class="end">${kept ? html`<span class="mono">${kept.name}</span>` : nothing}<label class="button small primary file">Open a comparison …<input type="file" accept=".json,application/json" name="comparison" class="unseen" @change=${(/** @type {Event} */ e) => this.open(/** @type {HTMLInputElement} */ (e.target).files?.[0])}></label></span></header>
      <div class="scroll"><div class="inbound">${this.failed ? html`<p class="refusal" role="alert">${this.failed}</p>` : nothing}
        ${kept ? shown(kept.found) : html`<div class="panel"><h2>A recorded day, and the same day with something else</h2><div class="pad teach"><p>A day that was recorded is run again up to a second, exactly as it was, and then with other robots, stations, people, roads or orders to its end:</p>
          <pre class="mono">floorplane day --orders FILE --date 2013-12-02 --record R
floorplane whatif R --at 3600 --robots 30 --json whatif.json</pre><p class="soft">It takes minutes and is run where the recording is; open the file here. It stays in this browser.</p></div></div>`}</div></div></section>`;
  }
}

/** @param {Record<string, any>} change */
function said(change) {
  /** @type {Record<string, (v: any) => string>} */
  const words = {
    robots: (v) => `${v} robots`, stations: (v) => `${v} stations`, pickers: (v) => `${v} people who pick`, packers: (v) => `${v} who pack`, pace: (v) => `people at a pace of ${v}`,
    orders: (v) => `${v} times the orders to come`, without: (v) => `${v.length} orders less`, also: (v) => `the orders of ${v} besides`, close: (v) => `${v.join(', ')} closed`, layout: (v) => `the roads of ${v}`,
  };
  const all = Object.entries(words).filter(([name]) => change[name] != null && change[name].length !== 0).map(([name, say]) => say(change[name]));
  return `From ${count(Math.round(change.at_s ?? 0))} s on with ${all.join(', ') || 'nothing changed'}`;
}

/** @param {Comparison} found */
function shown({ change, was, would }) {
  const rows = FIGURES.filter(([name]) => typeof was[name] === 'number' && typeof would[name] === 'number');
  return html`<div class="panel" data-whatif><h2>${said(change)}</h2>
      <table data-table="whatif"><thead><tr><th>Figure</th><th class="num">As it was</th><th class="num">As it would have been</th><th class="num">Difference</th><th>Of what it was</th></tr></thead><tbody>
        ${rows.map(([name, says, unit, scale, digits, less]) => figure(says, unit, was[name] / scale, would[name] / scale, digits, less))}
        ${[['bottleneck', 'Bottleneck'], ['waits_most_for', 'Waits most for']].map(([name, says]) => html`<tr><td>${says}</td><td class="num">${was[name]}</td><td class="num">${would[name]}</td><td></td><td></td></tr>`)}</tbody></table></div>
    <div class="panel"><h2>What was waited for <small>hours in all, of totes and of robots with pods</small></h2>${waits(was.waiting_h, would.waiting_h)}</div>`;
}

/** @param {string} says @param {string} unit @param {number} a @param {number} b @param {number} digits @param {boolean | null} less */
function figure(says, unit, a, b, digits, less) {
  const text = (/** @type {number} */ v) => v.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const part = a ? (b - a) / a : 0;
  const good = less === null || Math.abs(part) < 0.0005 ? '' : part < 0 === less ? 'good-text' : 'bad-text';
  const wide = Math.min(1, Math.abs(part)) * 50;
  return html`<tr><td>${says} <span class="dim">${unit}</span></td><td class="num">${text(a)}</td><td class="num">${text(b)}</td><td class="num ${good}">${b - a >= 0 ? '+' : '−'}${text(Math.abs(b - a))}</td>
    <td><svg class="diverging" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=${`${(part * 100).toFixed(1)} %`}><rect class=${good === 'bad-text' ? 'minus' : good ? 'plus' : 'even'} x=${part < 0 ? 50 - wide : 50} width=${wide} height="10"></rect><path d="M50 0V10"></path></svg> <span class="soft">${part > 0 ? '+' : part < 0 ? '−' : ''}${Math.abs(part * 100).toFixed(1)} %</span></td></tr>`;
}

/** @param {Record<string, number>} was @param {Record<string, number>} would */
function waits(was, would) {
  const all = [...new Set([...Object.keys(was), ...Object.keys(would)])].map((name) => /** @type {[string, number, number]} */ ([name, was[name] ?? 0, would[name] ?? 0]))
    .filter(([, a, b]) => Math.max(a, b) >= LEAST_H).sort((a, b) => Math.max(b[1], b[2]) - Math.max(a[1], a[2])).slice(0, MOST_CAUSES);
  if (!all.length) return html`<p class="none">Nobody waited for long.</p>`;
  const most = Math.max(...all.map(([, a, b]) => Math.max(a, b)));
  const high = all.length * 34 + 6;
  const x = (/** @type {number} */ h) => 262 + (h / most) * 590;
  return html`<div class="wide-picture bare"><svg class="plan" data-picture="whatif" viewBox=${`0 0 920 ${high}`} role="img" aria-label=${all.map(([name, a, b]) => `${name}: ${a.toFixed(1)} h, then ${b.toFixed(1)} h`).join('; ')}>
    ${all.map(([name, a, b], n) => svg`<g><title>${`${name}: ${a.toFixed(2)} h, would have been ${b.toFixed(2)} h`}</title><text class="plan-row" x="14" y=${n * 34 + 20}>${name.slice(0, 38)}</text>
      <rect class="was" x="262" y=${n * 34 + 6} width=${Math.max(1, x(a) - 262)} height="11" rx="2"></rect><text x=${x(a) + 6} y=${n * 34 + 15.5}>${a.toFixed(1)} h</text>
      <rect class="would" x="262" y=${n * 34 + 19} width=${Math.max(1, x(b) - 262)} height="11" rx="2"></rect><text x=${x(b) + 6} y=${n * 34 + 28.5}>${b.toFixed(1)} h</text></g>`)}</svg></div>
    <p class="key pad"><i class="plan-key was"></i>as it was <i class="plan-key would"></i>as it would have been</p>`;
}
customElements.define('fp-whatif', FpWhatif);
