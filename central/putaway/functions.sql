-- What lies in a place, in the units that stand in it, and what is on its way to it by hand (but for task `p_without`).
CREATE OR REPLACE FUNCTION lies_in(p_place text, p_without text DEFAULT '')
RETURNS TABLE (item text, lot text, owner text, qty bigint) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE inside (code) AS (
        SELECT p_place COLLATE "C"
        UNION ALL
        SELECT p.code FROM inside i JOIN place p ON p.parent = i.code AND p.kind = 'unit'
    )
    SELECT s.item, s.lot, s.owner, s.qty::bigint FROM inside i JOIN stock s ON s.place = i.code AND s.qty > 0
    UNION ALL
    SELECT h.item, h.lot, h.owner, h.qty::bigint FROM hand_task h
    WHERE h.target = p_place AND h.state IN ('open', 'leased') AND h.kind IN ('putaway', 'move', 'replenish') AND h.id <> p_without;
$$;

-- How many of `p_qty` pieces a place takes by its limits and rules, and what bounds it where that is not all.
CREATE OR REPLACE FUNCTION room_in(p_place text, p_item text, p_lot text, p_owner text, p_qty integer, p_without text DEFAULT '')
RETURNS TABLE (fits integer, why text) LANGUAGE plpgsql STABLE AS $$
DECLARE
    p place;
    i item;
    z zone;
    u record;
    room bigint;
BEGIN
    fits := 0;
    SELECT * INTO p FROM place x WHERE x.code = p_place;
    IF NOT FOUND OR p.kind NOT IN ('bin', 'shelf', 'staging') THEN
        why := 'no place to store in'; RETURN NEXT; RETURN;
    END IF;
    SELECT * INTO i FROM item x WHERE x.id = p_item;
    IF p.item <> p_item THEN why := 'kept for ' || p.item; RETURN NEXT; RETURN; END IF;
    SELECT * INTO z FROM zone x WHERE x.code = p.zone;
    IF i.temperature <> COALESCE(z.temperature, 'ambient') AND p.kind <> 'staging' THEN
        why := format('%s there, and it is kept %s', COALESCE(z.temperature, 'ambient'), i.temperature); RETURN NEXT; RETURN;
    END IF;
    IF i.hazard <> '' AND NOT i.hazard = ANY (COALESCE(z.hazards, '{}')) AND p.kind <> 'staging' THEN
        why := format('its zone takes no hazard class %s', i.hazard); RETURN NEXT; RETURN;
    END IF;
    SELECT COALESCE(sum(x.qty * y.volume_ml), 0)::bigint AS volume_ml, COALESCE(sum(x.qty * y.weight_g), 0)::bigint AS weight_g,
           min(x.item) FILTER (WHERE x.item <> p_item) AS other, bool_or(x.lot <> p_lot) AS lots,
           bool_or(x.owner <> p_owner) AS owners
    INTO u FROM lies_in(p_place, p_without) x JOIN item y ON y.id = x.item;
    IF p.mixing IN ('item', 'lot') AND u.other IS NOT NULL THEN
        why := format('one %s at a time, and %s is there', p.mixing, u.other);
    ELSIF p.mixing = 'lot' AND u.lots THEN
        why := 'one lot at a time, and another one is there';
    ELSIF p.mixing <> 'free' AND u.owners THEN
        why := 'goods of one owner at a time, and another''s are there';
    END IF;
    IF why IS NOT NULL THEN RETURN NEXT; RETURN; END IF;
    fits := p_qty;
    IF p.volume_ml IS NOT NULL AND i.volume_ml > 0 THEN
        room := GREATEST(0, p.volume_ml - u.volume_ml) / i.volume_ml;
        IF room < fits THEN fits := room; why := format('%s of %s ml are taken', u.volume_ml, p.volume_ml); END IF;
    END IF;
    IF p.weight_g IS NOT NULL AND i.weight_g > 0 THEN
        room := GREATEST(0, p.weight_g - u.weight_g) / i.weight_g;
        IF room < fits THEN fits := room; why := format('%s of %s g are on it', u.weight_g, p.weight_g); END IF;
    END IF;
    RETURN NEXT;
END $$;

-- The first rule of a place that what lies in it breaks, by field; no row: none.
CREATE OR REPLACE FUNCTION place_breach(p_place text) RETURNS TABLE (field text, bound text) LANGUAGE plpgsql STABLE AS $$
DECLARE
    p place;
    z zone;
    u record;
