// The rail's pictures, drawn for a 20 by 20 box.
import { svg, html } from '../vendor/lit.js';

/** @type {Record<string, string>} */
const PATHS = {
  '': 'M3 4h14v12H3zM3 10h5m4 0h5M10 4v4m0 4v4',
  orders: 'M5 3h10v14l-2.5-1.6L10 17l-2.5-1.6L5 17zM8 7h4M8 10.5h4',
  inbound: 'M3 8l7-4 7 4v9H3zM7 17v-5h6v5M10 5.5V10m-2-2l2 2 2-2',
  outbound: 'M2 6h10v8H2zM12 9h3.5l2.5 2.5V14h-6zM5.5 16.5a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4m9 0a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4',
  care: 'M10 3.5l6 3v7l-6 3-6-3v-7zM4 6.5l6 3 6-3M10 9.5v7M13 5v3',
  tasks: 'M3 5l1.3 1.3L6.5 4M3 10.5l1.3 1.3L6.5 9.5M3 16l1.3 1.3L6.5 15M9.5 5.5H17M9.5 11H17M9.5 16H17',
  fleet: 'M3 7h14v7H3zM6 14v2.5m8-2.5v2.5M6 4h8v3H6zM6.5 10.5h2m3 0h2',
  transports: 'M3 14h3m8 0h3M10 3v9m-3-3l3 3 3-3M5 16.5V14a2 2 0 0 1 2-2h6a2 2 0 0 1 2 2v2.5',
  hands: 'M6 17v-3.5L3.5 10 5 8.8 7 11V4.5a1.2 1.2 0 0 1 2.4 0V9m0-5.5a1.2 1.2 0 0 1 2.4 0V9m0-4.3a1.2 1.2 0 0 1 2.4 0V10m0-2.5a1.1 1.1 0 0 1 2.3 0v5L14.5 17',
  stations: 'M3 8h14M5 8v9m10-9v9M4 8l2-4h8l2 4M8 12h4v5H8z',
  alarms: 'M10 3a5 5 0 0 1 5 5v3.5l1.5 2.5h-13L5 11.5V8a5 5 0 0 1 5-5zM8 16.5a2.2 2.2 0 0 0 4 0',
  throughput: 'M3 17h14M5 17v-5m4 5V8m4 9v-6m4 6V4',
  plans: 'M3 4h6v5H3zM11 4h6v5h-6zM3 11h6v5H3zM11 13.5h6m-3-2.5v5',
  leave: 'M8 4H4v12h4M11 6l4 4-4 4M15 10H8',
  theme: 'M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14',
  audit: 'M10 3l6 2.5V10c0 3.5-2.5 6-6 7-3.5-1-6-3.5-6-7V5.5zM7.5 10l1.8 1.8L12.8 8',
};

/** @param {string} name */
export const icon = (name) => html`<svg viewBox="0 0 20 20" aria-hidden="true">${svg`<path d=${PATHS[name] ?? ''}></path>`}</svg>`;
