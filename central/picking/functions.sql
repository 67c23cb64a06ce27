-- A tote that holds nothing and waits for nothing needs no conveyor and no packer.
CREATE OR REPLACE FUNCTION void_empty_tote(p_tote text, p_at timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    closed text;
BEGIN
    IF EXISTS (SELECT FROM task WHERE tote = p_tote AND kind = 'pick'
               AND (state IN ('waiting', 'released', 'started') OR done_qty > 0)) THEN
        RETURN false;
    END IF;
    FOR closed IN
        UPDATE task SET state = 'cancelled', closed_at = p_at, reason = 'nothing to carry'
        WHERE tote = p_tote AND kind <> 'pick' AND state IN ('waiting', 'released', 'started') RETURNING id
    LOOP
        PERFORM say_work(closed, p_at);
    END LOOP;
    UPDATE tote SET state = 'void' WHERE id = p_tote AND state = 'open';
    RETURN FOUND;
END $$;

-- Pieces for an order went into a tote: bin to tote in the books; what was not there is written off the bin, looked for
-- in other bins, and else short. New work is said before old work is closed, so that the tote is not taken for complete.
CREATE OR REPLACE FUNCTION post_pick(f jsonb, p_at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t task;
    got integer := (f->>'qty')::integer;
    missing integer;
    again integer := 0;
    elsewhere integer := 0;
    r record;
    next_n integer;
    new_id text;
    actor text;
    took stock;
BEGIN
    SELECT * INTO t FROM task WHERE id = f->>'task' AND kind = 'pick' FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF t.attempt <> (f->>'attempt')::integer THEN RETURN 'stale'; END IF;
    IF t.state IN ('done', 'short') THEN RETURN 'closed'; END IF;
    actor := COALESCE(f->>'station', '');
    IF t.state = 'cancelled' THEN RETURN post_late_pick(t, got, actor, p_at); END IF;
    IF got > t.qty OR got < 0 THEN
        PERFORM raise_alarm(p_at, 'pick/' || t.id, 'error', t.id,
            format('%s pieces of %s were reported for a pick of %s', got, t.item, t.qty), 'Count tote ' || t.tote || ' and bin ' || t.bin);
        got := GREATEST(0, LEAST(got, t.qty));
    END IF;
    missing := t.qty - got;

    DELETE FROM reservation WHERE task = t.id;
    UPDATE stock SET qty = qty - t.qty, reserved = reserved - t.qty, doubt = doubt OR (missing > 0 AND qty > t.qty)
    WHERE id = t.stock RETURNING * INTO took;
    IF got > 0 THEN
        IF t.hand THEN PERFORM open_unit(t.bin, p_at, actor, 'picked'); END IF;
        INSERT INTO stock AS s (place, item, lot, owner, qty) VALUES (t.tote, t.item, took.lot, took.owner, got)
        ON CONFLICT (place, item, lot, owner, status) DO UPDATE SET qty = s.qty + excluded.qty;
        PERFORM post(p_at, t.bin, t.tote, t.item, got, 'pick', t.id, t.order_id, t.line, actor, 'pick/' || t.id,
                     took.lot, took.owner);
    END IF;
    IF missing > 0 THEN
        PERFORM post(p_at, t.bin, 'adjustment', t.item, missing,
                     'short_pick', t.id, t.order_id, t.line, actor, 'short/' || t.id, took.lot, took.owner);
        PERFORM emit('floorplane.stock.count_needed', t.bin, p_at, jsonb_build_object(
            'bin', t.bin, 'item', t.item, 'task', t.id, 'missing', missing, 'reason', f->>'reason'));
        PERFORM count_after_short(p_at, t.bin, t.item, took.lot, t.id);
        SELECT count(*) INTO next_n FROM task WHERE tote = t.tote AND kind = 'pick';
        FOR r IN
            SELECT x.* FROM orders o CROSS JOIN reserve(t.item, missing, t.bin, good_until(p_at, o.due, o.min_days),
                CASE WHEN t.hand THEN 'shelf' ELSE 'bin' END) AS x WHERE o.id = t.order_id
        LOOP
            next_n := next_n + 1;
            new_id := 'P-' || t.tote || '-' || next_n;
            INSERT INTO task (id, kind, state, order_id, line, tote, item, stock, bin, qty, created_at, released_at, hand)
            VALUES (new_id, 'pick', 'released', t.order_id, t.line, t.tote, t.item, r.stock_id, r.bin, r.qty, p_at, p_at, t.hand);
            INSERT INTO reservation VALUES (new_id, r.stock_id, r.qty);
            PERFORM say_work(new_id, p_at);
            again := again + r.qty;
        END LOOP;
        IF missing > again THEN elsewhere := allocate_elsewhere(t, missing - again, p_at); END IF;
        again := again + elsewhere;
        IF missing > again THEN
            PERFORM emit('floorplane.order.line_short', t.order_id, p_at, jsonb_build_object(
                'line', t.line, 'item', t.item, 'short', missing - again));
        END IF;
    END IF;
    UPDATE order_line SET allocated = allocated - t.qty + again, done = done + got, short = short + missing - again
    WHERE order_id = t.order_id AND line = t.line;
    UPDATE task SET state = CASE WHEN missing > 0 THEN 'short' ELSE 'done' END, done_qty = got, closed_at = p_at,
        started_at = COALESCE(started_at, p_at), station = COALESCE(f->>'station', station),
        reason = COALESCE(f->>'reason', ''), evidence = f->'evidence'
    WHERE id = t.id;
    UPDATE orders SET state = 'picking', started_at = p_at WHERE id = t.order_id AND state = 'released';
    IF got = 0 AND again = elsewhere AND void_empty_tote(t.tote, p_at) THEN
        PERFORM say_work(t.id, p_at);
        PERFORM finish_order(t.order_id, p_at, actor);
    ELSE
        PERFORM say_work(t.id, p_at);
    END IF;
    RETURN CASE WHEN missing > 0 THEN 'short' ELSE 'posted' END;
END $$;

-- Pieces were taken for a pick that had been cancelled: the books follow the floor, and a person puts them back.
CREATE OR REPLACE FUNCTION post_late_pick(t task, got integer, actor text, p_at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    took stock;
BEGIN
    IF got <= 0 OR t.done_qty > 0 THEN RETURN 'closed'; END IF;
    UPDATE stock SET qty = qty - got WHERE id = t.stock AND qty - reserved >= got RETURNING * INTO took;
    IF FOUND THEN
        INSERT INTO stock AS s (place, item, lot, owner, qty) VALUES (t.tote, t.item, took.lot, took.owner, got)
        ON CONFLICT (place, item, lot, owner, status) DO UPDATE SET qty = s.qty + excluded.qty;
        PERFORM post(p_at, t.bin, t.tote, t.item, got, 'late_pick', t.id, t.order_id, t.line, actor, 'pick/' || t.id,
                     took.lot, took.owner);
        UPDATE task SET done_qty = LEAST(got, qty) WHERE id = t.id;
    ELSE
        UPDATE stock SET doubt = true WHERE id = t.stock;
    END IF;
    PERFORM raise_alarm(p_at, 'cancelled-pick/' || t.id, 'warning', t.tote,
        format('%s pieces of %s were picked into %s for the cancelled order %s', got, t.item, t.tote, t.order_id),
        'Put them back into bin ' || t.bin || ' and book the return');
    RETURN 'late';
END $$;
