// Numbers, times and ages in words. Times are those of the floor's clock, shown in the browser's zone.

/** @param {number} n */
export const count = (n) => n.toLocaleString('en');

/** @param {number} ms Age in milliseconds. */
export function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 100) return `${s} s`;
  if (s < 6000) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} d`;
}

/** @param {string | number | null | undefined} at */
export function clock(at) {
  if (at === null || at === undefined) return '–';
  return new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

/** @param {string | number | null | undefined} at */
export function moment(at) {
  if (at === null || at === undefined) return '–';
  const d = new Date(at);
  const day = d.toLocaleDateString('en-GB', { day: '2-digit', month: 'short' });
  return `${day} ${clock(at)}`;
}

/** @param {number} n @param {string} one What is counted. */
export const some = (n, one) => `${count(n)} ${one}${n === 1 ? '' : 's'}`;

/** @param {string} state */
export const words = (state) => state.replaceAll('_', ' ');

/** @param {number} part 0 to 1 */
export const percent = (part) => `${Math.round(part * 100)} %`;
