// <fp-kits>: what kits are made of, how many could be made, and those that are being made or taken apart.
import { html, nothing, repeat } from '../../../vendor/lit.js';
import { ask, askReason } from '../../dialog.js';
import { moment, some, words } from '../../format.js';
import { doHand } from '../../hand_dialog.js';
import { change, get, postOnce, Refused } from '../../rest.js';
import { may } from '../../roles.js';
import { Listing, stacked } from '../../listing.js';

/**
 * @typedef {{item: string, qty: number}} Part
 * @typedef {{item: string, mode: 'explode' | 'build', parts: Part[], version: number, possible: number}} Kit
 * @typedef {{id: string, kit: string, way: string, qty: number, done: number, place: string, parts: Part[], state: string, task: string, made_by: string, made_at: string, closed_at: string | null}} Build
 */
const SHADES = /** @type {Record<string, string>} */ ({ open: 'released', done: 'done', cancelled: 'cancelled', undone: 'cancelled' });

class FpKits extends Listing {
  static events = ['floorplane.kit.*', 'floorplane.stock.*', 'floorplane.hands.*'];

  constructor() {
    super();
    /** @type {Kit[] | null} */
    this.kits = null;
    /** @type {Build[]} */
    this.builds = [];
  }

  async read() {
    const [kits, builds] = await Promise.all([get('/v1/kits', { limit: 200 }), get('/v1/kit-builds', { newest: true, limit: 100 })]);
    this.builds = builds.items;
    this.kits = kits.items;
  }

  /** @param {string} item */
  detailOf(item) {
    return get(`/v1/kits/${encodeURIComponent(item)}`);
  }

  /** @param {Kit} [kit] */
  recipe(kit) {
    return this.then(ask({
      title: kit ? `What ${kit.item} is made of` : 'A new kit', action: 'Keep', text: 'Orders and builds that are there already keep the parts they have.',
      fields: [...(kit ? [] : [{ name: 'item', label: 'The item that is a kit' }]),
        { name: 'mode', label: 'How', kind: 'choice', value: kit?.mode ?? 'build', options: [['build', 'made beforehand (a stock item)'], ['explode', 'picked part by part (a service item)']] },
        { name: 'parts', label: 'Parts', value: kit?.parts.map((p) => `${p.qty} ${p.item}`).join(', ') ?? '', hint: 'Pieces and item, with commas between: 2 screw-m4, 1 bracket' }],
      does: ({ item, mode, parts }) => change(`/v1/kits/${encodeURIComponent(kit?.item ?? item)}`, { mode, parts: partsOf(parts) }),
    }));
  }

  /** @param {Kit} kit @param {'build' | 'unbuild'} way */
  make(kit, way) {
    return this.then(ask({
      title: way === 'build' ? `Make ${kit.item}` : `Take ${kit.item} apart`, action: way === 'build' ? 'Have them made' : 'Have them taken apart',
      text: way === 'build' ? `${kit.possible} could be made of what is free now. A person gets the task; the parts go in and the kits come out in one step, or nothing does.` : 'A person gets the task; the kit goes in and its parts come out in one step.',
      fields: [{ name: 'qty', label: 'How many', kind: 'number', min: 1, value: 1 }, { name: 'place', label: way === 'build' ? 'Where the kits go' : 'Where the kits are' }],
      does: (values) => postOnce('/v1/kit-builds', { ...values, kit: kit.item, way }),
    }));
  }

  /** @param {Build} b @param {'cancel' | 'undo'} what */
  end(b, what) {
    return this.then(askReason({ title: what === 'undo' ? `Take back ${b.task}` : `Withdraw ${b.task}`, danger: true, action: what === 'undo' ? 'Take back' : 'Withdraw',
      text: what === 'undo' ? 'All of it is reversed, parts and kits, by rows that point back.' : 'Nobody will do it.', does: (reason) => postOnce(`/v1/hands/${encodeURIComponent(b.task)}/${what}`, { reason }) }));
  }

  render() {
    return this.frame(
      html`${may('cancel') ? html`<button class="button primary" data-do="kit" @click=${() => this.recipe()}>New kit …</button>` : nothing}<span class="soft">${this.kits ? `${some(this.kits.length, 'kit')}, ${this.builds.filter((b) => b.state === 'open').length} being made` : ''}</span>`,
      html`<div class="panel"><h2>Kits <small>and how many could be made now</small></h2>${this.table()}</div>
        <div class="panel"><h2>Made and taken apart <small>newest first</small></h2>${this.made(this.builds)}</div>`,
      this.detail(), '#/care/kits');
  }

