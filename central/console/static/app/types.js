// The shapes that cross the border, as `contracts` and REST write them. Types only; nothing runs here.
/**
 * @typedef {{resource: string, holder: string, holder_task: string, since_ms: number, until: string}} Wait
 * @typedef {{id: string, state: string, x_m: number, y_m: number, heading_rad: number, battery: number, node: string,
 *   at_ms: number, pod?: string, mission?: string, station?: string, tasks?: string[], order_id?: string, wait?: Wait[],
 *   errors?: string[], retired?: boolean, manufacturer?: string, serial?: string, version?: string, dialect?: string,
 *   series?: string, adopted?: boolean}} RobotView
 * @typedef {{id: string, totes: (string | null)[], pod: string | null, queue: string[], open_picks: number, closed?: boolean}} StationView
 * @typedef {{id: string, state: string}} DoorView
 * @typedef {{id: string, state: string, level?: string, called?: string}} LiftView
 * @typedef {{site: string, epoch: number, at_ms: number, stopped: boolean, robots: RobotView[], stations: StationView[],
 *   open_tasks: number, doors?: DoorView[], lifts?: LiftView[], closed?: string[], closed_edges?: string[],
 *   vendors?: {manufacturer: string, robots: number, deviations: Record<string, number>}[],
 *   unreadable?: {topic: string, text: string, error: string, at_ms: number}[], unreadable_count?: number}} FleetView
 * @typedef {{id: string, x_m: number, y_m: number, kind?: string, door?: string, level?: string, lift?: string, conflict?: string}} Node
 * @typedef {{id: string, start: string, end: string, max_speed_mps?: number, loaded?: boolean}} Edge
 * @typedef {{id: string, kind: string, corners: {x_m: number, y_m: number}[], max_speed_mps?: number, level?: string}} Zone
 * @typedef {{id: string, kind: string, lane: string[], exit: string, slots: number}} Station
 * @typedef {{id: string, position_m: number, capacity: number}} Chute
 * @typedef {{id: string, layout: {id?: string, map_id?: string, nodes: Node[], edges: Edge[], zones?: Zone[]}, pods: {id: string, home: string, bins?: {id: string}[]}[], stations: Station[],
 *   chutes: Chute[], doors: {id: string, nodes: string[]}[], robots: {id: string}[], lifts?: {id: string, nodes: string[]}[], line_length_m: number,
 *   infeed_m: Record<string, number>, places?: Record<string, string>}} Site
 * @typedef {{id: string, state: string, from: string, to: string, from_node: string, to_node: string, load: string, load_type: string, handling: boolean,
 *   priority: number, due: string | null, robot: string | null, reason: string, created_at: string, closed_at: string | null}} Transport
 * @typedef {Transport & {history: {at: string, state: string, robot: string | null, node: string | null, reason: string, who: string}[]}} TransportDetail
 * @typedef {{id: string, kind: string, state: string, priority: number, due: string | null, item: string | null, name: string | null,
 *   lot: string, qty: number | null, source: string | null, target: string | null, ref: string | null, attempt: number,
 *   person: string | null, lease_until: string | null, done_qty: number | null, done_by: string | null, reason: string,
 *   created_at: string, closed_at: string | null}} HandTask
 * @typedef {{id: string, kind: string, state: string, attempt: number, order_id: string, line: number | null, tote: string,
 *   item: string | null, bin: string | null, qty: number | null, done_qty: number | null, station: string | null,
 *   robot: string | null, reason: string, created_at: string, released_at: string | null, started_at: string | null,
 *   closed_at: string | null, evidence?: any}} Task
 * @typedef {{id: string, source: string, ref: string, state: string, due: string, priority: number, ship_to: string,
 *   received_at: string, released_at: string | null, started_at: string | null, closed_at: string | null, lines: number,
 *   qty: number, done: number, short: number, totes: number, packed_at?: string | null}} Order
 * @typedef {{line: number, item: string, kind: string, qty: number, allocated: number, done: number, short: number,
 *   cancelled: number}} Line
 * @typedef {{seq: number, at: string, from: string, to: string, item: string, qty: number, reason: string,
 *   task: string | null, line: number | null, actor: string, key: string}} LedgerRow
 * @typedef {{id: string, state: string, oversize: boolean, weight_g: number | null, place: string | null}} Tote
 * @typedef {Order & {correlation: string, order_lines: Line[], tote_list: Tote[], tasks: Task[], ledger: LedgerRow[],
 *   shipment: {id: string, at: string, totes: number, pieces: number, services: number, weight_g: number} | null}} OrderDetail
 * @typedef {{id: number, key: string, severity: string, subject: string, text: string, remedy: string, raised_at: string,
 *   cleared_at: string | null, acknowledged_at: string | null, acknowledged_by: string | null,
 *   acknowledged_why: string | null}} Alarm
 * @typedef {{at: string, lines: number, pieces: number, short: number, totes: number, orders: number}} Bucket
 * @typedef {{buckets: Bucket[], orders: Record<string, number>, tasks: Record<string, number>, alarms: number}} Stats
 * @typedef {{id: string, ref: string, supplier: string, state: string, due: string, staging: string | null, lines: number,
 *   qty: number, received: number, damaged: number}} Asn
 * @typedef {{id: string, dock: string, from: string, to: string, direction: string, state: string, asn: string | null,
 *   carrier: string, vehicle: string}} Appointment
 * @typedef {{task: string, item: string, lot: string, qty: number, source: string, target: string | null,
 *   why: {because?: string, passed?: {place: string, why: string}[]}}} Putaway
 * @typedef {{stop: number, ship_to: string, orders: string[], expected: number, loaded: number}} TruckStop
 * @typedef {{id: string, state: string, route: string, carrier: string, dock: string | null, departs_at: string, stops: TruckStop[]}} Truck
 * @typedef {{id: string, state: string, created_at: string, progress: {picks: {total: number, done: number, short: number},
 *   totes: {total: number, packed: number}, orders: Record<string, number>}}} Wave
 * @typedef {{id: number, at: string, who: string, role: string, action: string, subject: string, reason: string}} AuditRow
 * @typedef {{name: string, role: string}} Me
 */
export {};

/**
 * @typedef {{id: string, kind: string, state: string, effort: number, seed: number, worker: string, share: number, cost: number | null,
 *   used: number | null, reason: string, done?: number, eta_s?: number | null, asked_by: string, asked_at: string, begun_at: string | null, ended_at: string | null,
 *   decided_by: string, decided_at: string | null}} PlanRow
 * @typedef {PlanRow & {plan: any, picture: any, steps?: {done: number, cost: number}[], outcome?: any}} PlanDetail
 */
