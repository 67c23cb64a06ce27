// <fp-robot>: one robot, what it does for whom, and why it waits.
import { html, nothing } from '../../vendor/lit.js';
import { askReason } from '../dialog.js';
import { floor } from '../floor.js';
import { age, clock, percent, words } from '../format.js';
import { Part } from '../part.js';
import { post } from '../rest.js';
import { may } from '../roles.js';
import { until } from '../waits.js';

/** @type {Record<string, {title: string, text: string, action: string, danger?: boolean, suggestions: string[]}>} */
const COMMANDS = {
  pause: { title: 'Pause', text: 'It stops where it is and stands until it is resumed. Others find a way around it, or wait.', action: 'Pause', suggestions: ['person on the floor', 'something fell', 'looks wrong'] },
  resume: { title: 'Resume', text: 'It goes on with what it was doing.', action: 'Resume', suggestions: ['checked', 'way is free'] },
  charge: { title: 'Send to a charger', text: 'It goes to charge as soon as it carries nothing.', action: 'Charge', suggestions: ['battery low', 'before the shift'] },
  retire: { title: 'Take out of service', text: 'It finishes what it carries and gets nothing more, until it is returned.', action: 'Retire', danger: true, suggestions: ['maintenance', 'wheel noise', 'sensor dirty'] },
  cancel: { title: 'Cancel its order', text: 'Its VDA 5050 order is cancelled. It is placed where it stands and goes on with its work from there.', action: 'Cancel order', suggestions: ['stuck', 'looks lost'] },
  reassign: { title: 'Give its work to others', text: 'What it has not picked up yet is given to other robots; it gets other work later.', action: 'Reassign', suggestions: ['too slow', 'stuck behind others'] },
  adopt: { title: 'Adopt into the fleet', text: 'It gets work from now on. Its manufacturer, serial number and place are as it says itself.', action: 'Adopt', suggestions: ['commissioned', 'rented for the peak'] },
  forget: { title: 'Take out of the fleet', text: 'It is new again and gets nothing; it can be adopted again. It is refused while it has work or drives.', action: 'Forget', danger: true, suggestions: ['given back', 'adopted by mistake'] },
  return: { title: 'Return to service', text: 'It gets work again.', action: 'Return', suggestions: ['repaired', 'checked'] },
};

/** @param {keyof typeof COMMANDS} name @param {string} robot */
export function askRobot(name, robot) {
  const command = COMMANDS[name];
  return askReason({ ...command, title: `${command.title} · ${robot}`, does: (reason) => post(`/v1/robots/${encodeURIComponent(robot)}/${name}`, { reason }) });
}

class FpRobot extends Part {
  static topics = /** @type {import('../floor.js').Topic[]} */ (['fleet', 'tick', 'tasks', 'link', 'me', 'alarms']);
  static properties = { robot: {} };

  constructor() {
    super();
    this.robot = '';
  }

  render() {
    const r = floor.robots.get(this.robot);
    const head = html`<header><h2><a href="#/" title="All robots" aria-label="Back to all robots">←</a> <span class="mono">${this.robot}</span>
      ${r ? html`<span class="pill ${r.state === 'error' ? 'error' : ''}"><i class="dot ${floor.isStale(r) ? 'stale' : r.state}"></i>${words(r.state)}</span>` : nothing}
      ${r?.retired ? html`<span class="pill warning">retired</span>` : nothing}</h2></header>`;
    if (!r) return html`${head}<p class="none">Nothing was heard of it yet.</p>`;
    const stale = floor.isStale(r);
    return html`${head}
      <section><dl class="facts">
        <dt>Last spoke</dt><dd class=${stale ? 'warn-text' : ''}>${age(floor.robotAge(r))} ago${stale ? ' – stale' : ''}</dd>
        <dt>Battery</dt><dd><progress class=${r.battery < 0.2 ? 'empty' : r.battery < 0.4 ? 'low' : 'done'} max="1" value=${r.battery}></progress> ${percent(r.battery)}</dd>
        <dt>Carries</dt><dd class="mono">${r.pod ?? '–'}</dd>
        <dt>Mission</dt><dd class="mono">${r.mission ?? '–'}${r.station ? html` <span class="arrow">→</span> <a href="#/stations">${r.station}</a>` : nothing}</dd>
        <dt>VDA order</dt><dd class="mono">${r.order_id || '–'}</dd>
        <dt>Make</dt><dd>${[r.manufacturer, r.series].filter(Boolean).join(' ') || '–'} <span class="dim">${r.version ? `VDA 5050 ${r.version}` : ''}${r.dialect ? ` · ${r.dialect}` : ''}</span></dd>
        <dt>At</dt><dd><span class="mono">${r.node}</span> <span class="dim">${r.x_m.toFixed(1)}, ${r.y_m.toFixed(1)} m · ${Math.round((r.heading_rad * 180) / Math.PI)}°</span></dd>
      </dl></section>
      ${r.wait?.length ? html`<section data-wait><h3>Why it waits</h3>${this.chain(r)}</section>` : nothing}
      ${r.errors?.length ? html`<section><h3>Errors</h3>${r.errors.map((e) => html`<p class="bad-text">${e}</p>`)}</section>` : nothing}
      <section><h3>Works for</h3>${r.tasks?.length ? r.tasks.map((id) => this.task(id)) : html`<p class="dim">No order’s task now.</p>`}</section>
      <section><h3>Commands</h3><div class="actions">
        ${commandsOf(r).map((name) => this.button(name))}
        ${may('pause') ? nothing : html`<p class="dim">Your role may look, not command.</p>`}
      </div></section>`;
  }

