// <fp-node>: one place of the road map: who is there, what may be closed, with a reason; the pods and doors that it has.
import { html, nothing } from '../../vendor/lit.js';
import { askReason } from '../dialog.js';
import { floor } from '../floor.js';
import { words } from '../format.js';
import { Part } from '../part.js';
import { post } from '../rest.js';
import { may } from '../roles.js';
import { askTransport, places } from './transports.js';

/** Close or open again. @param {'nodes' | 'edges' | 'stations'} what @param {string} id @param {boolean} closed Whether it is closed now. */
export function askClosure(what, id, closed) {
  const name = { nodes: 'place', edges: 'edge', stations: 'station' }[what];
  const text = {
    nodes: 'Nobody is sent over it; robots find a way around within one planning period. What is released to one already is still driven.',
    edges: 'Nobody drives it in this direction; what is released already is still driven.',
    stations: 'Totes that wait are planned for other stations; those that stand there are finished.',
  }[what];
  return askReason({
    title: `${closed ? 'Open' : 'Close'} ${name} ${id}`, text: closed ? 'Robots may use it again.' : text, action: closed ? 'Open again' : 'Close', danger: !closed,
    suggestions: closed ? ['way is free', 'repaired'] : ['something lies there', 'floor is wet', 'being repaired'], does: (reason) => post(`/v1/${what}/${encodeURIComponent(id)}/${closed ? 'reopen' : 'close'}`, { reason }),
  });
}

/** Pause or resume every robot on or on its way over some places. @param {string[]} nodes @param {string} name @param {boolean} pause */
export function askZone(nodes, name, pause) {
  return askReason({
    title: `${pause ? 'Pause' : 'Resume'} all in ${name}`, action: pause ? 'Pause them' : 'Resume them', danger: pause,
    text: pause ? `Every robot that stands on one of its ${nodes.length} places, or is on its way over one, stops.` : 'Those that were paused there go on.', note: pause ? 'This is not a safety function.' : undefined,
    suggestions: pause ? ['person in the zone', 'spill'] : ['zone is clear'], does: (reason) => post(`/v1/zones/${pause ? 'pause' : 'resume'}`, { nodes, reason }),
  });
}

class FpNode extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['fleet', 'site', 'standing', 'me']);
  static properties = { node: {} };

  constructor() {
    super();
    this.node = '';
  }

  /** @param {{from?: string, to?: string}} ends */
  async bring(ends) {
    const made = await askTransport(ends);
    if (made) location.hash = `#/transports/${encodeURIComponent(made)}`;
  }

  /** Pause or resume whoever is near, or on its way there: a zone as wide as somebody says. @param {import('../types.js').Node} n @param {boolean} pause */
  around(n, pause) {
    const near = (/** @type {number} */ far) => (floor.site?.layout.nodes ?? []).filter((x) => (x.level ?? '') === (n.level ?? '') && Math.hypot(x.x_m - n.x_m, x.y_m - n.y_m) <= far).map((x) => x.id);
    return askReason({
      title: `${pause ? 'Pause' : 'Resume'} all around ${n.id}`, action: pause ? 'Pause them' : 'Resume them', danger: pause, note: pause ? 'This is not a safety function.' : undefined,
      text: pause ? 'Every robot that stands so near, or is on its way there, stops; newcomers keep on. Close the place too if nobody may come.' : 'Those that were paused there go on.',
      fields: [{ name: 'far', label: 'So far around it, in metres', kind: 'number', min: 1, max: 500, value: 6 }],
      suggestions: pause ? ['person on the floor', 'spill'] : ['it is clear'], does: (reason, { far }) => post(`/v1/zones/${pause ? 'pause' : 'resume'}`, { nodes: near(far), reason }),
    });
  }

  render() {
    const site = floor.site;
    const n = site?.layout.nodes.find((x) => x.id === this.node);
    const head = html`<header><h2><a href="#/" title="All robots" aria-label="Back to all robots">←</a> <span class="mono">${this.node}</span> ${n ? html`<span class="pill">${words(n.kind ?? 'aisle')} ${site?.stations.find((s) => s.lane.at(-1) === n.id)?.id ?? Object.entries(site?.places ?? {}).filter(([name, at]) => at === n.id && name !== n.id).map(([name]) => name).join(', ')}</span>` : nothing}</h2></header>`;
    if (!site || !n) return html`${head}<p class="none">It is no place of this site's road map.</p>`;
    const closed = floor.view?.closed?.includes(n.id) ?? false;
    const edges = new Set(floor.view?.closed_edges ?? []);
    const there = [...floor.robots.values()].filter((r) => r.node === n.id);
    const waits = [...floor.robots.values()].filter((r) => r.wait?.some((w) => w.resource === n.id || w.resource === n.conflict));
    const pods = [...floor.pods].filter(([, at]) => at === n.id).map(([pod]) => pod);
    const robots = (/** @type {typeof there} */ all) => (all.length ? all.map((r) => html`<a class="mono" href="#/robots/${r.id}">${r.id}</a> `) : html`<span class="dim">none</span>`);
    return html`${head}
      <section><dl class="facts"><dt>At</dt><dd>${n.x_m.toFixed(1)}, ${n.y_m.toFixed(1)} m${n.level ? `, level ${n.level}` : ''}</dd><dt>Robot here</dt><dd>${robots(there)}</dd><dt>Waiting for it</dt><dd>${robots(waits)}</dd>
        <dt>Pod</dt><dd class="mono">${pods.join(', ') || html`<span class="dim">none</span>`}</dd>${n.door ? html`<dt>Door</dt><dd class="mono">${n.door}</dd>` : nothing}${n.lift ? html`<dt>Lift</dt><dd class="mono">${n.lift}</dd>` : nothing}
        ${n.conflict ? html`<dt>Shared with</dt><dd class="mono">${n.conflict}</dd>` : nothing}<dt>State</dt><dd>${closed ? html`<span class="bad-text">closed</span>` : 'open'}</dd></dl></section>
      ${may('node') ? html`<section><h3>Commands</h3><div class="actions"><button class="button ${closed ? '' : 'danger'}" data-do=${closed ? 'reopen' : 'close'} @click=${() => askClosure('nodes', n.id, closed)}>${closed ? 'Open again …' : 'Close …'}</button>
        <button class="button danger" data-do="pause-around" @click=${() => this.around(n, true)}>Pause all around …</button> <button class="button" @click=${() => this.around(n, false)}>Resume all around …</button></div></section>` : nothing}
      ${may('transport') && places().includes(n.id) ? html`<section><h3>Transports</h3><div class="actions"><button class="button" @click=${() => this.bring({ from: n.id })}>Bring something from here …</button> <button class="button" @click=${() => this.bring({ to: n.id })}>… to here</button></div></section>` : nothing}
      <section><h3>Ways from here</h3><ul class="ways">${site.layout.edges.filter((e) => e.start === n.id).map((e) => html`<li data-edge=${e.id}><a class="mono" href="#/nodes/${encodeURIComponent(e.end)}">→ ${e.end}</a>
        <small class="dim">${e.max_speed_mps ? `${e.max_speed_mps} m/s` : ''}${e.loaded === false ? ' empty only' : ''}</small>
        ${edges.has(e.id) ? html`<span class="bad-text">closed</span>` : nothing}
        ${may('edge') ? html`<button class="button small" @click=${() => askClosure('edges', e.id, edges.has(e.id))}>${edges.has(e.id) ? 'Open …' : 'Close …'}</button>` : nothing}</li>`)}</ul></section>`;
  }
}
customElements.define('fp-node', FpNode);
