// Asking before something is done: what it needs to know, and a reason that is kept in the audit; a refusal in words.
import { html, nothing, render } from '../vendor/lit.js';
import { Refused } from './rest.js';

/**
 * @typedef {{name: string, label: string, kind?: 'text' | 'number' | 'choice' | 'area' | 'moment' | 'utc', value?: string | number, options?: (string | [string, string])[],
 *   path?: string, min?: number, max?: number, optional?: boolean, hint?: string, list?: string[]}} Field
 * @typedef {{title: string, text: string, note?: string, action: string, danger?: boolean}} Asked
 * @typedef {Record<string, any>} Values
 */

/**
 * Ask for a reason, do it, show a refusal in words; resolves to whether it was done.
 * @param {Asked & {suggestions?: string[], fields?: Field[], does: (reason: string, values: Values) => Promise<unknown>}} what
 * @returns {Promise<boolean>}
 */
export function askReason(what) {
  return ask({ ...what, reason: true, suggestions: what.suggestions ?? [], does: (values) => what.does(values.reason, values) });
}

/**
 * Ask for some fields, do it, show each refused field with its value and bound; resolves to whether it was done.
 * @param {Asked & {fields?: Field[], reason?: boolean, suggestions?: string[], does: (values: Values) => Promise<unknown>}} what
 * @returns {Promise<boolean>}
 */
export function ask(what) {
  const fields = what.fields ?? [];
  const dialog = document.createElement('dialog');
  dialog.setAttribute('aria-labelledby', 'ask-title');
  document.body.append(dialog);
  return new Promise((resolve) => {
    let done = false;
    let busy = false;
    /** @type {Error | null} */
    let refusal = null;
    const form = () => /** @type {HTMLFormElement} */ (dialog.querySelector('form'));
    const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (form().elements.namedItem(name));
    const draw = () => render(template(), dialog);
    const read = () => {
      /** @type {Values} */
      const values = {};
      for (const f of fields) {
        const typed = field(f.name).value.trim();
        if (typed !== '' || !f.optional) values[f.name] = f.kind === 'number' ? Number(typed) : f.kind === 'moment' ? new Date(typed).toISOString() : f.kind === 'utc' ? new Date(`${typed}Z`).toISOString() : typed;
      }
      if (what.reason) values.reason = field('reason').value.trim();
      return values;
    };
    const submit = async (/** @type {Event} */ e) => {
      e.preventDefault();
      const values = read();
      if (busy || (what.reason && !values.reason)) return;
      busy = true;
      refusal = null;
      draw();
      try {
        await what.does(values);
        done = true;
        dialog.close();
      } catch (error) {
        refusal = /** @type {Error} */ (error);
      }
      busy = false;
      draw();
      const wrong = fields.find((f) => blamed(refusal, f).length);
      if (wrong) field(wrong.name).focus();
    };
    const template = () => html`
      <form @submit=${submit}>
        <h2 id="ask-title">${what.title}</h2>
        <p>${what.text}</p>
        ${what.note ? html`<p class="note">${what.note}</p>` : nothing}
        ${fields.length ? html`<div class="fields">${fields.map((f, n) => one(f, n === 0, blamed(refusal, f)))}</div>` : nothing}
        ${what.reason ? html`<label class="field"><span>Reason (kept in the audit)</span>
          <textarea class="input" name="reason" maxlength="500" required ?autofocus=${!fields.length}></textarea></label>` : nothing}
        ${what.suggestions?.length ? html`<div class="chips">${what.suggestions.map((s) => html`<button type="button" class="chip"
            @click=${() => { field('reason').value = s; field('reason').focus(); }}>${s}</button>`)}</div>` : nothing}
        ${refusal ? refused(refusal, fields) : nothing}
        <footer>
          <button type="button" class="button" @click=${() => dialog.close()}>Cancel</button>
          <button class="button ${what.danger ? 'danger' : 'primary'}" name="go" ?disabled=${busy}>${busy ? 'Asking …' : what.action}</button>
        </footer>
      </form>`;
    const gone = () => dialog.close(); // the page behind it is another one
    addEventListener('hashchange', gone);
    dialog.addEventListener('close', () => {
      removeEventListener('hashchange', gone);
      dialog.remove();
      resolve(done);
    });
    draw();
    dialog.showModal();
  });
}

