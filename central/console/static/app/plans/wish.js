// Asking for a plan: a card a kind, each asked for what it needs; from the books where they know it, else as a problem of one's own.
import { html } from '../../vendor/lit.js';
import { ask } from '../dialog.js';
import { get, postOnce, Refused } from '../rest.js';

/** @typedef {import('../dialog.js').Field} Field */
export const KINDS = ['slotting', 'stations', 'batching', 'picking', 'waves', 'transport'];
export const SAYS = /** @type {Record<string, string>} */ ({
  slotting: 'which item lies in which pod', batching: 'which orders share a cart', picking: 'how a picker walks', waves: 'who does which batch when',
  stations: 'which orders share a station, and which pods come there in which order', transport: 'which truck goes where when',
});
const FROM = /** @type {Record<string, string>} */ ({
  slotting: 'from the books and the orders so far', stations: 'from the orders that wait and the pods as they stand', batching: 'from the orders that wait in an area',
  picking: 'from a round that somebody walks', waves: 'from a problem of your own', transport: 'from the open orders of a route, or a problem of your own',
});
const AREA = { aisles: 8, pitch_m: 4, block_m: [18, 18], depots: [{ id: 'desk', aisle: 3, cross: 2 }] };
/** What one may begin with: small, and right as it stands. */
const EXAMPLES = /** @type {Record<string, any>} */ ({
  waves: { workers: [{ id: 'anna', skills: ['pick'], zones: ['all'], begin_s: 0, end_s: 7200, breaks: [{ begin_s: 3600, end_s: 3900 }] }, { id: 'bert', skills: ['pick'], zones: ['all'], begin_s: 0, end_s: 7200 }],
    batches: [{ id: 'b1', duration_s: 900, due_s: 1800 }, { id: 'b2', duration_s: 1200, due_s: 3600 }, { id: 'b3', duration_s: 600, due_s: 2400 }] },
  transport: { places: [{ id: 'dock', x: 0, y: 0 }, { id: 'Berlin', x: 9000, y: 4000 }, { id: 'Potsdam', x: 5000, y: -3000 }], depots: [{ id: 'dock', place: 'dock' }],
    vehicles: [{ id: 'van', start_depot: 'dock', end_depot: 'dock', count: 2, capacity: [6] }], stops: [{ id: 's1', place: 'Berlin', delivery: [2], service_s: 300 }, { id: 's2', place: 'Potsdam', delivery: [3], service_s: 300, close_s: 5400 }] },
  batching: { area: AREA, orders: [{ id: 'o1', lines: [{ aisle: 1, at_m: 4 }, { aisle: 5, at_m: 20 }] }, { id: 'o2', lines: [{ aisle: 1, at_m: 9 }] }, { id: 'o3', lines: [{ aisle: 5, at_m: 31 }] }], cart: { totes: 2 } },
  picking: { area: AREA, wants: [{ id: 'w1', spots: [{ aisle: 1, at_m: 4, id: 'A1' }] }, { id: 'w2', spots: [{ aisle: 5, at_m: 20, id: 'A2' }] }] },
  stations: { stations: [{ id: 'S1', slots: 2 }, { id: 'S2', slots: 2, x_m: 20 }], pods: [{ id: 'P1', x_m: 4, y_m: 6 }, { id: 'P2', x_m: 12, y_m: 6 }], orders: [{ id: 'o1', pods: { P1: 1 } }, { id: 'o2', pods: { P1: 2, P2: 1 } }, { id: 'o3', pods: { P2: 1 } }] },
});

/** @param {string} kind @returns {Promise<{fields: Field[], problem: (values: any) => any}>} what it is asked for, and the problem that is made of it */
async function questions(kind) {
  const none = { fields: /** @type {Field[]} */ ([]), problem: () => undefined };
  if (kind === 'slotting') return none;
  if (kind === 'stations') return { ...none, problem: () => ({ books: true }) };
  if (kind === 'batching') {
    const areas = /** @type {{code: string}[]} */ (await get('/v1/pick-areas'));
    if (areas.length) return { fields: [{ name: 'books', label: 'Area', kind: 'choice', options: areas.map((a) => a.code) }], problem: ({ books }) => ({ books }) };
  }
  if (kind === 'picking') {
    const rounds = /** @type {{items: {id: string}[]}} */ (await get('/v1/rounds', { limit: 50 })).items;
    if (rounds.length) return { fields: [{ name: 'round', label: 'Round', kind: 'choice', options: rounds.map((r) => r.id) }], problem: ({ round }) => ({ round }) };
  }
  return none;
}

/** @param {string} kind @returns {Promise<string>} the plan's id; empty: it was not asked for */
export async function askPlan(kind) {
  let made = '';
  const { fields, problem } = await questions(kind);
  const known = kind === 'slotting' || kind === 'stations' || fields.length > 0;
  await ask({
    title: `Plan: ${kind}`, action: 'Plan it', text: `Says ${SAYS[kind]}, ${known ? FROM[kind] : 'from a problem of your own'}. A planner worker makes it as soon as one is free; the same problem, effort and seed give the same plan.`,
    fields: [...fields, { name: 'effort', label: 'Effort', kind: 'number', min: 0, value: 0, hint: '0: as hard as usual' }, { name: 'seed', label: 'Seed', kind: 'number', min: 0, value: 1 },
      { name: 'problem', label: known ? 'A problem of your own instead (JSON)' : 'Problem (JSON)', kind: 'area', optional: known, value: known ? '' : JSON.stringify(EXAMPLES[kind], null, 1), hint: known ? 'Empty: as above. What goes in: docs/planning.md' : 'A small one to begin with. What else goes in: docs/planning.md' }],
    does: async ({ problem: own, effort, seed, ...rest }) => {
      const asked = own ? json(own) : problem(rest);
      made = (await postOnce(`/v1/plans/${kind}`, { effort, seed, ...(asked === undefined ? {} : { problem: asked }) })).id;
    },
  });
  return made;
}

/** @param {(kind: string) => void} choose */
export const cards = (choose) => html`<div class="wishes">${KINDS.map((k) => html`<button class="card wish" data-wish=${k} @click=${() => choose(k)}><b>${k}</b><span>${SAYS[k]}</span><small>${FROM[k]} …</small></button>`)}</div>`;

/** @param {string} text */
function json(text) {
  try {
    return JSON.parse(text);
  } catch (e) {
    throw new Refused(422, '', [{ field: 'problem', value: text.slice(0, 40), bound: `JSON: ${/** @type {Error} */ (e).message}` }]);
  }
}
