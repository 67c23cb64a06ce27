// <fp-console>: login or the floor, the rail, the banners, and which view the address names.
import { html, nothing } from '../vendor/lit.js';
import { floor, SILENT_MS } from './floor.js';
import { age, moment } from './format.js';
import { askFleet } from './header.js';
import { Live } from './live.js';
import { Part } from './part.js';
import { Refused } from './rest.js';
import { may } from './roles.js';
import './views/alarms.js';
import './views/audit.js';
import './views/care.js';
import './views/fleet_page.js';
import './views/floor_view.js';
import './views/hands.js';
import './views/inbound.js';
import './views/login.js';
import './views/order.js';
import './views/orders.js';
import './views/outbound.js';
import './views/plans.js';
import './views/stations.js';
import './views/tasks.js';
import './views/throughput.js';
import './views/transports.js';
import './views/whatif.js';
import { icon } from './icons.js';

const STATS_MS = 5000;
const AGAIN_MS = 2000;

class FpConsole extends Part {
  static topics = /** @type {import('./floor.js').Topic[]} */ (['me', 'link', 'alarms', 'tick']);
  static properties = { stage: { state: true }, path: { state: true }, why: { state: true } };

  constructor() {
    super();
    /** @type {'starting' | 'login' | 'floor'} */
    this.stage = 'starting';
    this.path = location.hash;
    this.why = '';
    this.live = new Live();
    this.halt = '';
  }

  connectedCallback() {
    super.connectedCallback();
    addEventListener('hashchange', () => (this.path = location.hash));
    addEventListener('floorplane-logged-out', () => this.leave());
    // the whole page follows the fleet's stop; anything else of the fleet is drawn by the parts that show it
    this._off?.push(floor.on('fleet', () => {
      if (floor.halt !== this.halt) {
        this.halt = floor.halt;
        this.requestUpdate();
      }
    }));
    this.begin();
  }

  async begin() {
    try {
      await floor.begin();
    } catch (e) {
      if (e instanceof Refused && e.status === 401) {
        this.stage = 'login';
        return;
      }
      this.why = /** @type {Error} */ (e).message;
      setTimeout(() => this.begin(), AGAIN_MS);
      return;
    }
    this.why = '';
    this.stage = 'floor';
    this.live.begin();
    clearInterval(this.polls);
    this.polls = setInterval(() => this.poll(), STATS_MS);
  }

  /** What no message brings: sums over time, and totes at the chutes. */
  async poll() {
    if (floor.link.state !== 'live' || document.hidden) return;
    try {
      await Promise.all([floor.readStats(), floor.readStanding()]);
    } catch (e) {
      if (!(e instanceof Refused)) throw e; // central is away or busy: the header shows it, and the next poll comes
    }
  }

  leave() {
    if (this.stage === 'floor') this.why = 'You are logged out.';
    this.live.end();
    clearInterval(this.polls);
    floor.me = null;
    this.stage = 'login';
  }

