// The part of the map that stands still, worked out once from the site: one level of it.
import { levelOf } from './levels.js';

/**
 * @typedef {{x: number, y: number}} Point
 * @typedef {{node: Map<string, import('../types.js').Node>, pitch: number, roads: [Point, Point][],
 *   kinds: Map<string, import('../types.js').Node[]>, bounds: {left: number, right: number, bottom: number, top: number},
 *   stations: {station: import('../types.js').Station, at: Point, lane: Point[], side: Point}[],
 *   doors: {id: string, from: Point, to: Point}[], belt: Belt | null,
 *   edge: Map<string, [Point, Point]>, zones: {id: string, kind: string, corners: Point[], speed: number | null}[], lifts: {id: string, level: string, at: Point}[],
 *   places: {name: string, at: Point}[]}} Scene
 * @typedef {{left: number, right: number, top: number, bottom: number, infeeds: {id: string, x: number, from: Point}[],
 *   chutes: {chute: import('../types.js').Chute, x: number}[], scanner: number}} Belt
 */

/** @param {import('../types.js').Site} whole @param {string} level Which of its levels. @returns {Scene} */
export function scene(whole, level) {
  const site = onLevel(whole, level);
  const node = new Map(site.layout.nodes.map((n) => [n.id, n]));
  /** @type {Map<string, import('../types.js').Node[]>} */
  const kinds = new Map();
  for (const n of site.layout.nodes) {
    const kind = n.kind ?? 'aisle';
    kinds.set(kind, [...(kinds.get(kind) ?? []), n]);
  }
  /** @type {[Point, Point][]} */
  const roads = [];
  const seen = new Set();
  const lengths = [];
  for (const e of site.layout.edges) {
    const [a, b] = [at(node, e.start), at(node, e.end)];
    lengths.push(Math.hypot(a.x - b.x, a.y - b.y));
    if (seen.has(`${e.end} ${e.start}`)) continue;
    seen.add(`${e.start} ${e.end}`);
    roads.push([a, b]);
  }
  const pitch = lengths.sort((a, b) => a - b)[lengths.length >> 1] || 1;
  // all levels have one frame, so that who changes between them looks at the same spot
  const xs = whole.layout.nodes.map((n) => n.x_m);
  const ys = whole.layout.nodes.map((n) => n.y_m);
  const bounds = { left: min(xs) - pitch, right: max(xs) + pitch, bottom: min(ys) - pitch, top: max(ys) + pitch };
  const middle = { x: (bounds.left + bounds.right) / 2, y: (bounds.bottom + bounds.top) / 2 };
  const stations = site.stations.map((station) => {
    const lane = station.lane.map((n) => at(node, n));
    const last = lane[lane.length - 1];
    // the plate stands outside, on the side of the nearest wall
    const gaps = [last.x - bounds.left, bounds.right - last.x, last.y - bounds.bottom, bounds.top - last.y];
    const wall = gaps.indexOf(Math.min(...gaps));
    const side = [{ x: -1, y: 0 }, { x: 1, y: 0 }, { x: 0, y: -1 }, { x: 0, y: 1 }][wall];
    return { station, at: last, lane, side };
  });
  const doors = site.doors.map((d) => span(d.id, d.nodes.flatMap((n) => bar(site, node, n, pitch))));
  const belt = beltOf(site, stations, bounds, pitch, middle);
  const depth = 2.2 * pitch;
  for (const { side } of stations) {
    if (side.x < 0) bounds.left = Math.min(bounds.left, min(xs) - depth);
    if (side.x > 0) bounds.right = Math.max(bounds.right, max(xs) + depth);
    if (side.y < 0) bounds.bottom = Math.min(bounds.bottom, min(ys) - depth);
    if (side.y > 0) bounds.top = Math.max(bounds.top, max(ys) + depth);
  }
  if (belt) bounds.bottom = belt.bottom - 2.6 * pitch;
  const edge = new Map(site.layout.edges.map((e) => /** @type {[string, [Point, Point]]} */ ([e.id, [at(node, e.start), at(node, e.end)]])));
  const zones = (site.layout.zones ?? []).map((z) => ({ id: z.id, kind: z.kind, corners: z.corners.map((p) => ({ x: p.x_m, y: p.y_m })), speed: z.max_speed_mps ?? null }));
  const lifts = (site.lifts ?? []).flatMap((l) => l.nodes.filter((n) => node.has(n)).map((n) => ({ id: l.id, level, at: at(node, n) })));
  const places = Object.entries(site.places ?? {}).filter(([name, n]) => name !== n && node.has(n)).map(([name, n]) => ({ name, at: at(node, n) }));
  return { edge, zones, lifts, places, node, pitch, roads, kinds, bounds, stations, doors, belt };
}

