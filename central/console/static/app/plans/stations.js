// Stations and pods: a lane a station, a block a visit of a pod in its order, and which orders share it; beside it the baseline.
import { html, nothing, svg } from '../../vendor/lit.js';
import { count, some } from '../format.js';
import { hours } from './frame.js';

const WIDE = 1120;
const LEFT = 96;
const ROW = 34;
const TOP = 22;
const MOST_NAMED = 60;

/**
 * @typedef {{row: string, id: string, begin_s: number, end_s: number, orders?: string[], late_s?: number}} Visit
 * @param {{rows: string[], begin_s: number, end_s: number, bars: Visit[], baseline?: {end_s: number, bars: Visit[]}}} shown
 * @param {{stations: {station: string, orders: string[], visits: {pod: string, orders: string[]}[]}[], unplanned?: {order: string, reason: string}[], visits?: number, baseline?: {what: string, visits: number}}} plan
 * @param {import('./picture.js').Light} light
 */
export function stations(shown, plan, { lit, light }) {
  const end = Math.max(1, shown.end_s, shown.baseline?.end_s ?? 0);
  const shared = shown.bars.filter((b) => (b.orders?.length ?? 0) > 1).length;
  return html`<figure class="lanes"><figcaption>The plan <small>${some(shown.bars.length, 'visit')} of pods, ${shared} of them for several orders; over after ${hours(shown.end_s)}</small></figcaption>${lanes(shown.rows, shown.bars, end, lit, 'stations')}</figure>
    ${shown.baseline ? html`<figure class="lanes"><figcaption>Baseline <small>${plan.baseline?.what ?? 'first come, first served'}: ${some(shown.baseline.bars.length, 'visit')}; over after ${hours(shown.baseline.end_s)}</small></figcaption>${lanes(shown.rows, shown.baseline.bars, end, '', 'stations-baseline')}</figure>` : nothing}
    <p class="key"><i class="plan-key shared"></i>for several orders <i class="plan-key one"></i>for one ${lit ? html`<i class="plan-key lit"></i>of ${lit}` : nothing}</p>
    <div class="station-lists">${plan.stations.filter((s) => s.orders.length).map((s) => html`<section data-station=${s.station}><h3><b>${s.station}</b> <span class="soft">${some(s.orders.length, 'order')}, ${some(s.visits.length, 'pod')}</span></h3>
      <div class="chips" role="group" aria-label=${`Orders at ${s.station}: show the pods of one`}>${s.orders.slice(0, MOST_NAMED).map((o) => html`<button class="chip" aria-pressed=${lit === o} @click=${() => light(o)}>${o}</button>`)}${s.orders.length > MOST_NAMED ? html`<span class="dim">and ${count(s.orders.length - MOST_NAMED)} more</span>` : nothing}</div>
      <p class="pods-in-order">${s.visits.slice(0, MOST_NAMED).map((v, n) => html`<span class=${lit && v.orders.includes(lit) ? 'lit' : ''} title=${v.orders.join(', ')}>${n ? html`<i class="arrow">→</i>` : nothing}<b class="mono">${v.pod}</b>${v.orders.length > 1 ? html`<sup>${v.orders.length}</sup>` : nothing}</span> `)}${s.visits.length > MOST_NAMED ? html`<span class="dim">and ${count(s.visits.length - MOST_NAMED)} more</span>` : nothing}</p></section>`)}</div>
    ${(plan.unplanned ?? []).map((u) => html`<p class="left-out"><span class="mono">${u.order}</span> is left out: ${u.reason}</p>`)}`;
}

/** @param {string[]} rows @param {Visit[]} bars @param {number} end_s @param {string} lit @param {string} name */
function lanes(rows, bars, end_s, lit, name) {
  const x = (/** @type {number} */ s) => LEFT + (s / end_s) * (WIDE - LEFT - 12);
  const at = new Map(rows.map((row, n) => [row, TOP + n * ROW]));
  const step = [60, 300, 900, 1800, 3600, 7200, 14400].find((s) => end_s / s <= 14) ?? 28800;
  const times = Array.from({ length: Math.floor(end_s / step) + 1 }, (_, n) => n * step);
  const high = TOP + rows.length * ROW + 4;
  return html`<div class="wide-picture"><svg class="plan" data-picture=${name} viewBox=${`0 0 ${WIDE} ${high}`} role="img" aria-label=${`${some(bars.length, 'visit')} at ${some(rows.length, 'station')}: ${rows.map((r) => `${r} ${bars.filter((b) => b.row === r).map((b) => b.id).join(', ')}`).join('; ')}`.slice(0, 600)}>
    ${times.map((s) => svg`<line class="plan-grid" x1=${x(s)} x2=${x(s)} y1="18" y2=${high}></line><text x=${x(s)} y="12" text-anchor="middle">${hours(s)}</text>`)}
    ${rows.map((row) => svg`<text class="plan-row" x="6" y=${(at.get(row) ?? 0) + ROW / 2}>${row.slice(0, 13)}</text><line class="plan-grid" x1="0" x2=${WIDE} y1=${(at.get(row) ?? 0) + ROW - 2} y2=${(at.get(row) ?? 0) + ROW - 2}></line>`)}
    ${bars.map((b) => {
      const wide = Math.max(1.5, x(b.end_s) - x(b.begin_s) - 1.5);
      const y = at.get(b.row) ?? 0;
      const orders = b.orders ?? [];
      const shade = lit ? (orders.includes(lit) ? 'lit' : 'off') : orders.length > 1 ? 'shared' : '';
      return svg`<g class=${`plan-visit ${shade} ${b.late_s ? 'late' : ''}`}><title>${`${b.id} at ${b.row}, ${hours(b.begin_s)} to ${hours(b.end_s)}${orders.length ? `, for ${orders.join(', ')}` : ''}${b.late_s ? `, ${hours(b.late_s)} late` : ''}`}</title>
        <rect x=${x(b.begin_s)} y=${y + 3} width=${wide} height=${ROW - 11} rx="3"></rect>
        ${wide > 30 ? svg`<text x=${x(b.begin_s) + 5} y=${y + ROW / 2 - 1}>${b.id.slice(0, Math.floor(wide / 7))}</text>` : nothing}
        ${orders.length > 1 && wide > 8 ? svg`<text class="share" x=${x(b.end_s) - 5} y=${y + ROW / 2 - 1} text-anchor="end">${wide > 56 ? orders.length : ''}</text>` : nothing}</g>`;
    })}</svg></div>`;
}
