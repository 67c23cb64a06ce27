// Goods that somebody carries from place to place without a task: what is asked, and what the books have there.
import { call } from './central.js';
import { ask } from './flow.js';

/** @typedef {{ lines: string[], lots: boolean, statuses: string[] }} Contents */

export function toCarry() {
  return [
    ask('source', { label: 'Take from' }),
    ask('item', { label: 'Item' }),
    ask('lot', { label: 'Lot', optional: true }),
    ask('qty', { label: 'How many', type: 'number', most: 1_000_000 }),
    ask('target', { label: 'Put into' }),
  ];
}

/** What is in a place; null when nobody says. @param {string} place @returns {Promise<Contents | null>} */
export async function within(place) {
  const got = await call('GET', `/v1/stock?place=${encodeURIComponent(place)}&limit=20`);
  if (got.kind !== 'done') return null;
  /** @type {{ item: string, lot: string, status: string, qty: number, reserved: number }[]} */
  const rows = got.body.items;
  const line = (/** @type {typeof rows[0]} */ r) => `${r.item}${r.lot ? ` lot ${r.lot}` : ''}${r.status === 'ok' ? '' : ` (${r.status})`}: ${r.qty - r.reserved} free`;
  return { lines: rows.map(line), lots: rows.some((r) => r.lot), statuses: [...new Set(rows.map((r) => r.status))].sort() };
}

/** Ask for a lot and a status only where there are some. @param {import('./flow.js').Ask[]} asks @param {Contents} found */
export function asked(asks, { lots, statuses }) {
  const some = asks.filter((a) => a.field !== 'lot' || lots);
  if (statuses.some((x) => x !== 'ok') && !some.some((a) => a.field === 'status')) {
    const status = ask('status', { label: 'Condition', type: 'choice', options: statuses, default: statuses.includes('ok') ? 'ok' : null });
    some.splice(some.findIndex((a) => a.field === 'qty'), 0, status);
  }
  return some;
}
