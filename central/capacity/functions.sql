-- What a place takes: its volume, its weight, what it may mix, what it is kept for, what its zone allows. Whatever puts goods
-- somewhere asks here: `move_stock` and `book` for pieces, `move_unit` for whole handling units.

-- The place whose limits bind what is put into `p_place`: itself, or where the unit stands, however deep; NULL: none does.
CREATE OR REPLACE FUNCTION bound_by(p_place text) RETURNS text LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up (code, kind, parent, n) AS (
        SELECT p.code, p.kind, p.parent, 0 FROM place p WHERE p.code = p_place
        UNION ALL
        SELECT p.code, p.kind, p.parent, u.n + 1 FROM up u JOIN place p ON p.code = u.parent WHERE u.kind IN ('unit', 'tote') AND u.n < 10
    )
    SELECT code FROM up WHERE kind IN ('bin', 'shelf', 'staging') ORDER BY n LIMIT 1;
$$;

-- What lies in a place, in the units that stand in it, and what is on its way to it by hand (but for task `p_without`).
CREATE OR REPLACE FUNCTION lies_in(p_place text, p_without text DEFAULT '')
RETURNS TABLE (item text, lot text, owner text, qty bigint) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE inside (code) AS (
        SELECT p_place COLLATE "C"
        UNION
        SELECT h.source FROM hand_task h
        WHERE h.target = p_place AND h.state IN ('open', 'leased') AND h.kind = 'putaway' AND h.item IS NULL AND h.id <> p_without
        UNION
        SELECT p.code FROM inside i JOIN place p ON p.parent = i.code AND p.kind = 'unit'
    )
    SELECT s.item, s.lot, s.owner, s.qty::bigint FROM inside i JOIN stock s ON s.place = i.code AND s.qty > 0
    UNION ALL
    SELECT h.item, h.lot, h.owner, h.qty::bigint FROM hand_task h
    WHERE h.target = p_place AND h.state IN ('open', 'leased') AND h.kind IN ('putaway', 'move', 'replenish', 'putback', 'kit')
      AND h.id <> p_without AND h.detail->>'task' IS DISTINCT FROM p_without;
$$;

-- How many of `p_qty` pieces a place takes by its limits and rules, and what bounds it where that is not all. `p_overruled`: only by
-- those that nobody may overrule: weight, temperature, hazard class, owners.
DROP FUNCTION IF EXISTS room_in(text, text, text, text, integer, text);
CREATE OR REPLACE FUNCTION room_in(
    p_place text, p_item text, p_lot text, p_owner text, p_qty integer, p_without text DEFAULT '', p_overruled boolean DEFAULT false
) RETURNS TABLE (fits integer, why text) LANGUAGE plpgsql STABLE AS $$
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
    IF p.item <> p_item AND NOT p_overruled THEN why := 'kept for ' || p.item; RETURN NEXT; RETURN; END IF;
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
    IF p.mixing <> 'free' AND u.owners THEN
        why := 'goods of one owner at a time, and another''s are there';
    ELSIF p.mixing IN ('item', 'lot') AND u.other IS NOT NULL AND NOT p_overruled THEN
        why := format('one %s at a time, and %s is there', p.mixing, u.other);
    ELSIF p.mixing = 'lot' AND u.lots AND NOT p_overruled THEN
        why := 'one lot at a time, and another one is there';
    END IF;
    IF why IS NOT NULL THEN RETURN NEXT; RETURN; END IF;
    fits := p_qty;
    IF p.volume_ml IS NOT NULL AND i.volume_ml > 0 AND NOT p_overruled THEN
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

-- What a person answers to limits that may be overruled ('' or NULL: nothing), for the rest of this transaction.
CREATE OR REPLACE FUNCTION overrule(p_reason text) RETURNS void LANGUAGE sql AS $$
    SELECT set_config('floorplane.overrule', COALESCE(p_reason, ''), true);