/** What of a site lies on one of its levels. @param {import('../types.js').Site} site @param {string} level @returns {import('../types.js').Site} */
function onLevel(site, level) {
  const nodes = site.layout.nodes.filter((n) => levelOf(site, n) === level);
  if (nodes.length === site.layout.nodes.length) return site;
  const here = new Set(nodes.map((n) => n.id));
  return {
    ...site,
    layout: { ...site.layout, nodes, edges: site.layout.edges.filter((e) => here.has(e.start) && here.has(e.end)), zones: (site.layout.zones ?? []).filter((z) => levelOf(site, z) === level) },
    stations: site.stations.filter((s) => s.lane.some((n) => here.has(n))), doors: site.doors.filter((d) => d.nodes.some((n) => here.has(n))),
  };
}

/** @param {Map<string, import('../types.js').Node>} node @param {string} id @returns {Point} */
function at(node, id) {
  const n = node.get(id);
  return n ? { x: n.x_m, y: n.y_m } : { x: 0, y: 0 };
}

/** A door stands across the road through its node. @param {import('../types.js').Site} site
 * @param {Map<string, import('../types.js').Node>} node @param {string} id @param {number} pitch @returns {[Point, Point]} */
function bar(site, node, id, pitch) {
  const here = at(node, id);
  const road = site.layout.edges.find((e) => e.start === id && node.get(e.end)?.kind !== 'door');
  const to = road ? at(node, road.end) : { x: here.x + 1, y: here.y };
  const length = Math.hypot(to.x - here.x, to.y - here.y) || 1;
  const across = { x: (-(to.y - here.y) / length) * pitch * 0.5, y: ((to.x - here.x) / length) * pitch * 0.5 };
  return [{ x: here.x - across.x, y: here.y - across.y }, { x: here.x + across.x, y: here.y + across.y }];
}

/** The two ends of a door that are farthest apart. @param {string} id @param {Point[]} ends */
function span(id, ends) {
  const [first] = ends;
  const far = (/** @type {Point} */ from) => ends.reduce((a, b) => (Math.hypot(b.x - from.x, b.y - from.y) > Math.hypot(a.x - from.x, a.y - from.y) ? b : a));
  const to = far(first);
  return { id, from: far(to), to };
}

/** The conveyor loop is drawn below the stations it serves: true in order and in distances along x, not in shape.
 * @param {import('../types.js').Site} site @param {Scene['stations']} stations @param {Scene['bounds']} bounds
 * @param {number} pitch @param {Point} middle @returns {Belt | null} */
function beltOf(site, stations, bounds, pitch, middle) {
  const infeeds = stations
    .filter((s) => s.station.id in site.infeed_m)
    .map((s) => ({ id: s.station.id, x: s.at.x, from: s.at, m: site.infeed_m[s.station.id] }))
    .sort((a, b) => a.m - b.m);
  if (!infeeds.length || infeeds.some((i) => i.from.y > middle.y)) return null;
  const first = infeeds[0];
  const last = infeeds[infeeds.length - 1];
  const [left, right] = [min(infeeds.map((i) => i.x)) - 2 * pitch, max(infeeds.map((i) => i.x)) + 2 * pitch];
  const rightwards = last.x >= first.x;
  const back = site.line_length_m - (last.m - first.m);
  const along = (/** @type {number} */ m) => {
    const part = (((m - last.m) % site.line_length_m) + site.line_length_m) % site.line_length_m;
    const f = back > 0 ? Math.min(1, part / back) : 0.5;
    return rightwards ? right - f * (right - left) : left + f * (right - left);
  };
  const top = bounds.bottom - 2.7 * pitch;
  return {
    left, right, top, bottom: top - 1.7 * pitch, infeeds, scanner: along(0),
    chutes: site.chutes.map((chute) => ({ chute, x: along(chute.position_m) })),
  };
}

/** @param {number[]} all */
const min = (all) => all.reduce((a, b) => Math.min(a, b), Infinity);
/** @param {number[]} all */
const max = (all) => all.reduce((a, b) => Math.max(a, b), -Infinity);
