// Colours of the map, read from the design tokens so that they stand in one place.

const NAMES = [
  'map-ground', 'map-road', 'map-cell', 'map-cell-line', 'map-pod', 'map-lane', 'map-plate', 'map-plate-line', 'map-belt', 'map-text',
  'robot-idle', 'robot-driving', 'robot-acting', 'robot-waiting', 'robot-charging', 'robot-doubt', 'robot-paused', 'robot-error',
  'robot-offline', 'robot-nose', 'robot-load', 'ink', 'ink-2', 'ink-3', 'accent', 'good', 'warn', 'bad', 'surface', 'raised', 'line-strong',
];

/** @returns {Record<string, string>} */
export function paints() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Which colour a robot's state has; several states that ask the same of an operator share one. @type {Record<string, string>} */
export const COLOUR = {
  offline: 'robot-offline', idle: 'robot-idle', driving: 'robot-driving', acting: 'robot-acting', waiting: 'robot-waiting',
  in_doubt: 'robot-doubt', cancelling: 'robot-doubt', rejected: 'robot-doubt', paused: 'robot-paused', manual: 'robot-paused',
  charging: 'robot-charging', error: 'robot-error', new: 'robot-doubt',
};
