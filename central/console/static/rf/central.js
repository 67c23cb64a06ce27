// Central as the handheld calls it: with a badge's token or a session, and each answer as what it means for who asked.

/** `lost`: not answered, ask again; `unknown`: sign in first; `refused`: answered, and it will not be done.
 * @typedef {{ kind: 'done' | 'lost' | 'unknown' | 'refused', status: number, body: any, detail: string }} Answer */

const LATER = new Set([408, 425, 429, 500, 502, 503, 504, 507]);
const PATIENCE_MS = 8_000;
let token = '';

/** @param {string} secret of a badge; '': the session's cookie */
export function carry(secret) {
  token = secret;
}

/** A key that no other request has; also where the page does not come from a secure origin. */
export function fresh() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((x) => x.toString(16).padStart(2, '0')).join('');
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {string} [key] Idempotency-Key
 * @returns {Promise<Answer>}
 */
export async function call(method, path, body, key) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key) headers['Idempotency-Key'] = key;
  if (token) headers.Authorization = `Bearer ${token}`;
  try {
    const sent = body === undefined ? undefined : JSON.stringify(body);
    const answer = await fetch(path, { method, headers, body: sent, credentials: 'same-origin', signal: AbortSignal.timeout(PATIENCE_MS) });
    const said = answer.status === 204 ? null : await answer.json();
    const detail = said?.detail ?? `${answer.status} ${answer.statusText}`;
    // the same request is under way: its answer is not known yet
    const early = answer.status === 409 && String(detail).startsWith('Idempotency-Key');
    const kind = answer.ok ? 'done' : early || LATER.has(answer.status) ? 'lost' : answer.status === 401 ? 'unknown' : 'refused';
    return { kind, status: answer.status, body: said, detail };
  } catch {
    return { kind: 'lost', status: 0, body: null, detail: 'Central does not answer' };
  }
}
