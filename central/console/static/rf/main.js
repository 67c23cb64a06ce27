// <fp-handheld>: one column, one field, one thing at a time. What it asks for is what the task says.
import { LitElement, html, nothing } from '../vendor/lit.js';
import { asked, toCarry, within } from './carry.js';
import { call, carry, fresh } from './central.js';
import { answer, ask, back, begin, current, empty, mayBeEmpty } from './flow.js';
import { Outbox } from './outbox.js';
import { play } from './sound.js';
import { drawMenu, drawSignIn, drawSteps, drawTrouble } from './screens.js';
import { keep, kept } from './memory.js';

const POLL_MS = 4_000, RENEW_MS = 60_000;
const SKIP = ['blocked', 'not found', 'too heavy', 'break', 'other'];
const ROLES = ['operator', 'supervisor', 'device'];

/** @typedef {{ name: string, role: string, person: string, token: string }} Identity */

export class FpHandheld extends LitElement {
  static properties = { tick: { state: true } };

  constructor() {
    super();
    this.outbox = new Outbox();
    /** @type {Identity | null} */
    this.me = kept('identity');
    /** @type {string[]} */
    this.chosen = kept('kinds') ?? [];
    /** @type {import('./flow.js').Flow | null} */
    this.flow = kept('flow');
    /** Whether the next task is wanted as soon as there is one. */
    this.wanting = kept('wanting') ?? false;
    /** @type {{ id: string, title: string } | null} */
    this.last = kept('last');
    /** @type {{ kind: string, open: number }[]} */
    this.kinds = [];
    /** @type {string[]} */
    this.contents = [];
    /** Whether the field may bring up a keyboard on the screen; a device with keys or a scanner needs none. */
    this.keyboard = kept('keyboard') ?? true;
    this.trouble = '';
    this.said = '';
    this.tone = '';
    this.asking = false;
    this.named = '';
  }

  createRenderRoot() {
    return this;
  }

  connectedCallback() {
    super.connectedCallback();
    addEventListener('keydown', (e) => this.key(e));
    this.outbox.addEventListener('changed', () => this.requestUpdate());
    this.outbox.addEventListener('done', (e) => this.posted(/** @type {CustomEvent} */ (e).detail));
    this.outbox.addEventListener('refused', (e) => void this.refused(/** @type {CustomEvent} */ (e).detail));
    this.outbox.addEventListener('unknown', () => this.signOut('Sign in again; nothing is lost'));
    setInterval(() => void this.look(), POLL_MS);
    setInterval(() => void this.renew(), RENEW_MS);
    if (navigator.serviceWorker) void navigator.serviceWorker.register('sw.js');
    if (this.me) this.enter(this.me);
  }

  updated() {
    document.body.dataset.tone = this.trouble ? 'bad' : this.tone;
    this.focusField();
  }

  /** The field has the focus unless somebody has moved to a button with Tab. */
  focusField() {
    const field = /** @type {HTMLInputElement | null} */ (this.querySelector('[data-field]'));
    const at = document.activeElement;
    if (field && (!at || at === document.body || !this.contains(at))) field.focus();
  }

  /** @param {string} text @param {'step' | 'done' | 'bad' | 'note'} tone */
  say(text, tone) {
    this.said = text;
    this.tone = tone;
    play(tone);
    this.requestUpdate();
  }

  /** Something that a person must have read before going on. @param {string} text */
  warn(text) {
    this.trouble = text;
    play('bad');
    this.requestUpdate();
  }

  // ------------------------------------------------------------------------------------------------------- who

  /** @param {Identity} me */
  enter(me) {
    this.me = me;
    // what somebody else had begun here is not theirs to confirm
    if (this.flow && kept('flowOf') !== me.name) this.put(null);
    keep('identity', me);
    carry(me.token);
    this.outbox.client = me.name;
    this.outbox.kick();
    void this.look();
    this.requestUpdate();
  }

  /** @param {string} why */
  signOut(why) {
    this.me = null;
    keep('identity', null);
    carry('');
    this.outbox.client = '';
    this.say(why, 'note');
  }

  leave() {
    if (this.flow?.task) return this.warn('Finish the task first, or give it back (F2)');
    this.put(null);
    this.signOut('Signed out');
  }

