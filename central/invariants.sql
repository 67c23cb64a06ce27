-- What must hold, always: no row is the only good answer.
CREATE OR REPLACE VIEW invariant_violation AS
WITH moved AS (
    SELECT m.place, m.item, m.lot, m.owner, m.status, sum(m.qty) AS qty FROM (
        SELECT b AS place, item, lot, owner, b_status AS status, qty::bigint FROM ledger
        UNION ALL
        SELECT a, item, lot, owner, a_status, -qty::bigint FROM ledger
    ) AS m JOIN place p ON p.code = m.place AND p.kind <> 'virtual'
    GROUP BY m.place, m.item, m.lot, m.owner, m.status
), held AS (
    SELECT place, item, lot, owner, status, sum(qty) AS qty FROM stock GROUP BY place, item, lot, owner, status
), claimed AS (
    SELECT stock, sum(qty) AS qty FROM reservation GROUP BY stock
), picks AS (
    SELECT order_id, line, sum(qty) FILTER (WHERE state IN ('waiting', 'released', 'started')) AS open,
           sum(done_qty - back_qty) FILTER (WHERE state IN ('done', 'short')) AS done
    FROM task WHERE kind = 'pick' GROUP BY order_id, line
), left_floor AS (
    SELECT order_id, item, sum(qty) AS qty FROM ledger l WHERE reason = 'ship'
      AND NOT EXISTS (SELECT FROM ledger u WHERE u.reverses = l.seq) GROUP BY order_id, item
), lines AS (
    SELECT order_id, item, sum(done) AS done FROM order_line WHERE kind = 'stock' GROUP BY order_id, item
)
SELECT 'sum of moves is stock' AS name, concat_ws('/', COALESCE(m.place, h.place), COALESCE(m.item, h.item)) AS subject,
       format('moves %s, stock %s', COALESCE(m.qty, 0), COALESCE(h.qty, 0)) AS detail
FROM moved m FULL JOIN held h USING (place, item, lot, owner, status) WHERE COALESCE(m.qty, 0) <> COALESCE(h.qty, 0)
UNION ALL
SELECT 'reservations are reserved', s.place || '/' || s.item, format('reservations %s, reserved %s', COALESCE(c.qty, 0), s.reserved)
FROM stock s LEFT JOIN claimed c ON c.stock = s.id WHERE COALESCE(c.qty, 0) <> s.reserved
UNION ALL
SELECT 'no negative stock', place || '/' || item, format('qty %s, reserved %s', qty, reserved)
FROM stock WHERE qty < 0 OR reserved < 0 OR reserved > qty
UNION ALL
SELECT 'order lines add up', l.order_id || '/' || l.line,
       format('qty %s, allocated %s, done %s, short %s, cancelled %s', l.qty, l.allocated, l.done, l.short, l.cancelled)
FROM order_line l JOIN orders o ON o.id = l.order_id
WHERE CASE WHEN l.kind = 'stock' OR o.state IN ('shipped', 'cancelled')
           THEN l.allocated + l.done + l.short + l.cancelled <> l.qty
           ELSE l.allocated + l.done + l.short + l.cancelled > l.qty END
UNION ALL
SELECT 'open picks are allocated, done picks are done', l.order_id || '/' || l.line,
       format('allocated %s, open %s, done %s, picked %s', l.allocated, COALESCE(p.open, 0), l.done, COALESCE(p.done, 0))
