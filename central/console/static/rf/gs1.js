// What a scanner types: plain codes, and GS1 element strings (General Specifications, section 3) with what stands in them.

/** What one scan said: the code as it is, and what of a GS1 string is of use on a floor.
 * @typedef {{ code: string, item?: string, lot?: string, expiry?: string, serial?: string, unit?: string, qty?: number }} Scan */

const SYMBOLOGY = /^\][A-Za-z][0-9A-Za-z]/;
const SEPARATOR = '\x1d';
/** Length of the value by the first two digits of the identifier, where it is fixed. @type {Record<string, number>} */
const FIXED = { '00': 18, '01': 14, '02': 14, '03': 14, '04': 16, '11': 6, '12': 6, '13': 6, '14': 6, '15': 6, '16': 6, '17': 6,
  '18': 6, '19': 6, '20': 2, '31': 6, '32': 6, '33': 6, '34': 6, '35': 6, '36': 6, '41': 13 };

/** Digits of the identifier that begins so. @param {string} two */
function identifierLength(two) {
  if (/^(23|24|25|40|41|42)$/.test(two)) return 3;
  if (/^(3[1-6]|39|7[0-9]|8[0-2])$/.test(two)) return 4;
  return 2;
}

/** Whether the last digit is the check digit of those before it. @param {string} digits */
export function checked(digits) {
  let sum = 0;
  for (let i = digits.length - 2, weight = 3; i >= 0; i--, weight = 4 - weight) sum += Number(digits[i]) * weight;
  return /^\d+$/.test(digits) && (10 - (sum % 10)) % 10 === Number(digits.at(-1));
}

/** Elements by identifier; null when it is no element string. @param {string} text @returns {Map<string, string> | null} */
function elements(text) {
  /** @type {Map<string, string>} */
  const found = new Map();
  if (text.startsWith('(')) {
    for (const [, identifier, value] of text.matchAll(/\((\d{2,4})\)([^(]+)/g)) found.set(identifier, value);
    return found.size ? found : null;
  }
  let at = 0;
  while (at < text.length) {
    if (text[at] === SEPARATOR) { at += 1; continue; }
    const two = text.slice(at, at + 2);
    const length = identifierLength(two);
    const identifier = text.slice(at, at + length);
    if (identifier.length < length || !/^\d+$/.test(identifier)) return null;
    at += length;
    const fixed = FIXED[two];
    const end = fixed ? at + fixed : (text.indexOf(SEPARATOR, at) + 1 || text.length + 1) - 1;
    const value = text.slice(at, end);
    if (!value || (fixed && value.length < fixed)) return null;
    found.set(identifier, value);
    at = end;
  }
  return found.size ? found : null;
}

/** Year, month, day as YYYY-MM-DD; day 00 is the month's last (section 3.4.7). @param {string} yymmdd */
export function day(yymmdd) {
  const year = 2000 + Number(yymmdd.slice(0, 2)), month = Number(yymmdd.slice(2, 4)), of = Number(yymmdd.slice(4, 6));
  return iso(year, month, of || new Date(Date.UTC(year, month, 0)).getUTCDate());
}

/** A day that there is, else ''. @param {number} year @param {number} month @param {number} of */
export function iso(year, month, of) {
  const date = new Date(Date.UTC(year, month - 1, of));
  const real = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === of;
  return real ? date.toISOString().slice(0, 10) : '';
}

/** @param {string} raw @returns {Scan} */
export function read(raw) {
  const text = raw.trim().replace(SYMBOLOGY, '');
  const said = SYMBOLOGY.test(raw.trim()) || text.includes(SEPARATOR) || text.startsWith('(');
  const likely = (/^01\d{14}/.test(text) && checked(text.slice(2, 16))) || (/^00\d{18}$/.test(text) && checked(text.slice(2)));
  const found = said || likely ? elements(text) : null;
  if (!found) return { code: text };
  const [unit, item, contained] = ['00', '01', '02'].map((x) => found.get(x));
  const expiry = found.get('17') ?? found.get('15');
  const count = found.get('37') ?? found.get('30');
  return {
    code: item ?? contained ?? unit ?? text,
    item: item ?? contained,
    unit,
    lot: found.get('10'),
    serial: found.get('21'),
    expiry: expiry ? day(expiry) || undefined : undefined,
    qty: count && /^\d{1,8}$/.test(count) ? Number(count) : undefined,
  };
}
