// Walks through the aisles of a warehouse: the plan's beside the baseline's, a line each, with the places where somebody stops.
import { html, nothing, svg } from '../../vendor/lit.js';
import { count, some } from '../format.js';
import { frame, HUES } from './frame.js';
import { gantt } from './gantt.js';

const WIDE = 560;
const HIGH = 380;
const MOST_NUMBERED = 40;
const MOST_NAMED = 24;

/**
 * @typedef {{name: string, length_m: number, points: [number, number][], stops: {id: string, spot: string, x: number, y: number}[]}} Walk
 * @typedef {{aisles: number[], cross: number[], depots: {id: string, x: number, y: number}[], one_way?: any[], busy?: {x: number, crowd: number}[], walks: Walk[], baseline: Walk[]}} Walks
 * @param {Walks} shown
 * @param {any} plan
 * @param {import('./picture.js').Light} light
 */
export function walks(shown, plan, { lit, light }) {
  const one = (/** @type {Walk[]} */ all, /** @type {string} */ title, /** @type {boolean} */ named) => html`<figure><figcaption>${title} <small>${some(all.length, 'walk')}, ${count(Math.round(all.reduce((sum, w) => sum + w.length_m, 0)))} m</small></figcaption>
    ${map(shown, all, named ? lit : '')}</figure>`;
  const batches = (plan?.batches ?? []).filter((/** @type {any} */ b) => b.begin_s !== null && b.begin_s !== undefined);
  return html`<div class="pair">${one(shown.walks, 'The plan', true)}${shown.baseline?.length ? one(shown.baseline, `Baseline: ${plan?.baseline?.what ?? 'as it was'}`, false) : nothing}</div>
    ${shown.walks.length > 1 ? html`<div class="chips picture-chips" role="group" aria-label="Show one walk">${shown.walks.slice(0, MOST_NAMED).map((w, n) => html`<button class="chip" aria-pressed=${lit === w.name} @click=${() => light(w.name)}><i class=${`plan-key hue-${n % HUES}`}></i>${w.name} <b>${count(Math.round(w.length_m))} m</b></button>`)}
      ${shown.walks.length > MOST_NAMED ? html`<span class="dim">and ${shown.walks.length - MOST_NAMED} more</span>` : nothing}</div>` : nothing}
    ${batches.length ? gantt(shifts(batches, plan)) : nothing}
    ${(plan?.unplanned ?? []).map((/** @type {any} */ u) => html`<p class="left-out"><span class="mono">${u.order ?? u.id}</span> is left out: ${u.reason}</p>`)}`;
}

/** @param {any[]} batches @param {any} plan */
function shifts(batches, plan) {
  const late = new Map((plan.late ?? []).map((/** @type {any} */ l) => [l.order ?? l.id, l.late_s ?? 0]));
  const rows = [...new Set(batches.map((b) => b.picker || 'anybody'))].sort();
  return {
    rows, begin_s: 0, end_s: Math.max(...batches.map((b) => b.end_s)),
    bars: batches.map((b) => ({ row: b.picker || 'anybody', id: `${b.name}: ${some(b.orders.length, 'order')}`, begin_s: b.begin_s, end_s: b.end_s, late_s: Math.max(0, ...b.orders.map((/** @type {string} */ o) => late.get(o) ?? 0)) })),
  };
}

