-- Take an order in and claim its stock, as far as there is any; says which bins hold what for which line.
CREATE OR REPLACE FUNCTION open_order(
    p_id text, p_source text, p_ref text, p_due timestamptz, p_release_at timestamptz, p_priority integer, p_ship_to text,
    p_correlation text, p_at timestamptz, p_lines integer[], p_items text[], p_qtys integer[]
) RETURNS TABLE (line integer, item text, stock_id bigint, bin text, qty integer, volume_ml integer, weight_g integer)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    l record;
    r record;
    claimed integer;
BEGIN
    INSERT INTO orders (id, source, ref, state, due, release_at, priority, ship_to, correlation, received_at)
    VALUES (p_id, p_source, p_ref, 'received', p_due, p_release_at, p_priority, p_ship_to, p_correlation, p_at);
    -- by item: two orders that want the same parts wait for each other in one direction only
    FOR l IN
        SELECT x.line, x.item, x.qty, i.kind, i.volume_ml, i.weight_g
        FROM unnest(p_lines, p_items, p_qtys) AS x(line, item, qty) JOIN item i ON i.id = x.item
        ORDER BY x.item, x.line
    LOOP
        claimed := 0;
        IF l.kind = 'stock' THEN
            FOR r IN SELECT * FROM reserve(l.item, l.qty) LOOP
                claimed := claimed + r.qty;
                line := l.line; item := l.item; stock_id := r.stock_id; bin := r.bin; qty := r.qty;
                volume_ml := l.volume_ml; weight_g := l.weight_g;
                RETURN NEXT;
            END LOOP;
        END IF;
        INSERT INTO order_line (order_id, line, item, kind, qty, allocated, short)
        VALUES (p_id, l.line, l.item, l.kind, l.qty, claimed, CASE WHEN l.kind = 'stock' THEN l.qty - claimed ELSE 0 END);
    END LOOP;
END $$;

