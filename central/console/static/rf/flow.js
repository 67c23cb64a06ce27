// The steps of a task, one answer at a time. Pure: a flow goes in with what was scanned, another flow or a refusal comes out.
import { iso, day, read } from './gs1.js';

/** @typedef {{ field: string, type: 'scan' | 'number' | 'date' | 'choice' | 'text', label: string, show: string, expect: string[],
 *   options: string[], default: string | number | null, most: number | null, optional: boolean }} Ask */
/** What is being done: `answers` by field, `found` what scans have said beside what was asked for.
 * @typedef {{ type: 'task' | 'move' | 'skip', title: string, asks: Ask[], step: number, answers: Record<string, string | number>,
 *   found: Record<string, string | number>, task?: any }} Flow */
/** @typedef {{ flow: Flow, refusal?: undefined } | { flow?: undefined, refusal: string }} Outcome */

const FEWER = 'Why fewer?';

/** @param {string} field @param {Partial<Ask>} [more] @returns {Ask} */
export function ask(field, more = {}) {
  return { field, type: 'scan', label: field, show: '', expect: [], options: [], default: null, most: null, optional: false, ...more };
}

/** @param {Flow['type']} type @param {string} title @param {Ask[]} asks @param {any} [task] @returns {Flow} */
export const begin = (type, title, asks, task) => onward({ type, title, asks, step: 0, answers: {}, found: {}, task });

/** The step that waits for an answer; null: all are there, only the confirmation is missing. @param {Flow} flow */
export const current = (flow) => flow.asks[flow.step] ?? null;

/** Codes are the same with or without leading zeros. @param {string} a @param {string} b */
function same(a, b) {
  return a === b || (/^\d{8,14}$/.test(a) && /^\d{8,14}$/.test(b) && a.replace(/^0+/, '') === b.replace(/^0+/, ''));
}

/** @param {Flow} flow @param {string} raw as typed or scanned, without the Enter @returns {Outcome} */
export function answer(flow, raw) {
  const step = current(flow);
  if (!step) return { refusal: 'Everything is answered; confirm it' };
  const text = raw.trim();
  if (!text) {
    if (step.default !== null && step.default !== '') return take(flow, step, step.default, {});
    if (step.optional) return take(flow, step, '', {});
    return { refusal: `${step.label || step.field}: nothing was ${step.type === 'scan' ? 'scanned' : 'entered'}` };
  }
  if (step.type === 'number') return number(flow, step, text);
  if (step.type === 'date') return date(flow, step, text);
  if (step.type === 'choice') return choice(flow, step, text);
  const scan = read(text);
  const meant = (step.field === 'lot' && scan.lot) || (step.field === 'serial' && scan.serial) || (step.field === 'item' && scan.item)
    || scan.unit || scan.code;
  const value = step.expect.includes(text) ? text : meant; // a code of one's own that only looks like GS1's
  // a place may be called by the number on its label, which central knows
  const numbered = scan.unit && (step.field === 'source' || step.field === 'target');
  if (step.expect.length && !numbered && !step.expect.some((x) => same(x, value))) {
    return { refusal: `Wrong ${step.field}: ${value} was scanned, ${step.show || step.expect[0]} is wanted` };
  }
  const { lot, expiry, serial, qty } = scan;
  const beside = Object.entries({ lot, expiry, serial, qty }).filter(([name, x]) => x !== undefined && name !== step.field);
  return take(flow, step, value, /** @type {Record<string, string | number>} */ (Object.fromEntries(beside)));
}

/** @param {Flow} flow @param {Ask} step @param {string} text @returns {Outcome} */
function number(flow, step, text) {
  if (!/^\d{1,7}$/.test(text)) return { refusal: `${step.label}: ${text} is not a number` };
  const value = Number(text);
  if (step.most !== null && value > step.most) return { refusal: `${step.label}: ${value} is more than ${step.most}` };
  return take(flow, step, value, {});
}

