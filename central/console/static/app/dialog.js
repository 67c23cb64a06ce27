// Asking before something is done: every command is given with a reason, which is kept in the audit.
import { html, nothing, render } from '../vendor/lit.js';
import { Refused } from './rest.js';

/**
 * Ask for a reason, do it, show a refusal in words; resolves to whether it was done.
 * @param {{title: string, text: string, note?: string, action: string, danger?: boolean, suggestions?: string[],
 *   does: (reason: string) => Promise<unknown>}} what
 * @returns {Promise<boolean>}
 */
export function askReason(what) {
  const dialog = document.createElement('dialog');
  dialog.setAttribute('aria-labelledby', 'ask-title');
  document.body.append(dialog);
  return new Promise((resolve) => {
    let done = false;
    let refusal = '';
    let busy = false;
    const form = () => /** @type {HTMLFormElement} */ (dialog.querySelector('form'));
    const field = () => /** @type {HTMLTextAreaElement} */ (form().elements.namedItem('reason'));
    const draw = () => render(template(), dialog);
    const submit = async (/** @type {Event} */ e) => {
      e.preventDefault();
      const reason = field().value.trim();
      if (!reason || busy) return;
      busy = true;
      refusal = '';
      draw();
      try {
        await what.does(reason);
        done = true;
        dialog.close();
      } catch (error) {
        refusal = error instanceof Refused ? error.message : String(error);
      }
      busy = false;
      draw();
    };
    const template = () => html`
      <form @submit=${submit}>
        <h2 id="ask-title">${what.title}</h2>
        <p>${what.text}</p>
        ${what.note ? html`<p class="note">${what.note}</p>` : nothing}
        <label class="field"><span>Reason (kept in the audit)</span>
          <textarea class="input" name="reason" maxlength="500" required autofocus></textarea></label>
        ${what.suggestions ? html`<div class="chips">${what.suggestions.map((s) => html`<button type="button" class="chip"
            @click=${() => { field().value = s; field().focus(); }}>${s}</button>`)}</div>` : nothing}
        ${refusal ? html`<p class="refusal" role="alert">${refusal}</p>` : nothing}
        <footer>
          <button type="button" class="button" @click=${() => dialog.close()}>Cancel</button>
          <button class="button ${what.danger ? 'danger' : 'primary'}" name="go" ?disabled=${busy}>${busy ? 'Asking …' : what.action}</button>
        </footer>
      </form>`;
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(done);
    });
    draw();
    dialog.showModal();
  });
}
