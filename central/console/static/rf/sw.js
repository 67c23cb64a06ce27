// The page loads again without a connection: what it is made of is asked for anew each time, and kept for when nobody answers.
const KEPT = 'rf-1';
const own = /** @type {any} */ (self);

own.addEventListener('install', (/** @type {any} */ e) => e.waitUntil(own.skipWaiting()));
own.addEventListener('activate', (/** @type {any} */ e) => e.waitUntil(own.clients.claim()));
own.addEventListener('fetch', (/** @type {any} */ e) => {
  const url = new URL(e.request.url);
  const page = /^\/(rf|vendor|style|app)\/|^\/icon\.svg$/.test(url.pathname);
  if (e.request.method !== 'GET' || url.origin !== location.origin || !page) return;
  e.respondWith(serve(e.request));
});

/** @param {Request} request */
async function serve(request) {
  const kept = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (answer.ok) await kept.put(request, answer.clone());
    return answer;
  } catch (error) {
    const before = await kept.match(request);
    if (before) return before;
    throw error;
  }
}
