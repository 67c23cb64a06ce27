// <fp-inbound>: what comes in: the doors' day, ASNs with how much of them is here, and what is to be put away and why there.
import { html, nothing, repeat } from '../../vendor/lit.js';
import { ask, askReason } from '../dialog.js';
import { floor } from '../floor.js';
import { clock, moment, some, words } from '../format.js';
import { doHand } from '../hand_dialog.js';
import { Listing, stacked } from '../listing.js';
import { change, get, postOnce, tagOf } from '../rest.js';
import { may } from '../roles.js';
import './doors.js';

/** @typedef {import('../types.js').Asn} Asn */
/** @typedef {{line: number, item: string, qty: number, lot: string, expires: string | null, received: number, damaged: number}} AsnLine */
/** @typedef {Asn & {asn_lines: AsnLine[], units: {sscc: string, state: string, parent: string | null}[], receipts: {key: string, at: string, item: string, qty: number, status: string, why: string, place: string, actor: string}[]}} AsnDetail */
const DAY_MS = 86_400_000;

class FpInbound extends Listing {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['me', 'tick']);
  static events = ['floorplane.asn.*', 'floorplane.dock.*', 'floorplane.stock.*', 'floorplane.hands.*', 'floorplane.ledger.reversed'];
  static properties = { shift: { state: true }, all: { state: true } };

  constructor() {
    super();
    /** @type {Asn[] | null} */
    this.asns = null;
    /** @type {{code: string}[]} */
    this.docks = [];
    /** @type {import('../types.js').Appointment[]} */
    this.visits = [];
    /** @type {import('../types.js').Putaway[]} */
    this.putaway = [];
    /** Days from today. */
    this.shift = 0;
    this.all = false;
    this.dayRead = 0;
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    super.willUpdate(changed);
    if (this.asns && this.dayRead !== this.day()) this.soon(); // the floor's clock was heard of, or its day is over
  }

  day() {
    return Math.floor(floor.clock.now() / DAY_MS) * DAY_MS + this.shift * DAY_MS;
  }

  async read() {
    this.dayRead = this.day();
    const day = new Date(this.dayRead).toISOString().slice(0, 10);
    const [asns, docks, visits, putaway] = await Promise.all([
      get('/v1/asns', { newest: true, open: !this.all, limit: 200 }), get('/v1/docks'),
      get('/v1/appointments', { day }), get('/v1/putaway', { limit: 200 }),
    ]);
    this.asns = asns.items;
    this.docks = docks;
    this.visits = visits.filter((/** @type {any} */ a) => a.state !== 'cancelled');
    this.putaway = putaway.items;
  }

  /** @param {string} id @returns {Promise<AsnDetail>} */
  detailOf(id) {
    return get(`/v1/asns/${encodeURIComponent(id)}`);
  }

  /** @param {number} days */
  turn(days) {
    this.shift = days === 0 ? 0 : this.shift + days;
    void this.again();
  }

  /** @param {Asn} a @param {'arrive' | 'close'} what */
  async ask(a, what) {
    const texts = {
      arrive: { title: `${a.ref} is here`, text: 'Tasks to receive it are opened, one a line.', action: 'It is here', suggestions: ['the truck stands at the door'] },
      close: { title: `Close ${a.ref}`, text: `${a.received} of ${a.qty} pieces have come. The ERP is told what is short; nothing more is taken in.`, action: 'Close', danger: true, suggestions: ['the truck is empty'] },
    };
    await this.then(askReason({ ...texts[what], does: (reason) => postOnce(`/v1/asns/${encodeURIComponent(a.id)}/${what}`, { reason }) }));
  }

  /** @param {AsnDetail} a @param {AsnLine} line */
  receive(a, line) {
    const due = Math.max(0, line.qty - line.received);
    return this.then(ask({
      title: `Receive ${line.item}`, action: 'It is here', text: `Line ${line.line} of ${a.ref}: ${line.received} of ${line.qty} pieces have come. Free pieces get their way to a place at once.`,
      fields: [{ name: 'qty', label: 'Good pieces', kind: 'number', min: 0, value: due }, { name: 'damaged', label: 'Damaged pieces, besides', kind: 'number', min: 0, value: 0 },
        { name: 'lot', label: 'Lot', optional: true, value: line.lot, hint: 'As it is on the goods' }, { name: 'expires', label: 'Last day', optional: true, value: line.expires ?? '', hint: 'Such as 2026-12-30' },
        { name: 'place', label: 'Laid down at', optional: true, value: a.staging ?? '' }],
      does: (values) => postOnce(`/v1/asns/${encodeURIComponent(a.id)}/receive`, { ...values, line: line.line }),
    }));
  }

  /** @param {string} sscc @param {AsnDetail} a */
  receiveUnit(a, sscc) {
    return this.then(ask({ title: `Receive ${sscc}`, action: 'It is here, whole', text: 'All that was announced in it has come, with what stands in it.', does: () => postOnce(`/v1/asns/${encodeURIComponent(a.id)}/receive`, { unit: sscc }) }));
  }

  render() {
    const day = new Date(this.day());
    return html`<section class="view care"><header><h1>Inbound</h1>
      <div class="chips" role="group" aria-label="Day"><button class="chip" @click=${() => this.turn(-1)} aria-label="A day earlier">‹</button>
        <button class="chip" aria-pressed=${this.shift === 0} @click=${() => this.turn(0)}>${day.toLocaleDateString('en-GB', { weekday: 'short', day: '2-digit', month: 'short', timeZone: 'UTC' })}</button>
        <button class="chip" @click=${() => this.turn(1)} aria-label="A day later">›</button></div>
      <button class="chip" aria-pressed=${this.all} @click=${() => { this.all = !this.all; void this.again(); }}>closed ones too</button>
      <span class="end">${`${some(this.asns?.length ?? 0, 'ASN')}, ${this.putaway.length} to put away`}</span></header>
      <div class="page-body">${this.frame('', html`
        <div class="panel"><h2>Doors <small>UTC</small>${this.asns && !this.docks.length && may('place') ? html`<button class="button small end" data-do="door" @click=${() => this.door()}>Add a door …</button>` : nothing}${this.docks.length && may('dock_book') ? html`<button class="button small end" data-do="book" @click=${() => this.book()}>Book a door …</button>` : nothing}</h2>
          <fp-doors .docks=${this.docks.map((d) => d.code)} .appointments=${this.visits} .day=${this.day()} @visit=${(/** @type {CustomEvent} */ e) => this.move(e.detail)}></fp-doors>${this.appointments()}</div>
        <div class="panel"><h2>Announced <small>newest first</small></h2>${this.table()}</div>
        <div class="panel"><h2>To put away <small>and why there</small></h2>${this.tasks()}</div>`, this.detail(), '#/inbound')}</div></section>`;
  }

  /** The day's appointments by time, with what may be done with each. */
  appointments() {
    if (!this.visits.length) return nothing;
    const rows = [...this.visits].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : a.dock < b.dock ? -1 : 1));
    const at = (/** @type {string} */ iso) => new Date(iso).toISOString().slice(11, 16);
    return html`<table data-table="appointments"><thead><tr><th>Time</th><th>Door</th><th>Which way</th><th>Carrier</th><th>Vehicle</th><th>Brings</th><th>State</th><th></th></tr></thead>
      <tbody>${repeat(rows, (a) => a.id, (a) => html`<tr data-visit=${a.id} data-state=${a.state}><td>${at(a.from)} – ${at(a.to)}</td><td class="mono">${a.dock}</td><td>${a.direction}</td><td>${a.carrier || '–'}</td><td class="mono">${a.vehicle || '–'}</td>
        <td>${a.asn ? html`<a class="mono" href="#/inbound/${encodeURIComponent(a.asn)}">${a.asn}</a>` : '–'}</td><td><span class="pill ${a.state === 'left' ? 'done' : a.state === 'arrived' ? 'arrived' : ''}">${a.state}</span>${a.state === 'booked' && Date.parse(a.from) < floor.clock.now() ? html` <span class="warn-text">late</span>` : nothing}</td>
        <td class="actions">${may('dock') && a.state === 'booked' ? html`<button class="button small" data-do="arrive" @click=${() => this.step(a, 'arrive')}>Stands here …</button>` : nothing}
          ${may('dock') && a.state === 'arrived' ? html`<button class="button small" data-do="leave" @click=${() => this.step(a, 'leave')}>Has left …</button>` : nothing}
          ${may('dock_book') && a.state !== 'left' ? html`<button class="button small" data-do="move" @click=${() => this.move(a)}>Change …</button>` : nothing}
          ${may('dock_book') && a.state === 'booked' ? html`<button class="button small danger" data-do="cancel" @click=${() => this.step(a, 'cancel')}>Give up …</button>` : nothing}</td></tr>`)}</tbody></table>`;
  }

  /** @param {import('../types.js').Appointment} [a] The one that is changed. @returns {import('../dialog.js').Field[]} */
  times(a) {
    const begin = Math.max(this.day() + 6 * 3_600_000, Math.ceil(floor.clock.now() / 900_000) * 900_000);
    const typed = (/** @type {string | number} */ at) => new Date(at).toISOString().slice(0, 16);
    return [{ name: 'dock', label: 'Door', kind: 'choice', value: a?.dock, options: this.docks.map((d) => d.code) },
      { name: 'from', label: 'From (UTC)', kind: 'utc', value: typed(a?.from ?? begin) }, { name: 'to', label: 'To (UTC)', kind: 'utc', value: typed(a?.to ?? begin + 3_600_000), hint: 'the next one may come then' },
      { name: 'carrier', label: 'Carrier', value: a?.carrier ?? '', optional: true }, { name: 'vehicle', label: 'Vehicle', value: a?.vehicle ?? '', optional: true, hint: 'its number plate, or what else it is known by' }];
  }

  door() {
    return this.then(ask({ title: 'Add a door', action: 'Add it', text: 'A place where trucks stand.', fields: [{ name: 'code', label: 'Its name', value: 'dock-1' }], does: ({ code }) => change(`/v1/places/${encodeURIComponent(code)}`, { code, kind: 'dock' }, 'PUT', '') }));
  }

  book() {
    const open = (this.asns ?? []).filter((a) => a.state === 'expected' || a.state === 'arrived').map((a) => a.id);
    return this.then(ask({
      title: 'Book a door', action: 'Book it', text: 'No two stand at a door at a time.',
      fields: [...this.times(), { name: 'direction', label: 'Which way', kind: 'choice', options: [['in', 'in: it brings goods'], ['out', 'out: it takes goods']] }, { name: 'asn', label: 'The notice whose goods it brings', optional: true, list: open }],
      does: ({ dock, ...rest }) => postOnce(`/v1/docks/${encodeURIComponent(dock)}/appointments`, rest),
    }));
  }

  /** @param {import('../types.js').Appointment} a */
  async move(a) {
    if (!may('dock_book') || a.state === 'left' || a.state === 'cancelled') return;
    const path = `/v1/appointments/${encodeURIComponent(a.id)}`;
    const tag = await tagOf(path);
    await this.then(askReason({
      title: `Change ${a.carrier || a.asn || a.id}`, action: 'Change it', text: 'Another time, another door, or another vehicle. Somebody else’s change meanwhile is not overwritten.',
      fields: this.times(a), suggestions: ['late', 'door is blocked', 'asked for by the carrier'],
      does: (reason, values) => change(path, { carrier: '', vehicle: '', ...values, reason }, 'PATCH', tag),
    }));
  }

  /** @param {import('../types.js').Appointment} a @param {'arrive' | 'leave' | 'cancel'} to */
  step(a, to) {
    const says = { arrive: ['It stands at the door', 'The door is taken until it has left.', 'the truck stands at the door'], leave: ['It has left', 'What is left of its time is free for others.', 'the truck is empty'], cancel: ['Give it up', 'The door is free at that time.', 'it does not come'] }[to];
    return this.then(askReason({
      title: `${a.carrier || a.asn || a.id} at ${a.dock}`, action: says[0], text: says[1], danger: to === 'cancel', suggestions: [says[2]],
      does: (reason) => postOnce(`/v1/appointments/${encodeURIComponent(a.id)}/${to}`, { reason }),
    }));
  }

  detail() {
    /** @type {AsnDetail | null} */
    const a = this.shown;
    if (!a) return nothing;
    const open = a.state === 'expected' || a.state === 'arrived';
    const units = a.units.filter((u) => !u.parent);
    return html`<section><dl class="facts"><dt>Supplier</dt><dd>${a.supplier}</dd><dt>State</dt><dd>${words(a.state)}</dd><dt>Due</dt><dd>${moment(a.due)}</dd><dt>Lane</dt><dd class="mono">${a.staging ?? '–'}</dd></dl></section>
      <section><h3>Lines <span class="legend-inline"><i class="ok"></i>received <i class="damaged"></i>damaged</span></h3>${a.asn_lines.map((l) => html`<div class="line" data-line=${l.line}><b class="mono">${l.item}</b>
          <span class="soft">${l.received} of ${l.qty}${l.lot ? ` · lot ${l.lot}` : ''}</span>
          ${open && may('hands') ? html`<button class="button small" data-do="receive" @click=${() => this.receive(a, l)}>Receive …</button>` : nothing}
          ${stacked([['received', l.received - l.damaged, 'ok'], ['damaged', l.damaged, 'damaged']], l.qty)}</div>`)}</section>
      ${units.length ? html`<section><h3>Pallets and cartons</h3>${units.map((u) => html`<p><span class="mono">${u.sscc}</span> <span class="pill">${words(u.state)}</span>
        ${u.state === 'expected' && open && may('hands') ? html`<button class="button small" @click=${() => this.receiveUnit(a, u.sscc)}>Receive whole …</button>` : nothing}</p>`)}</section>` : nothing}
      <section><h3>What has come</h3>${a.receipts.length ? html`<table><tbody>${a.receipts.map((r) => html`<tr><td class="soft">${clock(r.at)}</td><td class="num">${r.qty}</td><td class="mono">${r.item}</td><td>${r.status === 'ok' ? '' : html`<span class="warn-text" title=${r.why}>${r.status}</span>`}</td><td class="mono">${r.place}</td><td class="soft">${r.actor}</td></tr>`)}</tbody></table>`
        : html`<p class="soft">Nothing yet. ${a.state === 'expected' ? 'Say when the truck is here; it opens a task a line.' : ''}</p>`}</section>
      ${open && may('hands') ? html`<section><h3>Actions</h3><div class="actions">${a.state === 'expected' ? html`<button class="button" @click=${() => this.ask(a, 'arrive')}>Is here …</button>` : nothing}
        <button class="button danger" @click=${() => this.ask(a, 'close')}>Close …</button></div></section>` : nothing}`;
  }

  table() {
    if (this.asns === null) return html`<p class="none">Reading …</p>`;
    if (!this.asns.length) return html`<p class="none">Nothing is announced. Suppliers’ notices come to POST /v1/asns.</p>`;
    return html`<table data-table="asns"><thead><tr><th>Reference</th><th>State</th><th>Supplier</th><th>Due</th><th>Received</th><th class="num">Lines</th><th class="away">Lane</th><th class="away"></th></tr></thead>
      <tbody>${repeat(this.asns, (a) => a.id, (a) => this.row(a))}</tbody></table>`;
  }

  /** @param {Asn} a */
  row(a) {
    const late = a.state === 'expected' && Date.parse(a.due) < floor.clock.now();
    const open = a.state === 'expected' || a.state === 'arrived';
    const short = a.state === 'closed' && a.received < a.qty;
    return html`<tr data-asn=${a.id} aria-selected=${a.id === this.chosen}><td><a class="mono" href="#/inbound/${encodeURIComponent(a.id)}">${a.ref}</a></td><td><span class="pill ${a.state === 'closed' ? (short ? 'short' : 'shipped') : a.state === 'arrived' ? 'picking' : a.state}">${words(a.state)}</span></td>
      <td>${a.supplier}</td><td class=${late ? 'warn-text' : 'soft'}>${moment(a.due)}${late ? ' late' : ''}</td>
      <td><progress class=${a.received >= a.qty ? 'done' : ''} max=${a.qty || 1} value=${a.received}></progress> ${a.received} / ${a.qty}
        ${a.damaged ? html`<span class="bad-text">${a.damaged} damaged</span>` : nothing} ${short ? html`<span class="warn-text">${a.qty - a.received} short</span>` : nothing}</td>
      <td class="num">${a.lines}</td><td class="mono soft away">${a.staging ?? '–'}</td>
      <td class="away">${open && may('hands') ? html`${a.state === 'expected' ? html`<button class="button small" @click=${() => this.ask(a, 'arrive')}>Is here …</button>` : nothing}
        <button class="button small" @click=${() => this.ask(a, 'close')}>Close …</button>` : nothing}</td></tr>`;
  }

  tasks() {
    if (!this.putaway.length) return html`<p class="none">Nothing waits on a lane.</p>`;
    return html`<table data-table="putaway"><thead><tr><th>Item</th><th>Lot</th><th class="num">Pieces</th><th>From</th><th>To</th><th>Why there</th><th></th></tr></thead>
      <tbody>${repeat(this.putaway, (t) => t.task, (t) => html`<tr data-task=${t.task}><td class="mono">${t.item ?? `unit ${t.source}`}</td><td class="mono soft">${t.lot || '–'}</td><td class="num">${t.qty}</td>
        <td class="mono">${t.source}</td><td class="mono">${t.target ?? html`<span class="warn-text">choose</span>`}</td>
        <td class="soft wrap" title=${(t.why.passed ?? []).map((p) => `${p.place}: ${p.why}`).join('\n')}>${t.why.because ?? ''}</td>
        <td>${may('hands') ? html`<button class="button small" data-do="putaway" @click=${() => this.then(doHand(t.task, `Put away ${t.item ?? `unit ${t.source}`}`))}>Done …</button>` : nothing}</td></tr>`)}</tbody></table>`;
  }
}
customElements.define('fp-inbound', FpInbound);