$$;

CREATE OR REPLACE FUNCTION tell_overruled(
    p_at timestamptz, p_place text, p_item text, p_lot text, p_qty integer, p_unit text, p_bound text, p_reason text, p_who text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM emit('floorplane.stock.limit_overruled', p_place, p_at, jsonb_build_object(
        'place', p_place, 'item', p_item, 'lot', p_lot, 'qty', p_qty, 'unit', p_unit, 'bound', p_bound, 'reason', p_reason, 'who', p_who));
END $$;

-- Whether anything may keep goods of an item out of a place; of a unit, what it stands on may.
CREATE OR REPLACE FUNCTION has_limits(p place, i item) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT p.kind = 'unit' OR p.volume_ml IS NOT NULL OR p.weight_g IS NOT NULL OR p.mixing <> 'free' OR p.item IS NOT NULL OR p.zone IS NOT NULL
        OR i.hazard <> '' OR i.temperature <> 'ambient';
$$;

-- Whether a place takes pieces that come from `p_from`, now and for the rest of this transaction: '' when it does, else the place,
-- how many of them it takes, and what bounds it. `p_task`: the hand task that brings them, whose room is given to it already.
CREATE OR REPLACE FUNCTION take_room(
    p_at timestamptz, p_from text, p_to text, p_item text, p_lot text, p_owner text, p_qty integer, p_task text, p_who text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    p place;
    i item;
    r record;
    said text := current_setting('floorplane.overrule', true);
BEGIN
    SELECT * INTO p FROM place x WHERE x.code = p_to;
    IF p.kind = 'unit' THEN SELECT * INTO p FROM place x WHERE x.code = bound_by(p_to); END IF;
    IF p.kind IS NULL OR p.kind NOT IN ('bin', 'shelf', 'staging') THEN RETURN ''; END IF;
    SELECT * INTO i FROM item x WHERE x.id = p_item;
    IF NOT has_limits(p, i) THEN RETURN ''; END IF;
    IF p.code = bound_by(p_from) THEN RETURN ''; END IF;  -- it lies there already, in a unit or out of it
    PERFORM FROM place x WHERE x.code = p.code FOR NO KEY UPDATE;
    SELECT * INTO r FROM room_in(p.code, p_item, p_lot, p_owner, p_qty, COALESCE(p_task, ''));
    IF r.fits >= p_qty THEN RETURN ''; END IF;
    IF said <> '' AND (SELECT x.fits FROM room_in(p.code, p_item, p_lot, p_owner, p_qty, COALESCE(p_task, ''), true) AS x) >= p_qty THEN
        PERFORM tell_overruled(p_at, p.code, p_item, p_lot, p_qty, NULL, r.why, said, p_who);
        RETURN '';
    END IF;
    RETURN format('no room: %s takes %s of %s of %s: %s', p.code, r.fits, p_qty, p_item, r.why);
END $$;

-- The same for a whole unit with all that is in it.
CREATE OR REPLACE FUNCTION take_unit(p_at timestamptz, p_unit text, p_to text, p_task text, p_who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    goal text := bound_by(p_to);
    g record;
    r record;
    n integer;
    u record;
    p place;
    bound text;
    hard boolean := false;
    said text := current_setting('floorplane.overrule', true);
BEGIN
    IF goal IS NULL OR goal = bound_by(p_unit) THEN RETURN ''; END IF;
    SELECT * INTO p FROM place x WHERE x.code = goal FOR NO KEY UPDATE;
    -- each kind of goods by itself: zone, what the place is kept for, what it mixes
    FOR g IN
        SELECT s.item, s.lot, s.owner, sum(s.qty)::integer AS qty, y.temperature <> 'ambient' OR y.hazard <> '' AS picky
        FROM units_within(p_unit) w JOIN stock s ON s.place = w.code AND s.qty > 0 JOIN item y ON y.id = s.item
        GROUP BY s.item, s.lot, s.owner, y.temperature, y.hazard ORDER BY s.item, s.lot, s.owner
    LOOP
        SELECT * INTO r FROM room_in(goal, g.item, g.lot, g.owner, g.qty, COALESCE(p_task, ''));
        CONTINUE WHEN r.fits >= g.qty;
        bound := COALESCE(bound, r.why);
        SELECT x.fits INTO n FROM room_in(goal, g.item, g.lot, g.owner, g.qty, COALESCE(p_task, ''), true) AS x;
        hard := hard OR n < g.qty;
    END LOOP;
    -- and all of them together, with what is there
    SELECT sum(y.volume_ml * x.qty) FILTER (WHERE x.here) AS there_ml, sum(y.volume_ml * x.qty) AS volume_ml,
           sum(y.weight_g * x.qty) FILTER (WHERE x.here) AS there_g, sum(y.weight_g * x.qty) AS weight_g,
           count(DISTINCT x.item) FILTER (WHERE NOT x.here) AS items, count(DISTINCT (x.item, x.lot)) FILTER (WHERE NOT x.here) AS lots,
           count(DISTINCT x.owner) FILTER (WHERE NOT x.here) AS owners
    INTO u FROM (
        SELECT l.item, l.lot, l.owner, l.qty, true AS here FROM lies_in(goal, COALESCE(p_task, '')) l
        UNION ALL
        SELECT s.item, s.lot, s.owner, s.qty, false FROM units_within(p_unit) w JOIN stock s ON s.place = w.code AND s.qty > 0
    ) AS x JOIN item y ON y.id = x.item;
    IF u.weight_g > p.weight_g THEN
        bound := COALESCE(bound, format('%s of %s g are on it, and it weighs %s', COALESCE(u.there_g, 0), p.weight_g, u.weight_g - COALESCE(u.there_g, 0)));
        hard := true;
    ELSIF u.volume_ml > p.volume_ml THEN
        bound := COALESCE(bound, format('%s of %s ml are taken, and it takes %s', COALESCE(u.there_ml, 0), p.volume_ml, u.volume_ml - COALESCE(u.there_ml, 0)));
    ELSIF p.mixing <> 'free' AND u.owners > 1 THEN bound := COALESCE(bound, 'goods of one owner at a time'); hard := true;
    ELSIF (p.mixing IN ('item', 'lot') AND u.items > 1) OR (p.mixing = 'lot' AND u.lots > 1) THEN
        bound := COALESCE(bound, format('one %s at a time', p.mixing));
    END IF;
    IF bound IS NULL THEN RETURN ''; END IF;
    IF said <> '' AND NOT hard THEN
        PERFORM tell_overruled(p_at, goal, NULL, NULL, NULL, sscc_of(p_unit), bound, said, p_who);
        RETURN '';
    END IF;
    RETURN format('no room: %s does not take %s: %s', goal, sscc_of(p_unit), bound);
END $$;

-- What was found there, or is there again by an undo, is the truth whatever the limits say: somebody is told where it breaks one.
CREATE OR REPLACE FUNCTION tell_overfull(p_at timestamptz, p_place text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    goal text := bound_by(p_place);
    r record;
BEGIN
    SELECT * INTO r FROM place_breach(goal);
    IF FOUND THEN
        PERFORM raise_alarm(p_at, 'overfull/' || goal, 'warning', goal, format('More lies in %s than it takes: %s must be %s', goal, r.field, r.bound),
                            'Move some of it to another place, or set the limits of the place right');
    END IF;
END $$;

-- Places that are within their limits again.
CREATE OR REPLACE FUNCTION clear_overfull(p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM clear_alarm(p_at, a.key) FROM alarm a
    WHERE a.cleared_at IS NULL AND starts_with(a.key, 'overfull/') AND NOT EXISTS (SELECT FROM place_breach(a.subject)) ORDER BY a.id;
END $$;
