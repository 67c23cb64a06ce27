// Vehicles on a map, and below it each one's day: when it comes to which stop, within which window, and how full it is.
import { html, nothing, svg } from '../../vendor/lit.js';
import { count, some } from '../format.js';
import { frame, hours, HUES } from './frame.js';

const WIDE = 560;
const HIGH = 460;
const DAY_WIDE = 560;
const ROW = 44;
const LEFT = 84;
const UNBOUNDED_S = 1e9;

/**
 * @typedef {{id: string, x: number, y: number, arrive_s: number, open_s?: number, close_s?: number}} Stop
 * @typedef {{kind: string, id: string, arrive_s: number, begin_s: number, service_s: number, load: number[]}} Visit
 * @param {{depots: {id: string, x: number, y: number}[], routes: {vehicle: string, stops: Stop[]}[], unplanned: {id: string, reason: string}[]}} shown
 * @param {{routes?: {visits: Visit[], distance_m: number, duration_s: number, overtime_s: number}[]} | null} plan
 * @param {import('./picture.js').Light} light
 */
export function routes(shown, plan, { lit, light }) {
  const at = frame([...shown.depots, ...shown.routes.flatMap((r) => r.stops)], WIDE, HIGH, 28);
  const off = (/** @type {string} */ vehicle) => (lit && lit !== vehicle ? 'off' : '');
  const visits = (/** @type {number} */ n) => (plan?.routes?.[n]?.visits ?? []).filter((v) => v.kind !== 'break');
  return html`<div class="pair"><figure><figcaption>On the map <small>${some(shown.routes.length, 'route')}, ${count(shown.routes.reduce((sum, r) => sum + r.stops.length - 2, 0))} stops</small></figcaption>
      <svg class="plan" data-picture="routes" viewBox="0 0 ${WIDE} ${HIGH}" role="img" aria-label=${shown.routes.map((r) => `${r.vehicle}: ${r.stops.map((s) => s.id).join(', ')}`).join('; ').slice(0, 500)}>
        ${shown.routes.map((r, n) => svg`<g class=${`plan-route hue-${n % HUES} ${off(r.vehicle)} ${lit === r.vehicle ? 'lit' : ''}`}><title>${r.vehicle}</title>
          <polyline points=${r.stops.map((p) => `${at.x(p.x).toFixed(1)},${at.y(p.y).toFixed(1)}`).join(' ')}></polyline>
          ${r.stops.slice(1, -1).map((p, k) => svg`<circle cx=${at.x(p.x)} cy=${at.y(p.y)} r="4.5"><title>${stopTold(p, r.vehicle, visits(n)[k + 1])}</title></circle>
            ${lit === r.vehicle ? svg`<text class="plan-turn" x=${at.x(p.x) + 7} y=${at.y(p.y) - 5}>${k + 1}</text>` : nothing}`)}</g>`)}
        ${shown.depots.map((d) => svg`<g class="plan-depot"><rect x=${at.x(d.x) - 7} y=${at.y(d.y) - 7} width="14" height="14" rx="2"></rect><text x=${at.x(d.x)} y=${at.y(d.y) + 20} text-anchor="middle">${d.id}</text></g>`)}</svg></figure>
    <figure><figcaption>By the clock <small>windows light, waiting hatched, the line is the load</small></figcaption>${days(shown, plan, off)}</figure></div>
    <div class="chips picture-chips" role="group" aria-label="Show one route">${shown.routes.slice(0, 30).map((r, n) => html`<button class="chip" aria-pressed=${lit === r.vehicle} @click=${() => light(r.vehicle)}><i class=${`plan-key hue-${n % HUES}`}></i>${r.vehicle} <b>${r.stops.length - 2} stops</b>
      ${plan?.routes?.[n] ? html`${count(Math.round(plan.routes[n].distance_m / 100) / 10)} km` : nothing}</button>`)}</div>
    ${shown.unplanned.map((u) => html`<p class="left-out"><span class="mono">${u.id}</span> is left out: ${u.reason}</p>`)}`;
}