FROM order_line l LEFT JOIN picks p ON p.order_id = l.order_id AND p.line = l.line
WHERE l.kind = 'stock' AND (l.allocated <> COALESCE(p.open, 0) OR l.done <> COALESCE(p.done, 0))
UNION ALL
SELECT 'no key is posted twice', key, count(*) || ' rows' FROM ledger GROUP BY key HAVING count(*) > 1
UNION ALL
SELECT 'no key is posted twice', l.key, 'not among the keys' FROM ledger l LEFT JOIN posted p ON p.key = l.key WHERE p.key IS NULL
UNION ALL
SELECT 'a done pick is posted once', t.id, format('picked %s, posted %s in %s rows', t.done_qty, COALESCE(sum(l.qty), 0), count(l.qty))
FROM task t LEFT JOIN ledger l ON l.order_id = t.order_id AND l.task = t.id AND l.reason IN ('pick', 'late_pick')
LEFT JOIN ledger u ON u.reverses = l.seq
WHERE t.kind = 'pick' AND t.done_qty IS NOT NULL
GROUP BY t.id, t.done_qty HAVING COALESCE(sum(l.qty), 0) - COALESCE(sum(u.qty), 0) <> t.done_qty OR count(l.qty) > 1
UNION ALL
SELECT 'a move is reversed once, by its mirror', COALESCE(l.key, u.key), format('%s by %s', u.reverses, u.seq)
FROM ledger u LEFT JOIN ledger l ON l.seq = u.reverses
WHERE u.reverses IS NOT NULL AND (u.a, u.b, u.a_status, u.b_status, u.item, u.lot, u.owner, u.qty, u.key)
      IS DISTINCT FROM (l.b, l.a, l.b_status, l.a_status, l.item, l.lot, l.owner, l.qty, 'reverse/' || l.seq)
UNION ALL
SELECT 'shipped is what was picked', o.id || '/' || l.item, format('picked %s, shipped %s', l.done, COALESCE(f.qty, 0))
FROM orders o JOIN lines l ON l.order_id = o.id LEFT JOIN left_floor f ON f.order_id = o.id AND f.item = l.item
WHERE o.state = 'shipped' AND l.done <> COALESCE(f.qty, 0)
UNION ALL
SELECT 'a shipped order has its shipment', o.id, o.state
FROM orders o LEFT JOIN (SELECT order_id, count(*) AS n FROM shipment WHERE reversed_at IS NULL GROUP BY order_id) AS s ON s.order_id = o.id
WHERE CASE WHEN o.state = 'shipped' THEN s.n IS NULL WHEN o.state = 'packed' THEN false ELSE s.n > 0 END
UNION ALL
SELECT 'a closed order has no open task', o.id, t.id
FROM orders o JOIN task t ON t.order_id = o.id AND t.state IN ('waiting', 'released', 'started')
WHERE o.state IN ('shipped', 'short', 'cancelled')
UNION ALL
SELECT 'a kept month end is the sum of moves', concat_ws('/', COALESCE(x.place, y.place), COALESCE(x.item, y.item), COALESCE(x.status, y.status)),
       format('kept %s, moves %s', COALESCE(x.qty, 0), COALESCE(y.qty, 0))