/** @param {Walks} shown @param {Walk[]} all @param {string} lit */
function map(shown, all, lit) {
  const [top, bottom] = [shown.cross[0], shown.cross[shown.cross.length - 1]];
  const at = frame([...shown.aisles.map((x) => ({ x, y: top })), ...shown.aisles.map((x) => ({ x, y: bottom }))], WIDE, HIGH, 26, true);
  const pitch = shown.aisles.length > 1 ? at.x(shown.aisles[1]) - at.x(shown.aisles[0]) : 40;
  const rack = Math.max(1, Math.min(16, pitch * 0.28));
  const gap = Math.min(7, pitch * 0.2);
  const crowd = new Map((shown.busy ?? []).map((b) => [b.x, b.crowd]));
  const single = all.length === 1 ? all[0] : all.find((w) => w.name === lit);
  const stops = new Map((single?.stops ?? []).map((s) => [`${s.x} ${s.y}`, s]));
  return html`<svg class="plan walks" data-picture="walks" viewBox="0 0 ${WIDE} ${HIGH}" role="img" aria-label=${`${some(shown.aisles.length, 'aisle')}, ${all.map((w) => `${w.name} ${Math.round(w.length_m)} m`).slice(0, 6).join(', ')}`}>
    ${shown.cross.slice(1).flatMap((y, k) => shown.aisles.flatMap((x) => [-1, 1].map((side) => svg`<rect class="plan-rack" x=${at.x(x) + (side < 0 ? -gap - rack : gap)} y=${at.y(shown.cross[k]) + 6} width=${rack} height=${Math.max(1, at.y(y) - at.y(shown.cross[k]) - 12)} rx="2"></rect>`)))}
    ${shown.aisles.map((x) => svg`<line class=${crowd.get(x) ? 'plan-aisle busy' : 'plan-aisle'} x1=${at.x(x)} x2=${at.x(x)} y1=${at.y(top)} y2=${at.y(bottom)}><title>${crowd.get(x) ? `crowded: ${crowd.get(x)}` : 'aisle'}</title></line>`)}
    ${shown.cross.map((y) => svg`<line class="plan-aisle" x1=${at.x(shown.aisles[0])} x2=${at.x(shown.aisles[shown.aisles.length - 1])} y1=${at.y(y)} y2=${at.y(y)}></line>`)}
    ${all.map((w, n) => svg`<g class=${`plan-walk hue-${n % HUES} ${lit && w.name !== lit ? 'off' : ''} ${w === single ? 'lit' : ''}`}><title>${`${w.name}: ${Math.round(w.length_m)} m, ${w.stops.length} stops`}</title>
      <path d=${line(w, at, all.length > 1 ? (n % 5) * 1.1 : 0)}></path>${w.stops.map((s) => svg`<circle cx=${at.x(s.x)} cy=${at.y(s.y)} r=${all.length > 1 ? 2.2 : 3.4}><title>${s.spot || s.id}</title></circle>`)}</g>`)}
    ${single && stops.size <= MOST_NUMBERED ? [...stops.values()].map((s, n) => svg`<text class="plan-turn" x=${at.x(s.x) + gap + 2} y=${at.y(s.y) + 3.5}>${n + 1}</text>`) : nothing}
    ${shown.depots.map((d) => svg`<g class="plan-depot"><rect x=${at.x(d.x) - 6} y=${at.y(d.y) - 6} width="12" height="12" rx="2"></rect><text x=${at.x(d.x)} y=${at.y(d.y) + (d.y === bottom ? 20 : -10)} text-anchor="middle">${d.id}</text></g>`)}</svg>`;
}

/** A walk keeps to its right, so that there and back are two lines. @param {Walk} w @param {ReturnType<typeof frame>} at @param {number} more */
function line(w, at, more) {
  const shift = 2 + more;
  let d = '';
  for (let n = 1; n < w.points.length; n += 1) {
    const [x1, y1, x2, y2] = [at.x(w.points[n - 1][0]), at.y(w.points[n - 1][1]), at.x(w.points[n][0]), at.y(w.points[n][1])];
    const long = Math.hypot(x2 - x1, y2 - y1);
    if (!long) continue;
    const [ox, oy] = [(-(y2 - y1) / long) * shift, ((x2 - x1) / long) * shift];
    d += `${d ? 'L' : 'M'}${(x1 + ox).toFixed(1)} ${(y1 + oy).toFixed(1)}L${(x2 + ox).toFixed(1)} ${(y2 + oy).toFixed(1)}`;
  }
  return d || 'M0 0';
}
