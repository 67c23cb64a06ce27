// <fp-doors>: the doors' day as a picture: a row a door, a bar an appointment, a line where the clock stands.
import { html, nothing, svg } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { Part } from '../part.js';

/** @typedef {import('../types.js').Appointment} Appointment */
const HOUR_MS = 3_600_000;
const LEFT = 84;
const ROW = 34;
const TOP = 22;
const WIDTH = 1200;

class FpDoors extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['tick']);
  static properties = { docks: { attribute: false }, appointments: { attribute: false }, day: { attribute: false } };

  constructor() {
    super();
    /** @type {string[]} */
    this.docks = [];
    /** @type {Appointment[]} */
    this.appointments = [];
    /** Midnight (UTC) that the day begins with, in milliseconds. */
    this.day = 0;
  }

  /** @param {number} at_ms */
  x(at_ms) {
    const part = (at_ms - this.day) / (24 * HOUR_MS);
    return LEFT + Math.min(1, Math.max(0, part)) * (WIDTH - LEFT - 6);
  }

  render() {
    if (!this.docks.length) return html`<p class="none">No door is known yet. A supervisor adds one above; the master data may (PUT /v1/places/…, of the kind “dock”).</p>`;
    const height = TOP + this.docks.length * ROW + 4;
    const now = floor.clock.now();
    const here = now >= this.day && now < this.day + 24 * HOUR_MS;
    return html`<svg class="doors" viewBox="0 0 ${WIDTH} ${height}" role="img"
        aria-label="${this.appointments.length} appointments at ${this.docks.length} doors">
      ${Array.from({ length: 25 }, (_, h) => svg`<line class="hour" x1=${this.x(this.day + h * HOUR_MS)} x2=${this.x(this.day + h * HOUR_MS)} y1=${TOP} y2=${height}></line>
        ${h % 2 || h === 24 ? nothing : svg`<text class="label" x=${this.x(this.day + h * HOUR_MS)} y="14">${String(h).padStart(2, '0')}:00</text>`}`)}
      ${this.docks.map((dock, row) => svg`<g data-door=${dock}>
        <text class="door" x="8" y=${TOP + row * ROW + 21}>${dock}</text>
        <line class="row" x1="0" x2=${WIDTH} y1=${TOP + (row + 1) * ROW} y2=${TOP + (row + 1) * ROW}></line>
        ${this.appointments.filter((a) => a.dock === dock).map((a) => this.bar(a, row))}</g>`)}
      ${here ? svg`<line class="now" x1=${this.x(now)} x2=${this.x(now)} y1=${TOP - 6} y2=${height}></line>` : nothing}</svg>`;
  }

  /** @param {Appointment} a @param {number} row */
  bar(a, row) {
    const [x, end] = [this.x(Date.parse(a.from)), this.x(Date.parse(a.to))];
    const late = a.state === 'booked' && Date.parse(a.from) < floor.clock.now();
    const name = a.asn ?? (a.carrier || a.id);
    const told = `${a.direction === 'in' ? 'In' : 'Out'}: ${name}, ${a.carrier} ${a.vehicle} ${a.from.slice(11, 16)} to ${a.to.slice(11, 16)} UTC, ${late ? 'late' : a.state}`;
    return svg`<g class="visit ${a.state} ${a.direction} ${late ? 'late' : ''}" data-appointment=${a.id} @click=${() => this.dispatchEvent(new CustomEvent('visit', { detail: a }))}><title>${told}</title>
      <rect x=${x} y=${TOP + row * ROW + 5} width=${Math.max(2, end - x - 1)} height=${ROW - 10} rx="4"></rect>
      ${end - x > 40 ? svg`<text x=${x + 6} y=${TOP + row * ROW + 21}>${name.slice(0, Math.floor((end - x) / 7.5))}</text>` : nothing}</g>`;
  }
}
customElements.define('fp-doors', FpDoors);