-- Turn the claims of an order into totes and tasks; all arrays run in the order in which the floor should see them.
CREATE OR REPLACE FUNCTION plan_order(
    p_id text, p_at timestamptz, p_release boolean, p_totes text[], p_oversize boolean[],
    p_tasks text[], p_task_totes text[], p_lines integer[], p_items text[], p_stocks bigint[], p_bins text[], p_qtys integer[]
) RETURNS TABLE (state text, short integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    o orders;
    short_sum integer;
    task_state text := CASE WHEN p_release THEN 'released' ELSE 'waiting' END;
    released timestamptz := CASE WHEN p_release THEN p_at END;
BEGIN
    IF array_length(p_totes, 1) > 0 THEN
        INSERT INTO place (code, kind) SELECT unnest(p_totes), 'tote';
        INSERT INTO tote (id, order_id, n, state, oversize)
        SELECT x.id, p_id, x.n, 'open', x.oversize FROM unnest(p_totes, p_oversize) WITH ORDINALITY AS x(id, oversize, n);
        INSERT INTO task (id, kind, state, order_id, line, tote, item, stock, bin, qty, created_at, released_at)
        SELECT x.id, 'pick', task_state, p_id, x.line, x.tote, x.item, x.stock, x.bin, x.qty, p_at, released
        FROM unnest(p_tasks, p_task_totes, p_lines, p_items, p_stocks, p_bins, p_qtys) AS x(id, tote, line, item, stock, bin, qty);
        INSERT INTO task (id, kind, state, order_id, tote, created_at, released_at)
        SELECT k.letter || '-' || x.id, k.kind, task_state, p_id, x.id, p_at, released
        FROM unnest(p_totes) AS x(id), (VALUES ('C', 'convey'), ('K', 'pack')) AS k(letter, kind);
        INSERT INTO reservation SELECT x.id, x.stock, x.qty FROM unnest(p_tasks, p_stocks, p_qtys) AS x(id, stock, qty);
    END IF;
    UPDATE orders SET state = CASE WHEN p_release THEN 'released' ELSE 'allocated' END, released_at = released
    WHERE id = p_id RETURNING * INTO o;
    SELECT COALESCE(sum(short), 0) INTO short_sum FROM order_line WHERE order_id = p_id;
    PERFORM emit('floorplane.order.received', p_id, p_at, jsonb_build_object(
        'ref', o.ref, 'source', o.source, 'short', short_sum,
        'lines', lines_of(p_id)), o.correlation);
    IF p_release THEN PERFORM say_order_work(p_id, p_at); END IF;
    IF array_length(p_totes, 1) IS NULL AND p_release THEN PERFORM finish_order(p_id, p_at, o.source); END IF;
    RETURN QUERY SELECT o2.state, short_sum FROM orders o2 WHERE o2.id = p_id;
END $$;

-- All work keys of an order: tote by tote, picks, then convey, then pack.
CREATE OR REPLACE FUNCTION say_order_work(p_id text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO event (type, subject, at)
    SELECT 'work', t.id, p_at FROM task t JOIN tote x ON x.id = t.tote
    WHERE t.order_id = p_id AND t.state = 'released'
    ORDER BY x.n, CASE t.kind WHEN 'pick' THEN 0 WHEN 'convey' THEN 1 ELSE 2 END, length(t.id), t.id;
$$;

-- Release every order whose time has come; says which, and when the next one is due.
CREATE OR REPLACE FUNCTION release_due(p_at timestamptz) RETURNS TABLE (released integer, next_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    o record;
BEGIN
    released := 0;
    FOR o IN
        SELECT id, correlation, source FROM orders WHERE state = 'allocated' AND release_at <= p_at
        ORDER BY release_at, id FOR UPDATE
    LOOP
        UPDATE orders SET state = 'released', released_at = p_at WHERE id = o.id;
        UPDATE task SET state = 'released', released_at = p_at WHERE order_id = o.id AND state = 'waiting';
        PERFORM emit('floorplane.order.released', o.id, p_at, NULL, o.correlation);
        PERFORM say_order_work(o.id, p_at);
        PERFORM finish_order(o.id, p_at, o.source);
        released := released + 1;
    END LOOP;
    SELECT min(release_at) INTO next_at FROM orders WHERE state = 'allocated';
    RETURN NEXT;
END $$;

-- Cancel what nobody has begun: says how many picks were withdrawn and how many go on.
CREATE OR REPLACE FUNCTION cancel_order(p_id text, p_at timestamptz, p_who text, p_reason text)
RETURNS TABLE (outcome text, withdrawn integer, going_on integer) LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    t record;
    x text;
BEGIN
    withdrawn := 0; going_on := 0;
    SELECT * INTO o FROM orders WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN outcome := 'unknown'; RETURN NEXT; RETURN; END IF;
    IF o.state IN ('packed', 'shipped', 'short', 'cancelled') THEN outcome := 'is ' || o.state; RETURN NEXT; RETURN; END IF;
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
    SELECT count(*) INTO going_on FROM tote WHERE order_id = p_id AND state <> 'void';
    IF going_on = 0 THEN
        UPDATE order_line SET cancelled = qty WHERE order_id = p_id AND kind = 'service';
        UPDATE order_line SET cancelled = qty - done - short WHERE order_id = p_id AND kind = 'stock';
        UPDATE orders SET state = 'cancelled', closed_at = p_at WHERE id = p_id;
        PERFORM emit('floorplane.order.cancelled', p_id, p_at, jsonb_build_object(
            'ref', o.ref, 'source', o.source, 'who', p_who, 'reason', p_reason, 'lines', lines_of(p_id)), o.correlation);
        outcome := 'cancelled';
    ELSE
        outcome := CASE WHEN withdrawn > 0 THEN 'partly' ELSE 'too late' END;
        PERFORM finish_order(p_id, p_at, p_who);
    END IF;
    RETURN NEXT;
END $$;