FROM (SELECT t.* FROM stock_then t WHERE t.at = (SELECT max(at) FROM stock_month)) AS x
FULL JOIN (
    SELECT m.place, m.item, m.lot, m.owner, m.status, sum(m.qty) AS qty FROM (SELECT * FROM stock_month ORDER BY at DESC LIMIT 1) AS k
    CROSS JOIN LATERAL (
        SELECT b AS place, item, lot, owner, b_status AS status, qty::bigint FROM ledger WHERE at <= k.at AND seq <= k.seq
        UNION ALL SELECT a, item, lot, owner, a_status, -qty::bigint FROM ledger WHERE at <= k.at AND seq <= k.seq
    ) AS m JOIN place p ON p.code = m.place AND p.kind <> 'virtual'
    GROUP BY m.place, m.item, m.lot, m.owner, m.status HAVING sum(m.qty) <> 0
) AS y ON (y.place, y.item, y.lot, y.owner, y.status) = (x.place, x.item, x.lot, x.owner, x.status)
WHERE COALESCE(x.qty, 0) <> COALESCE(y.qty, 0)
UNION ALL
SELECT 'a hand task is posted by one confirmation', string_agg(h.id, ', '), format('move %s, tasks %s', m.seq, count(*))
FROM hand_task h CROSS JOIN LATERAL unnest(h.moves) AS m(seq) LEFT JOIN ledger l ON l.seq = m.seq
GROUP BY m.seq HAVING count(*) > 1 OR count(l.seq) = 0
UNION ALL
SELECT 'a count is settled by two, or by none', c.id, format('%s, difference %s, results %s', c.state, c.difference, count(r.round))
FROM stock_count c LEFT JOIN count_proof r ON r.count_id = c.id AND r.counted - r.expected = c.difference
WHERE c.state IN ('posted', 'pending') GROUP BY c.id HAVING count(DISTINCT r.person) < 2 OR c.difference = 0
UNION ALL
SELECT 'a count posts what it says', c.id, format('says %s, posted %s', c.posted, COALESCE(l.qty, 0))
FROM stock_count c LEFT JOIN (
    SELECT split_part(x.key, '#', 1) AS key, sum(CASE x.a WHEN 'adjustment' THEN x.qty ELSE -x.qty END) AS qty FROM ledger x
    WHERE x.reason = 'count' AND NOT EXISTS (SELECT FROM ledger r WHERE r.reverses = x.seq) GROUP BY 1
) AS l ON l.key = 'count/' || c.id WHERE c.state <> 'pending' AND c.posted <> COALESCE(l.qty, 0)
UNION ALL
SELECT 'never more returned than shipped', l.order_id || '/' || l.line, format('shipped %s, returned %s, announced %s', l.done, l.returned, COALESCE(r.qty, 0))
FROM order_line l LEFT JOIN (
    SELECT g.order_id, x.order_line, sum(CASE WHEN g.closed_at IS NULL THEN x.qty ELSE x.received END) AS qty
    FROM return_line x JOIN goods_return g ON g.id = x.return_id WHERE x.order_line IS NOT NULL GROUP BY g.order_id, x.order_line
) AS r ON r.order_id = l.order_id AND r.order_line = l.line
WHERE l.returned > l.done OR l.returned <> COALESCE(r.qty, 0)
UNION ALL
SELECT 'what was received back is in the ledger', x.return_id || '/' || x.line, format('received %s, posted %s', x.received, COALESCE(m.qty, 0))
FROM return_line x LEFT JOIN (
    SELECT split_part(l.key, '/', 2) AS id, split_part(l.key, '/', 3) AS line, sum(l.qty) - COALESCE(sum(u.qty), 0) AS qty
    FROM ledger l LEFT JOIN ledger u ON u.reverses = l.seq WHERE l.reason = 'return' AND starts_with(l.key, 'return/') GROUP BY 1, 2
) AS m ON m.id = x.return_id AND m.line = x.line::text
WHERE x.received <> COALESCE(m.qty, 0) OR x.back + x.other + x.damaged + x.scrapped > x.received
UNION ALL
SELECT 'goods that came back are graded, or wait for it', g.id, format('ungraded %s, tasks for %s', x.ungraded, COALESCE(h.qty, 0))
FROM goods_return g JOIN (
    SELECT return_id, sum(received - back - other - damaged - scrapped) AS ungraded FROM return_line GROUP BY return_id) AS x ON x.return_id = g.id
LEFT JOIN (SELECT ref, sum(qty) AS qty FROM hand_task WHERE kind = 'grade' AND state IN ('open', 'leased') GROUP BY ref) AS h ON h.ref = g.id
WHERE x.ungraded <> COALESCE(h.qty, 0)
UNION ALL
SELECT 'no piece of the reserve is planned twice', h.source || '/' || h.item, format('free %s, planned %s', COALESCE(s.free, 0), sum(h.qty))
FROM hand_task h LEFT JOIN (
    SELECT place, item, lot, sum(qty) AS free FROM stock WHERE status = 'ok' GROUP BY place, item, lot) AS s
    ON s.place = h.source AND s.item = h.item AND s.lot = h.lot
WHERE h.kind = 'replenish' AND h.state IN ('open', 'leased')
GROUP BY h.source, h.item, h.lot, s.free HAVING sum(h.qty) > COALESCE(s.free, 0)
    AND NOT EXISTS (SELECT FROM ledger l WHERE l.a = h.source AND l.item = h.item AND l.lot = h.lot AND l.at >= min(h.created_at))
