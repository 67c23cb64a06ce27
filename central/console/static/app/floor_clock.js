// The floor's clock as heard: the floor of a simulation may run faster than the wall, so its pace is measured.

const SPAN_MS = 15_000;

export class FloorClock {
  constructor() {
    /** @type {{at: number, local: number}[]} */
    this._samples = [];
    this.pace = 1;
    /** A moment that somebody looks back at; null: time goes on. @type {number | null} */
    this.held = null;
  }

  /** @param {number} at Milliseconds since 1970 on the floor's clock. */
  heard(at) {
    const local = performance.now();
    const last = this._samples.at(-1);
    if (last && (at < last.at - 2000 || local - last.local > SPAN_MS)) this._samples = [];
    if (last && local - last.local < 200) return;
    this._samples.push({ at, local });
    while (local - this._samples[0].local > SPAN_MS) this._samples.shift();
    const first = this._samples[0];
    if (local - first.local > 2000) this.pace = (at - first.at) / (local - first.local);
  }

  /** The floor's time now, in ms since 1970; the browser's own before anything was heard. */
  now() {
    if (this.held !== null) return this.held;
    const last = this._samples.at(-1);
    return last ? last.at + (performance.now() - last.local) * this.pace : Date.now();
  }
}
