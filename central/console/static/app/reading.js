// What shows rows of central: read at first, again when the server-sent stream tells of something that concerns them, and seldom by itself.
import { Part } from './part.js';
import { Refused } from './rest.js';

const SOON_MS = 250;
const SELDOM_MS = 15_000;

export class Reading extends Part {
  /** Types of events after which it is read again; `floorplane.count.*` is all that begin so. @type {string[]} */
  static events = [];
  /** So often it is read by itself, in ms; more often where much happens without an event. */
  static every = SELDOM_MS;
  /** @type {Record<string, object>} */
  static properties = { failed: { state: true } };

  constructor() {
    super();
    /** Why the last reading failed, in words. */
    this.failed = '';
    this.wanted = 0;
  }

  connectedCallback() {
    super.connectedCallback();
    this.look = () => this.seen();
    document.addEventListener('visibilitychange', this.look);
    const { every } = /** @type {typeof Reading} */ (this.constructor);
    this.seldom = setInterval(() => document.hidden || void this.again(), every);
    this.seen();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    if (this.look) document.removeEventListener('visibilitychange', this.look);
    clearInterval(this.seldom);
    clearTimeout(this.wanted);
    this.wanted = 0;
    this.stream?.close();
  }

  /** A page that nobody sees holds no stream open: a browser has few connections, and central has few streams. */
  seen() {
    this.stream?.close();
    const { events } = /** @type {typeof Reading} */ (this.constructor);
    if (document.hidden) return;
    void this.again();
    if (!events.length) return;
    // the browser opens it again by itself, with the id of the event that it has heard last
    this.stream = new EventSource(`/v1/events?${events.map((type) => `type=${type}`).join('&')}`);
    this.stream.onmessage = () => this.soon();
  }

  /** Read again in a moment; what is told meanwhile is read with it. */
  soon() {
    if (this.wanted) return;
    this.wanted = setTimeout(() => {
      this.wanted = 0;
      void this.again();
    }, SOON_MS);
  }

  async again() {
    try {
      await this.read();
      await this.readMore();
      this.failed = '';
    } catch (e) {
      this.fail(e);
    }
    this.requestUpdate();
  }

  /** Do something, show why it is not done, and read again. @param {Promise<unknown>} action */
  async then(action) {
    try {
      await action;
      await this.again();
    } catch (e) {
      this.fail(e);
    }
  }

  /** @param {unknown} e */
  fail(e) {
    if (!(e instanceof Refused)) throw e;
    this.failed = e.message;
  }

  /** Read what is shown. @returns {Promise<void>} */
  async read() {}

  /** Read what was chosen of it. @returns {Promise<void>} */
  async readMore() {}
}
