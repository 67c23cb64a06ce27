// What each screen looks like: a prompt, a field, and buttons that name their keys.
import { html, nothing } from '../vendor/lit.js';
import { current, mayBeEmpty } from './flow.js';

/** @typedef {import('./main.js').FpHandheld} Handheld */
/** @typedef {import('./flow.js').Ask} Ask */

/** The one field. @param {string} placeholder @param {{ mode?: string, secret?: boolean }} [more] */
const field = (placeholder, { mode = 'text', secret = false } = {}) => html`<input data-field type=${secret ? 'password' : 'text'}
  aria-label=${placeholder} placeholder=${placeholder} inputmode=${mode} autocomplete="off" autocapitalize="off" spellcheck="false">`;

/** @param {string} key @param {string} text @param {() => void} does @param {string} [looks] */
const button = (key, text, does, looks = '') => html`<button type="button" class=${looks} @click=${does}><kbd>${key}</kbd>${text}</button>`;

/** @param {Handheld} h */
export function drawTrouble(h) {
  return html`<div class="trouble" role="alert"><h1>Stop</h1><p>${h.trouble}</p></div>
    ${field('Enter to go on')}
    <nav><button class="primary"><kbd>Enter</kbd>I have read it</button></nav>`;
}

/** @param {Handheld} h */
export function drawSignIn(h) {
  const [title, hint, secret] = h.me ? ['Who are you?', 'Your name', false] : h.named ? [`Password of ${h.named}`, 'Password', true] : ['Scan your badge, or type your name', 'Badge or name', false];
  return html`<h1>${title}</h1>${field(String(hint), { secret: Boolean(secret) })}
    <nav><button class="primary"><kbd>Enter</kbd>Go on</button>${h.me ? button('F8', 'Sign out', () => h.leave()) : nothing}</nav>`;
}

/** What was chosen first, then what there is to do; each kind keeps its number. @param {Handheld} h */
function byUse(h) {
  const numbered = h.kinds.map((k, n) => /** @type {[typeof k, number]} */ ([k, n]));
  const rank = (/** @type {{ kind: string, open: number }} */ k) => (h.chosen.includes(k.kind) ? 0 : k.open ? 1 : 2);
  return numbered.sort(([a, n], [b, m]) => rank(a) - rank(b) || n - m);
}

/** @param {Handheld} h */
export function drawMenu(h) {
  const title = h.wanting ? (h.outbox.first() ? 'Sending what is done' : 'Waiting for work') : 'What do you do?';
  return html`<h1>${title}</h1>
    ${field('Number, or scan a place or a task', { mode: h.keyboard ? 'text' : 'none' })}
    <nav><button class="primary"><kbd>Enter</kbd>${h.wanting ? 'Stop' : 'Start'}</button></nav>
    <ol class="kinds">${byUse(h).map(([k, n]) => html`<li><button type="button" aria-pressed=${h.chosen.includes(k.kind)} data-kind=${k.kind}
      @click=${() => h.toggle(k.kind)}><kbd>${n + 1}</kbd>${k.kind.replaceAll('_', ' ')}<b>${k.open || ''}</b></button></li>`)}</ol>
    <nav>
      ${button('0', 'Move goods', () => h.beginMove())}
      ${h.last ? button('F4', `Take back: ${h.last.title}`, () => h.undo()) : nothing}
      ${button('F9', `Screen keyboard: ${h.keyboard ? 'on' : 'off'}`, () => h.toggleKeyboard())}
      ${button('F8', 'Sign out', () => h.leave())}
    </nav>`;
}

/** @param {Ask} step */
function prompt(step) {
  const hint = step.type === 'scan' ? 'Scan' : step.type === 'date' ? 'Day, like 270131' : step.type === 'choice' ? `1 to ${step.options.length}` : step.type === 'number' ? 'Number' : 'Text';
  const fallback = step.default !== null && step.default !== '' ? ` · Enter: ${step.default}` : step.optional ? ' · Enter: none' : '';
  return { hint: hint + fallback, mode: step.type === 'number' || step.type === 'choice' ? 'numeric' : 'text' };
}

/** @param {Handheld} h @param {import('./flow.js').Flow} flow */
export function drawSteps(h, flow) {
  const step = current(flow);
  const { hint, mode } = step ? prompt(step) : { hint: 'Enter to confirm', mode: 'none' };
  const { task } = flow;
  const about = task ? [task.lot && `lot ${task.lot}`, task.status !== 'ok' && task.status, task.due && `due ${task.due.slice(0, 16).replace('T', ' ')}`] : [];
  return html`<h2 data-task=${flow.task?.id ?? nothing}>${flow.title}</h2>
    ${about.some((x) => x) ? html`<p class="about">${about.filter((x) => x).join(' · ')}</p>` : nothing}
    <h1 data-step=${step ? step.field : 'confirm'}>${step ? step.label || step.field : 'Confirm?'}</h1>
    ${step?.show ? html`<p class="show">${step.show}</p>` : nothing}
    ${step?.type === 'number' && step.default !== null ? html`<p class="show">${step.default} ${step.field === 'qty' ? 'pieces' : ''}</p>` : nothing}
    ${field(hint, { mode: h.keyboard ? mode : 'none' })}
    ${step?.type === 'choice' ? html`<ol class="kinds">${step.options.map((x, n) => html`<li><button type="button"
      @click=${() => h.typedAnswer(String(n + 1))}><kbd>${n + 1}</kbd>${x}</button></li>`)}</ol>` : nothing}
    <nav><button class="primary"><kbd>Enter</kbd>${step ? 'Take' : 'Confirm'}</button>
      ${button('Esc', flow.step ? 'Back' : flow.type === 'task' ? 'Give back' : 'Leave', () => h.escape())}
      ${flow.type === 'task' && flow.step ? button('F2', 'Give back', () => h.skip()) : nothing}
      ${mayBeEmpty(flow) ? button('F3', 'Nothing there', () => h.none()) : nothing}</nav>
    <dl>${flow.asks.map((a, n) => html`<div data-answer=${a.field} class=${n < flow.step ? 'done' : n === flow.step ? 'now' : 'then'}>
        <dt>${a.label || a.field}</dt><dd>${n < flow.step ? flow.answers[a.field] ?? '—' : n > flow.step ? a.show : '…'}</dd></div>`)}
      ${task?.detail?.note ? html`<div class="note"><dt>Note</dt><dd>${task.detail.note}</dd></div>` : nothing}</dl>
    ${h.contents.length && flow.type === 'move' ? html`<ul class="contents">${h.contents.map((x) => html`<li>${x}</li>`)}</ul>` : nothing}`;
}
