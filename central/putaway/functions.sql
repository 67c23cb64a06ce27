-- Places that a rule looks at, in its order.
CREATE OR REPLACE FUNCTION putaway_places(p_rule text, p_item text, p_kinds text[], p_zones text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF p_rule = 'fixed' THEN
        RETURN QUERY SELECT p.code FROM place p
            WHERE p.item = p_item AND p.kind = ANY (p_kinds) AND (p_zones IS NULL OR p.zone = ANY (p_zones)) ORDER BY p.way, p.code;
    ELSIF p_rule = 'same_item' THEN
        RETURN QUERY SELECT p.code FROM stock s JOIN place q ON q.code = s.place
            JOIN place p ON p.code = CASE q.kind WHEN 'unit' THEN bound_by(q.code) ELSE q.code END
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
    SELECT o.id, l.line, l.short, good_until(p_at, o.due, o.min_days) FROM orders o JOIN order_line l ON l.order_id = o.id
    WHERE o.backorder AND o.state IN ('allocated', 'released', 'picking') AND l.item = p_item AND l.short > 0 AND l.kind = 'stock'
    ORDER BY o.priority DESC, o.due, o.received_at, o.id, l.line;
$$;

-- How many pieces a line that waits still wants, with its order locked: who fills lines of an order waits here for whoever does.
CREATE OR REPLACE FUNCTION still_wanted(p_order text, p_line integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM orders o WHERE o.id = p_order FOR UPDATE;
    RETURN COALESCE((SELECT l.short FROM order_line l JOIN orders o ON o.id = l.order_id AND o.backorder
                     WHERE l.order_id = p_order AND l.line = p_line AND o.state IN ('allocated', 'released', 'picking')), 0);
END $$;

-- A tote for what has come of a line that waited; one of an order that is not released waits with it.
CREATE OR REPLACE FUNCTION tote_to_fill(p_at timestamptz, p_order text, p_hand boolean, p_oversize boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    made text := new_tote(p_order, p_hand, p_at);
BEGIN
    UPDATE tote SET oversize = true WHERE id = made AND p_oversize;
    UPDATE task SET state = 'waiting', released_at = NULL
    WHERE tote = made AND EXISTS (SELECT FROM orders o WHERE o.id = p_order AND o.state = 'allocated');
    RETURN made;
END $$;

-- So many pieces of stock rows, which are reserved for it already, are picked for a line that has waited: in as many totes more as
-- they need, those that robots fill before those that people fill.
DROP FUNCTION IF EXISTS fill_line(timestamptz, text, integer, text, bigint, text, integer, text, integer, boolean);
CREATE OR REPLACE FUNCTION fill_line(
    p_at timestamptz, p_order text, p_line integer, p_item text, p_stocks bigint[], p_places text[], p_qtys integer[], p_hands boolean[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    waits boolean;
    most integer;
    oversize boolean;
    by_hand boolean;
    made text;
    room integer;
    n integer;
    left_over integer;
    take integer;
    totes text[] := '{}';
BEGIN
    SELECT * INTO o FROM orders x WHERE x.id = p_order;
    waits := o.state = 'allocated';
    SELECT LEAST(CASE WHEN i.volume_ml > 0 THEN x.tote_volume_ml / i.volume_ml END, CASE WHEN i.weight_g > 0 THEN x.tote_weight_g / i.weight_g END,
                 2000000000) INTO most FROM item i, outbound_setting x WHERE i.id = p_item;
    oversize := most = 0;
    FOREACH by_hand IN ARRAY ARRAY[false, true] LOOP
        room := 0;
        FOR k IN 1 .. cardinality(p_stocks) LOOP
            CONTINUE WHEN p_hands[k] <> by_hand;
            left_over := p_qtys[k];
            WHILE left_over > 0 LOOP
                IF room = 0 THEN
                    made := tote_to_fill(p_at, p_order, by_hand, oversize); room := GREATEST(most, 1); n := 0;
                    IF NOT by_hand THEN totes := totes || made; END IF;
                END IF;
                n := n + 1; take := LEAST(left_over, room); left_over := left_over - take; room := room - take;
                INSERT INTO task (id, kind, state, order_id, line, tote, item, stock, bin, qty, created_at, released_at, hand)
                VALUES ('P-' || made || '-' || n, 'pick', CASE WHEN waits THEN 'waiting' ELSE 'released' END, p_order, p_line, made, p_item,
                        p_stocks[k], p_places[k], take, p_at, CASE WHEN NOT waits THEN p_at END, by_hand);
                INSERT INTO reservation VALUES ('P-' || made || '-' || n, p_stocks[k], take);
            END LOOP;
            UPDATE order_line SET allocated = allocated + p_qtys[k], short = short - p_qtys[k] WHERE order_id = p_order AND line = p_line;
            PERFORM emit('floorplane.order.line_filled', p_order, p_at, jsonb_build_object(
                'line', p_line, 'item', p_item, 'qty', p_qtys[k], 'from', p_places[k]), o.correlation);
        END LOOP;
    END LOOP;
    PERFORM say_work(x.id, p_at) FROM (
        SELECT k.id FROM task k JOIN tote t ON t.id = k.tote WHERE k.tote = ANY (totes) AND k.state = 'released'
        ORDER BY t.n, CASE k.kind WHEN 'pick' THEN 0 WHEN 'convey' THEN 1 ELSE 2 END, length(k.id), k.id) AS x;
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
        take := LEAST(still_wanted(w.order_id, w.line), p_qty - made);
        CONTINUE WHEN take = 0;
        UPDATE stock x SET reserved = x.reserved + take
        WHERE x.place = p_from AND x.item = p_item AND x.lot = p_lot AND x.owner = p_owner AND x.status = 'ok' AND NOT x.doubt
          AND x.qty - x.reserved >= take AND (x.expires IS NULL OR x.expires >= w.good) RETURNING * INTO s;
        CONTINUE WHEN NOT FOUND;
        PERFORM fill_line(p_at, w.order_id, w.line, p_item, ARRAY[s.id], ARRAY[p_from], ARRAY[take], ARRAY[true]);
        made := made + take;
    END LOOP;
    RETURN made;
END $$;

-- Goods may be free where orders are picked: lines that wait for them get theirs, the most urgent first. `p_good`: those for whom they
-- were brought, who want them good until this day, before all others. Says how many pieces.
DROP FUNCTION IF EXISTS fill_waiting(timestamptz, text);
CREATE OR REPLACE FUNCTION fill_waiting(p_at timestamptz, p_item text, p_good date DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    w record;
    r record;
    want integer;
    pieces integer := 0;
    kinds text[];
BEGIN
    FOR w IN
        SELECT x.* FROM waiting_lines(p_at, p_item) WITH ORDINALITY AS x(order_id, line, qty, good, n) ORDER BY (x.good = p_good) DESC, x.n
    LOOP
        IF kinds IS NULL THEN
            kinds := picked_kinds();
            -- nothing is free: nobody is to be waited for
            EXIT WHEN NOT EXISTS (SELECT FROM stock s WHERE s.item = p_item AND s.live AND s.qty > s.reserved AND s.status = 'ok' AND NOT s.doubt);
        END IF;
        want := still_wanted(w.order_id, w.line);
        CONTINUE WHEN want = 0;
        SELECT array_agg(c.stock_id) AS stocks, array_agg(c.bin) AS places, array_agg(c.qty) AS qtys, array_agg(c.hand) AS hands, sum(c.qty) AS qty
        INTO r FROM claim(p_item, want, '', w.good, kinds) AS c;
        CONTINUE WHEN r.stocks IS NULL;
        PERFORM fill_line(p_at, w.order_id, w.line, p_item, r.stocks, r.places, r.qtys, r.hands);
        pieces := pieces + r.qty;
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

-- Somebody has put pieces, or a whole unit, away: where the task says, or at another place that takes them. What was not carried is
-- laid out anew.
CREATE OR REPLACE FUNCTION hand_done_putaway(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    goal text := COALESCE(NULLIF(f->>'target', ''), t.target);
    got integer := (f->>'qty')::integer;
    r record;
    said text;
BEGIN
    IF goal IS NULL THEN RETURN 'target: none is planned; scan the place where it lies now'; END IF;
    IF t.item IS NULL THEN
        IF NOT EXISTS (SELECT FROM place p WHERE p.code = goal AND p.kind IN ('shelf', 'staging')) THEN
            RETURN format('target: %s takes no whole units', goal);
        END IF;
        SELECT * INTO r FROM move_unit(t.source, goal, p_at, p_actor, 'putaway', t.id);
        RETURN CASE r.outcome WHEN 'moved' THEN 'posted' WHEN 'no room' THEN r.what ELSE format('target: %s: %s', goal, r.outcome) END;
    END IF;
    IF got > t.qty THEN RETURN format('qty: %s is above the task''s %s', got, t.qty); END IF;
    IF got > 0 THEN
        IF NOT EXISTS (SELECT FROM place p WHERE p.code = goal AND p.kind IN ('bin', 'shelf', 'staging')) THEN
            RETURN format('target: %s takes 0 of %s: it is no place to store in', goal, got);
        END IF;
        said := move_stock(p_at, t.source, goal, t.item, t.lot, t.owner, got, 'putaway', p_actor, 'putaway/' || t.id, p_task => t.id);
        IF said <> 'posted' THEN RETURN said; END IF;
    END IF;
    IF got < t.qty THEN
        PERFORM plan_putaway(p_at, t.source, t.item, t.lot, t.owner, t.qty - got, t.ref, 'U-' || left(md5(t.id), 16));
    END IF;
    RETURN 'posted';
END $$;

-- Lay out the putaway of a unit that stands on a lane, the outermost around it: as a whole, to a shelf that has room for all of it;
-- else, or where some of it is not for sale, piece by piece. What orders wait for is picked from it, wherever it stands then.
-- Says how many tasks there are.
CREATE OR REPLACE FUNCTION put_unit_away(p_at timestamptz, p_unit text, p_ref text, p_stem text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    top text := outermost(p_unit);
    lane text := (SELECT p.parent FROM place p WHERE p.code = outermost(p_unit));
    g record;
    i item;
    steps jsonb;
    step record;
    c text;
    whole boolean;
    pieces integer;
    why text;
    passed jsonb := '[]';
    made integer := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM place p WHERE p.code = lane AND p.kind = 'staging') THEN RETURN 0; END IF;
    -- who has it already takes all that is in it
    IF EXISTS (SELECT FROM hand_task h WHERE h.source = top AND h.kind = 'putaway' AND h.item IS NULL AND h.state = 'leased') THEN RETURN 0; END IF;
    PERFORM cancel_hand_task(h.id, p_at, 'laid out anew') FROM hand_task h
    WHERE h.source = top AND h.kind = 'putaway' AND h.item IS NULL AND h.state = 'open';
    SELECT COALESCE(bool_and(s.status = 'ok' AND NOT s.doubt), false), sum(s.qty) INTO whole, pieces
    FROM units_within(top) w JOIN stock s ON s.place = w.code AND s.qty > 0;
    whole := whole AND NOT EXISTS (SELECT FROM units_within(top) w JOIN hand_task h ON h.source = w.code
                                   WHERE h.kind = 'putaway' AND h.state IN ('open', 'leased'));
    IF whole THEN
        SELECT y.* INTO i FROM units_within(top) w JOIN stock s ON s.place = w.code AND s.qty > 0 JOIN item y ON y.id = s.item
        ORDER BY s.qty DESC, y.id LIMIT 1;
        SELECT x.steps INTO steps FROM putaway_strategy x WHERE x.class IN (i.putaway, '') ORDER BY x.class = i.putaway DESC LIMIT 1;
        FOR step IN
            SELECT x.n, x.s->>'rule' AS rule,
                   CASE WHEN x.s ? 'zones' THEN ARRAY(SELECT jsonb_array_elements_text(x.s->'zones')) END AS zones
            FROM jsonb_array_elements(steps) WITH ORDINALITY AS x(s, n) WHERE COALESCE(x.s->'kinds', '["shelf"]') ? 'shelf' ORDER BY x.n
        LOOP
            IF step.rule = 'cross_dock' THEN
                FOR g IN
                    SELECT s.place, s.item, s.lot, s.owner, s.qty - s.reserved AS free FROM units_within(top) w
                    JOIN stock s ON s.place = w.code AND s.qty > s.reserved ORDER BY s.item, s.lot, s.place
                LOOP
                    PERFORM cross_dock(p_at, g.place, g.item, g.lot, g.owner, g.free);
                END LOOP;
                CONTINUE;
            END IF;
            FOR c IN SELECT * FROM putaway_places(step.rule, i.id, '{shelf}', step.zones) LOOP
                why := take_unit(p_at, top, c, '', '');
                IF why = '' THEN
                    PERFORM open_hand_task(
                        p_stem || '-whole', 'putaway', p_at, NULL, pieces, top, c, p_ref, '', i.owner,
                        p_detail => jsonb_build_object('unit', top, 'from', lane, 'elsewhere', true, 'asks', '["source", "target"]'::jsonb,
                            'why', jsonb_build_object('rule', step.rule, 'step', step.n, 'passed', passed,
                                                      'because', format('%s has room for the whole unit', c))));
                    RETURN 1;
                END IF;
                IF jsonb_array_length(passed) < 10 THEN
                    passed := passed || jsonb_build_object('rule', step.rule, 'place', c, 'why', why);
                END IF;
            END LOOP;
        END LOOP;
    END IF;
    FOR g IN SELECT w.code FROM units_within(top) w ORDER BY w.depth, w.code LOOP
        made := made + replan_putaway(p_at, g.code, NULL, p_stem || '-' || right(g.code, 6), p_ref);
    END LOOP;
    RETURN made;
END $$;

-- Lay out the putaway of what lies free in a place and has no task, or one without a target. Says how many tasks there are.
DROP FUNCTION IF EXISTS replan_putaway(timestamptz, text, text, text);
CREATE OR REPLACE FUNCTION replan_putaway(p_at timestamptz, p_place text, p_item text, p_stem text, p_ref text DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    s record;
    n integer := 0;
    made integer := 0;
BEGIN
    PERFORM cancel_hand_task(h.id, p_at, 'laid out anew') FROM hand_task h
    WHERE h.kind = 'putaway' AND h.source = p_place AND h.item IS NOT NULL AND h.state = 'open' AND h.target IS NULL AND (p_item IS NULL OR h.item = p_item);
    FOR s IN
        SELECT x.item, x.lot, x.owner, x.qty - x.reserved - COALESCE((
            SELECT sum(h.qty) FROM hand_task h WHERE h.kind = 'putaway' AND h.source = p_place AND h.state IN ('open', 'leased')
              AND h.item = x.item AND h.lot = x.lot AND h.owner = x.owner), 0)::integer AS qty
        FROM stock x WHERE x.place = p_place AND x.status = 'ok' AND x.qty > x.reserved AND (p_item IS NULL OR x.item = p_item)
        ORDER BY x.item, x.lot
    LOOP
        CONTINUE WHEN s.qty <= 0;
        n := n + 1;
        made := made + plan_putaway(p_at, p_place, s.item, s.lot, s.owner, s.qty, p_ref, p_stem || '-' || n);
    END LOOP;
    RETURN made;
END $$;

-- A putaway that was undone is laid out anew from where the goods are again.
CREATE OR REPLACE FUNCTION hand_undone_putaway(t hand_task, p_why text, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r record;
BEGIN
    IF t.item IS NULL THEN
        SELECT * INTO r FROM move_unit(t.source, t.detail->>'from', p_at, p_actor, p_why);
        IF r.outcome <> 'moved' THEN RETURN COALESCE(NULLIF(r.what, ''), r.outcome); END IF;
        PERFORM put_unit_away(p_at, t.source, t.ref, 'U-' || left(md5(t.id || '/undone'), 16));
        RETURN 'undone';
    END IF;
    PERFORM plan_putaway(p_at, t.source, t.item, t.lot, t.owner, t.done_qty, t.ref, 'U-' || left(md5(t.id || '/undone'), 16));
    RETURN 'undone';
END $$;

-- The same for a lane with the units that stand on it, or for one unit. `p_item`: only of this item, and no units.
CREATE OR REPLACE FUNCTION lay_out_place(p_at timestamptz, p_place text, p_item text, p_stem text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    u record;
    made integer;
BEGIN
    IF p_item IS NULL AND EXISTS (SELECT FROM place p JOIN place q ON q.code = p.parent AND q.kind = 'staging' WHERE p.code = p_place AND p.kind = 'unit') THEN
        RETURN put_unit_away(p_at, p_place, NULL, p_stem);
    END IF;
    made := replan_putaway(p_at, p_place, p_item, p_stem);
    IF p_item IS NOT NULL THEN RETURN made; END IF;
    FOR u IN
        SELECT p.code FROM place p WHERE p.parent = p_place AND p.kind = 'unit'
          AND EXISTS (SELECT FROM units_within(p.code) w JOIN stock s ON s.place = w.code AND s.qty > 0)
          AND NOT EXISTS (SELECT FROM hand_task h WHERE h.source = p.code AND h.kind = 'putaway' AND h.item IS NULL AND h.state IN ('open', 'leased')
                          AND h.target IS NOT NULL) ORDER BY p.code
    LOOP
        made := made + put_unit_away(p_at, u.code, NULL, p_stem || '-' || right(u.code, 6));
    END LOOP;
    RETURN made;
END $$;
