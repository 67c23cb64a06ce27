// Why robots wait, in words, and which cause holds up how many of them.
import { floor } from './floor.js';

/** What has to happen to a robot that waits for nobody itself. @type {Record<string, string>} */
const GOES = { driving: 'drives on', acting: 'is done with its pod', idle: 'makes room', charging: 'has charged' };

/** What would free it, in the dispatcher's own words; of itself it need not say its name. @param {import('./types.js').Wait} wait @param {string} [self] Whose wait it is. */
export const until = (wait, self = '') => (self && wait.until.startsWith(`${self} `) ? `it ${wait.until.slice(self.length + 1)}` : wait.until);

/**
 * The end of a robot's chain: what would have to happen for it, and all behind it, to go on.
 * @param {import('./types.js').RobotView} robot
 * @returns {{at: string, text: string, robot: string}}
 */
export function cause(robot) {
  const seen = new Set();
  let here = robot;
  for (;;) {
    seen.add(here.id);
    const last = here.wait?.at(-1);
    if (!last) return { at: here.id, text: `${here.id} ${GOES[here.state] ?? `is no longer ${here.state.replaceAll('_', ' ')}`}`, robot: here.id };
    const next = floor.robots.get(last.holder);
    if (!next || seen.has(next.id)) {
      const station = floor.site?.stations.some((s) => s.id === last.resource);
      return { at: station ? last.resource : last.holder, text: station ? `${last.resource}: ${until(last)}` : until(last), robot: here.id };
    }
    here = next;
  }
}

/** @returns {{text: string, robot: string, held: string[]}[]} causes, that which holds up most robots first */
export function causes() {
  /** @type {Map<string, {text: string, robot: string, held: string[]}>} */
  const all = new Map();
  for (const robot of floor.robots.values()) {
    if (!robot.wait?.length) continue;
    const root = cause(robot);
    const known = all.get(root.at) ?? { text: root.text, robot: root.robot, held: [] };
    if (robot.id !== root.robot) known.held.push(robot.id);
    all.set(root.at, known);
  }
  return [...all.values()].filter((c) => c.held.length).sort((a, b) => b.held.length - a.held.length);
}
