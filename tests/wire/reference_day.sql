-- Half a day of the reference site in the words of the release before: shipped orders, open ones with their claims,
-- and a long ledger of moves that undo each other. {shipped} orders are shipped, {open} are open.
CREATE TEMP TABLE chosen AS SELECT row_number() OVER () AS n, s.* FROM
    (SELECT id, place, item FROM stock WHERE qty > 3 ORDER BY id LIMIT {both}) AS s;
INSERT INTO place (code, kind) SELECT 'T-R' || n || '-1', 'tote' FROM chosen;
INSERT INTO orders (id, source, ref, state, due, received_at, released_at, closed_at, owner)
SELECT 'R' || n, 'erp', 'R' || n, CASE WHEN n <= {shipped} THEN 'shipped' ELSE 'released' END, '2013-12-02',
       '{at}'::timestamptz + n * interval '1 minute', '{at}', CASE WHEN n <= {shipped} THEN '{at}'::timestamptz END, ''
FROM chosen;
INSERT INTO order_line (order_id, line, item, kind, qty, allocated, done)
SELECT 'R' || n, 1, item, 'stock', 2, CASE WHEN n <= {shipped} THEN 0 ELSE 2 END, CASE WHEN n <= {shipped} THEN 2 ELSE 0 END
FROM chosen;
INSERT INTO tote (id, order_id, n, state, oversize)
SELECT 'T-R' || n || '-1', 'R' || n, 1, CASE WHEN n <= {shipped} THEN 'packed' ELSE 'open' END, false FROM chosen;
INSERT INTO task (id, kind, state, order_id, line, tote, item, stock, bin, qty, done_qty, created_at, released_at, closed_at)
SELECT 'P-T-R' || n || '-1-1', 'pick', CASE WHEN n <= {shipped} THEN 'done' ELSE 'released' END, 'R' || n, 1,
       'T-R' || n || '-1', item, id, place, 2, CASE WHEN n <= {shipped} THEN 2 END, '{at}', '{at}',
       CASE WHEN n <= {shipped} THEN '{at}'::timestamptz END FROM chosen;
INSERT INTO task (id, kind, state, order_id, tote, created_at, released_at, closed_at)
SELECT k.prefix || 'T-R' || n || '-1', k.kind, CASE WHEN n <= {shipped} THEN 'done' ELSE 'released' END, 'R' || n,
       'T-R' || n || '-1', '{at}', '{at}', CASE WHEN n <= {shipped} THEN '{at}'::timestamptz END
FROM chosen CROSS JOIN (VALUES ('C-', 'convey'), ('K-', 'pack')) AS k(prefix, kind);
INSERT INTO reservation SELECT 'P-T-R' || n || '-1-1', id, 2 FROM chosen WHERE n > {shipped};
UPDATE stock s SET reserved = 2 FROM chosen c WHERE c.id = s.id AND c.n > {shipped};
UPDATE stock s SET qty = s.qty - 2 FROM chosen c WHERE c.id = s.id AND c.n <= {shipped};
INSERT INTO ledger (at, a, b, item, qty, reason, task, order_id, line, actor, key)
SELECT '{at}', place, 'T-R' || n || '-1', item, 2, 'pick', 'P-T-R' || n || '-1-1', 'R' || n, 1, 'S1', 'pick/P-T-R' || n || '-1-1'
FROM chosen WHERE n <= {shipped};
INSERT INTO ledger (at, a, b, item, qty, reason, order_id, line, actor, key)
SELECT '{at}', 'T-R' || n || '-1', 'customer', item, 2, 'ship', 'R' || n, 1, '', 'ship/T-R' || n || '-1/' || item
FROM chosen WHERE n <= {shipped};
INSERT INTO shipment SELECT 'SH-R' || n, 'R' || n, '{at}', 1, 2, 0, 100, '' FROM chosen WHERE n <= {shipped};
INSERT INTO ledger (at, a, b, item, qty, reason, actor, key)
SELECT '{at}'::timestamptz + n * interval '5 seconds', CASE n % 2 WHEN 0 THEN 'adjustment' ELSE place END,
       CASE n % 2 WHEN 0 THEN place ELSE 'adjustment' END, item, 1, 'found', 'me', 'm' || n || '/' || id
FROM (SELECT id, place, item FROM stock ORDER BY id LIMIT {moved}) AS s CROSS JOIN generate_series(1, 2000) AS n;
INSERT INTO posted SELECT key FROM ledger ON CONFLICT DO NOTHING;
INSERT INTO event (type, subject, at) SELECT 'floorplane.order.shipped', 'R' || n, '{at}' FROM chosen WHERE n <= {shipped};
ANALYZE;
