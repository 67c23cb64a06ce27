-- Handling units: a number each, nested in each other, with what is in them.

-- Who changes what stands in what waits for whoever does, before anything else is locked.
CREATE OR REPLACE FUNCTION lock_nesting() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('floorplane nesting', 0));
$$;

-- GS1 check digit: modulo 10, weights 3 and 1 from the right.
CREATE OR REPLACE FUNCTION gs1_check_digit(p_digits text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    sum integer := 0;
BEGIN
    FOR n IN 1 .. length(p_digits) LOOP
        sum := sum + substr(p_digits, n, 1)::integer * CASE WHEN (length(p_digits) - n) % 2 = 0 THEN 3 ELSE 1 END;
    END LOOP;
    RETURN ((10 - sum % 10) % 10)::text;
END $$;

-- A new SSCC: extension digit, company prefix, serial, check digit. The serial goes on into the extension digit.
CREATE OR REPLACE FUNCTION issue_sscc() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    company text;
    room bigint;
    serial bigint;
    body text;
    made text;
BEGIN
    SELECT x.sscc_prefix INTO STRICT company FROM outbound_setting x;
    room := 10 ^ (16 - length(company));
    LOOP
        serial := nextval('sscc_serial');
        IF serial >= 10 * room THEN
            RAISE EXCEPTION 'the company prefix % has no SSCC left: set another one', company USING ERRCODE = 'program_limit_exceeded';
        END IF;
        body := (serial / room)::text || company || lpad((serial % room)::text, 16 - length(company), '0');
        made := body || gs1_check_digit(body);
        -- somebody else's unit, or one of another prefix, may wear it already
        EXIT WHEN NOT EXISTS (SELECT FROM unit u WHERE u.sscc = made) AND NOT EXISTS (SELECT FROM place p WHERE p.code = made);
    END LOOP;
    RETURN made;
END $$;

-- What the settings say; the numbers that were issued before stay as they are. `p_hand_picks` NULL: where there is no pod.
DROP FUNCTION IF EXISTS keep_outbound_setting(text, boolean);
CREATE OR REPLACE FUNCTION keep_outbound_setting(
    p_prefix text, p_hand_picks boolean, p_volume_ml integer DEFAULT 60000, p_weight_g integer DEFAULT 25000
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    hands boolean := COALESCE(p_hand_picks, NOT EXISTS (SELECT FROM place WHERE kind = 'pod'));
BEGIN
    UPDATE outbound_setting SET sscc_prefix = p_prefix, hand_picks = hands, tote_volume_ml = p_volume_ml, tote_weight_g = p_weight_g
    WHERE (sscc_prefix, hand_picks, tote_volume_ml, tote_weight_g) <> (p_prefix, hands, p_volume_ml, p_weight_g);
END $$;

-- A tote that is packed becomes a unit of its own number, once.
CREATE OR REPLACE FUNCTION number_tote(p_tote text, p_owner text, p_weight_g integer, p_at timestamptz, p_who text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    made text;
BEGIN
    UPDATE unit SET state = 'closed', weight_g = p_weight_g, closed_at = p_at WHERE place = p_tote RETURNING sscc INTO made;
    IF FOUND THEN RETURN made; END IF;
    made := issue_sscc();
    INSERT INTO unit (sscc, place, kind, state, issued, owner, weight_g, created_at, created_by, closed_at)
    VALUES (made, p_tote, 'tote', 'closed', true, p_owner, p_weight_g, p_at, p_who, p_at);
    RETURN made;
END $$;

-- What a place is called outside: its SSCC where it has one.
CREATE OR REPLACE FUNCTION sscc_of(p_place text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT COALESCE((SELECT u.sscc FROM unit u WHERE u.place = p_place), p_place);
$$;

-- The unit that is lifted when this one is: itself, or the outermost one around it.
CREATE OR REPLACE FUNCTION outermost(p_place text) RETURNS text LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up(code, parent, n) AS (
        SELECT p.code, p.parent, 0 FROM place p WHERE p.code = p_place
        UNION ALL
        SELECT p.code, p.parent, up.n + 1 FROM up JOIN place p ON p.code = up.parent AND p.kind IN ('unit', 'tote') WHERE up.n < 10
    )
    SELECT code FROM up ORDER BY n DESC LIMIT 1;
$$;

-- A place and all units inside it, however deep, with the way to them.
CREATE OR REPLACE FUNCTION units_within(p_place text) RETURNS TABLE (code text, parent text, depth integer) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE down(code, parent, depth) AS (
        SELECT x.code, NULL::text COLLATE "C", 0 FROM place x WHERE x.code = p_place
        UNION ALL
        SELECT p.code, p.parent, d.depth + 1 FROM down d JOIN place p ON p.parent = d.code AND p.kind IN ('unit', 'tote') WHERE d.depth < 10
    )
    SELECT code, parent, depth FROM down;
$$;

-- What an ETag of a unit is made of.
CREATE OR REPLACE FUNCTION unit_tag(p_sscc text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT md5(u::text || COALESCE(p.parent, '') || COALESCE((
        SELECT string_agg(s.item || '/' || s.lot || '/' || s.status || '/' || s.qty, ';' ORDER BY s.id)
        FROM stock s WHERE s.place = u.place AND s.qty > 0), ''))
    FROM unit u JOIN place p ON p.code = u.place WHERE u.sscc = p_sscc;
$$;

-- Put a unit into another one, or onto a place that has room for all of it. Says 'moved', or why not, and what stands in the way.
-- `p_task`: the hand task that brings it.
DROP FUNCTION IF EXISTS move_unit(text, text, timestamptz, text, text);
CREATE OR REPLACE FUNCTION move_unit(p_place text, p_into text, p_at timestamptz, p_who text, p_why text, p_task text DEFAULT '')
RETURNS TABLE (outcome text, what text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    u unit;
    x unit;
    was place;
    goal place;
    lifted text;
BEGIN
    PERFORM lock_nesting();
    SELECT * INTO was FROM place p WHERE p.code = p_place FOR UPDATE;
    SELECT * INTO u FROM unit y WHERE y.place = p_place FOR UPDATE;
    SELECT * INTO goal FROM place p WHERE p.code = p_into FOR SHARE;
    IF goal.code IS NULL THEN outcome := 'unknown place'; RETURN NEXT; RETURN; END IF;
    IF u.state IN ('shipped', 'void') THEN outcome := 'unit is ' || u.state; RETURN NEXT; RETURN; END IF;
    IF goal.kind NOT IN ('unit', 'tote', 'staging', 'dock', 'shelf', 'bin', 'chute', 'station') THEN
        outcome := 'no place for units'; what := goal.kind; RETURN NEXT; RETURN;
    END IF;
    IF was.parent = p_into THEN outcome := 'there already'; RETURN NEXT; RETURN; END IF;
    lifted := outermost(p_place);
    SELECT t.truck INTO what FROM truck_tote t WHERE t.unit = lifted AND t.state = 'loaded' LIMIT 1;
    IF FOUND THEN outcome := 'loaded'; RETURN NEXT; RETURN; END IF;
    SELECT t.truck INTO what FROM truck_tote t WHERE t.unit IN (lifted, p_into) AND t.state = 'expected' AND (goal.kind IN ('unit', 'tote') OR lifted <> p_place) LIMIT 1;
    IF FOUND THEN outcome := 'expected'; RETURN NEXT; RETURN; END IF;
    IF goal.kind IN ('unit', 'tote') THEN
        SELECT * INTO x FROM unit y WHERE y.place = p_into FOR SHARE;
        IF x.state IS DISTINCT FROM 'open' THEN outcome := 'unit is not open'; what := COALESCE(x.state, 'not numbered'); RETURN NEXT; RETURN; END IF;
        IF x.owner <> u.owner THEN outcome := 'another owner'; what := x.owner; RETURN NEXT; RETURN; END IF;
        SELECT t.truck INTO what FROM truck_tote t WHERE t.unit = outermost(p_into) AND t.state <> 'left' LIMIT 1;
        IF FOUND THEN outcome := 'expected'; RETURN NEXT; RETURN; END IF;
    END IF;
    what := take_unit(p_at, p_place, p_into, p_task, p_who);
    IF what <> '' THEN outcome := 'no room'; RETURN NEXT; RETURN; END IF;
    what := NULL;
    BEGIN
        UPDATE place SET parent = p_into WHERE code = p_place;
    EXCEPTION WHEN check_violation THEN
        outcome := CASE WHEN SQLERRM LIKE '%more than 8 deep' THEN 'too deep' ELSE 'inside itself' END; RETURN NEXT; RETURN;
    END;
    IF (SELECT p.kind FROM place p WHERE p.code = was.parent) IN ('unit', 'tote') THEN
        PERFORM emit('floorplane.unit.taken_out', u.sscc, p_at, jsonb_build_object(
            'unit', u.sscc, 'from', sscc_of(was.parent), 'who', p_who, 'reason', p_why, 'owner', u.owner));
    END IF;
    PERFORM emit('floorplane.unit.' || CASE WHEN goal.kind IN ('unit', 'tote') THEN 'nested' ELSE 'moved' END, u.sscc, p_at, jsonb_build_object(
        'unit', u.sscc, 'from', sscc_of(was.parent), 'to', sscc_of(p_into), 'to_kind', goal.kind, 'who', p_who, 'reason', p_why, 'owner', u.owner));
    PERFORM cancel_hand_task(h.id, p_at, 'it was moved') FROM hand_task h
    WHERE h.source = p_place AND h.kind = 'putaway' AND h.item IS NULL AND h.state IN ('open', 'leased') AND h.id <> p_task;
    outcome := 'moved';
    RETURN NEXT;
    IF is_picked_from(p_place) THEN  -- what is in it may be picked now
        PERFORM fill_waiting(p_at, x.item) FROM (
            SELECT DISTINCT s.item FROM units_within(p_place) w JOIN stock s ON s.place = w.code AND s.live ORDER BY 1) AS x;
    END IF;
END $$;

-- Something is taken out of a unit: a closed one is open then, and those around it.
CREATE OR REPLACE FUNCTION open_unit(p_place text, p_at timestamptz, p_who text, p_why text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    x record;
BEGIN
    FOR x IN
        WITH RECURSIVE up (code, parent) AS (
            SELECT p.code, p.parent FROM place p WHERE p.code = p_place AND p.kind = 'unit'
            UNION SELECT p.code, p.parent FROM up JOIN place p ON p.code = up.parent AND p.kind = 'unit'
        ) SELECT u.sscc, up.parent, u.owner FROM up JOIN unit u ON u.place = up.code AND u.state = 'closed' ORDER BY u.sscc
    LOOP
        UPDATE unit SET state = 'open', closed_at = NULL WHERE sscc = x.sscc;
        PERFORM emit('floorplane.unit.opened', x.sscc, p_at, jsonb_build_object(
            'unit', x.sscc, 'at', sscc_of(x.parent), 'owner', x.owner, 'who', p_who, 'reason', p_why));
    END LOOP;
END $$;

-- Pieces go into an open unit (`p_qty` above 0) from a place, or out of it to one. Says what `move_stock` says, or why not.
CREATE OR REPLACE FUNCTION fill_unit(
    p_place text, p_other text, p_item text, p_lot text, p_qty integer, p_at timestamptz, p_who text, p_key text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    u unit;
    i item;
BEGIN
    SELECT * INTO u FROM unit x WHERE x.place = p_place FOR UPDATE;
    IF u.state <> 'open' THEN RETURN 'unit is ' || u.state; END IF;
    IF u.kind = 'tote' THEN RETURN 'an order tote'; END IF;
    SELECT * INTO i FROM item x WHERE x.id = p_item;
    IF NOT FOUND OR i.kind <> 'stock' THEN RETURN 'unknown item'; END IF;
    IF u.owner <> '' AND u.owner <> i.owner THEN RETURN 'another owner'; END IF;
    IF NOT EXISTS (SELECT FROM place p WHERE p.code = p_other AND p.kind IN ('bin', 'shelf', 'staging', 'dock', 'unit')) THEN
        RETURN 'unknown place';
    END IF;
    IF p_qty > 0 THEN
        RETURN move_stock(p_at, p_other, p_place, p_item, p_lot, i.owner, p_qty, 'fill', p_who, p_key);
    END IF;
    RETURN move_stock(p_at, p_place, p_other, p_item, p_lot, i.owner, -p_qty, 'empty', p_who, p_key);
END $$;
