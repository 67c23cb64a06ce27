// <fp-alarms>: what needs a person, with what to do about it. Acknowledging is not clearing, and it shows.
import { html, nothing, repeat } from '../../vendor/lit.js';
import { askReason } from '../dialog.js';
import { floor } from '../floor.js';
import { age, moment } from '../format.js';
import { Part } from '../part.js';
import { post } from '../rest.js';
import { may } from '../roles.js';

const WORST = ['error', 'warning', 'info'];

class FpAlarms extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['alarms', 'tick', 'me']);
  static properties = { all: { state: true } };

  constructor() {
    super();
    this.all = false;
  }

  /** @param {import('../types.js').Alarm} alarm */
  acknowledge(alarm) {
    askReason({
      title: 'Acknowledge',
      text: `${alarm.subject}: ${alarm.text}`,
      note: alarm.cleared_at ? undefined : 'The cause is still there. It stays in the list until the cause is gone.',
      action: 'Acknowledge',
      suggestions: ['on my way', 'being repaired', 'known'],
      does: async (reason) => floor.heardAlarm(await post(`/v1/alarms/${alarm.id}/acknowledge`, { reason })),
    });
  }

  /** @param {import('../types.js').Alarm[]} over */
  acknowledgeOver(over) {
    askReason({
      title: `Acknowledge ${over.length} that are over`,
      text: 'Their causes are gone by themselves. The reason is kept with each.',
      action: 'Acknowledge all', suggestions: ['seen', 'restart'],
      does: async (reason) => {
        for (const alarm of over) floor.heardAlarm(await post(`/v1/alarms/${alarm.id}/acknowledge`, { reason }));
      },
    });
  }

  render() {
    const known = [...floor.alarms.values()];
    const open = known.filter((a) => !a.cleared_at || !a.acknowledged_at);
    const over = open.filter((a) => a.cleared_at);
    const rows = (this.all ? known : open).sort((a, b) =>
      Number(Boolean(a.cleared_at)) - Number(Boolean(b.cleared_at)) || Number(Boolean(a.acknowledged_at)) - Number(Boolean(b.acknowledged_at))
      || (a.cleared_at ? 0 : WORST.indexOf(a.severity) - WORST.indexOf(b.severity)) || b.id - a.id);
    return html`<section class="view"><header><h1>Alarms</h1>
      <div class="chips" role="group" aria-label="Which"><button class="chip" aria-pressed=${!this.all} @click=${() => (this.all = false)}>active or not acknowledged <b>${open.length}</b></button>
        <button class="chip" aria-pressed=${this.all} @click=${() => (this.all = true)}>the last ${known.length}</button></div>
      <span class="end">${over.length > 1 && may('acknowledge') ? html`<button class="button small" @click=${() => this.acknowledgeOver(over)}>Acknowledge ${over.length} that are over …</button>` : nothing}</span></header>
      <div class="scroll"><table data-table="alarms"><thead><tr><th>Severity</th><th>Subject</th><th>What, and what to do</th><th>State</th><th>Raised</th><th>Acknowledged</th></tr></thead>
        <tbody>${repeat(rows, (a) => a.id, (a) => this.row(a))}</tbody></table>
        ${rows.length ? nothing : html`<p class="none">Nothing needs you.</p>`}</div></section>`;
  }

  /** @param {import('../types.js').Alarm} a */
  row(a) {
    const robot = floor.robots.has(a.subject);
    const lasted = a.cleared_at ? `after ${age(Date.parse(a.cleared_at) - Date.parse(a.raised_at))}` : age(floor.clock.now() - Date.parse(a.raised_at));
    return html`<tr data-alarm=${a.key} data-acknowledged=${a.acknowledged_at ? 'yes' : 'no'} data-active=${a.cleared_at ? 'no' : 'yes'}>
      <td><span class="pill ${a.severity}">${a.severity}</span></td>
      <td>${robot ? html`<a class="mono" href="#/robots/${a.subject}">${a.subject}</a>` : html`<span class="mono">${a.subject}</span>`}</td>
      <td class="wrap">${a.text} <span class="dim">${a.remedy}</span></td>
      <td><span class="pill ${a.cleared_at ? 'cleared' : 'active'}">${a.cleared_at ? 'cleared' : 'active'}</span> <span class="dim">${lasted}</span></td>
      <td class="soft">${moment(a.raised_at)}</td>
      <td>${a.acknowledged_at ? html`<span title=${moment(a.acknowledged_at)}>${a.acknowledged_by}: <span class="soft">${a.acknowledged_why}</span></span>`
        : may('acknowledge') ? html`<button class="button small" data-acknowledge=${a.id} @click=${() => this.acknowledge(a)}>Acknowledge …</button>` : html`<span class="dim">not yet</span>`}</td></tr>`;
  }
}
customElements.define('fp-alarms', FpAlarms);