  /** @param {string} name */
  button(name) {
    const { action, danger } = COMMANDS[name];
    return html`<button class="button ${danger ? 'danger' : ''}" data-command=${name} @click=${() => askRobot(name, this.robot)}>${action}</button>`;
  }

  /** From itself over each holder to what would free them all. @param {import('../types.js').RobotView} r */
  chain(r) {
    const links = r.wait ?? [];
    const last = links[links.length - 1];
    return html`<ol class="chain"><li class="box self"><b class="mono">${r.id}</b> <span class="pill"><i class="dot ${floor.isStale(r) ? 'stale' : r.state}"></i>${words(r.state)}</span></li>
      ${links.map((w, n) => (n && w.holder === links[n - 1].holder ? nothing : this.link(w)))}<li class="frees" data-frees><small>all go on when</small>${until(last, this.robot)}</li></ol>`;
  }

  /** @param {import('../types.js').Wait} w */
  link(w) {
    const holder = floor.robots.get(w.holder);
    const itself = w.holder === this.robot;
    const place = floor.site?.layout.nodes.some((n) => n.id === w.resource);
    return html`<li class="hop"><span>${itself || w.holder === w.resource ? 'has stood at' : 'waits for'} ${place ? html`<a class="mono" href="#/nodes/${encodeURIComponent(w.resource)}">${w.resource}</a>` : html`<span class="mono">${w.resource}</span>`}</span>
        <small>for ${age(floor.clock.now() - w.since_ms)}, since ${clock(w.since_ms)}</small></li>
      <li class="box">${itself ? html`<b>itself</b>` : holder ? html`<a class="mono" href="#/robots/${w.holder}"><b>${w.holder}</b></a> <span class="pill"><i class="dot ${floor.isStale(holder) ? 'stale' : holder.state}"></i>${words(holder.state)}</span>` : html`<b class="mono">${w.holder || 'nobody'}</b>`}
        <small>${itself ? nothing : html`has it${w.holder_task ? html` for ${floor.tasks.has(w.holder_task) ? this.task(w.holder_task) : html`<span class="mono">${w.holder_task}</span>`}` : nothing}; `}until ${until(w, this.robot)}</small></li>`;
  }

  /** @param {string} id */
  task(id) {
    const task = floor.tasks.get(id);
    if (!task && id.startsWith('V-')) return html`<p>transport <a class="mono" href="#/transports/${encodeURIComponent(id)}">${id}</a></p>`;
    if (!task) return html`<p class="mono">${id}</p>`;
    return html`<p><a class="mono" href="#/orders/${encodeURIComponent(task.order_id)}?task=${id}">${id}</a>
      <span class="pill ${task.state}">${task.state}</span> <span class="dim">${task.qty ?? ''}${task.item ? ` × ${task.item}` : ''}</span></p>`;
  }
}
/** What may be asked of a robot as it stands, that which is most likely first. @param {import('../types.js').RobotView} r @returns {string[]} */
export function commandsOf(r) {
  const site = floor.site?.robots.some((x) => x.id === r.id) ?? true;
  const all = r.state === 'new' ? ['adopt'] : [
    ...(r.state === 'paused' || stuck(r) ? ['resume'] : []), ...(r.state === 'paused' ? [] : ['pause']), 'charge', ...(r.order_id ? ['cancel'] : []),
    ...(r.mission && !r.pod ? ['reassign'] : []), r.retired ? 'return' : 'retire', ...(site ? [] : ['forget'])];
  return all.filter((name) => may(name === 'cancel' ? 'cancel_robot' : name));
}

/** Whether it was given up on until a person resumes it. @param {import('../types.js').RobotView} r */
function stuck(r) {
  return r.state === 'error' || r.state === 'rejected' || !!r.errors?.length || floor.activeAlarms.some((a) => a.subject === r.id && a.severity === 'error');
}
customElements.define('fp-robot', FpRobot);
