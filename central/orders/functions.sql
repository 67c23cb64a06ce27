-- Before orders are taken in: claims their idempotency keys for this transaction, and says what is known of them.
-- 'key': an answer that was given before, or mine = false where a request with the key is under way; 'order': who has the
-- ref or the id; 'item': an item's kind.
CREATE OR REPLACE FUNCTION meet_orders(
    p_client text, p_keys text[], p_sources text[], p_refs text[], p_ids text[], p_items text[]
) RETURNS TABLE (what text, name text, a text, b text, owner text, hash bytea, mine boolean, status integer)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- a statement of its own: what is read below was committed before the lock was free
    RETURN QUERY SELECT 'key', l.key, NULL, NULL, NULL, NULL::bytea, false, NULL::integer
        FROM (SELECT DISTINCT x.key FROM unnest(p_keys) AS x(key) ORDER BY x.key) AS l
        WHERE NOT pg_try_advisory_xact_lock(hashtextextended(p_client || chr(10) || l.key, 0));
    RETURN QUERY SELECT 'key', i.key, i.response, NULL, NULL, i.request_hash, true, i.status
        FROM idempotency i WHERE i.client = p_client AND i.key = ANY (p_keys);
    RETURN QUERY SELECT 'order', o.id, o.source, o.ref, o.owner, NULL::bytea, NULL::boolean, NULL::integer
        FROM unnest(p_sources, p_refs) AS x(source, ref) JOIN orders o ON o.source = x.source AND o.ref = x.ref;
    RETURN QUERY SELECT 'order', o.id, o.source, o.ref, o.owner, NULL::bytea, NULL::boolean, NULL::integer
        FROM orders o WHERE o.id = ANY (p_ids);
    RETURN QUERY SELECT 'item', i.id, i.kind, k.mode, i.owner, NULL::bytea, NULL::boolean, NULL::integer
        FROM item i LEFT JOIN kit k ON k.item = i.id WHERE i.id = ANY (p_items);
END $$;

