// <fp-shared-pods>: which totes at the stations want something from the same pod, so that one visit serves several of them.
import { html, nothing, svg } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { some } from '../format.js';
import { Part } from '../part.js';

const CELL = 22;
const LEFT = 150;
const TOP = 64;
const MOST_PODS = 40;

class FpSharedPods extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['fleet', 'site', 'tasks']);

  render() {
    const stations = (floor.view?.stations ?? []).filter((s) => s.totes.some(Boolean));
    const totes = stations.flatMap((s) => s.totes.filter((t) => t !== null).map((tote) => ({ tote: /** @type {string} */ (tote), station: s.id, pod: s.pod })));
    const podOf = pods();
    /** @type {Map<string, Map<string, number>>} Open picks by pod and tote. */
    const wants = new Map();
    const here = new Set(totes.map((t) => t.tote));
    for (const task of floor.tasks.values()) {
      if (task.kind !== 'pick' || !task.bin || !here.has(task.tote) || !['released', 'started', 'waiting'].includes(task.state)) continue;
      const pod = podOf.get(task.bin) ?? task.bin;
      const of = wants.get(pod) ?? new Map();
      wants.set(pod, of.set(task.tote, (of.get(task.tote) ?? 0) + 1));
    }
    const all = [...wants].sort((a, b) => b[1].size - a[1].size || (a[0] < b[0] ? -1 : 1));
    const order = all.slice(0, MOST_PODS);
    const picks = all.reduce((sum, [, of]) => sum + [...of.values()].reduce((a, b) => a + b, 0), 0);
    const shared = all.filter(([, of]) => of.size > 1).length;
    return html`<div class="panel"><h2>Which orders share a pod <small>${picks ? `${some(picks, 'open pick')} from ${some(all.length, 'pod')}, ${shared} of them for several totes` : 'totes that stand at the stations, and the pods they wait for'}</small></h2>
      ${order.length ? html`<div class="wide-picture">${matrix(totes, order)}</div>${all.length > order.length ? html`<p class="dim pad">The ${order.length} pods that most totes share are drawn.</p>` : nothing}` : html`<p class="none">No tote at a station waits for a pick.</p>`}</div>`;
  }
}

/** @param {{tote: string, station: string, pod: string | null}[]} totes @param {[string, Map<string, number>][]} order */
function matrix(totes, order) {
  const [wide, high] = [LEFT + order.length * CELL + 12, TOP + totes.length * CELL + 8];
  const x = (/** @type {number} */ k) => LEFT + k * CELL + CELL / 2;
  const y = (/** @type {number} */ n) => TOP + n * CELL + CELL / 2;
  return html`<svg class="plan shares" data-picture="shares" viewBox=${`0 0 ${wide} ${high}`} width=${wide} height=${high} role="img" aria-label=${order.map(([pod, of]) => `${pod} for ${[...of.keys()].join(' and ')}`).join('; ').slice(0, 600)}>
    ${totes.map((t, n) => svg`<text class="plan-row" x="6" y=${y(n)}>${totes[n - 1]?.station === t.station ? '' : t.station}</text><text x="44" y=${y(n) + 4}>${t.tote.slice(0, 15)}</text><line class="plan-grid" x1="40" x2=${wide} y1=${y(n) + CELL / 2} y2=${y(n) + CELL / 2}></line>`)}
    ${order.map(([pod, of], k) => {
      const rows = totes.flatMap((t, n) => (of.has(t.tote) ? [n] : []));
      const there = totes.some((t) => t.pod === pod);
      return svg`<g class=${`pod ${of.size > 1 ? 'shared' : ''} ${there ? 'there' : ''}`}><title>${`${pod}${there ? ', at a station now' : ''}: ${[...of].map(([tote, n]) => `${tote} ${n}`).join(', ')}`}</title>
        <text transform=${`rotate(-60 ${x(k)} ${TOP - 8})`} x=${x(k)} y=${TOP - 6}>${pod}</text>${rows.length > 1 ? svg`<line x1=${x(k)} x2=${x(k)} y1=${y(rows[0])} y2=${y(rows[rows.length - 1])}></line>` : nothing}
        ${rows.map((n) => svg`<circle cx=${x(k)} cy=${y(n)} r="6.5"></circle>`)}</g>`;
    })}</svg>`;
}

/** @returns {Map<string, string>} pod by bin */
function pods() {
  return new Map((floor.site?.pods ?? []).flatMap((pod) => (pod.bins ?? []).map((bin) => /** @type {[string, string]} */ ([bin.id, pod.id]))));
}
customElements.define('fp-shared-pods', FpSharedPods);