/** @param {Flow} flow @param {Ask} step @param {string} text @returns {Outcome} */
function date(flow, step, text) {
  const scanned = read(text).expiry;
  const ymd = /^(\d{4})-?(\d{2})-?(\d{2})$/.exec(text), dmy = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/.exec(text);
  const value = scanned ?? (/^\d{6}$/.test(text) ? day(text)
    : ymd ? iso(Number(ymd[1]), Number(ymd[2]), Number(ymd[3])) : dmy ? iso(Number(dmy[3]), Number(dmy[2]), Number(dmy[1])) : '');
  if (!value) return { refusal: `${step.label}: ${text} is no day; type it like 2027-01-31 or 270131` };
  return take(flow, step, value, {});
}

/** @param {Flow} flow @param {Ask} step @param {string} text @returns {Outcome} */
function choice(flow, step, text) {
  const index = /^\d{1,2}$/.test(text) ? Number(text) - 1 : step.options.findIndex((x) => x.toLowerCase() === text.toLowerCase());
  const value = step.options[index];
  if (value === undefined) return { refusal: `${step.label}: ${text} is none of 1 to ${step.options.length}` };
  return take(flow, step, value, {});
}

/** @param {Flow} flow @param {Ask} step @param {string | number} value @param {Record<string, string | number>} beside @returns {Outcome} */
function take(flow, step, value, beside) {
  for (const other of flow.asks.slice(flow.step + 1)) {
    const said = beside[other.field];
    if (said !== undefined && other.expect.length && !other.expect.includes(String(said))) {
      return { refusal: `Wrong ${other.field}: ${said} was scanned, ${other.show || other.expect[0]} is wanted` };
    }
  }
  const answers = value === '' ? { ...flow.answers } : { ...flow.answers, [step.field]: value };
  const asks = [...flow.asks];
  const why = asks.findIndex((x) => x.field === 'reason' && x.label === FEWER);
  if (step.type === 'number' && why > flow.step) asks.splice(why, 1);
  if (step.type === 'number' && step.options.length && typeof step.default === 'number' && Number(value) < step.default) {
    asks.splice(flow.step + 1, 0, ask('reason', { type: 'choice', label: FEWER, options: step.options }));
    delete answers.reason;
  }
  // a whole pallet is carried: nothing of what is in it is asked for
  const whole = flow.type === 'move' && step.field === 'item' && value === '';
  if (whole) asks.splice(flow.step + 1, asks.length - flow.step - 2);
  return { flow: onward({ ...flow, asks, answers, found: { ...flow.found, ...beside }, step: flow.step + 1 }) };
}

/** Skip steps whose answer a scan has given already. @param {Flow} flow @returns {Flow} */
function onward(flow) {
  const next = { ...flow, answers: { ...flow.answers }, asks: [...flow.asks] };
  for (let step = current(next); step; step = current(next)) {
    const known = next.found[step.field];
    if (known === undefined) return next;
    if (step.field === 'qty') {
      if (step.most === null || Number(known) <= step.most) next.asks[next.step] = { ...step, default: known };
      return next;
    }
    next.answers[step.field] = known;
    next.step += 1;
  }
  return next;
}

/** Whether nothing may be said to be there: of what lies in a place that is known, once somebody stands before it. @param {Flow} flow */
export function mayBeEmpty(flow) {
  const source = flow.asks.findIndex((a) => a.field === 'source'), qty = flow.asks.findIndex((a) => a.field === 'qty');
  return flow.type === 'task' && Boolean(flow.task?.source) && qty >= flow.step && source < flow.step;
}

/** Nothing is there: neither an item nor a lot can be scanned, and nothing is put anywhere. @param {Flow} flow @returns {Flow} */
export function empty(flow) {
  const qty = /** @type {Ask} */ (flow.asks.find((a) => a.field === 'qty'));
  const asks = [...flow.asks.slice(0, flow.step), { ...qty, options: [] }];
  const why = qty.options[0];
  if (why) asks.push(ask('reason', { type: 'choice', label: FEWER, options: qty.options }));
  return { ...flow, asks, answers: { ...flow.answers, qty: 0, ...(why ? { reason: why } : {}) }, step: asks.length };
}

/** One step back, to answer it anew. @param {Flow} flow @returns {Flow | null} null: it was the first one */
export function back(flow) {
  if (flow.step === 0) return null;
  const step = flow.asks[flow.step - 1];
  const answers = { ...flow.answers }, found = { ...flow.found };
  delete answers[step.field];
  delete found[step.field];
  return { ...flow, answers, found, step: flow.step - 1 };
}
