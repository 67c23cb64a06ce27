// REST as the console calls it. Every refusal becomes a `Refused` whose message is what the server said, in words.

export class Refused extends Error {
  /** @param {number} status 0: not reached @param {string} message @param {{field: string, value?: unknown, bound?: string}[]} [errors] field by field */
  constructor(status, message, errors = []) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {Record<string, string>} [more] headers
 * @returns {Promise<any>}
 */
async function call(method, path, body, more = {}) {
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(path, {
      method,
      credentials: 'same-origin',
      headers: body === undefined ? more : { 'Content-Type': 'application/json', ...more },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    throw new Refused(0, 'Central does not answer. It is tried again by itself.');
  }
  if (answer.status === 204) return null;
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  if (answer.status === 401 && path !== '/v1/session') dispatchEvent(new CustomEvent('floorplane-logged-out'));
  throw new Refused(answer.status, said.detail || `${answer.status} ${answer.statusText}`, said.errors);
}

/** @param {string} path @param {Record<string, string | number | boolean | undefined>} [query] */
export function get(path, query = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') asked.set(name, String(value));
  return call('GET', asked.size ? `${path}?${asked}` : path);
}

/** @param {string} path @param {unknown} body */
export const post = (path, body) => call('POST', path, body);

/** Where central wants a key that no other request has. @param {string} path @param {unknown} body */
export function postOnce(path, body) {
  const key = [...crypto.getRandomValues(new Uint8Array(16))].map((x) => x.toString(16).padStart(2, '0')).join('');
  return call('POST', path, body, { 'Idempotency-Key': key });
}

/** The state that a later change is of. @param {string} path */
export async function tagOf(path) {
  const there = await fetch(path, { credentials: 'same-origin', signal: AbortSignal.timeout(15_000) }).catch(() => null);
  return there?.ok ? there.headers.get('ETag') : null;
}

/** A change of what was read just before, or is of `tag`: what somebody else has changed meanwhile is refused (412).
 * @param {string} path @param {unknown} body @param {'PUT' | 'PATCH'} [method] @param {string | null} [tag] */
export async function change(path, body, method = 'PUT', tag) {
  const known = tag ?? (await tagOf(path));
  return call(method, path, body, known ? { 'If-Match': known } : {});
}

/** @param {string} path */
export const remove = (path) => call('DELETE', path);