  /** A badge is a token; whoever has none has a name and a password. @param {string} name @param {string} secret */
  async signIn(name, secret) {
    const token = name.length >= 32 ? name : '';
    carry(token);
    if (!token) {
      const session = await call('POST', '/v1/session', { name, password: secret });
      if (session.kind !== 'done') return this.warn(session.detail);
    }
    const me = await call('GET', '/v1/me');
    if (me.kind !== 'done') return this.warn(me.status === 401 ? 'Nobody has this badge' : me.detail);
    if (!ROLES.includes(me.body.role)) return this.warn(`${me.body.name} has the role ${me.body.role}; a handheld needs ${ROLES.join(' or ')}`);
    const others = this.outbox.posts.filter((x) => x.client !== me.body.name).length;
    if (others) this.said = `${others} that somebody else has not sent yet; they go when that one signs in here`;
    const person = me.body.role === 'device' ? '' : me.body.name;
    this.enter({ name: me.body.name, role: me.body.role, person, token });
  }

  // -------------------------------------------------------------------------------------------------- next task

  /** See what there is, and take some of it if that is wanted. */
  async look() {
    if (!this.me?.person || this.flow || this.asking) return;
    this.asking = true;
    const seen = await call('GET', `/v1/hands/kinds?person=${encodeURIComponent(this.me.person)}`);
    this.outbox.connected = seen.kind !== 'lost';
    if (seen.kind === 'unknown') this.signOut('Sign in again');
    if (seen.kind === 'done') {
      this.kinds = seen.body;
      const some = this.kinds.some((k) => this.chosen.includes(k.kind) && k.open > 0);
      // an earlier request may have been taken without our hearing of it: its key says which
      if (this.wanting && (some || kept('next')) && !this.outbox.first()) await this.next('');
    }
    this.asking = false;
    this.requestUpdate();
  }

  /** @param {string} scan only a task that this names; '': the best one */
  async next(scan) {
    const me = /** @type {Identity} */ (this.me);
    const asked = kept('next') ?? { key: fresh(), body: { kinds: this.chosen, person: me.person, scan } };
    keep('next', asked);
    const got = await call('POST', '/v1/hands/next', asked.body, asked.key);
    if (got.kind === 'lost' || this.flow) return; // by its key it is given again
    keep('next', null);
    if (got.kind === 'done' && got.body) return this.start(got.body);
    if (got.kind !== 'done') {
      this.wanting = false;
      keep('wanting', false);
      this.warn(got.detail);
    } else if (scan) this.warn(`There is no open task of your kinds for ${scan}`);
  }

  /** @param {any} task */
  start(task) {
    this.put(begin('task', this.called(task), task.asks, task));
    this.say('', 'note');
  }

  /** @param {any} task */
  called(task) {
    const what = task.name || task.item;
    return [task.kind.replaceAll('_', ' '), task.ref, what].filter((x) => x).join(' · ');
  }

  /** @param {import('./flow.js').Flow | null} flow */
  put(flow) {
    this.flow = flow;
    keep('flow', flow);
    keep('flowOf', flow && this.me ? this.me.name : null);
    this.requestUpdate();
  }

  /** More time, while it is in hand. */
  async renew() {
    const task = this.flow?.task;
    if (!task || !this.me) return;
    const got = await call('POST', `/v1/hands/${task.id}/lease`, { person: this.me.person }, fresh());
    if (got.kind === 'refused' && this.flow?.task?.id === task.id) this.gone(task.id, got.detail);
    else if (got.kind === 'done' && got.body.attempt !== task.attempt && this.flow?.task?.id === task.id) {
      this.put({ .../** @type {import('./flow.js').Flow} */ (this.flow), task: got.body });
    }
  }

  /** @param {string} id @param {string} why */
  gone(id, why) {
    if (this.flow?.task?.id === id) this.put(null);
    this.warn(`This task is not yours any more: ${why}`);
  }

  // ------------------------------------------------------------------------------------------------ what is typed

  /** @param {SubmitEvent} e */
  submit(e) {
    e.preventDefault();
    const field = /** @type {HTMLInputElement} */ (this.querySelector('[data-field]'));
    const text = field.value;
    field.value = '';
    if (this.trouble) return this.dismiss();
    this.tone = '';
    if (!this.me) void this.typedName(text);
    else if (!this.me.person) this.typedPerson(text);
    else if (this.flow) this.typedAnswer(text);
    else this.typedMenu(text.trim());
    this.requestUpdate();
  }

