// Who does what when: a row a person or station, a bar a batch, breaks between them, what is late in another colour.
import { html, svg } from '../../vendor/lit.js';
import { hours } from './frame.js';

const WIDE = 1120;
const LEFT = 96;
const HIGH = 26;

/**
 * @typedef {{row: string, id: string, begin_s: number, end_s: number, due_s?: number | null, late_s?: number}} Bar
 * @param {{rows: string[], begin_s: number, end_s: number, bars: Bar[], breaks?: {row: string, begin_s: number, end_s: number}[]}} shown
 */
export function gantt(shown) {
  const scale = (WIDE - LEFT - 12) / Math.max(1, shown.end_s - shown.begin_s);
  const x = (/** @type {number} */ s) => LEFT + (s - shown.begin_s) * scale;
  const row = new Map(shown.rows.map((name, n) => [name, n * HIGH + 22]));
  const y = (/** @type {string} */ name) => row.get(name) ?? 0;
  const step = [300, 900, 1800, 3600, 7200, 14400].find((s) => (shown.end_s - shown.begin_s) / s <= 14) ?? 28800;
  const times = [];
  for (let s = Math.ceil(shown.begin_s / step) * step; s <= shown.end_s; s += step) times.push(s);
  const bottom = shown.rows.length * HIGH + 24;
  const late = shown.bars.filter((b) => b.late_s).length;
  return html`<div class="wide-picture"><svg class="plan" data-picture="gantt" viewBox="0 0 ${WIDE} ${bottom + 6}" role="img" aria-label=${`${shown.bars.length} bars of ${shown.rows.length} rows, ${late} late`}>
    ${times.map((s) => svg`<line class="plan-grid" x1=${x(s)} x2=${x(s)} y1="18" y2=${bottom}></line><text x=${x(s)} y="12" text-anchor="middle">${hours(s)}</text>`)}
    ${shown.rows.map((name) => svg`<text class="plan-row" x="6" y=${y(name) + HIGH / 2 + 1}>${name.slice(0, 13)}</text><line class="plan-grid" x1="0" x2=${WIDE} y1=${y(name) + HIGH - 2} y2=${y(name) + HIGH - 2}></line>`)}
    ${(shown.breaks ?? []).map((b) => svg`<rect class="plan-break" x=${x(b.begin_s)} y=${y(b.row)} width=${(b.end_s - b.begin_s) * scale} height=${HIGH - 5} rx="2"><title>${`${b.row} rests from ${hours(b.begin_s)} to ${hours(b.end_s)}`}</title></rect>`)}
    ${shown.bars.map((b) => {
      const wide = Math.max(1.5, (b.end_s - b.begin_s) * scale - 1.5);
      const told = `${b.id}: ${b.row}, ${hours(b.begin_s)} to ${hours(b.end_s)}${b.due_s === undefined || b.due_s === null ? '' : `, due ${hours(b.due_s)}`}${b.late_s ? `, ${hours(b.late_s)} late` : ''}`;
      return svg`<g class=${b.late_s ? 'plan-bar late' : 'plan-bar'}><title>${told}</title><rect x=${x(b.begin_s)} y=${y(b.row)} width=${wide} height=${HIGH - 5} rx="3"></rect>
        ${wide > 26 ? svg`<text x=${x(b.begin_s) + 5} y=${y(b.row) + HIGH / 2 + 1}>${b.id.slice(0, Math.floor(wide / 7))}</text>` : ''}</g>`;
    })}</svg></div>
    <p class="key"><i class="plan-key good"></i>in time <i class="plan-key warn"></i>${late} late ${shown.breaks?.length ? html`<i class="plan-key rest"></i>break` : ''}</p>`;
}
