// A plan as a picture: a heat map of the pods, a Gantt chart of a shift, or routes on a map.
import { html, nothing, svg } from '../vendor/lit.js';

const WIDE = 960;
const HUES = 8;

/** @param {any} shown as `picture` of a plan */
export function picture(shown) {
  switch (shown?.kind) {
    case 'heat': return heat(shown);
    case 'gantt': return gantt(shown);
    case 'routes': return routes(shown);
    default: return nothing;
  }
}

/** @param {{x: number, y: number}[]} points @param {number} width @param {number} height */
function frame(points, width, height) {
  const xs = points.map((p) => p.x), ys = points.map((p) => p.y);
  const x0 = Math.min(...xs), y0 = Math.min(...ys);
  const scale = Math.min((width - 40) / Math.max(1e-9, Math.max(...xs) - x0), (height - 40) / Math.max(1e-9, Math.max(...ys) - y0));
  return { x: (/** @type {number} */ x) => 20 + (x - x0) * scale, y: (/** @type {number} */ y) => height - 20 - (y - y0) * scale, scale };
}

/** @param {{unit: string, most: number, cells: {id: string, x: number, y: number, before: number, after: number}[]}} shown */
function heat(shown) {
  const at = frame(shown.cells, WIDE / 2, 320);
  const side = Math.max(3, Math.min(18, at.scale * 1.1));
  const one = (/** @type {'before' | 'after'} */ when, /** @type {number} */ left) => svg`<g transform=${`translate(${left} 0)`}>
    <text class="plan-title" x="20" y="12">${when}</text>
    ${shown.cells.map((c) => svg`<rect class="plan-cell" x=${at.x(c.x) - side / 2} y=${at.y(c.y) - side / 2} width=${side} height=${side}
      fill-opacity=${0.06 + 0.94 * Math.sqrt(c[when] / shown.most)}><title>${`${c.id}: ${c[when]} ${shown.unit}`}</title></rect>`)}</g>`;
  return html`<svg class="plan" data-picture="heat" viewBox="0 0 ${WIDE} 330" role="img" aria-label="Picks of each pod, before and after">${one('before', 0)}${one('after', WIDE / 2)}</svg>`;
}

/** @param {{rows: string[], begin_s: number, end_s: number, bars: {row: string, id: string, begin_s: number, end_s: number, due_s: number, late_s: number}[], breaks: {row: string, begin_s: number, end_s: number}[]}} shown */
function gantt(shown) {
  const left = 90, high = 20, scale = (WIDE - left - 10) / Math.max(1, shown.end_s - shown.begin_s);
  const x = (/** @type {number} */ s) => left + (s - shown.begin_s) * scale;
  const row = new Map(shown.rows.map((name, n) => [name, n * high + 20]));
  const hours = [];
  for (let s = Math.ceil(shown.begin_s / 3600) * 3600; s <= shown.end_s; s += 3600) hours.push(s);
  const bottom = shown.rows.length * high + 24;
  return html`<svg class="plan" data-picture="gantt" viewBox="0 0 ${WIDE} ${bottom + 4}" role="img" aria-label="Who does which batch when">
    ${hours.map((s) => svg`<line class="plan-grid" x1=${x(s)} x2=${x(s)} y1="16" y2=${bottom}></line><text class="plan-title" x=${x(s) + 2} y="12">${s / 3600} h</text>`)}
    ${shown.rows.map((name) => svg`<text class="plan-title" x="4" y=${(row.get(name) ?? 0) + 13}>${name}</text>`)}
    ${shown.breaks.map((b) => svg`<rect class="plan-break" x=${x(b.begin_s)} y=${row.get(b.row) ?? 0} width=${(b.end_s - b.begin_s) * scale} height=${high - 4}></rect>`)}
    ${shown.bars.map((b) => svg`<rect class=${b.late_s ? 'plan-bar late' : 'plan-bar'} x=${x(b.begin_s)} y=${row.get(b.row) ?? 0} width=${Math.max(1, (b.end_s - b.begin_s) * scale - 1)} height=${high - 4}>
      <title>${`${b.id}: ${Math.round(b.begin_s / 60)} to ${Math.round(b.end_s / 60)} min, ${b.late_s ? `${Math.round(b.late_s / 60)} min late` : 'in time'}`}</title></rect>`)}</svg>`;
}

/** @param {{depots: {id: string, x: number, y: number}[], routes: {vehicle: string, stops: {id: string, x: number, y: number, arrive_s: number}[]}[], unplanned: {id: string, reason: string}[]}} shown */
function routes(shown) {
  const at = frame([...shown.depots, ...shown.routes.flatMap((r) => r.stops)], WIDE, 520);
  const line = (/** @type {{x: number, y: number}[]} */ stops) => stops.map((p) => `${at.x(p.x).toFixed(1)},${at.y(p.y).toFixed(1)}`).join(' ');
  return html`<svg class="plan" data-picture="routes" viewBox="0 0 ${WIDE} 520" role="img" aria-label="Routes of the vehicles">
    ${shown.routes.map((r, n) => svg`<g class=${`plan-route hue-${n % HUES}`}><polyline points=${line(r.stops)}><title>${r.vehicle}</title></polyline>
      ${r.stops.map((p) => svg`<circle cx=${at.x(p.x)} cy=${at.y(p.y)} r="3"><title>${`${p.id}: ${r.vehicle}, after ${Math.round(p.arrive_s / 60)} min`}</title></circle>`)}</g>`)}
    ${shown.depots.map((d) => svg`<rect class="plan-depot" x=${at.x(d.x) - 5} y=${at.y(d.y) - 5} width="10" height="10"><title>${d.id}</title></rect>`)}</svg>
    ${shown.unplanned.map((u) => html`<p class="none"><span class="mono">${u.id}</span> is left out: ${u.reason}</p>`)}`;
}
