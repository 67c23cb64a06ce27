// What is to be posted, kept until it is answered: each with its own Idempotency-Key, in order, over reloads and lost connections.
import { call, fresh } from './central.js';

/** `client`: who is signed in; nobody else sends it, for to central it would be another request.
 * @typedef {{ key: string, client: string, path: string, body: any, title: string, flow: import('./flow.js').Flow | null }} Post */

const STORE = 'rf.outbox';
const FIRST_MS = 500, LAST_MS = 8_000;

export class Outbox extends EventTarget {
  constructor() {
    super();
    this.client = '';
    this.connected = true;
    this.busy = false;
    this.wait = FIRST_MS;
    this.timer = 0;
    addEventListener('online', () => this.kick());
    // another tab of this browser has answered or added something
    addEventListener('storage', (e) => { if (e.key === STORE) this.changed(); });
  }

  /** @returns {Post[]} */
  get posts() {
    return JSON.parse(localStorage.getItem(STORE) ?? '[]');
  }

  /** @param {string} path @param {any} body @param {string} title @param {import('./flow.js').Flow | null} [flow] */
  add(path, body, title, flow = null) {
    this.keep([...this.posts, { key: fresh(), client: this.client, path, body, title, flow }]);
    this.kick();
  }

  /** Try at once. */
  kick() {
    clearTimeout(this.timer);
    this.wait = FIRST_MS;
    void this.pump();
  }

  async pump() {
    if (this.busy || !this.client) return;
    this.busy = true;
    for (let post = this.first(); post; post = this.first()) {
      const answer = await call('POST', post.path, post.body, post.key);
      this.connected = answer.kind !== 'lost';
      if (answer.kind === 'lost') {
        this.timer = setTimeout(() => void this.pump(), this.wait);
        this.wait = Math.min(2 * this.wait, LAST_MS);
        break;
      }
      this.wait = FIRST_MS;
      if (answer.kind === 'unknown') {
        this.client = '';
        this.dispatchEvent(new CustomEvent('unknown'));
        break;
      }
      const { key } = post;
      this.keep(this.posts.filter((x) => x.key !== key));
      this.dispatchEvent(new CustomEvent(answer.kind, { detail: { post, answer } }));
    }
    this.busy = false;
    this.changed();
  }

  first() {
    return this.posts.find((x) => x.client === this.client);
  }

  /** @param {Post[]} posts */
  keep(posts) {
    localStorage.setItem(STORE, JSON.stringify(posts));
    this.changed();
  }

  changed() {
    this.dispatchEvent(new CustomEvent('changed'));
  }
}