BEGIN
    SELECT * INTO p FROM place x WHERE x.code = p_place;
    SELECT * INTO z FROM zone x WHERE x.code = p.zone;
    SELECT sum(x.qty * y.volume_ml) AS volume_ml, sum(x.qty * y.weight_g) AS weight_g, count(DISTINCT x.item) AS items,
           count(DISTINCT (x.item, x.lot)) AS lots, count(DISTINCT x.owner) AS owners,
           min(x.item) FILTER (WHERE x.item <> p.item) AS other,
           min(x.item) FILTER (WHERE y.temperature <> COALESCE(z.temperature, 'ambient')
               OR (y.hazard <> '' AND NOT y.hazard = ANY (COALESCE(z.hazards, '{}')))) AS misplaced
    INTO u FROM lies_in(p_place) x JOIN item y ON y.id = x.item;
    IF u.volume_ml > p.volume_ml THEN field := 'volume_ml'; bound := format('at least %s, which lie there', u.volume_ml);
    ELSIF u.weight_g > p.weight_g THEN field := 'weight_g'; bound := format('at least %s, which lie there', u.weight_g);
    ELSIF (p.mixing IN ('item', 'lot') AND u.items > 1) OR (p.mixing = 'lot' AND u.lots > 1) OR (p.mixing <> 'free' AND u.owners > 1) THEN
        field := 'mixing'; bound := format('right for what lies there: %s items, %s lots, %s owners', u.items, u.lots, u.owners);
    ELSIF u.other IS NOT NULL THEN field := 'item'; bound := format('right while %s lies there', u.other);
    ELSIF u.misplaced IS NOT NULL AND p.kind IN ('bin', 'shelf') THEN field := 'zone'; bound := format('right for %s, which lies there', u.misplaced);
    ELSE RETURN;
    END IF;
    RETURN NEXT;
END $$;

