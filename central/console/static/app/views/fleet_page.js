// <fp-fleet-page>: what holds robots up, what is closed, how each maker departs from VDA 5050, and messages that nobody could read.
import { html, nothing, repeat } from '../../vendor/lit.js';
import { floor } from '../floor.js';
import { Part } from '../part.js';
import { age, clock, count, moment, percent, some, words } from '../format.js';
import { get } from '../rest.js';
import { may } from '../roles.js';
import { causes } from '../waits.js';
import { doing } from './fleet_list.js';
import { askClosure, askZone } from './node_panel.js';
import { askRobot, commandsOf } from './robot_panel.js';

/** @type {Record<string, string>} */
const SHORT = { pause: 'Pause', resume: 'Resume', charge: 'Charge', cancel: 'Cancel order', reassign: 'Reassign', retire: 'Retire', return: 'Return', adopt: 'Adopt', forget: 'Forget' };

class FpFleetPage extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['fleet', 'site', 'tick', 'me']);

  constructor() {
    super();
    /** @type {{robot: string, manufacturer: string, serial: string, adopted_at: string, adopted_by: string, reason: string}[]} */
    this.adopted = [];
    this.read = '';
  }

  /** Who was adopted is read again whenever somebody comes or goes. */
  async readAdopted() {
    const there = (floor.view?.robots ?? []).map((r) => `${r.id}${r.state === 'new' ? ' new' : ''}`).join();
    if (there === this.read) return;
    this.read = there;
    const page = await get('/v1/adoptions', { limit: 500 }).catch(() => null); // central is away: the header says so
    if (page) this.adopted = page.items;
    else this.read = '';
    this.requestUpdate();
  }

  updated() {
    void this.readAdopted();
  }

  render() {
    const view = floor.view;
    const robots = view?.robots ?? [];
    const fresh = robots.filter((r) => r.state === 'new');
    return html`<section class="view"><header><h1>Fleet</h1><span class="end">${some(robots.length, 'robot')}${fresh.length ? html`, <b>${fresh.length} not adopted yet</b>` : nothing}</span></header>
      <div class="scroll"><div class="inbound">
        ${fresh.length ? html`<div class="panel"><h2>New <small>they spoke, and get work once somebody adopts them</small></h2><table data-table="new"><tbody>${fresh.map((r) => html`<tr><td><a class="mono" href="#/robots/${r.id}">${r.id}</a></td><td>${r.manufacturer} ${r.series ?? ''}</td><td class="soft">${r.version ? `VDA 5050 ${r.version}` : ''}</td><td class="mono soft">${r.node ?? ''}</td>
          <td class="actions">${commandsOf(r).map((name) => html`<button class="button small primary" data-command=${name} @click=${() => askRobot(name, r.id)}>Adopt …</button>`)}</td></tr>`)}</tbody></table></div>` : nothing}
        <div class="panel"><h2>What holds robots up <small>the cause that keeps most waiting first</small></h2>${this.causes()}</div>
        <div class="panel"><h2>Closed <small>by people, or where robots got stuck time and again</small></h2>${this.closed()}</div>
        ${(floor.site?.layout.zones ?? []).length ? html`<div class="panel"><h2>Zones</h2>${this.zones()}</div>` : nothing}
        <div class="panel"><h2>Robots <small>what each does, and what may be asked of it</small></h2>${this.robots(robots.filter((r) => r.state !== 'new'))}</div>
        ${this.adopted.length ? html`<div class="panel"><h2>Adopted <small>not of the site file; taken in by a person</small></h2><table data-table="adopted"><thead><tr><th>Robot</th><th>Maker</th><th>Serial</th><th>Since</th><th>By</th><th>Because</th></tr></thead><tbody>${this.adopted.map((a) => html`<tr><td><a class="mono" href="#/robots/${a.robot}">${a.robot}</a></td><td>${a.manufacturer}</td><td class="mono">${a.serial}</td><td class="soft">${moment(a.adopted_at)}</td><td>${a.adopted_by}</td><td class="wrap">${a.reason}</td></tr>`)}</tbody></table></div>` : nothing}
        <div class="panel"><h2>Makers <small>where their robots depart from VDA 5050, and how often</small></h2>${this.makers()}</div>
        <div class="panel"><h2>Messages that could not be read <small>kept to look at; nothing stops for them</small></h2>${this.unreadable()}</div>
      </div></div></section>`;
  }

  /** @param {import('../types.js').RobotView[]} all */
  robots(all) {
    if (!all.length) return html`<p class="none">No robot was heard of yet.</p>`;
    return html`<div class="tall"><table data-table="robots"><thead><tr><th>Robot</th><th>State</th><th>What it does</th><th class="num">Battery</th><th>Spoke</th><th>Make</th><th></th></tr></thead>
      <tbody>${repeat([...all].sort((a, b) => (a.id < b.id ? -1 : 1)), (r) => r.id, (r) => html`<tr data-robot=${r.id}><td><a class="mono" href="#/robots/${r.id}">${r.id}</a></td><td><span class="pill"><i class="dot ${floor.isStale(r) ? 'stale' : r.state}"></i>${words(r.state)}</span></td>
        <td class="wrap">${doing(r)}</td><td class="num ${r.battery < 0.2 ? 'bad-text' : ''}">${percent(r.battery)}</td><td class=${floor.isStale(r) ? 'warn-text' : 'soft'}>${age(floor.robotAge(r))} ago</td><td class="soft">${[r.manufacturer, r.series].filter(Boolean).join(' ')}</td>
        <td class="actions">${commandsOf(r).map((name) => html`<button class="button small" data-command=${name} @click=${() => askRobot(name, r.id)}>${SHORT[name]} …</button>`)}</td></tr>`)}</tbody></table></div>`;
  }

  causes() {
    const all = causes();
    if (!all.length) return html`<p class="none">Nobody waits for anybody.</p>`;
    const most = Math.max(...all.map((c) => c.held.length));
    return html`<table data-table="causes"><thead><tr><th>Until</th><th>Robots</th><th>Which</th></tr></thead><tbody>${all.map((c) => html`<tr><td class="wrap"><a href="#/robots/${c.robot}">${c.text}</a></td>
      <td><progress class="low" max=${most} value=${c.held.length}></progress> ${c.held.length}</td><td class="wrap">${c.held.map((id) => html`<a class="mono" href="#/robots/${id}">${id}</a> `)}</td></tr>`)}</tbody></table>`;
  }

  closed() {
    const nodes = floor.view?.closed ?? [];
    const edges = floor.view?.closed_edges ?? [];
    const stations = (floor.view?.stations ?? []).filter((s) => s.closed).map((s) => s.id);
    if (!nodes.length && !edges.length && !stations.length) return html`<p class="none">Every road is open. A click on a place of the map closes it, or a way from it.</p>`;
    /** @type {['nodes' | 'edges' | 'stations', string][]} */
    const all = [...nodes.map((n) => /** @type {['nodes', string]} */ (['nodes', n])), ...edges.map((e) => /** @type {['edges', string]} */ (['edges', e])), ...stations.map((s) => /** @type {['stations', string]} */ (['stations', s]))];
    const start = (/** @type {string} */ edge) => floor.site?.layout.edges.find((e) => e.id === edge)?.start ?? edge;
    return html`<table data-table="closed"><tbody>${all.map(([what, id]) => html`<tr data-closed=${id}><td class="soft">${{ nodes: 'place', edges: 'way', stations: 'station' }[what]}</td>
      <td>${what === 'stations' ? html`<a class="mono" href="#/stations">${id}</a>` : html`<a class="mono" href="#/nodes/${encodeURIComponent(what === 'edges' ? start(id) : id)}">${id}</a>`}</td>
      <td>${may('node') ? html`<button class="button small" @click=${() => askClosure(what, id, true)}>Open again …</button>` : nothing}</td></tr>`)}</tbody></table>`;
  }

  zones() {
    const site = floor.site;
    if (!site) return nothing;
    return html`<table data-table="zones"><tbody>${(site.layout.zones ?? []).map((z) => {
      const nodes = site.layout.nodes.filter((n) => (z.level ?? '') === (n.level ?? '') && inside(z.corners, n.x_m, n.y_m)).map((n) => n.id);
      return html`<tr><td class="mono">${z.id}</td><td class="soft">${z.kind.replaceAll('_', ' ')}${z.max_speed_mps ? ` ${z.max_speed_mps} m/s` : ''}</td><td class="num">${some(nodes.length, 'place')}</td>
        <td>${may('zone') && nodes.length ? html`<button class="button small danger" @click=${() => askZone(nodes, z.id, true)}>Pause all there …</button> <button class="button small" @click=${() => askZone(nodes, z.id, false)}>Resume …</button>` : nothing}</td></tr>`;
    })}</tbody></table>`;
  }

  makers() {
    const vendors = floor.view?.vendors ?? [];
    if (!vendors.length) return html`<p class="none">No robot has departed from the standard.</p>`;
    return html`${vendors.map((v) => {
      const seen = Object.entries(v.deviations).sort((a, b) => b[1] - a[1]);
      const most = Math.max(1, ...seen.map(([, n]) => n));
      return html`<div class="maker" data-maker=${v.manufacturer}><h3><b>${v.manufacturer || 'unnamed'}</b> <span class="soft">${some(v.robots, 'robot')}</span></h3>
        ${seen.length ? html`<dl class="tally">${seen.map(([how, n]) => html`<dt>${how.replaceAll('_', ' ')}</dt><dd><progress max=${most} value=${n}></progress> ${count(n)}</dd>`)}</dl>` : html`<p class="soft">Nothing was seen.</p>`}</div>`;
    })}`;
  }

  unreadable() {
    const kept = floor.view?.unreadable;
    if (!kept) return html`<p class="none">The dispatcher was not heard yet.</p>`;
    if (!kept.length) return html`<p class="none">Every message could be read.</p>`;
    return html`<div class="kept">${[...kept].reverse().map((m) => html`<details data-unreadable><summary><span class="soft">${clock(m.at_ms)}</span> <span class="mono">${m.topic}</span> <span class="bad-text">${m.error}</span></summary><pre class="mono">${m.text}</pre></details>`)}
      ${(floor.view?.unreadable_count ?? 0) > kept.length ? html`<p class="dim pad">${count(floor.view?.unreadable_count ?? 0)} in all; the newest are kept.</p>` : nothing}</div>`;
  }
}

/** Whether a place is in a polygon. @param {{x_m: number, y_m: number}[]} corners @param {number} x @param {number} y */
function inside(corners, x, y) {
  let odd = false;
  corners.forEach(({ x_m: x1, y_m: y1 }, n) => {
    const { x_m: x2, y_m: y2 } = corners[(n + 1) % corners.length];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) odd = !odd;
  });
  return odd;
}
customElements.define('fp-fleet-page', FpFleetPage);
