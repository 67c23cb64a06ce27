-- Trucks: what is expected on which, loaded from the last stop to the first, and gone.

-- The load task of a unit: a new name each time it is to be loaded anew.
CREATE OR REPLACE FUNCTION load_task_name(p_truck text, p_unit text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    name text := 'L-' || p_truck || '-' || p_unit;
    n integer := 1;
BEGIN
    WHILE EXISTS (SELECT FROM hand_task h WHERE h.id = name || CASE WHEN n > 1 THEN '.' || n ELSE '' END AND h.state NOT IN ('open', 'leased')) LOOP
        n := n + 1;
    END LOOP;
    RETURN name || CASE WHEN n > 1 THEN '.' || n ELSE '' END;
END $$;

-- Bring a truck's totes up to date with its orders, and give the units of the stop that is loaded now to people: the last stop
-- of which anything is missing. Units of earlier stops wait, so that what is unloaded first stands at the door.
CREATE OR REPLACE FUNCTION offer_loads(p_truck text, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t truck;
    now_stop integer;
    u record;
BEGIN
    PERFORM lock_nesting();
    SELECT * INTO t FROM truck x WHERE x.id = p_truck FOR UPDATE;
    IF t.state <> 'loading' THEN RETURN; END IF;
    INSERT INTO truck_tote AS k (truck, tote, order_id, stop, unit, state)
    SELECT p_truck, x.id, o.order_id, o.stop, outermost(x.id), 'expected'
    FROM truck_order o JOIN tote x ON x.order_id = o.order_id AND x.state <> 'void' AND x.shipment IS NULL
    WHERE o.truck = p_truck AND o.live
    ON CONFLICT (truck, tote) DO UPDATE SET state = 'expected', unit = excluded.unit, stop = excluded.stop, reason = '' WHERE k.state = 'left';
    UPDATE truck_tote k SET state = 'left', reason = 'nothing is in it' FROM tote x
    WHERE k.truck = p_truck AND k.state = 'expected' AND x.id = k.tote AND x.state = 'void';
    UPDATE truck_tote k SET unit = outermost(k.tote) WHERE k.truck = p_truck AND k.state = 'expected' AND k.unit <> outermost(k.tote)
        AND NOT EXISTS (SELECT FROM hand_task h WHERE h.kind = 'load' AND h.ref = p_truck AND h.detail->>'unit' = k.unit AND h.state IN ('open', 'leased'));
    SELECT max(x.stop) INTO now_stop FROM (
        SELECT k.stop FROM truck_tote k WHERE k.truck = p_truck AND k.state = 'expected'
        UNION ALL
        SELECT o.stop FROM truck_order o JOIN orders y ON y.id = o.order_id
        WHERE o.truck = p_truck AND o.live AND y.state IN ('received', 'allocated', 'released', 'picking')
    ) AS x;
    FOR u IN
        SELECT k.unit, min(o.due) AS due, max(o.priority) AS priority, p.parent
        FROM truck_tote k JOIN orders o ON o.id = k.order_id JOIN place p ON p.code = k.unit
        WHERE k.truck = p_truck AND k.stop = now_stop AND k.state = 'expected'
        GROUP BY k.unit, p.parent HAVING bool_and(o.state = 'packed') ORDER BY k.unit
    LOOP
        PERFORM open_hand_task(load_task_name(p_truck, u.unit), 'load', p_at, NULL, NULL, sscc_of(u.unit), p_truck, p_truck, '', '',
                               u.priority, u.due, jsonb_build_object('unit', u.unit, 'stop', now_stop, 'stands', u.parent, 'dock', t.dock,
                                   'asks', jsonb_build_array('source', jsonb_build_object('field', 'target', 'label', 'Load onto', 'show', t.dock,
                                                                                          'expect', jsonb_build_array(p_truck, t.dock)))));
    END LOOP;
END $$;

-- Start loading: 'loading', or why not and what stands in the way.
CREATE OR REPLACE FUNCTION start_loading(p_truck text, p_at timestamptz, p_dock text, p_who text) RETURNS TABLE (outcome text, what text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    t truck;
BEGIN
    SELECT * INTO t FROM truck x WHERE x.id = p_truck FOR UPDATE;
    IF t.state <> 'planned' THEN outcome := 'is ' || t.state; RETURN NEXT; RETURN; END IF;
    t.dock := COALESCE(p_dock, t.dock);
    IF t.dock IS NULL OR NOT EXISTS (SELECT FROM place p WHERE p.code = t.dock AND p.kind = 'dock') THEN
        outcome := 'no dock'; what := t.dock; RETURN NEXT; RETURN;
    END IF;
    -- the index is the gate: two trucks that drive to one door
    BEGIN
        UPDATE truck SET state = 'loading', dock = t.dock, loading_at = p_at WHERE id = p_truck;
    EXCEPTION WHEN unique_violation THEN
        SELECT x.id INTO what FROM truck x WHERE x.dock = t.dock AND x.state IN ('loading', 'dispatched') LIMIT 1;
        outcome := 'dock is taken'; RETURN NEXT; RETURN;
    END;
    UPDATE place SET parent = t.dock WHERE code = p_truck;
    PERFORM emit('floorplane.truck.loading', p_truck, p_at, jsonb_build_object('dock', t.dock, 'route', t.route, 'who', p_who));
    PERFORM offer_loads(p_truck, p_at);
    outcome := 'loading'; RETURN NEXT;
END $$;

-- A person has put a unit on the truck.
CREATE OR REPLACE FUNCTION hand_done_load(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r truck;
    lifted text := t.detail->>'unit';
    missing text;
BEGIN
    PERFORM lock_nesting();
    SELECT * INTO r FROM truck x WHERE x.id = t.ref FOR UPDATE;
    IF r.state <> 'loading' THEN RETURN format('truck %s is %s', r.id, r.state); END IF;
    IF f ? 'target' AND f->>'target' NOT IN (r.id, r.dock) THEN
        RETURN format('wrong truck: %s was scanned, %s at %s is wanted', f->>'target', r.id, r.dock);
    END IF;
    SELECT string_agg(DISTINCT format('%s of stop %s', sscc_of(k.unit), k.stop), ', ') INTO missing FROM truck_tote k
    WHERE k.truck = r.id AND k.state = 'expected' AND k.unit <> lifted
      AND k.stop > (SELECT max(x.stop) FROM truck_tote x WHERE x.truck = r.id AND x.unit = lifted AND x.state = 'expected');
    IF missing IS NOT NULL THEN RETURN format('later stops are loaded first: %s', missing); END IF;
    UPDATE truck_tote SET state = 'loaded', loaded_at = p_at, loaded_by = p_actor WHERE truck = r.id AND unit = lifted AND state = 'expected';
    IF NOT FOUND THEN RETURN format('nothing of %s is expected on truck %s', t.source, r.id); END IF;
    UPDATE place SET parent = r.id WHERE code = lifted;
    PERFORM emit('floorplane.unit.loaded', t.source, p_at, jsonb_build_object(
        'unit', t.source, 'truck', r.id, 'stop', (t.detail->>'stop')::integer, 'at', r.dock, 'who', p_actor, 'owner', COALESCE((
            SELECT u.owner FROM unit u WHERE u.place = lifted), '')));
    PERFORM offer_loads(r.id, p_at);
    RETURN 'posted';
END $$;
CREATE OR REPLACE FUNCTION hand_cancelled_load(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE sql AS $$
    SELECT format('the unit is expected on truck %s: take its order off the truck', t.ref);
$$;

-- It was taken off again: it stands where it stood, and is to be loaded anew. What was loaded for earlier stops stands before it.
CREATE OR REPLACE FUNCTION hand_undone_load(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r truck;
    before text;
BEGIN
    PERFORM lock_nesting();
    SELECT * INTO r FROM truck x WHERE x.id = t.ref FOR UPDATE;
    IF r.state <> 'loading' THEN RETURN format('truck %s is %s', r.id, r.state); END IF;
    SELECT string_agg(DISTINCT format('%s of stop %s', sscc_of(k.unit), k.stop), ', ') INTO before FROM truck_tote k
    WHERE k.truck = r.id AND k.state = 'loaded' AND k.stop < (t.detail->>'stop')::integer;
    IF before IS NOT NULL THEN RETURN format('it stands behind %s: take that off first', before); END IF;
    UPDATE truck_tote SET state = 'expected', loaded_at = NULL, loaded_by = NULL
    WHERE truck = r.id AND unit = t.detail->>'unit' AND state = 'loaded';
    IF NOT FOUND THEN RETURN format('%s is not loaded on truck %s', t.source, r.id); END IF;
    UPDATE place SET parent = t.detail->>'stands' WHERE code = t.detail->>'unit';
    -- those of earlier stops are not offered any more while this one is missing
    PERFORM cancel_hand_task(h.id, p_at, 'a later stop is missing again') FROM hand_task h
    WHERE h.kind = 'load' AND h.ref = r.id AND h.state IN ('open', 'leased') AND (h.detail->>'stop')::integer < (t.detail->>'stop')::integer;
    PERFORM emit('floorplane.unit.unloaded', t.source, p_at, jsonb_build_object(
        'unit', t.source, 'truck', r.id, 'stop', (t.detail->>'stop')::integer, 'at', r.dock, 'who', p_who, 'reason', p_reason, 'owner', COALESCE((
            SELECT u.owner FROM unit u WHERE u.place = t.detail->>'unit'), '')));
    -- the task itself is closed behind this, and its name is taken: the next one has another
    UPDATE hand_task SET state = 'undone' WHERE id = t.id;
    PERFORM offer_loads(r.id, p_at);
    RETURN 'undone';
END $$;

-- Put orders on a truck's stop; an order without a route gets the truck's. Says of each what stands in its way.
CREATE OR REPLACE FUNCTION add_to_truck(p_truck text, p_stop integer, p_orders text[], p_at timestamptz)
RETURNS TABLE (order_id text, outcome text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    t truck;
    o orders;
    name text;
    other text;
BEGIN
    SELECT * INTO t FROM truck x WHERE x.id = p_truck FOR UPDATE;
    -- the orders before their trucks' rows, in one order
    PERFORM FROM orders x WHERE x.id = ANY (p_orders) ORDER BY x.id FOR UPDATE;
    FOREACH name IN ARRAY p_orders LOOP
        order_id := name;
        SELECT * INTO o FROM orders x WHERE x.id = name;
        SELECT y.truck INTO other FROM truck_order y WHERE y.order_id = name AND y.live;
        outcome := CASE
            WHEN o.id IS NULL THEN 'a known order'
            WHEN o.state IN ('shipped', 'short', 'cancelled') OR o.put_back IS NOT NULL THEN 'an order that is still to go; it is ' || CASE WHEN o.put_back IS NULL THEN o.state ELSE 'put back' END
            WHEN other IS NOT NULL AND other <> p_truck THEN 'an order on no other truck; it is on ' || other
            WHEN EXISTS (SELECT FROM truck_tote k WHERE k.truck = p_truck AND k.order_id = name AND k.state = 'loaded' AND k.stop <> p_stop)
                THEN 'an order of which nothing is loaded for another stop'
            WHEN o.route <> '' AND o.route <> t.route THEN format('an order of the route %s; it is of %s', t.route, o.route) END;
        IF outcome IS NOT NULL THEN RETURN NEXT; CONTINUE; END IF;
        UPDATE orders SET route = t.route, carrier = CASE WHEN carrier = '' THEN t.carrier ELSE carrier END WHERE id = name AND route = '';
        INSERT INTO truck_order AS y (truck, stop, order_id) VALUES (p_truck, p_stop, name)
        ON CONFLICT (truck, order_id) DO UPDATE SET stop = excluded.stop, live = true, reason = '';
        UPDATE truck_tote SET stop = p_stop WHERE truck = p_truck AND order_id = name AND state = 'expected';
    END LOOP;
    PERFORM offer_loads(p_truck, p_at);
END $$;

-- Take an order off a truck: 'left', or what of it is loaded.
CREATE OR REPLACE FUNCTION leave_truck(p_truck text, p_order text, p_at timestamptz, p_why text) RETURNS TABLE (outcome text, what text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM orders x WHERE x.id = p_order FOR UPDATE;
    IF NOT EXISTS (SELECT FROM truck_order x WHERE x.truck = p_truck AND x.order_id = p_order AND x.live) THEN
        outcome := 'not on it'; RETURN NEXT; RETURN;
    END IF;
    SELECT string_agg(sscc_of(k.unit), ', ' ORDER BY k.unit) INTO what FROM truck_tote k WHERE k.truck = p_truck AND k.order_id = p_order AND k.state = 'loaded';
    IF what IS NOT NULL THEN outcome := 'loaded'; RETURN NEXT; RETURN; END IF;
    SELECT string_agg(DISTINCT sscc_of(k.unit), ', ') INTO what FROM truck_tote k JOIN truck_tote z ON z.truck = k.truck AND z.unit = k.unit
    WHERE k.truck = p_truck AND k.order_id = p_order AND z.order_id <> p_order AND k.state = 'expected' AND z.state = 'expected';
    IF what IS NOT NULL THEN outcome := 'shared'; RETURN NEXT; RETURN; END IF;
    PERFORM cancel_hand_task(h.id, p_at, p_why) FROM hand_task h
    WHERE h.kind = 'load' AND h.ref = p_truck AND h.state IN ('open', 'leased')
      AND h.detail->>'unit' IN (SELECT k.unit FROM truck_tote k WHERE k.truck = p_truck AND k.order_id = p_order);
    UPDATE truck_tote SET state = 'left', reason = p_why WHERE truck = p_truck AND order_id = p_order AND state = 'expected';
    UPDATE truck_order SET live = false, reason = p_why WHERE truck = p_truck AND order_id = p_order;
    PERFORM offer_loads(p_truck, p_at);
    outcome := 'left'; RETURN NEXT;
END $$;

-- What a truck that is loaded still misses, by stop: the unit's number, or the order that is not packed.
CREATE OR REPLACE FUNCTION missing_on(p_truck text) RETURNS TABLE (stop integer, order_id text, unit text, why text) LANGUAGE sql STABLE AS $$
    SELECT k.stop, k.order_id, sscc_of(k.unit), CASE WHEN o.state = 'packed' THEN 'it is not loaded' ELSE 'its order is ' || o.state END
    FROM truck_tote k JOIN orders o ON o.id = k.order_id WHERE k.truck = p_truck AND k.state = 'expected'
    UNION ALL
    SELECT x.stop, x.order_id, NULL, 'its order is ' || o.state
    FROM truck_order x JOIN orders o ON o.id = x.order_id
    WHERE x.truck = p_truck AND x.live AND NOT EXISTS (SELECT FROM truck_tote k WHERE k.truck = x.truck AND k.order_id = x.order_id AND k.state <> 'left')
      AND o.state NOT IN ('shipped', 'short', 'cancelled')
    ORDER BY 1, 2, 3;
$$;

-- Close a truck: what is loaded is shipped, what is missing stays here, with the reason. Says how many orders left with it.
CREATE OR REPLACE FUNCTION dispatch_truck(p_truck text, p_at timestamptz, p_who text, p_why text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    x record;
    sent integer := 0;
BEGIN
    PERFORM FROM orders o WHERE o.id IN (SELECT y.order_id FROM truck_order y WHERE y.truck = p_truck AND y.live) ORDER BY o.id FOR UPDATE;
    PERFORM cancel_hand_task(h.id, p_at, p_why) FROM hand_task h WHERE h.kind = 'load' AND h.ref = p_truck AND h.state IN ('open', 'leased');
    UPDATE truck_tote SET state = 'left', reason = p_why WHERE truck = p_truck AND state = 'expected';
    FOR x IN
        SELECT k.order_id, array_agg(k.tote ORDER BY t.n) AS totes FROM truck_tote k JOIN tote t ON t.id = k.tote
        WHERE k.truck = p_truck AND k.state = 'loaded' AND t.shipment IS NULL GROUP BY k.order_id ORDER BY k.order_id
    LOOP
        PERFORM ship_totes(x.order_id, x.totes, p_truck, p_at, p_who);
        sent := sent + 1;
    END LOOP;
    UPDATE unit u SET state = 'shipped' FROM units_within(p_truck) w WHERE u.place = w.code AND u.state IN ('open', 'closed');
    -- what has not gone, or not as a whole, may go with another truck
    UPDATE truck_order y SET live = false, reason = p_why WHERE y.truck = p_truck AND y.live
      AND NOT EXISTS (SELECT FROM orders o WHERE o.id = y.order_id AND o.state = 'shipped');
    UPDATE truck SET state = 'dispatched', dispatched_at = p_at, reason = p_why WHERE id = p_truck;
    PERFORM emit('floorplane.truck.dispatched', p_truck, p_at, jsonb_build_object('orders', sent, 'who', p_who, 'reason', p_why, 'left', (
        SELECT COALESCE(jsonb_agg(sscc_of(k.tote) ORDER BY k.tote), '[]') FROM truck_tote k WHERE k.truck = p_truck AND k.state = 'left' AND k.reason = p_why)));
    RETURN sent;
END $$;

-- Open a dispatched truck again, as long as it stands at its door: its shipments are taken back, and its units stand on it.
-- Says 'opened', or which shipment stands in the way.
CREATE OR REPLACE FUNCTION reopen_truck(p_truck text, p_at timestamptz, p_who text, p_error text, p_why text) RETURNS TABLE (outcome text, what text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    s record;
    said record;
BEGIN
    FOR s IN SELECT x.id FROM shipment x WHERE x.truck = p_truck AND x.reversed_at IS NULL ORDER BY x.order_id, x.id LOOP
        SELECT * INTO said FROM reverse_shipment(s.id, p_at, p_who, p_error, p_why, '', true);
        IF said.outcome <> 'reversed' THEN outcome := said.outcome; what := s.id; RETURN NEXT; RETURN; END IF;
    END LOOP;
    UPDATE unit u SET state = 'closed' FROM units_within(p_truck) w WHERE u.place = w.code AND u.state = 'shipped';
    UPDATE truck_order y SET live = true, reason = '' FROM truck_tote k
    WHERE y.truck = p_truck AND k.truck = p_truck AND k.order_id = y.order_id AND k.state = 'loaded' AND NOT y.live
      AND NOT EXISTS (SELECT FROM truck_order z WHERE z.order_id = y.order_id AND z.live);
    UPDATE truck SET state = 'loading', dispatched_at = NULL, reason = p_why WHERE id = p_truck;
    PERFORM emit('floorplane.truck.reopened', p_truck, p_at, jsonb_build_object('who', p_who, 'reason', p_why));
    PERFORM offer_loads(p_truck, p_at);
    outcome := 'opened'; RETURN NEXT;
END $$;

-- It has left the door.
CREATE OR REPLACE FUNCTION depart_truck(p_truck text, p_at timestamptz, p_who text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t truck;
BEGIN
    UPDATE truck SET state = 'departed', departed_at = p_at, closed_at = p_at WHERE id = p_truck RETURNING * INTO t;
    UPDATE place SET parent = NULL WHERE code = p_truck;
    PERFORM emit('floorplane.truck.departed', p_truck, p_at, jsonb_build_object('dock', t.dock, 'route', t.route, 'who', p_who, 'units', (
        SELECT COALESCE(jsonb_agg(DISTINCT sscc_of(k.unit)), '[]') FROM truck_tote k WHERE k.truck = p_truck AND k.state = 'loaded')));
END $$;

-- Give up a truck on which nothing stands: its orders wait for another one.
CREATE OR REPLACE FUNCTION cancel_truck(p_truck text, p_at timestamptz, p_who text, p_why text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM cancel_hand_task(h.id, p_at, p_why) FROM hand_task h WHERE h.kind = 'load' AND h.ref = p_truck AND h.state IN ('open', 'leased');
    UPDATE truck_tote SET state = 'left', reason = p_why WHERE truck = p_truck AND state = 'expected';
    UPDATE truck_order SET live = false, reason = p_why WHERE truck = p_truck AND live;
    UPDATE truck SET state = 'cancelled', closed_at = p_at, reason = p_why WHERE id = p_truck;
    UPDATE place SET parent = NULL WHERE code = p_truck;
    PERFORM emit('floorplane.truck.cancelled', p_truck, p_at, jsonb_build_object('who', p_who, 'reason', p_why));
END $$;

-- A truck's totes as its papers have them, by stop.
CREATE OR REPLACE FUNCTION manifest_rows(p_truck text) RETURNS TABLE (
    stop integer, ship_to text, order_id text, ref text, owner text, unit text, unit_kind text, tote text, pieces bigint, weight_g integer,
    state text, loaded_at timestamptz, loaded_by text, reason text
) LANGUAGE sql STABLE AS $$
    SELECT k.stop, s.ship_to, k.order_id, o.ref, o.owner, sscc_of(k.unit), COALESCE(u.kind, 'tote'), sscc_of(k.tote),
           COALESCE((SELECT sum(x.qty) FROM stock x WHERE x.place = k.tote), 0) + COALESCE((
               SELECT sum(l.qty) FROM ledger l WHERE l.order_id = k.order_id AND l.a = k.tote AND l.reason = 'ship'
                  AND NOT EXISTS (SELECT FROM ledger r WHERE r.reverses = l.seq)), 0),
           t.weight_g, k.state, k.loaded_at, k.loaded_by, k.reason
    FROM truck_tote k JOIN truck_stop s ON s.truck = k.truck AND s.stop = k.stop JOIN orders o ON o.id = k.order_id
    JOIN tote t ON t.id = k.tote LEFT JOIN unit u ON u.place = k.unit
    WHERE k.truck = p_truck ORDER BY k.stop, k.order_id, t.n;
$$;
