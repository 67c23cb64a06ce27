-- The lines of an order as its events carry them.
CREATE OR REPLACE FUNCTION lines_of(p_order text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_agg(jsonb_build_object('line', line, 'item', item, 'qty', qty, 'allocated', allocated, 'done', done,
                                        'short', short, 'cancelled', cancelled) ORDER BY line)
    FROM order_line WHERE order_id = p_order;
$$;

-- Close an order of which nothing is left to do: what is in its totes leaves, its service lines with it. One with a route
-- waits for its truck first; one that was cancelled so goes back to stock.
CREATE OR REPLACE FUNCTION finish_order(p_order text, p_at timestamptz, p_actor text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    packed text[];
    services integer;
BEGIN
    SELECT * INTO o FROM orders WHERE id = p_order FOR UPDATE;
    IF o.state IN ('packed', 'shipped', 'short', 'cancelled') THEN RETURN; END IF;
    IF EXISTS (SELECT FROM task WHERE order_id = p_order AND state IN ('waiting', 'released', 'started')) THEN RETURN; END IF;
    -- what a change took out of its totes is not carried away yet
    IF o.put_back IS NULL AND EXISTS (SELECT FROM hand_task h WHERE h.ref = p_order AND h.kind = 'putback' AND h.state IN ('open', 'leased')) THEN RETURN; END IF;

    -- what is short of it still comes
    IF o.backorder AND o.put_back IS NULL AND EXISTS (SELECT FROM order_line WHERE order_id = p_order AND kind = 'stock' AND short > 0) THEN RETURN; END IF;

    packed := ARRAY(SELECT t.id FROM tote t WHERE t.order_id = p_order AND t.state = 'packed' ORDER BY t.n);
    IF o.put_back IS NOT NULL THEN
        PERFORM put_order_back(o, p_at, p_actor);
        RETURN;
    END IF;
    IF o.route <> '' AND packed <> '{}' THEN
        UPDATE orders SET state = 'packed', packed_at = p_at WHERE id = p_order;
        PERFORM emit('floorplane.order.packed', p_order, p_at, jsonb_build_object(
            'ref', o.ref, 'source', o.source, 'route', o.route, 'totes', cardinality(packed), 'lines', lines_of(p_order)), o.correlation);
        PERFORM offer_loads(x.truck, p_at) FROM truck_order x JOIN truck t ON t.id = x.truck AND t.state = 'loading'
        WHERE x.order_id = p_order AND x.live;
        RETURN;
    END IF;
    SELECT count(*) INTO services FROM order_line WHERE order_id = p_order AND kind = 'service' AND cancelled = 0;
    IF packed = '{}' AND services = 0 THEN
        UPDATE orders SET closed_at = p_at, state = CASE
            WHEN EXISTS (SELECT FROM order_line WHERE order_id = p_order AND cancelled > 0) THEN 'cancelled' ELSE 'short' END
        WHERE id = p_order RETURNING * INTO o;
        PERFORM emit('floorplane.order.' || o.state, p_order, p_at, jsonb_build_object(
            'ref', o.ref, 'source', o.source, 'lines', lines_of(p_order)), o.correlation);
        RETURN;
    END IF;
    PERFORM ship_totes(p_order, packed, NULL, p_at, p_actor);
END $$;

-- Totes of an order leave: their pieces are the customer's. The order is shipped with its last tote. Says the shipment's name.
CREATE OR REPLACE FUNCTION ship_totes(p_order text, p_totes text[], p_truck text, p_at timestamptz, p_actor text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    number integer;
    name text;
    cause text;
    pieces integer;
    services integer := 0;
    weight integer;
    last boolean;
BEGIN
    SELECT * INTO o FROM orders WHERE id = p_order;
    SELECT count(*) + 1 INTO number FROM shipment WHERE order_id = p_order;
    name := 'S-' || p_order || CASE WHEN number > 1 THEN '-' || number ELSE '' END;
    cause := CASE WHEN number > 1 THEN 'ship#' || number ELSE 'ship' END;
    last := NOT EXISTS (SELECT FROM tote t WHERE t.order_id = p_order AND t.state = 'packed' AND t.shipment IS NULL AND t.id <> ALL (p_totes));
    WITH gone AS (
        DELETE FROM stock s WHERE s.place = ANY (p_totes) AND s.qty > 0
        RETURNING s.place, s.item, s.lot, s.owner, s.status, s.qty
    ), keys AS (
        INSERT INTO posted SELECT cause || '/' || place || '/' || item || '/' || lot || '/' || owner FROM gone
    ), moves AS (
        INSERT INTO ledger (at, a, b, a_status, b_status, item, lot, owner, qty, reason, order_id, actor, key)
        SELECT p_at, place, 'customer', status, status, item, lot, owner, qty, 'ship', p_order, p_actor,
               cause || '/' || place || '/' || item || '/' || lot || '/' || owner
        FROM gone ORDER BY place, item, lot, owner
    )
    SELECT COALESCE(sum(qty), 0) INTO pieces FROM gone;
    UPDATE tote SET shipment = name WHERE id = ANY (p_totes);
    SELECT COALESCE(sum(t.weight_g), 0) INTO weight FROM tote t WHERE t.id = ANY (p_totes);
    UPDATE unit SET state = 'shipped' WHERE place = ANY (p_totes);
    IF last THEN
        UPDATE order_line SET done = qty WHERE order_id = p_order AND kind = 'service' AND cancelled = 0;
        GET DIAGNOSTICS services = ROW_COUNT;
        UPDATE orders SET state = 'shipped', packed_at = COALESCE(packed_at, p_at), closed_at = p_at WHERE id = p_order;
    END IF;
    INSERT INTO shipment (id, order_id, at, totes, pieces, services, weight_g, ship_to, truck)
    VALUES (name, p_order, p_at, cardinality(p_totes), pieces, services, weight, o.ship_to, p_truck);
    PERFORM emit(CASE WHEN last THEN 'floorplane.order.shipped' ELSE 'floorplane.order.partly_shipped' END, p_order, p_at, jsonb_build_object(
        'ref', o.ref, 'source', o.source, 'shipment', name, 'totes', cardinality(p_totes), 'pieces', pieces,
        'lines', lines_of(p_order)), o.correlation);
    RETURN name;
END $$;

-- Take a shipment back that has not departed: a row in the other direction for each of its moves; its totes stay packed.
-- `p_keep`: they stay on their truck, which is being opened again. Says 'reversed', or why not and what stands in the way.
CREATE OR REPLACE FUNCTION reverse_shipment(
    p_id text, p_at timestamptz, p_who text, p_error text, p_why text, p_owner text, p_keep boolean DEFAULT false
) RETURNS TABLE (outcome text, what text, moves bigint[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    s shipment;
    o orders;
    l ledger;
    made bigint;
    cause text;
BEGIN
    SELECT * INTO s FROM shipment x WHERE x.id = p_id;
    SELECT * INTO o FROM orders x WHERE x.id = s.order_id FOR UPDATE;
    IF o.id IS NULL OR (p_owner <> '' AND o.owner <> p_owner) THEN outcome := 'unknown'; RETURN NEXT; RETURN; END IF;
    SELECT * INTO s FROM shipment x WHERE x.id = p_id FOR UPDATE;
    IF s.reversed_at IS NOT NULL THEN outcome := 'reversed already'; RETURN NEXT; RETURN; END IF;
    IF s.truck IS NOT NULL THEN
        SELECT t.id INTO what FROM truck t WHERE t.id = s.truck AND t.state <> 'dispatched';
        IF FOUND AND NOT p_keep THEN outcome := 'departed'; RETURN NEXT; RETURN; END IF;
    END IF;
    IF EXISTS (SELECT FROM order_line x WHERE x.order_id = o.id AND x.returned > 0) THEN outcome := 'returned'; RETURN NEXT; RETURN; END IF;
    cause := 'ship' || CASE WHEN s.id = 'S-' || o.id THEN '/' ELSE '#' || substr(s.id, length('S-' || o.id) + 2) || '/' END;
    moves := '{}';
    FOR l IN SELECT * FROM ledger x WHERE x.order_id = o.id AND x.reason = 'ship' AND starts_with(x.key, cause) ORDER BY x.seq LOOP
        INSERT INTO posted VALUES ('reverse/' || l.seq);
        INSERT INTO stock AS k (place, item, lot, owner, status, qty) VALUES (l.a, l.item, l.lot, l.owner, l.a_status, l.qty)
        ON CONFLICT (place, item, lot, owner, status) DO UPDATE SET qty = k.qty + excluded.qty;
        INSERT INTO ledger AS x (at, a, b, a_status, b_status, item, lot, owner, qty, reason, order_id, actor, key, reverses)
        VALUES (p_at, l.b, l.a, l.b_status, l.a_status, l.item, l.lot, l.owner, l.qty, p_error, l.order_id, p_who, 'reverse/' || l.seq, l.seq)
        RETURNING x.seq INTO made;
        moves := moves || made;
    END LOOP;
    UPDATE shipment SET reversed_at = p_at, reversed_why = p_why WHERE id = p_id;
    UPDATE unit SET state = 'closed' WHERE place IN (SELECT t.id FROM tote t WHERE t.order_id = o.id AND t.shipment = p_id);
    IF s.truck IS NOT NULL AND NOT p_keep THEN
        UPDATE place SET parent = (SELECT t.dock FROM truck t WHERE t.id = s.truck)
        WHERE code IN (SELECT t.id FROM tote t WHERE t.order_id = o.id AND t.shipment = p_id) AND parent = s.truck;
        UPDATE truck_tote t SET state = 'left', loaded_at = NULL, reason = p_why
        FROM tote x WHERE t.truck = s.truck AND x.id = t.tote AND x.shipment = p_id;
        UPDATE truck_order SET live = false, reason = p_why WHERE truck = s.truck AND order_id = o.id;
    END IF;
    UPDATE tote SET shipment = NULL WHERE order_id = o.id AND shipment = p_id;
    IF s.services > 0 THEN UPDATE order_line SET done = 0 WHERE order_id = o.id AND kind = 'service'; END IF;
    UPDATE orders SET state = 'packed', closed_at = NULL WHERE id = o.id;
    PERFORM emit('floorplane.order.unshipped', o.id, p_at, jsonb_build_object(
        'ref', o.ref, 'source', o.source, 'shipment', p_id, 'error', p_error, 'reason', p_why, 'who', p_who, 'lines', lines_of(o.id)), o.correlation);
    outcome := 'reversed'; RETURN NEXT;
END $$;

-- The next task that puts something of a pick back.
CREATE OR REPLACE FUNCTION putback_name(p_task text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'B-' || k.id || CASE WHEN count(h.id) > 0 THEN '.' || count(h.id) + 1 ELSE '' END
    FROM task k LEFT JOIN hand_task h ON h.ref = k.order_id AND h.kind = 'putback' AND h.detail->>'task' = k.id WHERE k.id = p_task GROUP BY k.id;
$$;

-- Pieces of a line are not wanted any more: people take them out of its packed totes and put them back, the last picked first.
-- Says how many tasks there are, or what stands in the way.
CREATE OR REPLACE FUNCTION take_out(p_order text, p_line integer, p_qty integer, p_at timestamptz, p_why text)
RETURNS TABLE (opened integer, why text) LANGUAGE plpgsql AS $$
DECLARE
    x record;
    rest integer := p_qty;
    n integer;
    what text;
BEGIN
    opened := 0;
    FOR x IN
        SELECT l.a AS bin, l.item, l.lot, l.owner, k.id, k.tote, t.state, k.done_qty - k.back_qty - COALESCE((
                   SELECT sum(h.qty) FROM hand_task h WHERE h.ref = p_order AND h.kind = 'putback' AND h.state IN ('open', 'leased')
                     AND h.detail->>'task' = k.id), 0) AS qty
        FROM task k JOIN tote t ON t.id = k.tote AND t.shipment IS NULL
        JOIN ledger l ON l.order_id = p_order AND l.task = k.id AND l.reason = 'pick' AND NOT EXISTS (SELECT FROM ledger r WHERE r.reverses = l.seq)
        WHERE k.order_id = p_order AND k.line = p_line AND k.kind = 'pick' AND k.done_qty > k.back_qty
        ORDER BY t.state = 'packed' DESC, l.seq DESC
    LOOP
        EXIT WHEN rest = 0;
        CONTINUE WHEN x.qty <= 0;
        IF x.state <> 'packed' THEN why := format('tote %s is on its way to be packed: take them out then', x.tote); RETURN NEXT; RETURN; END IF;
        what := outermost(x.tote);
        IF what <> x.tote THEN why := format('tote %s stands in %s: take it out first', x.tote, sscc_of(what)); RETURN NEXT; RETURN; END IF;
        SELECT h.person INTO what FROM hand_task h WHERE h.kind = 'load' AND h.state = 'leased' AND h.detail->>'unit' = x.tote;
        IF FOUND THEN why := format('%s is carrying tote %s to its truck', what, x.tote); RETURN NEXT; RETURN; END IF;
        PERFORM cancel_hand_task(h.id, p_at, p_why) FROM hand_task h WHERE h.kind = 'load' AND h.state = 'open' AND h.detail->>'unit' = x.tote;
        n := LEAST(rest, x.qty);
        PERFORM open_hand_task(putback_name(x.id), 'putback', p_at, x.item, n, x.tote, x.bin, p_order, x.lot, x.owner, 1, NULL,
                               jsonb_build_object('task', x.id, 'tote', x.tote));
        PERFORM emit('floorplane.unit.opened', u.sscc, p_at, jsonb_build_object(
            'unit', u.sscc, 'at', p.parent, 'owner', u.owner, 'who', 'central', 'reason', p_why))
        FROM unit u JOIN place p ON p.code = u.place WHERE u.place = x.tote AND u.state = 'closed';
        UPDATE unit SET state = 'open', closed_at = NULL WHERE place = x.tote AND state = 'closed';
        opened := opened + 1; rest := rest - n;
    END LOOP;
    IF rest > 0 THEN why := format('%s of them have left, or are being put back already', rest); END IF;
    RETURN NEXT;
END $$;

-- An order that is cancelled when its totes are filled: each pick of theirs is put back by a person. Says how many.
CREATE OR REPLACE FUNCTION put_order_back(o orders, p_at timestamptz, p_who text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    x record;
    opened integer := 0;
    sent boolean := EXISTS (SELECT FROM shipment s WHERE s.order_id = o.id AND s.reversed_at IS NULL);
BEGIN
    FOR x IN
        SELECT l.seq, l.b AS tote, l.a AS bin, l.item, l.lot, l.owner, k.done_qty - k.back_qty AS qty, k.id
        FROM task k JOIN tote t ON t.id = k.tote AND t.shipment IS NULL
        JOIN ledger l ON l.order_id = o.id AND l.task = k.id AND l.reason IN ('pick', 'late_pick')
        WHERE k.order_id = o.id AND k.kind = 'pick' AND k.done_qty > k.back_qty
          AND NOT EXISTS (SELECT FROM ledger r WHERE r.reverses = l.seq)
        ORDER BY l.seq
    LOOP
        IF open_hand_task(putback_name(x.id), 'putback', p_at, x.item, x.qty, x.tote, x.bin, o.id, x.lot, x.owner, 1, NULL,
                          jsonb_build_object('task', x.id, 'tote', x.tote)) THEN
            opened := opened + 1;
        END IF;
    END LOOP;
    PERFORM emit('floorplane.unit.opened', u.sscc, p_at, jsonb_build_object(
        'unit', u.sscc, 'at', p.parent, 'owner', u.owner, 'who', p_who, 'reason', o.put_back))
    FROM tote t JOIN unit u ON u.place = t.id AND u.state = 'closed' JOIN place p ON p.code = t.id
    WHERE t.order_id = o.id AND t.shipment IS NULL;
    UPDATE unit SET state = 'open', closed_at = NULL
    WHERE state = 'closed' AND place IN (SELECT t.id FROM tote t WHERE t.order_id = o.id AND t.shipment IS NULL);
    UPDATE tote SET state = 'arrived' WHERE order_id = o.id AND state IN ('open', 'packed') AND shipment IS NULL;
    UPDATE order_line SET cancelled = qty WHERE order_id = o.id AND kind = 'service' AND done = 0;
    UPDATE order_line SET cancelled = qty - done - short WHERE order_id = o.id AND kind = 'stock';
    IF sent THEN  -- a part is on its way: the order is shipped once the rest is back
        UPDATE orders SET state = 'packed' WHERE id = o.id;
    ELSE
        UPDATE orders SET state = 'cancelled', closed_at = p_at WHERE id = o.id;
        PERFORM emit('floorplane.order.cancelled', o.id, p_at, jsonb_build_object(
            'ref', o.ref, 'source', o.source, 'who', p_who, 'reason', o.put_back, 'put_back', opened, 'lines', lines_of(o.id)), o.correlation);
    END IF;
    RETURN opened;
END $$;

-- A person has put what was picked back to stock: into its bin, or to another place; what is missing is written off.
CREATE OR REPLACE FUNCTION hand_done_putback(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n integer := (f->>'qty')::integer;
    goal text := COALESCE(f->>'target', t.target);
    k task;
    said text;
BEGIN
    IF n IS NULL THEN RETURN 'how many pieces were put back is missing'; END IF;
    IF n < 0 OR n > t.qty THEN RETURN format('%s pieces are to be put back, not %s', t.qty, n); END IF;
    IF n < t.qty AND COALESCE(f->>'reason', '') = '' THEN RETURN format('%s of %s pieces: the reason is missing', n, t.qty); END IF;
    IF f ? 'lot' AND f->>'lot' <> t.lot THEN RETURN format('wrong lot: %s was scanned, %s is wanted', f->>'lot', t.lot); END IF;
    IF NOT EXISTS (SELECT FROM place WHERE code = goal AND kind IN ('bin', 'shelf', 'staging')) THEN
        RETURN format('%s is no place for stock', COALESCE(goal, 'nothing'));
    END IF;
    -- the order before its stock, as everybody else does
    PERFORM FROM orders WHERE id = t.ref FOR UPDATE;
    SELECT * INTO k FROM task WHERE id = t.detail->>'task' FOR UPDATE;
    IF n > 0 THEN
        said := move_stock(p_at, t.source, goal, t.item, t.lot, t.owner, n, 'putback', p_actor, 'putback/' || t.id, 'ok', 'ok', k.id, t.ref);
        IF said <> 'posted' THEN RETURN said; END IF;
    END IF;
    IF n < t.qty THEN
        said := move_stock(p_at, t.source, 'adjustment', t.item, t.lot, t.owner, t.qty - n, 'lost', p_actor, 'lost/' || t.id, 'ok', 'ok', k.id, t.ref);
        IF said <> 'posted' THEN RETURN said; END IF;
    END IF;
    UPDATE task SET back_qty = back_qty + t.qty WHERE id = k.id;
    IF k.state IN ('done', 'short') THEN
        UPDATE order_line SET done = done - t.qty, cancelled = cancelled + t.qty WHERE order_id = t.ref AND line = k.line;
    END IF;
    IF NOT EXISTS (SELECT FROM stock WHERE place = t.source AND qty > 0) THEN
        UPDATE tote SET state = 'void' WHERE id = t.source;
        UPDATE unit SET state = 'void' WHERE place = t.source;
        UPDATE place SET parent = NULL WHERE code = t.source;
        UPDATE orders o SET state = 'shipped', closed_at = p_at
        WHERE o.id = t.ref AND o.state = 'packed' AND o.put_back IS NOT NULL
          AND EXISTS (SELECT FROM shipment s WHERE s.order_id = o.id AND s.reversed_at IS NULL)
          AND NOT EXISTS (SELECT FROM tote x WHERE x.order_id = o.id AND x.shipment IS NULL AND x.state <> 'void');
    END IF;
    -- the last piece that a change took out of an order that goes on
    IF EXISTS (SELECT FROM orders o WHERE o.id = t.ref AND o.put_back IS NULL) THEN
        UPDATE hand_task SET state = 'done', lease_until = NULL, done_by = p_actor, closed_at = p_at WHERE id = t.id;
        PERFORM go_on_without(t.ref, p_at, p_actor);
    END IF;
    RETURN 'posted';
END $$;

-- All that was taken out of an order's totes is put back: they are closed again, and the order goes on.
CREATE OR REPLACE FUNCTION go_on_without(p_order text, p_at timestamptz, p_who text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    u record;
BEGIN
    IF EXISTS (SELECT FROM hand_task h WHERE h.ref = p_order AND h.kind = 'putback' AND h.state IN ('open', 'leased')) THEN RETURN; END IF;
    SELECT * INTO o FROM orders WHERE id = p_order;
    FOR u IN
        SELECT x.id, n.sscc, n.owner, p.parent, (SELECT sum(s.qty * i.weight_g) FROM stock s JOIN item i ON i.id = s.item WHERE s.place = x.id) AS weight_g
        FROM tote x JOIN unit n ON n.place = x.id AND n.state = 'open' JOIN place p ON p.code = x.id
        WHERE x.order_id = p_order AND x.state = 'packed' AND x.shipment IS NULL ORDER BY x.n
    LOOP
        UPDATE unit SET state = 'closed', closed_at = p_at, weight_g = u.weight_g WHERE sscc = u.sscc;
        UPDATE tote SET weight_g = u.weight_g WHERE id = u.id;
        PERFORM emit('floorplane.unit.closed', u.sscc, p_at, jsonb_build_object(
            'unit', u.sscc, 'at', u.parent, 'owner', u.owner, 'who', p_who, 'reason', 'what was not wanted is out of it'));
    END LOOP;
    PERFORM emit('floorplane.order.changed', p_order, p_at, jsonb_build_object(
        'ref', o.ref, 'source', o.source, 'who', p_who, 'reason', 'what was not wanted is put back', 'due', o.due, 'priority', o.priority,
        'lines', lines_of(p_order)), o.correlation);
    PERFORM finish_order(p_order, p_at, p_who);
END $$;
CREATE OR REPLACE FUNCTION hand_cancelled_putback(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE sql AS $$
    SELECT format('the pieces stand in %s: put them back, or confirm 0 with a reason', t.source);
$$;