  table() {
    if (this.kits === null) return html`<p class="none">Reading …</p>`;
    if (!this.kits.length) return html`<p class="none">No kit yet. A kit is an item that is made of others: beforehand, or as it is ordered.</p>`;
    return html`<table data-table="kits"><thead><tr><th>Kit</th><th>How</th><th>Parts</th><th class="num">Possible now</th></tr></thead>
      <tbody>${repeat(this.kits, (k) => k.item, (k) => html`<tr data-kit=${k.item} aria-selected=${k.item === this.chosen}><td><a class="mono" href="#/care/kits/${encodeURIComponent(k.item)}">${k.item}</a></td>
        <td class="soft">${k.mode === 'build' ? 'made beforehand' : 'picked part by part'}</td><td class="wrap">${k.parts.map((p) => html`<span class="part">${p.qty} × <span class="mono">${p.item}</span></span> `)}</td>
        <td class="num ${k.possible ? '' : 'warn-text'}">${k.possible}</td></tr>`)}</tbody></table>`;
  }

  /** @param {Build[]} builds */
  made(builds) {
    if (!builds.length) return html`<p class="none">None was made yet.</p>`;
    return html`<table data-table="builds"><thead><tr><th>Kit</th><th>Way</th><th>State</th><th>Done</th><th>At</th><th>Asked</th><th></th></tr></thead>
      <tbody>${repeat(builds, (b) => b.id, (b) => html`<tr data-build=${b.id} data-state=${b.state}><td><a class="mono" href="#/care/kits/${encodeURIComponent(b.kit)}">${b.kit}</a></td><td>${b.way === 'build' ? 'made' : 'taken apart'}</td>
        <td><span class="pill ${SHADES[b.state] ?? ''}">${words(b.state)}</span></td><td>${stacked([['done', b.done, 'ok']], b.qty)} ${b.done} / ${b.qty}</td><td class="mono">${b.place}</td><td class="soft" title=${`by ${b.made_by}`}>${moment(b.made_at)}</td>
        <td>${may('hands') && b.state === 'open' ? html`<button class="button small" data-do="build" @click=${() => this.then(doHand(b.task, `${b.way === 'build' ? 'Make' : 'Take apart'} ${b.kit}`))}>Done …</button>
          <button class="button small" @click=${() => this.end(b, 'cancel')}>Withdraw …</button>` : nothing}
          ${may('hands_any') && b.state === 'done' ? html`<button class="button small danger" @click=${() => this.end(b, 'undo')}>Take back …</button>` : nothing}</td></tr>`)}</tbody></table>`;
  }

  detail() {
    /** @type {Kit | null} */
    const k = this.shown;
    if (!k?.parts) return nothing;
    return html`<section><dl class="facts"><dt>How</dt><dd>${k.mode === 'build' ? 'made beforehand' : 'picked part by part as it is ordered'}</dd><dt>Possible</dt><dd>${k.possible} now</dd><dt>Version</dt><dd>${k.version}</dd></dl></section>
      <section><h3>Parts of one</h3><ul>${k.parts.map((p) => html`<li><b class="num">${p.qty}</b> × <span class="mono">${p.item}</span></li>`)}</ul></section>
      <section><h3>Actions</h3><div class="actions">
        ${may('hands') && k.mode === 'build' ? html`<button class="button" data-do="make" @click=${() => this.make(k, 'build')}>Make …</button><button class="button" @click=${() => this.make(k, 'unbuild')}>Take apart …</button>` : nothing}
        ${may('cancel') ? html`<button class="button" @click=${() => this.recipe(k)}>Change …</button>` : nothing}</div></section>`;
  }
}

/** @param {string} text Such as `2 screw, 1 bracket`. @returns {Part[]} */
function partsOf(text) {
  return text.split(',').map((part, n) => {
    const found = part.trim().match(/^(\d{1,5})\s*(?:×|x\s)?\s*(\S+)$/);
    if (!found) throw new Refused(422, '', [{ field: `parts/${n}/parts`, value: part.trim(), bound: 'pieces and an item, such as 2 bracket' }]);
    return { item: found[2], qty: Number(found[1]) };
  });
}
customElements.define('fp-kits', FpKits);
