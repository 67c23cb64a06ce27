// What each role may do, as central decides it; the console shows no button that would be refused.
import { floor } from './floor.js';

const FLOOR = ['operator', 'supervisor'];
/** @type {Record<string, string[]>} */
const MAY = {
  pause: FLOOR, resume: FLOOR, charge: FLOOR, acknowledge: FLOOR, stop: FLOOR, cancel_robot: FLOOR, reassign: FLOOR, node: FLOOR,
  transport: ['erp', 'operator', 'supervisor'], dock: FLOOR, place: ['supervisor'], dock_book: ['erp', 'supervisor'],
  plan: FLOOR, hands: FLOOR, hands_any: ['supervisor'],
  approve: ['supervisor'], zone: FLOOR, edge: FLOOR, station: FLOOR, retire: ['supervisor'], return: ['supervisor'], adopt: ['supervisor'], forget: ['supervisor'], audit: ['supervisor'], cancel: ['erp', 'supervisor'],
};

/** Nothing but the stop while the past is looked at. @param {string} what */
export const may = (what) => floor.me !== null && (floor.past === null || what === 'stop' || what === 'audit') && (MAY[what] ?? []).includes(floor.me.role);