UNION ALL
SELECT 'a kit is its parts', b.id || '/' || COALESCE(p.item, b.kit), format('%s done, workshop keeps %s', b.done, COALESCE(m.qty, 0))
FROM kit_build b CROSS JOIN LATERAL (
    SELECT x->>'item' AS item, (x->>'qty')::integer * b.done * CASE b.way WHEN 'build' THEN 1 ELSE -1 END AS qty FROM jsonb_array_elements(b.parts) AS x
    UNION ALL SELECT b.kit, -b.done * CASE b.way WHEN 'build' THEN 1 ELSE -1 END
) AS p LEFT JOIN LATERAL (
    SELECT sum(CASE l.b WHEN 'workshop' THEN l.qty ELSE -l.qty END) AS qty
    FROM ledger l WHERE l.task = 'B-' || b.id AND l.item = p.item
) AS m ON true WHERE p.qty <> COALESCE(m.qty, 0)
UNION ALL
SELECT 'what was scrapped with a reason is in the ledger', x.id, format('%s, %s pieces, posted %s', x.state, x.qty, l.qty)
FROM scrapping x LEFT JOIN ledger l ON l.seq = x.move AND l.key = 'scrap/' || x.id
WHERE (x.state = 'posted') <> (l.seq IS NOT NULL) OR l.qty <> x.qty OR x.state = 'approved'
UNION ALL
SELECT 'a transfer is what left and what came', x.transfer || '/' || x.line, format('%s: sent %s, received %s, transit %s', t.state, x.sent, x.received, COALESCE(m.qty, 0))
FROM transfer_line x JOIN transfer t ON t.id = x.transfer LEFT JOIN (
    SELECT split_part(key, '/', 2) AS id, split_part(key, '/', 3) AS line, sum(CASE b WHEN 'transit' THEN qty ELSE -qty END) AS qty
    FROM (SELECT COALESCE(o.key, l.key) AS key, l.a, l.b, l.qty FROM ledger l LEFT JOIN ledger o ON o.seq = l.reverses
          WHERE 'transit' IN (l.a, l.b)) AS k GROUP BY 1, 2
) AS m ON m.id = x.transfer AND m.line = x.line::text
WHERE COALESCE(m.qty, 0) <> CASE WHEN t.way = 'in' THEN -x.received WHEN t.state = 'closed' THEN x.received ELSE x.sent END
UNION ALL
SELECT 'an ASN line is the sum of its receipts', l.asn || '/' || l.line,
       format('received %s, damaged %s, receipts %s, damaged %s', l.received, l.damaged, COALESCE(r.qty, 0), COALESCE(r.damaged, 0))
