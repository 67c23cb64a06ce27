// Pods by how often they are visited, before and after, with what is moved from where to where.
import { html, nothing, svg } from '../../vendor/lit.js';
import { count, some } from '../format.js';
import { frame } from './frame.js';

const WIDE = 560;
const HIGH = 340;
const MOST_ARROWS = 60;

/**
 * @param {{unit: string, most: number, cells: {id: string, x: number, y: number, before: number, after: number}[]}} shown
 * @param {{moves?: {item: string, from: string, to: string, gain_m: number, cost_m: number}[]} | null} plan
 */
export function heat(shown, plan) {
  const at = frame(shown.cells, WIDE, HIGH, 24);
  const side = Math.max(3, Math.min(30, pitch(shown.cells) * at.scale * 0.9));
  const cell = new Map(shown.cells.map((c) => [c.id, c]));
  const moves = (plan?.moves ?? []).filter((m) => cell.has(m.from) && cell.has(m.to));
  const one = (/** @type {'before' | 'after'} */ when) => html`<figure><figcaption>${when === 'before' ? 'As it is' : html`As planned${moves.length ? html` <small>${some(moves.length, 'move')}, those that gain most drawn</small>` : nothing}`}</figcaption>
    <svg class="plan" data-picture="heat" viewBox="0 0 ${WIDE} ${HIGH}" role="img" aria-label=${`${shown.unit} of ${some(shown.cells.length, 'pod')}, ${when === 'before' ? 'as it is' : 'as planned'}`}>
      ${shown.cells.map((c) => svg`<rect class="plan-cell" rx="2" x=${at.x(c.x) - side / 2} y=${at.y(c.y) - side / 2} width=${side} height=${side} fill-opacity=${0.07 + 0.93 * Math.sqrt(c[when] / shown.most)}><title>${`${c.id}: ${count(c[when])} ${shown.unit}`}</title></rect>`)}
      ${when === 'after' ? moves.slice(0, MOST_ARROWS).map((m) => arrow(m, at, cell)) : nothing}</svg></figure>`;
  return html`<div class="pair">${one('before')}${one('after')}</div>
    <div class="scale" aria-hidden="true"><span>0</span><svg viewBox="0 0 100 8" preserveAspectRatio="none">${Array.from({ length: 20 }, (_, n) => svg`<rect class="plan-cell" x=${n * 5} width="5.2" height="8" fill-opacity=${0.07 + 0.93 * Math.sqrt(n / 19)}></rect>`)}</svg><span>${count(shown.most)} ${shown.unit}</span></div>`;
}

/** @param {{item: string, from: string, to: string, gain_m: number, cost_m: number}} m @param {ReturnType<typeof frame>} at @param {Map<string, {x: number, y: number}>} cell */
function arrow(m, at, cell) {
  const [a, b] = /** @type {{x: number, y: number}[]} */ ([cell.get(m.from), cell.get(m.to)]);
  const [x1, y1, x2, y2] = [at.x(a.x), at.y(a.y), at.x(b.x), at.y(b.y)];
  const long = Math.hypot(x2 - x1, y2 - y1) || 1;
  const bend = Math.min(40, long / 4);
  const [mx, my] = [(x1 + x2) / 2 + ((y1 - y2) / long) * bend, (y1 + y2) / 2 + ((x2 - x1) / long) * bend];
  return svg`<g class="plan-move"><path d=${`M${x1} ${y1}Q${mx} ${my} ${x2} ${y2}`}></path><circle cx=${x2} cy=${y2} r="2.4"></circle>
    <title>${`${m.item}: ${m.from} to ${m.to}, gains ${count(Math.round(m.gain_m))} m, costs ${count(Math.round(m.cost_m))} m`}</title></g>`;
}

/** How far apart pods stand: the smallest distance from one of the first to any other. @param {{x: number, y: number}[]} cells */
function pitch(cells) {
  let least = Infinity;
  for (const a of cells.slice(0, 40)) for (const b of cells) if (a !== b) least = Math.min(least, Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y)) || Infinity);
  return Number.isFinite(least) ? least : 1;
}