  render() {
    if (this.stage === 'login') return html`<fp-login .why=${this.why} @entered=${() => this.begin()}></fp-login>`;
    if (this.stage === 'starting') return html`<p class="none" role="status">${this.why || 'Reading the floor …'}</p>`;
    const [path, query] = this.path.replace(/^#\/?/, '').split('?');
    const [place, id, more] = path.split('/').map(decodeURIComponent);
    const task = new URLSearchParams(query).get('task') ?? '';
    return html`<div class="frame"><fp-header class="head-host"></fp-header><div class="banners">${this.banners()}</div>
      ${rail(place)}<main class="stage" id="stage" tabindex="-1">${view(place, id, more, task)}</main></div>`;
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has('path') || changed.has('stage')) this.querySelector('.rail a[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }

  banners() {
    const silence = floor.silence();
    const lost = floor.link.state !== 'live';
    const deaf = !lost && !floor.past && floor.frameAge() > SILENT_MS;
    return html`
      ${floor.halt ? html`<div class="banner bad" role="alert" data-banner="stopped">${floor.halt === 'stopped' ? 'The fleet is stopped.' : `The fleet stands: ${floor.pausedCount} of ${floor.view?.robots.length} robots are paused.`}
        <span>${floor.stopTold || 'None drives until the fleet is resumed.'} ${floor.halt === 'stopped' ? `${floor.pausedCount} of ${floor.view?.robots.length} robots say that they stand.` : ''} This is not a safety function.</span>
        ${may('stop') ? html`<button class="button small" @click=${() => askFleet(false)}>Resume …</button>` : nothing}</div>` : nothing}
      ${floor.brief ? html`<div class="banner look" role="status" data-banner="brief">${floor.brief}</div>` : nothing}
      ${floor.past ? html`<div class="banner look" role="status" data-banner="past">You look at ${moment(floor.past.at_ms)}. <span>Robots, stations and why they waited are of then; pods that stand, orders and stock are of now. Commands come back with the present.</span>
        <button class="button small" data-do="now" @click=${() => floor.lookNow()}>Back to now</button></div>` : nothing}
      ${lost ? html`<div class="banner warn" role="status" data-banner="lost">Not connected. <span>What you see is from ${age(silence)} ago; it is tried again by itself.</span></div>` : nothing}
      ${deaf ? html`<div class="banner warn" role="status" data-banner="deaf">The dispatcher is silent. <span>${Number.isFinite(floor.frameAge()) ? `Positions are from ${age(floor.frameAge())} ago.` : 'No position was heard yet.'} Orders and stock are current.</span></div>` : nothing}`;
  }
}

/** @type {[string, string][]} */
const PLACES = [['', 'Floor'], ['orders', 'Orders'], ['inbound', 'Inbound'], ['outbound', 'Outbound'], ['care', 'Care'], ['tasks', 'Tasks'], ['hands', 'Hands'], ['fleet', 'Fleet'], ['transports', 'Transports'], ['stations', 'Stations'], ['alarms', 'Alarms'], ['throughput', 'Throughput'], ['plans', 'Plans'], ['audit', 'Audit']];

/** @param {string} place */
function rail(place) {
  const here = place === 'robots' || place === 'nodes' ? '' : place === 'whatif' ? 'plans' : place;
  const unseen = floor.activeAlarms.filter((a) => !a.acknowledged_at).length;
  return html`<nav class="rail" aria-label="Views">${PLACES.filter(([p]) => p !== 'audit' || may('audit')).map(([p, name]) => html`
    <a href="#/${p}" aria-current=${p === here ? 'page' : nothing}>${icon(p)}${name}
      ${p === 'alarms' && unseen ? html`<span class="count bad">${unseen}</span>` : nothing}</a>`)}
    <footer>Keys on the map:<br><kbd>↑ ↓ ← → + − 0</kbd></footer></nav>`;
}

/** @param {string} place @param {string} id @param {string} more @param {string} task */
function view(place, id, more, task) {
  switch (place) {
    case 'orders':
      return id ? html`<fp-order .order=${id} .task=${task}></fp-order>` : html`<fp-orders></fp-orders>`;
    case 'tasks': return html`<fp-tasks></fp-tasks>`;
    case 'inbound': return html`<fp-inbound .chosen=${id ?? ''}></fp-inbound>`;
    case 'outbound': return html`<fp-outbound></fp-outbound>`;
    case 'transports': return html`<fp-transports .chosen=${id ?? ''}></fp-transports>`;
    case 'fleet': return html`<fp-fleet-page></fp-fleet-page>`;
    case 'care': return html`<fp-care .tab=${id ?? ''} .chosen=${more ?? ''}></fp-care>`;
    case 'hands': return html`<fp-hands></fp-hands>`;
    case 'stations': return html`<fp-stations></fp-stations>`;
    case 'alarms': return html`<fp-alarms></fp-alarms>`;
    case 'throughput': return html`<fp-throughput></fp-throughput>`;
    case 'plans': return html`<fp-plans .chosen=${id ?? ''}></fp-plans>`;
    case 'whatif': return html`<fp-whatif></fp-whatif>`;
    case 'audit': return html`<fp-audit></fp-audit>`;
    default: return html`<fp-floor .robot=${place === 'robots' ? (id ?? '') : ''} .node=${place === 'nodes' ? (id ?? '') : ''}></fp-floor>`;
  }
}

customElements.define('fp-console', FpConsole);
