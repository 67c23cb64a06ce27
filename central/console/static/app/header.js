// <fp-header>: the state of the floor in one line, always in sight, and the stop button.
import { html, nothing } from '../vendor/lit.js';
import { askReason } from './dialog.js';
import { floor, SILENT_MS } from './floor.js';
import { age, clock, count } from './format.js';
import { icon } from './icons.js';
import { Part } from './part.js';
import { post, remove } from './rest.js';
import { may } from './roles.js';

const OPEN = ['received', 'allocated', 'released', 'picking', 'packed'];
const LINK = { live: 'live', connecting: 'connecting', lost: 'not connected' };

/** Stop or resume the whole fleet. @param {boolean} pause */
export function askFleet(pause) {
  return askReason(pause
    ? { title: 'Stop the whole fleet', text: 'Every robot is asked to stop where it is, and stands until the fleet is resumed.',
        note: 'This is not a safety function: it asks robots over a network. Where people are in danger, use the emergency stop.',
        action: 'Stop the fleet', danger: true, suggestions: ['person on the floor', 'spill', 'drill'],
        does: async (reason) => floor.tellBriefly((await post('/v1/fleet/pause', { reason })).reason) }
    : { title: 'Resume the fleet', text: 'Every robot goes on with what it was doing. See that nobody stands in its way.',
        action: 'Resume the fleet', suggestions: ['floor is clear'], does: async (reason) => floor.tellBriefly((await post('/v1/fleet/resume', { reason })).reason) });
}

class FpHeader extends Part {
  static topics = /** @type {import('./floor.js').Topic[]} */ (['fleet', 'stats', 'link', 'alarms', 'tick', 'me', 'site']);

  theme() {
    const now = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset.theme = now;
    localStorage.setItem('floorplane.theme', now);
  }

  async leave() {
    await remove('/v1/session').catch(() => {}); // the page goes to the login either way; the session ends by itself
    dispatchEvent(new CustomEvent('floorplane-logged-out'));
  }

  render() {
    const { view, stats, link, me } = floor;
    const silent = floor.frameAge();
    const orders = stats ? OPEN.reduce((n, s) => n + (stats.orders[s] ?? 0), 0) : null;
    const hour = floor.clock.now() - 3_600_000;
    const recent = stats?.buckets.filter((b) => Date.parse(b.at) >= hour - 300_000) ?? [];
    const rate = recent.reduce((n, b) => n + b.lines, 0);
    const alarms = floor.activeAlarms;
    const unseen = alarms.filter((a) => !a.acknowledged_at && a.severity !== 'info').length;
    const working = view?.robots.filter((r) => ['driving', 'acting', 'waiting'].includes(r.state)).length ?? 0;
    const fast = Math.abs(floor.clock.pace - 1) > 0.15 ? `× ${floor.clock.pace.toFixed(floor.clock.pace < 3 ? 1 : 0)}` : '';
    return html`<div class="head" role="banner">
      <a class="brand" href="#/"><img src="icon.svg" alt="">Floorplane</a>
      <dl class="figures">
        <div class="figure"><dt>${floor.site?.id ?? 'Site'}</dt><dd><span class="link ${link.state}" data-link=${link.state}>${LINK[link.state]}</span></dd></div>
        <div class="figure ${silent > SILENT_MS ? 'bad' : ''}" title="Age of the newest position of the fleet, on this computer's clock"><dt>Positions</dt><dd data-frame-age>${Number.isFinite(silent) ? (silent < 1500 ? 'now' : age(silent)) : '–'}</dd></div>
        <div class="figure wide" title="The floor's clock"><dt>Floor time ${fast}</dt><dd>${view ? clock(floor.clock.now()) : '–'}</dd></div>
        <div class="figure"><dt>Robots at work</dt><dd>${working} <small>of ${view?.robots.length ?? 0}</small></dd></div>
        <div class="figure"><dt>Open orders</dt><dd>${orders === null ? '–' : count(orders)}</dd></div>
        <div class="figure"><dt>Open tasks</dt><dd>${stats ? count(Object.values(stats.tasks).reduce((a, b) => a + b, 0)) : '–'}</dd></div>
        <div class="figure"><dt>Lines, last hour</dt><dd data-rate>${stats ? count(rate) : '–'}</dd></div>
        <div class="figure ${unseen ? 'bad' : ''}"><dt>Alarms</dt><dd><a href="#/alarms" class=${unseen ? 'bad-text' : 'soft'} data-alarms=${alarms.length}>${alarms.length}</a>${unseen ? html` <small>${unseen} new</small>` : nothing}</dd></div>
      </dl>
      <div class="tools">
        ${may('stop') ? (floor.halt ? html`<button class="button primary" data-fleet="resume" @click=${() => askFleet(false)}>Resume fleet …</button>`
          : html`<button class="button danger" data-fleet="stop" title="Not a safety function" @click=${() => askFleet(true)}>Stop fleet …</button>`) : nothing}
        <button class="button plain" title="Dark or light" aria-label="Dark or light" @click=${this.theme}>${icon('theme')}</button>
        ${me ? html`<div class="who"><b>${me.name}</b>${me.role}</div><button class="button plain" title="Log out" aria-label="Log out" @click=${this.leave}>${icon('leave')}</button>` : nothing}
      </div></div>`;
  }
}
customElements.define('fp-header', FpHeader);
