// <fp-throughput>: lines and orders by five minutes, as a rate an hour, and the day's sums.
import { html } from '../../vendor/lit.js';
import uPlot from '../../vendor/uplot.js';
import { floor } from '../floor.js';
import { count } from '../format.js';
import { Part } from '../part.js';

const BUCKET_S = 300;
const PER_HOUR = 3600 / BUCKET_S;
const HEIGHT = 230;
const SPANS_H = [1, 4, 8, 24];

class FpThroughput extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['stats']);
  static properties = { hours: { state: true } };

  constructor() {
    super();
    /** How far back; 0: not chosen, so the shortest that shows all there is. */
    this.hours = 0;
    /** @type {uPlot[]} */
    this.charts = [];
  }

  connectedCallback() {
    super.connectedCallback();
    this.size = new ResizeObserver(() => this.measure());
    this.size.observe(this);
    this.theme = new MutationObserver(() => this.make());
    this.theme.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    floor.readStats().catch(() => {}); // read again every few seconds; the header says when central is away
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.size?.disconnect();
    this.theme?.disconnect();
    for (const chart of this.charts) chart.destroy();
    this.charts = [];
  }

  updated() {
    if (!this.charts.length) this.make();
    else this.charts.forEach((c, i) => c.setData(this.data(i)));
  }

  /** Columns with a zero for every five minutes in which nothing was closed. @param {number} which @returns {any} */
  data(which) {
    const now = Math.floor(floor.clock.now() / 1000 / BUCKET_S) * BUCKET_S;
    const known = new Map((floor.stats?.buckets ?? []).map((b) => [Date.parse(b.at) / 1000, b]));
    const from = now - this.span() * 3600;
    /** @type {number[]} */
    const at = [];
    for (let t = from; t <= now; t += BUCKET_S) at.push(t);
    const column = (/** @type {'lines' | 'short' | 'orders' | 'totes'} */ name) => at.map((t) => (known.get(t)?.[name] ?? 0) * PER_HOUR);
    return which === 0 ? [at, column('lines'), column('short')] : [at, column('orders'), column('totes')];
  }

  span() {
    if (this.hours) return this.hours;
    const first = floor.stats?.buckets[0];
    const all = first ? (floor.clock.now() - Date.parse(first.at)) / 3_600_000 : 1;
    return SPANS_H.find((h) => h >= all) ?? 24;
  }

  measure() {
    for (const chart of this.charts) chart.setSize({ width: this.width(), height: HEIGHT });
  }

  width() {
    return Math.max(300, (this.querySelector('.chart')?.clientWidth ?? 900) - 24);
  }

  make() {
    for (const chart of this.charts) chart.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
    const axis = () => ({ stroke: colour('ink-3'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false }, font: '11px system-ui' });
    const steps = uPlot.paths.bars?.({ size: [0.72, 26], radius: 0.12, align: 1 });
    const bars = (/** @type {string} */ label, /** @type {string} */ name) => ({ label, stroke: colour(name), fill: `${colour(name)}bb`, paths: steps, points: { show: false } });
    const value = (/** @type {uPlot} */ _, /** @type {number | null} */ v) => (v === null || v === undefined ? '–' : `${Math.round(v)} / h`);
    const line = (/** @type {string} */ label, /** @type {string} */ name) => ({ label, stroke: colour(name), width: 1.6, points: { show: false }, value });
    const time = { value: '{HH}:{mm}' };
    const series = [
      [time, { ...bars('lines', 'accent'), value }, line('short picks', 'warn')],
      [time, { ...bars('orders shipped', 'good'), value }, line('totes packed', 'robot-acting')],
    ];
    this.charts = [...this.querySelectorAll('.chart > div')].map((at, i) => new uPlot(
      {
        width: this.width(), height: HEIGHT, series: series[i], axes: [{ ...axis(), values: '{HH}:{mm}', size: 30 }, { ...axis(), size: 46 }],
        padding: [8, 12, 0, 0],
        scales: { x: { range: (/** @type {any} */ _u, /** @type {number} */ lo, /** @type {number} */ hi) => [lo, hi + BUCKET_S] }, y: { range: (/** @type {any} */ _u, /** @type {number} */ _lo, /** @type {number} */ hi) => [0, Math.max(12, (hi || 0) * 1.12)] } },
        cursor: { drag: { x: true, y: false }, points: { size: 6 } },
      },
      this.data(i),
      /** @type {HTMLElement} */ (at),
    ));
  }

  render() {
    const buckets = (floor.stats?.buckets ?? []).filter((b) => Date.parse(b.at) > floor.clock.now() - this.span() * 3_600_000);
    const sum = (/** @type {'lines' | 'pieces' | 'short' | 'totes' | 'orders'} */ name) => buckets.reduce((a, b) => a + b[name], 0);
    return html`<section class="view"><header><h1>Throughput</h1>
      <div class="chips" role="group" aria-label="How far back">${SPANS_H.map((h) => html`<button class="chip" aria-pressed=${this.span() === h} @click=${() => (this.hours = h)}>${h} h</button>`)}</div>
      <dl class="summary">${[['Lines', sum('lines')], ['Pieces', sum('pieces')], ['Short picks', sum('short')], ['Totes', sum('totes')], ['Orders shipped', sum('orders')]].map(
        ([name, n]) => html`<div><dt>${name}</dt><dd data-sum=${name}>${count(Number(n))}</dd></div>`)}</dl></header>
      <div class="scroll"><div class="charts">
        <div class="panel"><h2>Lines an hour <small>picks closed, by five minutes</small></h2><div class="chart"><div></div></div></div>
        <div class="panel"><h2>Orders an hour <small>shipped, and totes packed</small></h2><div class="chart"><div></div></div></div>
      </div></div></section>`;
  }
}
customElements.define('fp-throughput', FpThroughput);