  dismiss() {
    this.trouble = '';
    this.requestUpdate();
  }

  /** @param {string} text */
  async typedName(text) {
    if (this.named) {
      const name = this.named;
      this.named = '';
      await this.signIn(name, text);
    } else if (text.trim().length >= 32) await this.signIn(text.trim(), '');
    else this.named = text.trim();
    this.requestUpdate();
  }

  /** @param {string} text */
  typedPerson(text) {
    const person = text.trim().slice(0, 64);
    if (person && this.me) this.enter({ ...this.me, person });
  }

  /** @param {string} text */
  typedMenu(text) {
    if (text === '' && this.chosen.length) {
      this.want(!this.wanting);
    } else if (text === '0') this.beginMove();
    else if (/^\d{1,2}$/.test(text) && this.kinds[Number(text) - 1]) this.toggle(this.kinds[Number(text) - 1].kind);
    else if (text === '') this.warn('Choose what you do first: type its number and press Enter');
    else void this.next(text).then(() => this.requestUpdate());
  }

  /** @param {boolean} wanting */
  want(wanting) {
    this.wanting = wanting;
    keep('wanting', wanting);
    this.say('', 'note');
    if (wanting) void this.look();
  }

  /** @param {string} kind */
  toggle(kind) {
    this.chosen = this.chosen.includes(kind) ? this.chosen.filter((x) => x !== kind) : [...this.chosen, kind];
    keep('kinds', this.chosen);
    this.say('', 'step');
  }

  /** @param {string} text */
  typedAnswer(text) {
    const flow = /** @type {import('./flow.js').Flow} */ (this.flow);
    const step = current(flow);
    if (!step) return text.trim() ? this.warn('Everything is answered: press Enter to confirm') : this.confirm();
    const outcome = answer(flow, text);
    if (outcome.flow === undefined) return this.warn(outcome.refusal);
    this.put(outcome.flow);
    this.say('', 'step');
    if (flow.type === 'skip' && !current(outcome.flow)) this.confirm();
    else if (flow.type === 'move' && step.field === 'source') this.left(String(outcome.flow.answers.source));
  }

  // ------------------------------------------------------------------------------------------------------- done

  /** All is answered: keep it, send it, go on. */
  confirm() {
    const flow = /** @type {import('./flow.js').Flow} */ (this.flow), me = /** @type {Identity} */ (this.me);
    const { answers, task } = flow;
    if (flow.type === 'move') {
      const { source, target, ...rest } = answers;
      if (rest.item === undefined) {
        this.outbox.add(`/v1/units/${encodeURIComponent(source)}/move`, { into: target, reason: `by ${me.person}` }, `move ${source}`, flow);
      } else this.outbox.add('/v1/hands/moves', { from: source, to: target, person: me.person, ...rest }, `move ${rest.item}`, flow);
    } else if (flow.type === 'skip') {
      this.outbox.add(`/v1/hands/${task.id}/release`, { attempt: task.attempt, reason: answers.reason }, flow.title);
    } else {
      this.outbox.add(`/v1/hands/${task.id}/confirm`, { attempt: task.attempt, person: me.person, ...answers }, flow.title, flow);
    }
    this.contents = [];
    this.put(null);
  }

  /** @param {{ post: import('./outbox.js').Post, answer: import('./central.js').Answer }} told */
  posted({ post, answer: { body } }) {
    if (post.path.endsWith('/undo')) {
      this.last = null;
      this.say(`Taken back: ${post.title}`, 'done');
    } else if (post.path.endsWith('/release')) this.say('Given back', 'done');
    else if (post.path.startsWith('/v1/units/')) this.say(`Done: ${post.title}`, 'done');
    else {
      this.last = { id: body.id, title: post.title };
      this.say(`Done: ${post.title}${body.done_qty === null ? '' : ` · ${body.done_qty}`}`, 'done');
    }
    keep('last', this.last);
    void this.look();
  }

