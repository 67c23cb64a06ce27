// <fp-stations>: work places: totes by slot, the pod that stands there, who comes next, picks that are open; then the chutes.
import { html, nothing } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { liftDoes, liftShade, riderOf } from '../map/levels.js';
import { Part } from '../part.js';
import { may } from '../roles.js';
import { askClosure } from './node_panel.js';
import './shared_pods.js';

class FpStations extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['fleet', 'site', 'standing']);

  connectedCallback() {
    super.connectedCallback();
    floor.readStanding().catch(() => {}); // shown again with the next reading; the header says when central is away
  }

  render() {
    const site = floor.site;
    if (!site) return html`<p class="none">Reading the site …</p>`;
    return html`<section class="view"><header><h1>Stations</h1><span class="end">${floor.view?.open_tasks ?? 0} tasks with the dispatcher</span></header>
      <div class="scroll"><div class="cards">
        ${site.stations.map((s) => this.station(s))}
        ${site.chutes.map((c) => this.chute(c))}
        ${(floor.view?.doors ?? []).map((d) => html`<article class="card"><header><b>${d.id}</b><span class="soft">fire door</span>
          <span class="end"><span class="pill ${d.state === 'open' ? 'good' : d.state === 'fault' ? 'error' : ''}">${d.state || 'not heard of'}</span></span></header></article>`)}
        ${(site.lifts ?? []).map((l) => this.lift(l))}
      </div>${site.stations.length ? html`<div class="inbound"><fp-shared-pods></fp-shared-pods></div>` : html`<p class="none">This site has no stations: its robots bring things from place to place. See <a href="#/transports">Transports</a>.</p>`}</div></section>`;
  }

  /** @param {import('../types.js').Station} s */
  station(s) {
    const v = floor.view?.stations.find((x) => x.id === s.id);
    return html`<article class="card" data-station=${s.id}><header><b>${s.id}</b><span class="soft">${s.kind === 'pick' ? 'picking' : 'receiving'}</span>
      <span class="end">${s.slots ? `${v?.open_picks ?? 0} open picks` : ''}</span></header>
      ${s.slots ? html`<div class="slots">${Array.from({ length: s.slots }, (_, i) => slot(i, v?.totes[i] ?? null))}</div>` : nothing}
      <dl class="facts"><dt>Pod</dt><dd class="mono">${v?.pod ?? html`<span class="dim">none</span>`}</dd>
        <dt>Robots</dt><dd>${v?.queue.length ? v.queue.map((r) => html`<a class="mono" href="#/robots/${r}">${r}</a> `) : html`<span class="dim">none on the way</span>`}</dd></dl>
      ${s.kind === 'pick' && may('station') ? html`<div class="actions">${v?.closed ? html`<span class="bad-text">out of service</span>` : nothing}<button class="button small" data-do=${v?.closed ? 'reopen' : 'close'} @click=${() => askClosure('stations', s.id, !!v?.closed)}>${v?.closed ? 'Put back …' : 'Take out of service …'}</button></div>` : nothing}</article>`;
  }

  /** @param {{id: string, nodes: string[]}} l */
  lift(l) {
    const now = floor.view?.lifts?.find((x) => x.id === l.id);
    const rider = riderOf(l.id);
    return html`<article class="card" data-lift=${l.id}><header><b>${l.id}</b><span class="soft">lift</span><span class="end"><span class="pill ${liftShade(now)}">${liftDoes(now)}</span></span></header>
      <dl class="facts"><dt>In it</dt><dd>${rider ? html`<a class="mono" href="#/robots/${rider.id}">${rider.id}</a>` : html`<span class="dim">nobody</span>`}</dd><dt>Stops</dt><dd>${l.nodes.map((n) => html`<a class="mono" href="#/nodes/${encodeURIComponent(n)}">${n}</a> `)}</dd></dl></article>`;
  }

  /** @param {import('../types.js').Chute} c */
  chute(c) {
    const here = floor.chutes[c.id] ?? [];
    return html`<article class="card"><header><b>${c.id}</b><span class="soft">chute and packing</span>
      <span class="end ${here.length >= c.capacity ? 'warn-text' : ''}">${here.length} of ${c.capacity}</span></header>
      <div class="slots four">${Array.from({ length: c.capacity }, (_, i) => slot(i, here[i] ?? null))}</div></article>`;
  }
}

/** @param {number} i @param {string | null} tote */
function slot(i, tote) {
  const order = tote?.match(/^T-(.+)-\d+$/)?.[1];
  return html`<div class="slot ${tote ? 'full' : ''}" title=${tote ?? 'empty'}>${i + 1}
    ${tote ? html`<a class="mono" href="#/orders/${encodeURIComponent(order ?? '')}">${tote}</a>` : nothing}</div>`;
}
customElements.define('fp-stations', FpStations);