/** @param {Stop} p @param {string} vehicle @param {Visit | undefined} visit */
function stopTold(p, vehicle, visit) {
  const window = p.close_s !== undefined && p.close_s < UNBOUNDED_S ? `, open ${hours(p.open_s ?? 0)} to ${hours(p.close_s)}` : '';
  return `${p.id}: ${vehicle}, after ${hours(p.arrive_s)}${window}${visit ? `, then ${visit.load.join(' / ')} on board` : ''}`;
}

/** @param {any} shown @param {any} plan @param {(vehicle: string) => string} off */
function days(shown, plan, off) {
  const end = Math.max(60, ...shown.routes.flatMap((/** @type {any} */ r) => r.stops.map((/** @type {Stop} */ s) => s.arrive_s)));
  const x = (/** @type {number} */ s) => LEFT + (Math.min(s, end) / end) * (DAY_WIDE - LEFT - 10);
  const high = shown.routes.length * ROW + 22;
  const step = [600, 1800, 3600, 7200, 14400].find((s) => end / s <= 7) ?? 28800;
  const times = Array.from({ length: Math.floor(end / step) + 1 }, (_, n) => n * step);
  return html`<svg class="plan days" viewBox="0 0 ${DAY_WIDE} ${high}" role="img" aria-label="When each vehicle is where, and how full">
    ${times.map((s) => svg`<line class="plan-grid" x1=${x(s)} x2=${x(s)} y1="16" y2=${high}></line><text x=${x(s)} y="11" text-anchor="middle">${hours(s)}</text>`)}
    ${shown.routes.map((/** @type {any} */ r, /** @type {number} */ n) => {
      const y = 22 + n * ROW;
      const all = /** @type {Visit[]} */ (plan?.routes?.[n]?.visits ?? []);
      const visits = all.filter((v) => v.kind !== 'break');
      const full = Math.max(1, ...visits.map((/** @type {Visit} */ v) => v.load[0] ?? 0));
      const load = (/** @type {Visit} */ v) => y + 34 - ((v.load[0] ?? 0) / full) * 13;
      let d = '';
      visits.forEach((/** @type {Visit} */ v, /** @type {number} */ k) => (d += k ? `H${x(v.arrive_s).toFixed(1)}V${load(v).toFixed(1)}` : `M${x(v.begin_s).toFixed(1)} ${load(v).toFixed(1)}`));
      return svg`<g class=${`plan-route hue-${n % HUES} ${off(r.vehicle)}`}><text class="plan-row" x="4" y=${y + 15}>${r.vehicle.slice(0, 12)}</text>
        ${r.stops.map((/** @type {Stop} */ p) => (p.close_s !== undefined && p.close_s < UNBOUNDED_S ? svg`<rect class="plan-window" x=${x(p.open_s ?? 0)} y=${y + 2} width=${Math.max(1, x(p.close_s) - x(p.open_s ?? 0))} height="14"></rect>` : nothing))}
        <line class="plan-drive" x1=${x(r.stops[0]?.arrive_s ?? 0)} x2=${x(r.stops.at(-1)?.arrive_s ?? 0)} y1=${y + 9} y2=${y + 9}></line>
        ${visits.map((/** @type {Visit} */ v) => (v.begin_s > v.arrive_s ? svg`<rect class="plan-waits" x=${x(v.arrive_s)} y=${y + 6} width=${x(v.begin_s) - x(v.arrive_s)} height="6"></rect>` : nothing))}
        ${all.filter((v) => v.kind === 'break').map((v) => svg`<rect class="plan-break" x=${x(v.begin_s)} y=${y + 3} width=${Math.max(2, x(v.begin_s + v.service_s) - x(v.begin_s))} height="12"><title>${`${r.vehicle} rests, from ${hours(v.begin_s)} for ${hours(v.service_s)}`}</title></rect>`)}
        ${r.stops.map((/** @type {Stop} */ p, /** @type {number} */ k) => svg`<rect class="plan-stop" x=${x(p.arrive_s) - 1} y=${y + 3} width=${Math.max(3, x(p.arrive_s + (visits[k]?.service_s ?? 0)) - x(p.arrive_s))} height="12" rx="1.5"><title>${stopTold(p, r.vehicle, visits[k])}</title></rect>`)}
        <path class="plan-load" d=${d || 'M0 0'}></path></g>`;
    })}</svg>`;
}