  /** @param {{ post: import('./outbox.js').Post, answer: import('./central.js').Answer }} told */
  async refused({ post, answer: said }) {
    const { flow } = post;
    let again = null;
    if (flow?.type === 'move') again = begin('move', flow.title, toCarry());
    else if (flow) {
      const now = await call('GET', `/v1/hands/${flow.task.id}`);
      const ours = now.kind === 'done' && now.body.attempt === flow.task.attempt && now.body.state === 'leased';
      if (ours) again = begin('task', flow.title, now.body.asks, now.body);
    }
    if (again && !this.flow) this.put(again);
    this.warn(`${post.title}: ${said.detail}`);
  }

  // ------------------------------------------------------------------------------------------- on the side

  beginMove() {
    this.put(begin('move', 'move', toCarry()));
    this.say('', 'note');
  }

  /** Where goods are taken from is known: a pallet may be carried as a whole. @param {string} place */
  left(place) {
    const flow = /** @type {import('./flow.js').Flow} */ (this.flow);
    if (/^\d{18}$/.test(place)) {
      const asks = flow.asks.map((a) => (a.field === 'item' ? { ...a, label: 'Item, or Enter: the whole pallet', optional: true } : a));
      this.put({ ...flow, asks });
    }
    void this.lookInto(place);
  }

  /** What the books have there, as help; without a connection there is none. @param {string} place */
  async lookInto(place) {
    const found = await within(place);
    if (!found || this.flow?.type !== 'move' || this.flow.answers.source !== place) return;
    this.contents = found.lines;
    if (this.flow.step === 1) this.put({ ...this.flow, asks: asked(this.flow.asks, found) });
    this.requestUpdate();
  }

  skip() {
    const task = this.flow?.task;
    if (this.flow?.type !== 'task' || !task) return;
    const why = ask('reason', { label: 'Why do you give it back?', type: 'choice', options: SKIP });
    this.put(begin('skip', this.flow.title, [why], task));
  }

  none() {
    if (this.trouble || !this.flow || !mayBeEmpty(this.flow)) return;
    this.put(empty(this.flow));
    this.say('Nothing there', 'step');
  }

  toggleKeyboard() {
    this.keyboard = !this.keyboard;
    keep('keyboard', this.keyboard);
    this.requestUpdate();
  }

  undo() {
    if (!this.last || this.flow) return;
    this.outbox.add(`/v1/hands/${this.last.id}/undo`, { reason: 'taken back at the handheld' }, this.last.title);
    this.last = null;
    keep('last', null);
  }

  escape() {
    if (this.trouble) return this.dismiss();
    this.named = '';
    if (this.flow) {
      const before = back(this.flow);
      if (before) this.put(before);
      else if (this.flow.type === 'skip') this.put(begin('task', this.flow.title, this.flow.task.asks, this.flow.task));
      else if (this.flow.type === 'move') this.put(null);
      else this.skip();
    } else if (this.wanting) this.want(false);
    this.requestUpdate();
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    /** @type {Record<string, () => void>} */
    const keys = { Escape: () => this.escape(), F2: () => this.skip(), F3: () => this.none(), F4: () => this.undo(), F8: () => this.leave(), F9: () => this.toggleKeyboard() };
    const does = keys[e.key];
    if (does) {
      e.preventDefault();
      does();
    } else if (e.key.length === 1 && !e.ctrlKey && !e.altKey && !e.metaKey) {
      // what a scanner types goes into the field, wherever the focus is
      const field = /** @type {HTMLInputElement | null} */ (this.querySelector('[data-field]'));
      if (field && document.activeElement !== field && e.key !== ' ') field.focus();
    }
  }

  render() {
    const waiting = this.outbox.posts.length;
    return html`
      <header>
        <b>${this.me ? this.me.person || this.me.name : 'Floorplane'}</b>
        ${waiting ? html`<span class="waiting" data-waiting=${waiting}>${waiting} not sent yet</span>` : nothing}
        <span class="link" data-link=${this.outbox.connected ? 'up' : 'down'}>${this.outbox.connected ? 'connected' : 'no connection'}</span>
      </header>
      <form @submit=${this.submit} data-screen=${this.trouble ? 'trouble' : !this.me ? 'signin' : this.flow ? this.flow.type : 'menu'}>
        ${this.trouble ? drawTrouble(this) : !this.me || !this.me.person ? drawSignIn(this) : this.flow ? drawSteps(this, this.flow) : drawMenu(this)}
      </form>
      <p class="said" role="status" data-tone=${this.tone}>${this.said}</p>`;
  }
}
customElements.define('fp-handheld', FpHandheld);