-- Places that a rule looks at, in its order.
CREATE OR REPLACE FUNCTION putaway_places(p_rule text, p_item text, p_kinds text[], p_zones text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_rule = 'fixed' THEN
        RETURN QUERY SELECT p.code FROM place p
            WHERE p.item = p_item AND p.kind = ANY (p_kinds) AND (p_zones IS NULL OR p.zone = ANY (p_zones)) ORDER BY p.way, p.code;
    ELSIF p_rule = 'same_item' THEN
        RETURN QUERY SELECT p.code FROM stock s JOIN place p ON p.code = s.place
            WHERE s.item = p_item AND s.live AND p.item IS NULL AND p.kind = ANY (p_kinds) AND (p_zones IS NULL OR p.zone = ANY (p_zones))
            GROUP BY p.code, p.way ORDER BY p.way, p.code;
    ELSIF p_rule = 'nearest' THEN
        -- a place of which nobody has said how much it takes is free as long as nothing else is there
        RETURN QUERY SELECT p.code FROM place p
            WHERE p.item IS NULL AND p.kind IN ('bin', 'shelf') AND p.kind = ANY (p_kinds) AND (p_zones IS NULL OR p.zone = ANY (p_zones))
              AND (p.volume_ml IS NOT NULL OR p.weight_g IS NOT NULL OR NOT EXISTS (SELECT FROM lies_in(p.code)))
            ORDER BY p.way, p.code;
    END IF;
END $$;

-- Lines that wait for an item (`backorder`), the most urgent first, with the day on which it must still be good.
CREATE OR REPLACE FUNCTION waiting_lines(p_at timestamptz, p_item text)
RETURNS TABLE (order_id text, line integer, qty integer, good date) LANGUAGE sql STABLE AS $$
    SELECT o.id, l.line, l.short, good_until(p_at, o.due, o.min_days) FROM order_line l JOIN orders o ON o.id = l.order_id
    WHERE l.item = p_item AND l.short > 0 AND l.kind = 'stock' AND o.backorder AND o.state IN ('allocated', 'released', 'picking')
    ORDER BY o.priority DESC, o.due, o.received_at, o.id, l.line;
$$;

-- So many pieces of a stock row, which are reserved for it already, are picked for a line that has waited: a tote more.
CREATE OR REPLACE FUNCTION fill_line(
    p_at timestamptz, p_order text, p_line integer, p_item text, p_stock bigint, p_place text, p_qty integer, p_tote text, p_n integer, p_hand boolean
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    waits boolean;
BEGIN
    SELECT * INTO o FROM orders x WHERE x.id = p_order;
    waits := o.state = 'allocated';
    INSERT INTO task (id, kind, state, order_id, line, tote, item, stock, bin, qty, created_at, released_at, hand)
    VALUES ('P-' || p_tote || '-' || p_n, 'pick', CASE WHEN waits THEN 'waiting' ELSE 'released' END, p_order, p_line, p_tote, p_item, p_stock,
            p_place, p_qty, p_at, CASE WHEN NOT waits THEN p_at END, p_hand);
    INSERT INTO reservation VALUES ('P-' || p_tote || '-' || p_n, p_stock, p_qty);
    UPDATE order_line SET allocated = allocated + p_qty, short = short - p_qty WHERE order_id = p_order AND line = p_line;
    PERFORM emit('floorplane.order.line_filled', p_order, p_at, jsonb_build_object(
        'line', p_line, 'item', p_item, 'qty', p_qty, 'from', p_place), o.correlation);
END $$;

-- A tote for what has come of a line that waited; one of an order that is not released waits with it.
CREATE OR REPLACE FUNCTION tote_to_fill(p_at timestamptz, p_order text, p_hand boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    made text := new_tote(p_order, p_hand, p_at);
BEGIN
    UPDATE task SET state = 'waiting', released_at = NULL
    WHERE tote = made AND EXISTS (SELECT FROM orders o WHERE o.id = p_order AND o.state = 'allocated');
    RETURN made;
END $$;

-- Pieces that have just come in go to the lines that wait for them, straight from where they are: people pick them there.
-- Says how many.
CREATE OR REPLACE FUNCTION cross_dock(p_at timestamptz, p_from text, p_item text, p_lot text, p_owner text, p_qty integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    w record;
    s stock;
    take integer;
    made integer := 0;
BEGIN
    FOR w IN SELECT * FROM waiting_lines(p_at, p_item) LOOP
        EXIT WHEN made = p_qty;
        PERFORM FROM orders o WHERE o.id = w.order_id FOR UPDATE;
        SELECT LEAST(l.short, p_qty - made) INTO take FROM order_line l JOIN orders o ON o.id = l.order_id AND o.backorder
        WHERE l.order_id = w.order_id AND l.line = w.line AND o.state IN ('allocated', 'released', 'picking');
        CONTINUE WHEN COALESCE(take, 0) = 0;
        UPDATE stock x SET reserved = x.reserved + take
        WHERE x.place = p_from AND x.item = p_item AND x.lot = p_lot AND x.owner = p_owner AND x.status = 'ok' AND NOT x.doubt
          AND x.qty - x.reserved >= take AND (x.expires IS NULL OR x.expires >= w.good) RETURNING * INTO s;
        CONTINUE WHEN NOT FOUND;
        PERFORM fill_line(p_at, w.order_id, w.line, p_item, s.id, p_from, take, tote_to_fill(p_at, w.order_id, true), 1, true);
        made := made + take;
    END LOOP;
    RETURN made;
END $$;

-- Goods are where orders are picked: lines that wait for them get theirs. Says how many pieces.
CREATE OR REPLACE FUNCTION fill_waiting(p_at timestamptz, p_item text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    w record;
    r record;
    by_hand boolean;
    made text;
    n integer;
    want integer;
    pieces integer := 0;
BEGIN
    FOR w IN SELECT * FROM waiting_lines(p_at, p_item) LOOP
        PERFORM FROM orders o WHERE o.id = w.order_id FOR UPDATE;
        SELECT l.short INTO want FROM order_line l JOIN orders o ON o.id = l.order_id AND o.backorder
        WHERE l.order_id = w.order_id AND l.line = w.line AND o.state IN ('allocated', 'released', 'picking');
        FOREACH by_hand IN ARRAY ARRAY[false, true] LOOP
            CONTINUE WHEN COALESCE(want, 0) = 0;
            made := NULL; n := 0;
            FOR r IN
                SELECT * FROM reserve(p_item, want, '', w.good) WHERE NOT by_hand
                UNION ALL SELECT * FROM reserve_by_hand(p_item, want, '', w.good) WHERE by_hand
            LOOP
                IF made IS NULL THEN made := tote_to_fill(p_at, w.order_id, by_hand); END IF;
                n := n + 1; want := want - r.qty; pieces := pieces + r.qty;
                PERFORM fill_line(p_at, w.order_id, w.line, p_item, r.stock_id, r.bin, r.qty, made, n, by_hand);
            END LOOP;
            IF made IS NOT NULL AND NOT by_hand THEN
                PERFORM say_work(x.id, p_at) FROM (
                    SELECT k.id FROM task k WHERE k.tote = made AND k.state = 'released'
                    ORDER BY CASE k.kind WHEN 'pick' THEN 0 WHEN 'convey' THEN 1 ELSE 2 END, length(k.id), k.id) AS x;
            END IF;
        END LOOP;
    END LOOP;
    RETURN pieces;
END $$;

-- Lay out who puts `p_qty` free pieces away from where they are, and where: one task a place (a pallet), by the item's
-- strategy, with the reason for each. What no place takes becomes a task without a target: who does it chooses.
-- `p_stem`: what the tasks' ids begin with. Says how many tasks there are.
CREATE OR REPLACE FUNCTION plan_putaway(
    p_at timestamptz, p_from text, p_item text, p_lot text, p_owner text, p_qty integer, p_ref text, p_stem text
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    i item;
    steps jsonb;
    step record;
    c text;
    r record;
    left_over integer := p_qty;
    made integer := 0;
    passed jsonb := '[]';
    why jsonb;
BEGIN
    SELECT * INTO i FROM item x WHERE x.id = p_item;
    SELECT s.steps INTO steps FROM putaway_strategy s WHERE s.class IN (i.putaway, '') ORDER BY s.class = i.putaway DESC LIMIT 1;
    FOR step IN
        SELECT x.n, x.s->>'rule' AS rule, ARRAY(SELECT jsonb_array_elements_text(COALESCE(x.s->'kinds', '["shelf", "bin"]'))) AS kinds,
               CASE WHEN x.s ? 'zones' THEN ARRAY(SELECT jsonb_array_elements_text(x.s->'zones')) END AS zones
        FROM jsonb_array_elements(steps) WITH ORDINALITY AS x(s, n) ORDER BY x.n
    LOOP
        EXIT WHEN left_over = 0;
        IF step.rule = 'cross_dock' THEN
            left_over := left_over - cross_dock(p_at, p_from, p_item, p_lot, p_owner, left_over);
            CONTINUE;
        END IF;
        FOR c IN SELECT * FROM putaway_places(step.rule, p_item, step.kinds, step.zones) LOOP
            EXIT WHEN left_over = 0;
            CONTINUE WHEN c = p_from;
            SELECT * INTO r FROM room_in(c, p_item, p_lot, p_owner, left_over);
            IF r.fits > 0 THEN  -- once more, now that nobody else can give its room away
                PERFORM FROM place p WHERE p.code = c FOR NO KEY UPDATE;
                SELECT * INTO r FROM room_in(c, p_item, p_lot, p_owner, left_over);
            END IF;
            IF r.fits = 0 THEN
                IF jsonb_array_length(passed) < 10 THEN
                    passed := passed || jsonb_build_object('rule', step.rule, 'place', c, 'why', r.why);
                END IF;
                CONTINUE;
            END IF;
            why := jsonb_build_object('rule', step.rule, 'step', step.n, 'passed', passed, 'because', CASE step.rule
                WHEN 'fixed' THEN format('%s is kept for %s', c, p_item)
                WHEN 'same_item' THEN format('%s lies at %s already', p_item, c)
                ELSE format('%s is the nearest with room', c) END
                || CASE WHEN r.why IS NULL THEN '' ELSE format(' for %s: %s', r.fits, r.why) END);
            made := open_putaway(p_at, p_from, c, i, p_lot, p_owner, r.fits, p_ref, p_stem, made, why);
            left_over := left_over - r.fits;
        END LOOP;
    END LOOP;
    IF left_over > 0 THEN
        why := jsonb_build_object('rule', 'none', 'because', format('no place takes %s pieces', left_over), 'passed', passed);
        made := open_putaway(p_at, p_from, NULL, i, p_lot, p_owner, left_over, p_ref, p_stem, made, why);
    END IF;
    RETURN made;
END $$;

-- Tasks for so many pieces to one place: one a pallet. Says how many there are with those before.
CREATE OR REPLACE FUNCTION open_putaway(
    p_at timestamptz, p_from text, p_to text, i item, p_lot text, p_owner text, p_qty integer, p_ref text, p_stem text, p_made integer, p_why jsonb
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    left_over integer := p_qty;
    take integer;
    made integer := p_made;
BEGIN
    WHILE left_over > 0 LOOP
        take := LEAST(left_over, CASE WHEN i.per_pallet > 0 THEN i.per_pallet ELSE left_over END);
        made := made + 1;
        IF NOT open_hand_task(p_stem || '-' || made, 'putaway', p_at, i.id, take, p_from, p_to, p_ref, p_lot, p_owner,
                              p_detail => jsonb_build_object('why', p_why, 'elsewhere', true)) THEN
            RAISE EXCEPTION 'putaway %-%: there is such a task already', p_stem, made USING ERRCODE = 'unique_violation';
        END IF;
        left_over := left_over - take;
    END LOOP;
    RETURN made;
END $$;

-- Somebody has put pieces away: where the task says, or at another place that takes them. What was not carried is laid out anew.
CREATE OR REPLACE FUNCTION hand_done_putaway(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    goal text := COALESCE(NULLIF(f->>'target', ''), t.target);
    got integer := (f->>'qty')::integer;
    r record;
    said text;
BEGIN
    IF goal IS NULL THEN RETURN 'target: none is planned; scan the place where it lies now'; END IF;
    IF got > t.qty THEN RETURN format('qty: %s is above the task''s %s', got, t.qty); END IF;
    IF got > 0 THEN
        PERFORM FROM place p WHERE p.code = goal FOR NO KEY UPDATE;
        SELECT * INTO r FROM room_in(goal, t.item, t.lot, t.owner, got, t.id);
        IF r.fits < got THEN
            RETURN format('target: %s takes %s of %s: %s', goal, r.fits, got, r.why);
        END IF;
        said := move_stock(p_at, t.source, goal, t.item, t.lot, t.owner, got, 'putaway', p_actor, 'putaway/' || t.id, p_task => t.id);
        IF said <> 'posted' THEN RETURN said; END IF;
        PERFORM fill_waiting(p_at, t.item);
    END IF;
    IF got < t.qty THEN
        PERFORM plan_putaway(p_at, t.source, t.item, t.lot, t.owner, t.qty - got, t.ref, 'U-' || left(md5(t.id), 16));
    END IF;
    RETURN 'posted';
END $$;

-- Lay out the putaway of what lies free in a place and has no task, or one without a target. Says how many tasks there are.
CREATE OR REPLACE FUNCTION replan_putaway(p_at timestamptz, p_place text, p_item text, p_stem text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    s record;
    n integer := 0;
    made integer := 0;
BEGIN
    PERFORM cancel_hand_task(h.id, p_at, 'laid out anew') FROM hand_task h
    WHERE h.kind = 'putaway' AND h.source = p_place AND h.state = 'open' AND h.target IS NULL AND (p_item IS NULL OR h.item = p_item);
    FOR s IN
        SELECT x.item, x.lot, x.owner, x.qty - x.reserved - COALESCE((
            SELECT sum(h.qty) FROM hand_task h WHERE h.kind = 'putaway' AND h.source = p_place AND h.state IN ('open', 'leased')
              AND h.item = x.item AND h.lot = x.lot AND h.owner = x.owner), 0)::integer AS qty
        FROM stock x WHERE x.place = p_place AND x.status = 'ok' AND x.qty > x.reserved AND (p_item IS NULL OR x.item = p_item)
        ORDER BY x.item, x.lot
    LOOP
        CONTINUE WHEN s.qty <= 0;
        n := n + 1;
        made := made + plan_putaway(p_at, p_place, s.item, s.lot, s.owner, s.qty, NULL, p_stem || '-' || n);
    END LOOP;
    RETURN made;
END $$;

-- A putaway that was undone is laid out anew from where the goods are again.
CREATE OR REPLACE FUNCTION hand_undone_putaway(t hand_task, p_why text, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM plan_putaway(p_at, t.source, t.item, t.lot, t.owner, t.done_qty, t.ref, 'U-' || left(md5(t.id || '/undone'), 16));
    RETURN 'undone';
END $$;
