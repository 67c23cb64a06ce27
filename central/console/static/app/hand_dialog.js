// Doing the task of a person at a desk: it is leased, asked for what a handheld asks, confirmed, and given back when it is not done.
import { ask } from './dialog.js';
import { floor } from './floor.js';
import { words } from './format.js';
import { get, postOnce } from './rest.js';

/** @typedef {{field: string, type: string, label: string, show: string, expect: string[], options: string[], default: string | number | null, optional: boolean, most: number | null}} Ask */

/** @param {string} id Of an open task. @param {string} title @returns {Promise<boolean>} whether it was done */
export async function doHand(id, title) {
  const path = `/v1/hands/${encodeURIComponent(id)}`;
  const task = await get(path);
  let attempt = 0;
  const done = await ask({
    title, action: 'Confirm',
    text: [`${words(task.kind)}${task.item ? ` of ${task.item}` : ''}${task.source ? ` at ${task.source}` : ''}.`, 'It is yours while you do it; nobody else gets it meanwhile.'].join(' '),
    fields: task.asks.map((/** @type {Ask} */ a) => ({
      name: a.field, label: a.label || words(a.field), optional: a.optional,
      kind: a.type === 'number' ? 'number' : a.type === 'choice' ? 'choice' : 'text',
      value: a.default ?? (a.type === 'choice' ? a.options[0] : a.expect[0]) ?? (a.show === task[a.field] ? a.show : ''), options: a.type === 'choice' ? [...(a.optional ? [['', 'none']] : []), ...a.options] : undefined,
      min: a.type === 'number' ? 0 : undefined, hint: a.show && a.show !== a.expect[0] && a.show !== task[a.field] ? a.show : undefined,
    })),
    does: async (values) => {
      if (!attempt) attempt = (await postOnce(`${path}/lease`, {})).attempt;
      const said = Object.fromEntries(Object.entries(values).filter(([, v]) => v !== ''));
      await postOnce(`${path}/confirm`, { ...said, attempt });
    },
  });
  if (!done && attempt) await postOnce(`${path}/release`, { attempt, reason: `${floor.me?.name ?? ''} has not done it` }).catch(() => {}); // the lease runs out by itself
  return done;
}