/** @param {Field} f @param {boolean} first @param {Wrong[]} wrong */
function one(f, first, wrong) {
  const bad = wrong.length > 0;
  const said = bad ? `said-${f.name}` : nothing;
  const below = html`${f.hint ? html`<small class="dim">${f.hint}</small>` : nothing}
    ${bad ? html`<small class="refusal" role="alert" id=${said}>${wrong.map((e) => html`<span data-field=${e.field}>${told(e)}</span>`)}</small>` : nothing}`;
  const label = html`<span>${f.label}${f.optional ? html` <i class="dim">may be empty</i>` : nothing}</span>`;
  if (f.kind === 'choice') {
    return html`<label class="field"><span>${f.label}</span><select class="input" name=${f.name} ?autofocus=${first} aria-invalid=${bad} aria-describedby=${said}>
      ${(f.options ?? []).map((o) => (typeof o === 'string' ? [o, o] : o)).map(([value, name]) => html`<option value=${value} ?selected=${value === f.value}>${name}</option>`)}</select>${below}</label>`;
  }
  if (f.kind === 'area') {
    return html`<label class="field">${label}<textarea class="input mono" name=${f.name} rows="7" spellcheck="false" ?required=${!f.optional} ?autofocus=${first} aria-invalid=${bad} aria-describedby=${said} .defaultValue=${String(f.value ?? '')}></textarea>${below}</label>`;
  }
  const number = f.kind === 'number';
  const time = f.kind === 'moment' || f.kind === 'utc';
  return html`<label class="field">${label}<input class="input ${number || time ? '' : 'mono'}" name=${f.name} type=${number ? 'number' : time ? 'datetime-local' : 'text'} value=${f.value ?? ''}
    min=${f.min ?? nothing} max=${f.max ?? nothing} step=${number ? 1 : nothing} autocomplete="off" list=${f.list ? `list-${f.name}` : nothing}
    ?required=${!f.optional} ?autofocus=${first} aria-invalid=${bad} aria-describedby=${said}>
    ${f.list ? html`<datalist id=${`list-${f.name}`}>${f.list.map((o) => html`<option value=${o}></option>`)}</datalist>` : nothing}${below}</label>`;
}

/** @typedef {{field: string, value?: unknown, bound?: string}} Wrong */

/** What central says of this field: it names it by its path. @param {Error | null} refusal @param {Field} f @returns {Wrong[]} */
function blamed(refusal, f) {
  if (!(refusal instanceof Refused)) return [];
  return refusal.errors.filter((e) => e.bound && (e.field === f.path || e.field.split(/[./]/).at(-1) === f.name));
}

/** @param {Wrong} e */
const told = (e) => html`<b class="mono">${JSON.stringify(e.value ?? null)}</b> must be ${e.bound?.replaceAll('`', '')}`;

/** What central refused: beside its field what is one of the dialog's, else each by its name with value and bound, else its one sentence.
 * @param {Error} refusal @param {Field[]} [fields] Those that say it themselves. */
export function refused(refusal, fields = []) {
  const all = refusal instanceof Refused ? refusal.errors.filter((e) => e.bound) : [];
  const rest = all.filter((e) => !fields.some((f) => blamed(refusal, f).includes(e)));
  if (all.length && !rest.length) return nothing;
  return html`<div class="refusal" role="alert">${all.length
    ? html`<ul>${rest.slice(0, 8).map((e) => html`<li data-field=${e.field}><b class="mono">${e.field}</b> is ${told(e)}</li>`)}</ul>`
    : refusal.message}</div>`;
}