-- Take orders in and claim their stock, as far as there is any; says which bins hold what for which line of which order.
DROP FUNCTION IF EXISTS open_order;
DROP FUNCTION IF EXISTS open_orders;
CREATE OR REPLACE FUNCTION open_orders(p_at timestamptz, p_correlation text, p_orders jsonb, p_lines jsonb)
RETURNS TABLE (n integer, line integer, item text, stock_id bigint, bin text, qty integer, volume_ml integer, weight_g integer, hand boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    l record;
    r record;
    claimed integer;
    claims integer[] := '{}';
    kinds text[] := picked_kinds();
BEGIN
    INSERT INTO orders (id, source, ref, owner, state, due, release_at, expires_at, priority, ship_to, customer, min_days, backorder,
                        ship_gln, ship_postcode, carrier, route, holds_for, correlation, received_at)
    SELECT x.id, x.source, x.ref, x.owner, 'received', x.due, x.release_at, x.expires_at, x.priority, x.ship_to, x.customer, x.min_days, x.backorder,
           x.ship_gln, x.ship_postcode, x.carrier, x.route, x.holds_for, p_correlation, p_at
    FROM jsonb_to_recordset(p_orders) AS x(id text, source text, ref text, owner text, due timestamptz,
        release_at timestamptz, expires_at timestamptz, priority integer, ship_to text, customer text, min_days integer, backorder boolean,
        ship_gln text, ship_postcode text, carrier text, route text, holds_for text);
    -- by item: two requests that want the same parts wait for each other in one direction only
    FOR l IN
        SELECT x.n, x.line, x.item, x.qty, x.good, i.kind, i.volume_ml, i.weight_g
        FROM jsonb_to_recordset(p_lines) AS x(n integer, id text, line integer, item text, qty integer, good date) JOIN item i ON i.id = x.item
        ORDER BY x.item, x.n, x.line
    LOOP
        claimed := 0;
        IF l.kind = 'stock' THEN
            FOR r IN SELECT * FROM claim(l.item, l.qty, '', l.good, kinds) LOOP
                claimed := claimed + r.qty;
                n := l.n; line := l.line; item := l.item; stock_id := r.stock_id; bin := r.bin; qty := r.qty;
                volume_ml := l.volume_ml; weight_g := l.weight_g; hand := r.hand;
                RETURN NEXT;
            END LOOP;
        END IF;
        claims := claims || claimed;
    END LOOP;
    INSERT INTO order_line (order_id, line, item, kind, qty, allocated, short)
    SELECT y.id, y.line, y.item, y.kind, y.qty, claims[y.k], CASE WHEN y.kind = 'stock' THEN y.qty - claims[y.k] ELSE 0 END
    FROM (SELECT x.id, x.line, x.item, x.qty, i.kind, row_number() OVER (ORDER BY x.item, x.n, x.line) AS k
          FROM jsonb_to_recordset(p_lines) AS x(n integer, id text, line integer, item text, qty integer) JOIN item i ON i.id = x.item) AS y;
END $$;

-- Turn the claims of orders into totes and tasks, all arrays in the order in which the floor should see them, and keep
-- the answers that are given for them.
DROP FUNCTION IF EXISTS plan_order;
DROP FUNCTION IF EXISTS plan_orders;
CREATE OR REPLACE FUNCTION plan_orders(
    p_at timestamptz, p_client text, p_ids text[], p_release boolean[], p_keys text[], p_hashes bytea[], p_responses text[],
    p_totes text[], p_tote_orders integer[], p_tote_ns integer[], p_oversize boolean[],
    p_tasks text[], p_task_totes integer[], p_lines integer[], p_items text[], p_stocks bigint[], p_bins text[], p_qtys integer[],
    p_hands boolean[]
) RETURNS TABLE (n integer, state text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o orders;
BEGIN
    IF p_totes <> '{}' THEN
        INSERT INTO place (code, kind) SELECT unnest(p_totes), 'tote';
        INSERT INTO tote (id, order_id, n, state, oversize, hand)
        SELECT x.id, p_ids[x.o], x.n, 'open', x.oversize, x.hand
        FROM unnest(p_totes, p_tote_orders, p_tote_ns, p_oversize, p_hands) AS x(id, o, n, oversize, hand);
        INSERT INTO task (id, kind, state, order_id, line, tote, item, stock, bin, qty, created_at, released_at, hand)
        SELECT x.id, 'pick', CASE WHEN p_release[p_tote_orders[x.t]] THEN 'released' ELSE 'waiting' END, p_ids[p_tote_orders[x.t]],
               x.line, p_totes[x.t], x.item, x.stock, x.bin, x.qty, p_at, CASE WHEN p_release[p_tote_orders[x.t]] THEN p_at END, p_hands[x.t]
        FROM unnest(p_tasks, p_task_totes, p_lines, p_items, p_stocks, p_bins, p_qtys) AS x(id, t, line, item, stock, bin, qty);
        INSERT INTO task (id, kind, state, order_id, tote, created_at, released_at, hand)
        SELECT k.letter || '-' || x.id, k.kind, CASE WHEN p_release[x.o] THEN 'released' ELSE 'waiting' END, p_ids[x.o], x.id, p_at,
               CASE WHEN p_release[x.o] THEN p_at END, x.hand
        FROM unnest(p_totes, p_tote_orders, p_hands) AS x(id, o, hand), (VALUES ('C', 'convey'), ('K', 'pack')) AS k(letter, kind)
        WHERE k.kind = 'pack' OR NOT x.hand;
        INSERT INTO reservation SELECT x.id, x.stock, x.qty FROM unnest(p_tasks, p_stocks, p_qtys) AS x(id, stock, qty);
    END IF;
    INSERT INTO idempotency SELECT p_client, x.key, x.hash, 201, x.response, p_at FROM unnest(p_keys, p_hashes, p_responses) AS x(key, hash, response);
    FOR i IN 1 .. array_length(p_ids, 1) LOOP
        UPDATE orders SET state = CASE WHEN p_release[i] THEN 'released' ELSE 'allocated' END,
            released_at = CASE WHEN p_release[i] THEN p_at END,
            waits = CASE WHEN p_release[i] THEN '' WHEN expires_at IS NOT NULL THEN 'it is only reserved'
                WHEN holds_for = 'wave' THEN 'no wave has taken it yet' WHEN holds_for = 'capacity' THEN 'its turn has not come yet'
                ELSE 'its release time has not come yet' END
        WHERE id = p_ids[i] RETURNING * INTO o;
        INSERT INTO event (type, subject, at, data, correlation)
        SELECT 'floorplane.order.received', o.id, p_at, jsonb_build_object(
            'ref', o.ref, 'source', o.source, 'short', COALESCE(sum(l.short), 0), 'lines', lines_of(o.id)), o.correlation
        FROM order_line l WHERE l.order_id = o.id;
        IF p_release[i] THEN
            PERFORM say_order_work(o.id, p_at);
            IF NOT i = ANY (p_tote_orders) THEN PERFORM finish_order(o.id, p_at, o.source); END IF;
        END IF;
        n := i;
        state := o.state;
        IF p_release[i] AND NOT i = ANY (p_tote_orders) THEN SELECT x.state INTO state FROM orders x WHERE x.id = o.id; END IF;
        RETURN NEXT;
    END LOOP;
END $$;

-- All work keys of an order: tote by tote, picks, then convey, then pack.
CREATE OR REPLACE FUNCTION say_order_work(p_id text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO event (type, subject, at)
    SELECT 'work', t.id, p_at FROM task t JOIN tote x ON x.id = t.tote
    WHERE t.order_id = p_id AND t.state = 'released' AND NOT t.hand
    ORDER BY x.n, CASE t.kind WHEN 'pick' THEN 0 WHEN 'convey' THEN 1 ELSE 2 END, length(t.id), t.id;
$$;

-- What an ETag of an order is made of: it changes with the order and with its lines.
CREATE OR REPLACE FUNCTION order_tag(p_id text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT md5(o::text || (SELECT string_agg(l::text, ';' ORDER BY l.line) FROM order_line l WHERE l.order_id = p_id))
    FROM orders o WHERE o.id = p_id;
$$;

CREATE OR REPLACE FUNCTION release_one(o orders, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE orders SET state = 'released', released_at = p_at, expires_at = NULL, waits = '' WHERE id = o.id;
    UPDATE task SET state = 'released', released_at = p_at WHERE order_id = o.id AND state = 'waiting';
    PERFORM emit('floorplane.order.released', o.id, p_at, NULL, o.correlation);
    PERFORM say_order_work(o.id, p_at);
    PERFORM finish_order(o.id, p_at, o.source);
END $$;

-- Release an order that was only reserved; at its release time, where that is later, and where its turn must come or a wave
-- must take it, then. One that waits for its turn or for a wave is released at once, since somebody wants it so.
CREATE OR REPLACE FUNCTION release_reserved(p_id text, p_at timestamptz)
RETURNS TABLE (outcome text, state text, release_at timestamptz) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o orders;
BEGIN
    SELECT * INTO o FROM orders x WHERE x.id = p_id FOR UPDATE;
    IF o.state <> 'allocated' OR (o.expires_at IS NULL AND o.holds_for = '') THEN
        outcome := CASE WHEN o.state = 'allocated' THEN 'waits for its release time only' ELSE 'is ' || o.state || ' already' END;
        RETURN NEXT; RETURN;
    END IF;
    IF o.release_at > p_at OR (o.expires_at IS NOT NULL AND o.holds_for <> '') THEN
        UPDATE orders x SET expires_at = NULL, waits = CASE x.holds_for WHEN 'wave' THEN 'no wave has taken it yet'
            WHEN 'capacity' THEN 'its turn has not come yet' ELSE 'its release time has not come yet' END
        WHERE x.id = p_id;
    ELSE
        PERFORM release_one(o, p_at);
    END IF;
    RETURN QUERY SELECT 'released', x.state, x.release_at FROM orders x WHERE x.id = p_id;
END $$;

-- Release every order whose time has come, and give up reservations that have expired; says how many were released, and
-- when the next one is due.
CREATE OR REPLACE FUNCTION release_due(p_at timestamptz) RETURNS TABLE (released integer, next_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    o orders;
BEGIN
    released := 0;
    FOR o IN
        SELECT * FROM orders WHERE state = 'allocated' AND release_at <= p_at AND expires_at IS NULL AND holds_for = ''
        ORDER BY release_at, id FOR UPDATE
    LOOP
        PERFORM release_one(o, p_at);
        released := released + 1;
    END LOOP;
    FOR o IN
        SELECT * FROM orders WHERE state = 'allocated' AND expires_at IS NOT NULL AND expires_at <= p_at
        ORDER BY expires_at, id FOR UPDATE
    LOOP
        PERFORM cancel_order(o.id, p_at, 'central', 'the reservation has expired');
    END LOOP;
    SELECT LEAST((SELECT min(release_at) FROM orders WHERE state = 'allocated' AND expires_at IS NULL AND holds_for = ''),
                 (SELECT min(expires_at) FROM orders WHERE state = 'allocated' AND expires_at IS NOT NULL)) INTO next_at;
    RETURN NEXT;
END $$;

-- Change the quantities of an order's lines: lines of (line, item, qty) that are there already or new, all items known.
-- Says for each what stands in its way, or the bins that hold what was reserved anew (as `open_orders`).
DROP FUNCTION IF EXISTS change_lines;
CREATE OR REPLACE FUNCTION change_lines(p_id text, p_at timestamptz, p_why text, p_lines jsonb)
RETURNS TABLE (outcome text, line integer, item text, stock_id bigint, bin text, qty integer, volume_ml integer, weight_g integer, hand boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    l record;
    was order_line;
    t task;
    r record;
    need integer;
    claimed integer;
    begun integer;
BEGIN
    FOR l IN
        SELECT x.line, x.item, x.qty, i.kind, i.volume_ml, i.weight_g
        FROM jsonb_to_recordset(p_lines) AS x(line integer, item text, qty integer) JOIN item i ON i.id = x.item
        ORDER BY x.item, x.line
    LOOP
        line := l.line; item := l.item; volume_ml := l.volume_ml; weight_g := l.weight_g; stock_id := NULL; bin := NULL; hand := false;
        SELECT * INTO was FROM order_line x WHERE x.order_id = p_id AND x.line = l.line FOR UPDATE;
        IF NOT FOUND THEN
            INSERT INTO order_line (order_id, line, item, kind, qty) VALUES (p_id, l.line, l.item, l.kind, l.qty) RETURNING * INTO was;
        END IF;
        IF l.kind <> 'stock' THEN
            IF l.qty = 0 THEN
                UPDATE order_line x SET cancelled = x.qty WHERE x.order_id = p_id AND x.line = l.line;
            ELSE
                UPDATE order_line x SET qty = l.qty, cancelled = 0 WHERE x.order_id = p_id AND x.line = l.line;
            END IF;
            CONTINUE;
        END IF;
        SELECT COALESCE(sum(x.qty), 0) INTO begun FROM task x
        WHERE x.order_id = p_id AND x.line = l.line AND x.kind = 'pick' AND x.state = 'started';
        IF l.qty < was.done + begun THEN
            outcome := 'begun'; qty := was.done + begun; RETURN NEXT; CONTINUE;
        END IF;
        FOR t IN
            SELECT * FROM task x WHERE x.order_id = p_id AND x.line = l.line AND x.kind = 'pick' AND x.state IN ('waiting', 'released')
            ORDER BY x.stock, x.id FOR UPDATE
        LOOP
            DELETE FROM reservation x WHERE x.task = t.id;
            UPDATE stock x SET reserved = x.reserved - t.qty WHERE x.id = t.stock;
            UPDATE task x SET state = 'cancelled', closed_at = p_at, reason = p_why WHERE x.id = t.id;
            outcome := 'withdrawn'; bin := t.id; RETURN NEXT;
        END LOOP;
        need := l.qty - was.done - begun; claimed := 0;
        FOR r IN
            SELECT x.* FROM orders o CROSS JOIN claim(l.item, need, '', good_until(p_at, o.due, o.min_days), picked_kinds()) AS x WHERE o.id = p_id
        LOOP
            claimed := claimed + r.qty;
            outcome := 'claimed'; stock_id := r.stock_id; bin := r.bin; qty := r.qty; hand := r.hand;
            RETURN NEXT;
        END LOOP;
        UPDATE order_line x SET qty = GREATEST(l.qty, 1), allocated = begun + claimed, short = need - claimed,
            cancelled = CASE WHEN l.qty = 0 THEN 1 ELSE 0 END
        WHERE x.order_id = p_id AND x.line = l.line;
    END LOOP;
END $$;

-- Lay the totes and tasks of a change out, close what was withdrawn (new work is said first), and tell the ERP.
DROP FUNCTION IF EXISTS apply_change;
CREATE OR REPLACE FUNCTION apply_change(
    p_id text, p_at timestamptz, p_who text, p_why text, p_withdrawn text[], p_totes text[], p_tote_ns integer[], p_oversize boolean[],
    p_tasks text[], p_task_totes integer[], p_lines integer[], p_items text[], p_stocks bigint[], p_bins text[], p_qtys integer[],
    p_hands boolean[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    x text;
    waits boolean;
BEGIN
    SELECT * INTO o FROM orders WHERE id = p_id;
    waits := o.state = 'allocated';
    INSERT INTO place (code, kind) SELECT unnest(p_totes), 'tote';
    INSERT INTO tote (id, order_id, n, state, oversize, hand)
    SELECT t.id, p_id, t.n, 'open', t.oversize, t.hand FROM unnest(p_totes, p_tote_ns, p_oversize, p_hands) AS t(id, n, oversize, hand);
    INSERT INTO task (id, kind, state, order_id, line, tote, item, stock, bin, qty, created_at, released_at, hand)
    SELECT k.id, 'pick', CASE WHEN waits THEN 'waiting' ELSE 'released' END, p_id, k.line, p_totes[k.t], k.item, k.stock, k.bin, k.qty,
           p_at, CASE WHEN NOT waits THEN p_at END, p_hands[k.t]
    FROM unnest(p_tasks, p_task_totes, p_lines, p_items, p_stocks, p_bins, p_qtys) AS k(id, t, line, item, stock, bin, qty);
    INSERT INTO task (id, kind, state, order_id, tote, created_at, released_at, hand)
    SELECT k.letter || '-' || t.id, k.kind, CASE WHEN waits THEN 'waiting' ELSE 'released' END, p_id, t.id, p_at,
           CASE WHEN NOT waits THEN p_at END, t.hand
    FROM unnest(p_totes, p_hands) AS t(id, hand), (VALUES ('C', 'convey'), ('K', 'pack')) AS k(letter, kind)
    WHERE k.kind = 'pack' OR NOT t.hand;
    INSERT INTO reservation SELECT k.id, k.stock, k.qty FROM unnest(p_tasks, p_stocks, p_qtys) AS k(id, stock, qty);
    IF NOT waits THEN
        -- also what was open before: its due time or priority may be another one
        INSERT INTO event (type, subject, at)
        SELECT 'work', t.id, p_at FROM task t JOIN tote y ON y.id = t.tote
        WHERE t.order_id = p_id AND t.state IN ('released', 'started') AND NOT t.hand
        ORDER BY y.n, CASE t.kind WHEN 'pick' THEN 0 WHEN 'convey' THEN 1 ELSE 2 END, length(t.id), t.id;
    END IF;
    FOR x IN SELECT id FROM tote WHERE order_id = p_id AND state = 'open' ORDER BY n LOOP
        PERFORM void_empty_tote(x, p_at);
    END LOOP;
    IF NOT waits THEN PERFORM say_work(w.id, p_at) FROM unnest(p_withdrawn) AS w(id); END IF;
    PERFORM emit('floorplane.order.changed', p_id, p_at, jsonb_build_object(
        'ref', o.ref, 'source', o.source, 'who', p_who, 'reason', p_why, 'due', o.due, 'priority', o.priority, 'lines', lines_of(p_id)),
        o.correlation);
    IF NOT waits THEN PERFORM finish_order(p_id, p_at, p_who); END IF;
    -- what it gave up, others may wait for
    PERFORM fill_waiting(p_at, y.item) FROM (SELECT DISTINCT k.item FROM task k WHERE k.id = ANY (p_withdrawn) ORDER BY 1) AS y;
END $$;

-- Cancel what nobody has begun: says how many picks were withdrawn and how many totes go on. `p_put_back`: what was picked
-- goes back to stock, from wherever it is, up to the truck; `what` names what stands in the way.
DROP FUNCTION IF EXISTS cancel_order(text, timestamptz, text, text);
CREATE OR REPLACE FUNCTION cancel_order(p_id text, p_at timestamptz, p_who text, p_reason text, p_put_back boolean DEFAULT false)
RETURNS TABLE (outcome text, withdrawn integer, going_on integer, put_back integer, what text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o orders;
    t record;
    x text;
BEGIN
    withdrawn := 0; going_on := 0; put_back := 0;
    SELECT * INTO o FROM orders WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN outcome := 'unknown'; RETURN NEXT; RETURN; END IF;
    UPDATE orders SET backorder = false WHERE id = p_id AND backorder;  -- nothing is waited for any more
    SELECT string_agg(format('tote %s is loaded on truck %s', y.tote, y.truck), ', ' ORDER BY y.tote) INTO what
    FROM truck_tote y JOIN tote z ON z.id = y.tote WHERE z.order_id = p_id AND z.shipment IS NULL AND y.state = 'loaded';
    IF what IS NOT NULL THEN outcome := 'loaded'; RETURN NEXT; RETURN; END IF;
    IF o.state = 'shipped' THEN
        SELECT string_agg(CASE WHEN r.state = 'departed' THEN format('%s has departed with truck %s', s.id, r.id)
            ELSE format('reverse its shipment %s first', s.id) END, ', ' ORDER BY s.id) INTO what
        FROM shipment s LEFT JOIN truck r ON r.id = s.truck WHERE s.order_id = p_id AND s.reversed_at IS NULL;
    END IF;
    IF o.put_back IS NOT NULL AND o.state <> 'cancelled' THEN outcome := 'is being put back'; RETURN NEXT; RETURN; END IF;
    IF o.state IN ('shipped', 'short', 'cancelled') OR (o.state = 'packed' AND NOT p_put_back) THEN
        outcome := 'is ' || o.state; RETURN NEXT; RETURN;
    END IF;
    IF p_put_back THEN
        UPDATE orders SET put_back = p_reason WHERE id = p_id RETURNING * INTO o;
        PERFORM cancel_hand_task(h.id, p_at, p_reason) FROM hand_task h WHERE h.state IN ('open', 'leased') AND (
            (h.ref = p_id AND h.kind IN ('pack', 'putback')) OR (h.kind = 'load' AND EXISTS (
                SELECT FROM truck_tote y WHERE y.order_id = p_id AND y.state = 'expected' AND y.truck = h.ref AND y.unit = h.detail->>'unit')));
        UPDATE truck_tote SET state = 'left', reason = p_reason WHERE order_id = p_id AND state = 'expected';
        UPDATE truck_order y SET live = false, reason = p_reason WHERE y.order_id = p_id AND y.live RETURNING y.truck INTO x;
        IF x IS NOT NULL THEN PERFORM offer_loads(x, p_at); END IF;
        UPDATE task SET state = 'cancelled', closed_at = p_at, reason = p_reason
        WHERE order_id = p_id AND kind = 'pack' AND hand AND state IN ('released', 'started')
          AND NOT EXISTS (SELECT FROM task k WHERE k.tote = task.tote AND k.kind = 'pick' AND k.state = 'started');
        IF o.state = 'packed' THEN
            put_back := put_order_back(o, p_at, p_who);
            outcome := 'put back'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    FOR t IN
        SELECT * FROM task WHERE order_id = p_id AND kind = 'pick' AND state IN ('waiting', 'released')
        ORDER BY stock, id FOR UPDATE
    LOOP
        DELETE FROM reservation WHERE task = t.id;
        UPDATE stock SET reserved = reserved - t.qty WHERE id = t.stock;
        UPDATE order_line SET allocated = allocated - t.qty, cancelled = cancelled + t.qty
        WHERE order_id = p_id AND line = t.line;
        UPDATE task SET state = 'cancelled', closed_at = p_at, reason = p_reason WHERE id = t.id;
        withdrawn := withdrawn + 1;
    END LOOP;
    -- an empty tote is closed before its last pick is, so that nobody takes it for a finished one
    FOR x IN SELECT id FROM tote WHERE order_id = p_id AND state = 'open' ORDER BY n LOOP
        PERFORM void_empty_tote(x, p_at);
    END LOOP;
    PERFORM say_work(id, p_at) FROM (
        SELECT id FROM task WHERE order_id = p_id AND kind = 'pick' AND state = 'cancelled' AND closed_at = p_at
        ORDER BY length(id), id) AS withdrawn_ids;
    PERFORM fill_waiting(p_at, y.item) FROM (
        SELECT DISTINCT item FROM task WHERE order_id = p_id AND kind = 'pick' AND state = 'cancelled' AND closed_at = p_at ORDER BY 1) AS y;
    IF p_put_back AND NOT EXISTS (SELECT FROM task WHERE order_id = p_id AND state IN ('waiting', 'released', 'started')) THEN
        put_back := put_order_back(o, p_at, p_who);
        outcome := CASE WHEN put_back > 0 THEN 'put back' ELSE 'cancelled' END; RETURN NEXT; RETURN;
    END IF;
    SELECT count(*) INTO going_on FROM tote WHERE order_id = p_id AND state <> 'void';
    IF going_on = 0 THEN
        UPDATE order_line SET cancelled = qty WHERE order_id = p_id AND kind = 'service';
        UPDATE order_line SET cancelled = qty - done - short WHERE order_id = p_id AND kind = 'stock';
        UPDATE orders SET state = 'cancelled', closed_at = p_at WHERE id = p_id;
        PERFORM emit('floorplane.order.cancelled', p_id, p_at, jsonb_build_object(
            'ref', o.ref, 'source', o.source, 'who', p_who, 'reason', p_reason, 'lines', lines_of(p_id)), o.correlation);
        outcome := 'cancelled';
    ELSE
        outcome := CASE WHEN p_put_back THEN 'stopping' WHEN withdrawn > 0 THEN 'partly' ELSE 'too late' END;
        PERFORM finish_order(p_id, p_at, p_who);
    END IF;
    RETURN NEXT;
END $$;
