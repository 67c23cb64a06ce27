// The levels of a site and its lifts: what lies where, and what a lift does, in words.
import { html, nothing } from '../../vendor/lit.js';
import { floor } from '../floor.js';

/** @param {import('../types.js').Site} site @param {{level?: string}} thing @returns {string} the level that it lies on; one without a name lies on the layout's own */
export const levelOf = (site, thing) => thing.level || site.layout.map_id || '';

/** @param {import('../types.js').Site} site @returns {string[]} the layout's own level first, the others as the nodes name them */
export function levels(site) {
  const all = new Set(site.layout.nodes.map((n) => levelOf(site, n)));
  return [...all].sort((a, b) => Number(b === site.layout.map_id) - Number(a === site.layout.map_id));
}

/** The level of the place at which a robot is, or a place itself lies. @param {string} node */
export function levelAt(node) {
  const site = floor.site;
  const n = floor.nodes.get(node);
  return site && n ? levelOf(site, n) : '';
}

/** @param {string} lift @returns {import('../types.js').RobotView | undefined} who is in its cabin */
export function riderOf(lift) {
  const cabin = new Set(floor.site?.lifts?.find((l) => l.id === lift)?.nodes ?? []);
  return [...floor.robots.values()].find((r) => cabin.has(r.node));
}

/** @param {import('../types.js').LiftView | undefined} lift @returns {string} what it does now */
export function liftDoes(lift) {
  if (!lift?.state) return 'not heard of yet';
  if (lift.state === 'fault') return 'out of order, or in somebody else’s hand';
  const where = lift.level ? `${lift.state === 'moving' ? 'moves at' : `${lift.state} at`} ${lift.level}` : 'on its way';
  return lift.called && lift.called !== lift.level ? `${where}, called to ${lift.called}` : where;
}

/** @param {import('../types.js').LiftView | undefined} lift */
export const liftShade = (lift) => ({ open: 'good', moving: 'warning', fault: 'error' })[lift?.state ?? ''] ?? '';

/** Every lift with its state; nothing where there is none. */
export function lifts() {
  const site = floor.site;
  if (!site?.lifts?.length) return nothing;
  return html`<ul class="lifts" aria-label="Lifts">${site.lifts.map((l) => {
    const now = floor.view?.lifts?.find((x) => x.id === l.id);
    const rider = riderOf(l.id);
    return html`<li data-lift=${l.id} data-state=${now?.state ?? ''}><b>${l.id}</b> <span class="pill ${liftShade(now)}">${liftDoes(now)}</span>${rider ? html` <a class="mono" href="#/robots/${rider.id}">${rider.id}</a>` : nothing}</li>`;
  })}</ul>`;
}