FROM asn_line l LEFT JOIN (
    SELECT r.asn, r.line, sum(r.qty) AS qty, COALESCE(sum(r.qty) FILTER (WHERE r.status = 'damaged'), 0) AS damaged
    FROM receipt r JOIN ledger g ON g.key = r.key LEFT JOIN ledger u ON u.reverses = g.seq
    WHERE r.asn IS NOT NULL AND u.seq IS NULL GROUP BY r.asn, r.line
) AS r ON r.asn = l.asn AND r.line = l.line
WHERE l.received <> COALESCE(r.qty, 0) OR l.damaged <> COALESCE(r.damaged, 0)
UNION ALL
SELECT 'a receipt is posted', r.key, format('%s of %s, posted %s', r.qty, r.item, g.qty)
FROM receipt r LEFT JOIN ledger g ON g.key = r.key
WHERE (r.item, r.lot, r.owner, r.qty, r.place, r.status) IS DISTINCT FROM (g.item, g.lot, g.owner, g.qty, g.b, g.b_status)
UNION ALL
SELECT 'stock has the dates of its lot', s.place || '/' || s.item || '/' || s.lot, format('stock %s, lot %s', s.expires, l.expires)
FROM stock s LEFT JOIN lot l ON l.item = s.item AND l.lot = s.lot
WHERE (s.expires, s.since) IS DISTINCT FROM (l.expires, l.received_on)
UNION ALL
SELECT 'a closed ASN has nothing to receive', a.id, h.id
FROM asn a JOIN hand_task h ON h.ref = a.id AND h.kind = 'receive' AND h.state IN ('open', 'leased') WHERE a.state IN ('closed', 'cancelled')
UNION ALL
SELECT 'a posted change of status is a move', c.id::text, c.key
FROM status_change c LEFT JOIN ledger g ON g.key = c.key WHERE c.state = 'posted' AND (g.qty, g.a_status, g.b_status) IS DISTINCT FROM (c.qty, c.was, c.becomes)
UNION ALL
SELECT 'no place stands inside itself', x.code, x.way FROM (
    WITH RECURSIVE up(code, above, way, n) AS (
        SELECT p.code, p.parent, p.parent::text, 1 FROM place p WHERE p.parent IS NOT NULL
        UNION ALL
        SELECT up.code, p.parent, up.way || ' in ' || p.parent, up.n + 1 FROM up JOIN place p ON p.code = up.above
        WHERE p.parent IS NOT NULL AND up.above <> up.code AND up.n < 12
    ) SELECT code, way FROM up WHERE above = code
) AS x
UNION ALL
SELECT 'what is shipped is in its shipment, and nowhere else', t.id, format('%s, %s pieces stand in it', t.shipment, s.qty)
FROM tote t LEFT JOIN shipment x ON x.id = t.shipment LEFT JOIN stock s ON s.place = t.id AND s.qty > 0
WHERE t.shipment IS NOT NULL AND (x.order_id IS DISTINCT FROM t.order_id OR x.reversed_at IS NOT NULL OR s.qty > 0)
UNION ALL
SELECT 'what is loaded stands on its truck', k.tote, format('%s says %s', k.truck, outermost(k.tote))
FROM truck_tote k JOIN truck t ON t.id = k.truck AND t.state IN ('loading', 'dispatched') JOIN place p ON p.code = outermost(k.tote)
WHERE (k.state = 'loaded' AND p.parent IS DISTINCT FROM k.truck) OR (k.state = 'expected' AND p.parent = k.truck)
UNION ALL
SELECT 'a dispatched truck has shipped what is loaded', k.truck, k.tote
FROM truck_tote k JOIN truck t ON t.id = k.truck JOIN tote x ON x.id = k.tote
WHERE k.state = 'loaded' AND (t.state IN ('dispatched', 'departed')) <> (x.shipment IS NOT NULL)
UNION ALL
SELECT 'what was put back is in the ledger', k.id, format('put back %s, posted %s', k.back_qty, COALESCE(sum(l.qty), 0))
FROM task k LEFT JOIN ledger l ON l.order_id = k.order_id AND l.task = k.id AND l.reason IN ('putback', 'lost')
WHERE k.back_qty > 0 GROUP BY k.id, k.back_qty HAVING k.back_qty <> COALESCE(sum(l.qty), 0) OR k.back_qty > k.done_qty
UNION ALL
SELECT 'only waiting orders are held', o.id, format('%s, wave %s, %s', o.state, o.wave, o.waits)
FROM orders o LEFT JOIN wave w ON w.id = o.wave
WHERE (o.state IN ('released', 'picking', 'packed', 'shipped') AND o.waits <> '') OR (o.state = 'allocated' AND w.state IN ('done', 'cancelled'))
UNION ALL
SELECT 'a pick of a person is work for hands', k.id, format('%s, hand task %s', k.state, h.state)
FROM task k LEFT JOIN hand_task h ON h.id = k.id
WHERE k.hand AND k.kind = 'pick' AND (k.state = 'released' AND h.state IS DISTINCT FROM 'open' OR k.state = 'started' AND h.state IS DISTINCT FROM 'leased'
      OR k.state IN ('done', 'short', 'cancelled') AND h.state IN ('open', 'leased'))
UNION ALL
SELECT 'a unit has a right number and its place', u.sscc, format('%s, %s', u.kind, p.kind)
FROM unit u JOIN place p ON p.code = u.place
WHERE gs1_check_digit(left(u.sscc, 17)) <> right(u.sscc, 1) OR p.kind NOT IN ('unit', 'tote') OR (p.kind = 'unit' AND p.code <> u.sscc)
UNION ALL
SELECT 'a unit that is given up is empty', u.sscc, u.place FROM unit u
WHERE u.state = 'void' AND (EXISTS (SELECT FROM stock s WHERE s.place = u.place AND s.qty > 0) OR EXISTS (SELECT FROM place p WHERE p.parent = u.place));
