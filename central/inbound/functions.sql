-- The lines of an ASN as its events carry them.
CREATE OR REPLACE FUNCTION asn_lines(p_asn text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_agg(jsonb_build_object('line', line, 'item', item, 'qty', qty, 'received', received, 'damaged', damaged,
                                        'short', GREATEST(0, qty - received), 'over', GREATEST(0, received - qty)) ORDER BY line)
    FROM asn_line WHERE asn = p_asn;
$$;

-- What an ETag of an ASN is made of: it changes with the ASN, its lines and its units.
CREATE OR REPLACE FUNCTION asn_tag(p_id text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT md5(a::text || COALESCE((SELECT string_agg(l::text, ';' ORDER BY l.line) FROM asn_line l WHERE l.asn = p_id), '')
                       || COALESCE((SELECT string_agg(u::text, ';' ORDER BY u.sscc) FROM asn_unit u WHERE u.asn = p_id), ''))
    FROM asn a WHERE a.id = p_id;
$$;

-- How many pieces of a line may come in all: what was announced, and the part more that the ASN, else its owner's rule, allows.
CREATE OR REPLACE FUNCTION most_of_line(a asn, p_qty integer) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT p_qty + (p_qty::bigint * COALESCE(a.over_pct, (SELECT r.over_pct FROM receiving_rule r WHERE r.owner = a.owner),
                                             (SELECT r.over_pct FROM receiving_rule r WHERE r.owner = ''), 0) / 100)::integer;
$$;

-- Whether goods of an owner may come unannounced: its own rule, else the house's.
CREATE OR REPLACE FUNCTION may_come_blind(p_owner text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT COALESCE((SELECT r.blind FROM receiving_rule r WHERE r.owner = p_owner), (SELECT r.blind FROM receiving_rule r WHERE r.owner = ''), false);
$$;

-- The hand tasks of an ASN's lines are what is still to come of them: opened, made smaller, or withdrawn.
CREATE OR REPLACE FUNCTION lay_out_receiving(a asn, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    l record;
    t hand_task;
BEGIN
    FOR l IN
        SELECT x.*, GREATEST(0, x.qty - x.received) AS rest, i.lots, i.shelf_life_days > 0 AS expiring, i.owner
        FROM asn_line x JOIN item i ON i.id = x.item WHERE x.asn = a.id ORDER BY x.line
    LOOP
        SELECT * INTO t FROM hand_task h WHERE h.ref = a.id AND h.kind = 'receive' AND h.state IN ('open', 'leased')
            AND (h.detail->>'line')::integer = l.line FOR UPDATE;
        IF FOUND AND (l.rest = 0 OR a.state <> 'arrived') THEN
            PERFORM cancel_hand_task(t.id, p_at, 'nothing more of it is to come');
        ELSIF FOUND THEN
            UPDATE hand_task SET qty = l.rest, target = a.staging WHERE id = t.id AND (qty, target) IS DISTINCT FROM (l.rest, a.staging);
        ELSIF l.rest > 0 AND a.state = 'arrived' THEN
            PERFORM open_hand_task(
                'R-' || a.id || '-' || l.line || '-' || (SELECT count(*) + 1 FROM hand_task h WHERE h.ref = a.id AND h.kind = 'receive'
                                                         AND (h.detail->>'line')::integer = l.line),
                'receive', p_at, l.item, l.rest, NULL, a.staging, a.id, l.lot, l.owner, p_due => a.due,
                p_detail => jsonb_build_object('line', l.line, 'supplier', a.supplier, 'asks',
                    '[{"field": "unit", "optional": true}, "item"]'::jsonb
                    || CASE WHEN l.lots THEN jsonb_build_array(jsonb_build_object('field', 'lot', 'expect', '[]'::jsonb, 'show', l.lot)) ELSE '[]' END
                    || CASE WHEN l.expiring THEN jsonb_build_array(jsonb_build_object('field', 'expiry', 'default', l.expires, 'optional', l.expires IS NOT NULL)) ELSE '[]' END
                    || jsonb_build_array(jsonb_build_object('field', 'qty', 'most', most_of_line(a, l.qty) - l.received, 'label', 'How many are good'))
                    || '[{"field": "damaged", "type": "number", "label": "How many are damaged", "default": 0, "optional": true}, "target"]'::jsonb));
        END IF;
    END LOOP;
END $$;

-- A handling unit stands there now; one that holds something already stays where it is.
CREATE OR REPLACE FUNCTION stand_unit(p_at timestamptz, p_who text, p_sscc text, p_parent text, p_owner text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO place (code, kind, parent) VALUES (p_sscc, 'unit', p_parent) ON CONFLICT (code) DO UPDATE SET parent = p_parent
        WHERE place.kind = 'unit' AND NOT EXISTS (SELECT FROM stock s WHERE s.place = place.code AND s.qty > 0);
    INSERT INTO unit (sscc, place, kind, state, issued, owner, created_at, created_by)
    SELECT p_sscc, p_sscc, CASE p.kind WHEN 'unit' THEN 'carton' ELSE 'pallet' END, 'closed', false, p_owner, p_at, p_who
    FROM place p WHERE p.code = p_parent ON CONFLICT DO NOTHING;
END $$;

-- Goods have come in: of a line of an ASN, or (p_asn NULL) of an item that nobody announced. Good pieces become free stock or wait
-- for a look at them; damaged ones are `damaged`. Says 'posted', or the field that stands in the way and its bound, and then
-- nothing may stay of it: who calls rolls back. `p_part`: more of the unit is to come; who calls lays out its putaway.
DROP FUNCTION IF EXISTS receive(timestamptz, text, text, text, integer, text, text, text, text, date, date, integer, integer, text, text);
CREATE OR REPLACE FUNCTION receive(
    p_at timestamptz, p_actor text, p_key text, p_asn text, p_line integer, p_item text, p_owner text, p_supplier text,
    p_lot text, p_expires date, p_made date, p_qty integer, p_damaged integer, p_place text, p_unit text, p_part boolean DEFAULT false
) RETURNS TABLE (outcome text, field text, bound text, status text, why text, tasks integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    a asn;
    l asn_line;
    i item;
    known lot;
    lot_name text := COALESCE(p_lot, '');
    expiry date;
    lane text;
    goes text;
    supplied text := p_supplier;
    rule quality_rule;
    part record;
    said text;
BEGIN
    outcome := 'refused'; tasks := 0;
    IF p_qty + p_damaged = 0 THEN field := 'qty'; bound := 'above 0, or some damaged'; RETURN NEXT; RETURN; END IF;
    IF p_asn IS NOT NULL THEN
        -- two who receive at once wait for each other here
        SELECT * INTO a FROM asn x WHERE x.id = p_asn FOR UPDATE;
        IF a.id IS NULL THEN field := 'asn'; bound := 'a known ASN'; RETURN NEXT; RETURN; END IF;
        IF a.state NOT IN ('expected', 'arrived') THEN field := 'asn'; bound := 'open: it is ' || a.state; RETURN NEXT; RETURN; END IF;
        SELECT * INTO l FROM asn_line x WHERE x.asn = p_asn AND x.line = p_line FOR UPDATE;
        IF l.line IS NULL THEN field := 'line'; bound := 'a line of ' || p_asn; RETURN NEXT; RETURN; END IF;
        IF l.received + p_qty + p_damaged > most_of_line(a, l.qty) THEN
            field := 'qty';
            bound := format('at most %s with the damaged ones: %s of %s are received, and %s may come in all',
                            most_of_line(a, l.qty) - l.received, l.received, l.qty, most_of_line(a, l.qty));
            RETURN NEXT; RETURN;
        END IF;
        SELECT * INTO i FROM item x WHERE x.id = l.item;
        supplied := a.supplier;
        lot_name := COALESCE(NULLIF(p_lot, ''), l.lot);
    ELSE
        SELECT * INTO i FROM item x WHERE x.id = p_item AND (p_owner = '' OR x.owner = p_owner);
        IF i.id IS NULL THEN field := 'item'; bound := 'an item of the item master'; RETURN NEXT; RETURN; END IF;
        IF i.kind <> 'stock' THEN field := 'item'; bound := 'an item that is kept in stock'; RETURN NEXT; RETURN; END IF;
        IF NOT may_come_blind(i.owner) THEN
            field := 'asn'; bound := format('absent: goods of owner %L are received with an ASN only', i.owner); RETURN NEXT; RETURN;
        END IF;
    END IF;

    IF i.lots AND lot_name = '' THEN field := 'lot'; bound := format('given: %s is kept by lots', i.id); RETURN NEXT; RETURN; END IF;
    IF NOT i.lots AND lot_name <> '' THEN field := 'lot'; bound := format('empty: %s is not kept by lots', i.id); RETURN NEXT; RETURN; END IF;
    IF NOT i.lots AND p_expires IS NOT NULL THEN field := 'expires'; bound := format('absent: %s is not kept by lots', i.id); RETURN NEXT; RETURN; END IF;
    IF lot_name <> '' THEN
        SELECT * INTO known FROM lot x WHERE x.item = i.id AND x.lot = lot_name FOR UPDATE;
        expiry := COALESCE(p_expires, known.expires, CASE WHEN lot_name = l.lot THEN l.expires END, p_made + i.shelf_life_days);
        IF known.expires <> expiry THEN
            field := 'expires'; bound := format('%s, as lot %s has it', known.expires, lot_name); RETURN NEXT; RETURN;
        END IF;
        IF expiry IS NULL AND i.shelf_life_days > 0 THEN
            field := 'expires'; bound := format('given (or made): %s lasts %s days', i.id, i.shelf_life_days); RETURN NEXT; RETURN;
        END IF;
        IF p_made > expiry THEN field := 'made'; bound := 'at most the expiry ' || expiry; RETURN NEXT; RETURN; END IF;
        INSERT INTO lot AS x (item, lot, expires, made, supplier, received_on) VALUES (i.id, lot_name, expiry, p_made, supplied, p_at::date)
        ON CONFLICT (item, lot) DO UPDATE SET expires = excluded.expires, made = COALESCE(x.made, excluded.made)
            WHERE (x.expires, x.made) IS DISTINCT FROM (excluded.expires, COALESCE(x.made, excluded.made));
    END IF;

    lane := COALESCE(p_place, a.staging, 'inbound');
    IF NOT EXISTS (SELECT FROM place p WHERE p.code = lane AND p.kind = 'staging') THEN
        field := 'place'; bound := 'a staging lane'; RETURN NEXT; RETURN;
    END IF;
    goes := lane;
    IF p_unit IS NOT NULL THEN
        PERFORM stand_unit(p_at, p_actor, p_unit, lane, i.owner);
        IF NOT EXISTS (SELECT FROM place p WHERE p.code = p_unit AND p.kind = 'unit' AND p.parent = lane) THEN
            field := 'unit'; bound := 'a handling unit that stands at ' || lane; RETURN NEXT; RETURN;
        END IF;
        UPDATE asn_unit u SET state = 'received', received_at = p_at WHERE u.asn = p_asn AND u.sscc = p_unit AND u.state = 'expected';
        goes := p_unit;
    END IF;

    status := 'ok'; why := '';
    SELECT * INTO rule FROM quality_rule q WHERE q.supplier IN ('', supplied) AND q.item IN ('', i.id) ORDER BY q.id LIMIT 1;
    IF rule.id IS NOT NULL THEN status := 'quality'; why := rule.reason; END IF;
    IF expiry < p_at::date + i.receive_days THEN
        status := 'quality'; why := format('it expires on %s, and %s days must be left', expiry, i.receive_days);
    END IF;

    FOR part IN
        SELECT x.status, x.qty, x.why, p_key || '/' || x.status AS key
        FROM (VALUES (status, p_qty, why), ('damaged', p_damaged, '')) AS x(status, qty, why) WHERE x.qty > 0
    LOOP
        said := move_stock(p_at, 'supplier', goes, i.id, lot_name, i.owner, part.qty, 'receive', p_actor, part.key, part.status, part.status,
                           CASE WHEN p_asn IS NOT NULL THEN 'R-' || p_asn || '-' || p_line END);
        IF starts_with(said, 'no room') THEN field := 'place'; bound := 'one with room: ' || said; RETURN NEXT; RETURN; END IF;
        IF said <> 'posted' THEN field := 'key'; bound := 'new: ' || said; RETURN NEXT; RETURN; END IF;
        INSERT INTO receipt VALUES (part.key, p_at, p_asn, p_line, i.id, lot_name, i.owner, part.qty, part.status, part.why, goes,
                                    COALESCE(supplied, ''), p_actor);
    END LOOP;
    IF p_asn IS NOT NULL THEN
        UPDATE asn_line x SET received = x.received + p_qty + p_damaged, damaged = x.damaged + p_damaged WHERE x.asn = p_asn AND x.line = p_line;
        IF a.state = 'expected' THEN
            a := arrive_asn(p_asn, p_at, lane);
        ELSE
            PERFORM lay_out_receiving(a, p_at);
        END IF;
    END IF;
    PERFORM emit(CASE WHEN p_asn IS NULL THEN 'floorplane.stock.received' ELSE 'floorplane.asn.received' END, COALESCE(p_asn, i.id), p_at,
        jsonb_build_object('line', p_line, 'item', i.id, 'lot', lot_name, 'qty', p_qty, 'damaged', p_damaged, 'status', status, 'why', why,
                           'place', goes, 'supplier', supplied, 'who', p_actor), COALESCE(a.correlation, ''));
    IF p_unit IS NOT NULL AND NOT p_part THEN
        tasks := put_unit_away(p_at, p_unit, p_asn, 'U-' || left(md5(p_key), 16));
    ELSIF p_unit IS NULL AND status = 'ok' AND p_qty > 0 THEN
        tasks := plan_putaway(p_at, goes, i.id, lot_name, i.owner, p_qty, p_asn, 'U-' || left(md5(p_key), 16));
    END IF;
    -- all is there and no more may come: nobody needs to close it
    IF p_asn IS NOT NULL AND NOT EXISTS (SELECT FROM asn_line x WHERE x.asn = p_asn AND x.received < most_of_line(a, x.qty)) THEN
        PERFORM close_asn(p_asn, p_at, p_actor, 'all of it has come');
    END IF;
    outcome := 'posted'; RETURN NEXT;
END $$;

-- A whole handling unit has come in, with the units in it, as it was announced: what `receive` says of the first line that
-- stands in the way, else 'posted'.
CREATE OR REPLACE FUNCTION receive_unit(p_at timestamptz, p_actor text, p_key text, p_asn text, p_unit text, p_place text)
RETURNS TABLE (outcome text, field text, bound text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    a asn;
    u record;
    r record;
    lane text;
BEGIN
    SELECT * INTO a FROM asn x WHERE x.id = p_asn FOR UPDATE;
    outcome := 'refused'; field := 'unit';
    IF NOT EXISTS (SELECT FROM asn_unit x WHERE x.asn = p_asn AND x.sscc = p_unit AND x.state = 'expected') THEN
        bound := 'a handling unit that is still expected with ' || p_asn; RETURN NEXT; RETURN;
    END IF;
    FOR u IN
        WITH RECURSIVE inside (sscc) AS (
            SELECT p_unit COLLATE "C" UNION ALL SELECT x.sscc FROM inside i JOIN asn_unit x ON x.asn = p_asn AND x.parent = i.sscc
        )
        SELECT i.sscc, c.line, c.qty FROM inside i JOIN asn_unit_line c ON c.asn = p_asn AND c.sscc = i.sscc
        JOIN asn_unit x ON x.asn = p_asn AND x.sscc = i.sscc AND x.state = 'expected' ORDER BY c.line, i.sscc
    LOOP
        SELECT * INTO r FROM receive(p_at, p_actor, p_key || '/' || u.sscc || '/' || u.line, p_asn, u.line, NULL, '', NULL, NULL, NULL, NULL,
                                     u.qty, 0, p_place, u.sscc, true);
        IF r.outcome <> 'posted' THEN field := r.field; bound := format('%s (line %s in %s)', r.bound, u.line, u.sscc); RETURN NEXT; RETURN; END IF;
    END LOOP;
    SELECT COALESCE(p_place, x.staging, 'inbound') INTO lane FROM asn x WHERE x.id = p_asn;
    PERFORM stand_unit(p_at, p_actor, p_unit, lane, a.owner);
    -- from the outside in: each stands in the one that held it
    FOR u IN
        WITH RECURSIVE inside (sscc, parent, depth) AS (
            SELECT p_unit COLLATE "C", NULL::text COLLATE "C", 0
            UNION ALL SELECT x.sscc, x.parent, i.depth + 1 FROM inside i JOIN asn_unit x ON x.asn = p_asn AND x.parent = i.sscc
        ) SELECT * FROM inside WHERE depth > 0 ORDER BY depth, sscc
    LOOP
        PERFORM stand_unit(p_at, p_actor, u.sscc, u.parent, a.owner);
        UPDATE place p SET parent = u.parent WHERE p.code = u.sscc AND p.kind = 'unit' AND p.parent IS DISTINCT FROM u.parent;
        UPDATE asn_unit x SET state = 'received', received_at = p_at WHERE x.asn = p_asn AND x.sscc = u.sscc AND x.state = 'expected';
    END LOOP;
    UPDATE asn_unit x SET state = 'received', received_at = p_at WHERE x.asn = p_asn AND x.sscc = p_unit AND x.state = 'expected';
    PERFORM put_unit_away(p_at, p_unit, p_asn, 'U-' || left(md5(p_key), 16));
    outcome := 'posted'; field := NULL; RETURN NEXT;
END $$;

-- Nothing more comes of an ASN: the ERP is told what is short. 'closed', or why not.
CREATE OR REPLACE FUNCTION close_asn(p_id text, p_at timestamptz, p_who text, p_reason text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    a asn;
BEGIN
    SELECT * INTO a FROM asn WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF a.state NOT IN ('expected', 'arrived') THEN RETURN 'is ' || a.state; END IF;
    UPDATE asn SET state = 'closed', closed_at = p_at WHERE id = p_id RETURNING * INTO a;
    UPDATE asn_unit SET state = 'missing' WHERE asn = p_id AND state = 'expected';
    PERFORM lay_out_receiving(a, p_at);
    PERFORM emit('floorplane.asn.closed', p_id, p_at, jsonb_build_object(
        'ref', a.ref, 'source', a.source, 'owner', a.owner, 'supplier', a.supplier, 'who', p_who, 'reason', p_reason, 'lines', asn_lines(p_id),
        'short', (SELECT sum(GREATEST(0, qty - received)) FROM asn_line WHERE asn = p_id)), a.correlation);
    RETURN 'closed';
END $$;

-- An ASN's goods are here and are unloaded onto a lane.
CREATE OR REPLACE FUNCTION arrive_asn(p_id text, p_at timestamptz, p_lane text) RETURNS asn LANGUAGE plpgsql AS $$
DECLARE
    a asn;
    was text;
BEGIN
    SELECT state INTO was FROM asn WHERE id = p_id FOR UPDATE;
    UPDATE asn SET state = 'arrived', arrived_at = COALESCE(arrived_at, p_at), staging = p_lane WHERE id = p_id RETURNING * INTO a;
    IF was = 'expected' THEN
        PERFORM emit('floorplane.asn.arrived', p_id, p_at, jsonb_build_object('ref', a.ref, 'source', a.source, 'staging', p_lane), a.correlation);
        UPDATE appointment x SET state = 'arrived', arrived_at = p_at WHERE x.asn = p_id AND x.state = 'booked';
    END IF;
    PERFORM lay_out_receiving(a, p_at);
    RETURN a;
END $$;

-- Nothing of an ASN will come, and nothing has: 'cancelled', or why not.
CREATE OR REPLACE FUNCTION cancel_asn(p_id text, p_at timestamptz, p_who text, p_reason text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    a asn;
BEGIN
    SELECT * INTO a FROM asn WHERE id = p_id FOR UPDATE;
    IF a.state NOT IN ('expected', 'arrived') THEN RETURN 'is ' || a.state; END IF;
    IF EXISTS (SELECT FROM asn_line WHERE asn = p_id AND received > 0) THEN RETURN 'is received in part: close it instead'; END IF;
    UPDATE asn SET state = 'cancelled', closed_at = p_at WHERE id = p_id RETURNING * INTO a;
    UPDATE asn_unit SET state = 'cancelled' WHERE asn = p_id AND state = 'expected';
    UPDATE appointment SET state = 'cancelled' WHERE asn = p_id AND state = 'booked';
    PERFORM lay_out_receiving(a, p_at);
    PERFORM emit('floorplane.asn.cancelled', p_id, p_at, jsonb_build_object(
        'ref', a.ref, 'source', a.source, 'who', p_who, 'reason', p_reason), a.correlation);
    RETURN 'cancelled';
END $$;

-- A person has received so many pieces of a line; the rest of it stays to be received.
CREATE OR REPLACE FUNCTION hand_done_receive(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r record;
    pallet text := NULLIF(f->>'unit', '');
BEGIN
    IF pallet !~ '^[0-9]{18}$' OR right(pallet, 1) <> gs1_check_digit(left(pallet, 17)) THEN
        RETURN format('unit: %s is not an SSCC, or its check digit is wrong', pallet);
    END IF;
    -- closed first: what is left of the line gets a task of its own
    UPDATE hand_task SET state = 'done', lease_until = NULL, done_by = p_actor, closed_at = p_at WHERE id = t.id;
    SELECT * INTO r FROM receive(
        p_at, p_actor, 'receive/' || t.id, t.ref, (t.detail->>'line')::integer, t.item, '', t.detail->>'supplier', f->>'lot',
        (f->>'expiry')::date, NULL, (f->>'qty')::integer, COALESCE((f->>'damaged')::integer, 0), f->>'target', pallet);
    IF r.outcome <> 'posted' THEN RETURN format('%s: must be %s', r.field, r.bound); END IF;
    RETURN 'posted';
END $$;

-- A receipt was taken back: it is to come again.
CREATE OR REPLACE FUNCTION unreceive(l ledger, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r receipt;
    a asn;
    t record;
BEGIN
    SELECT * INTO r FROM receipt x WHERE x.key = l.key;
    IF r.asn IS NULL THEN RETURN; END IF;
    SELECT * INTO a FROM asn x WHERE x.id = r.asn FOR UPDATE;
    UPDATE asn_line x SET received = x.received - l.qty, damaged = x.damaged - CASE WHEN r.status = 'damaged' THEN l.qty ELSE 0 END
    WHERE x.asn = r.asn AND x.line = r.line;
    FOR t IN SELECT h.id FROM hand_task h WHERE h.kind = 'putaway' AND h.source = r.place AND h.item = r.item AND h.lot = r.lot
             AND h.ref = r.asn AND h.state IN ('open', 'leased') ORDER BY h.id
    LOOP
        PERFORM cancel_hand_task(t.id, p_at, 'its receipt was undone');
    END LOOP;
    -- a unit of which nothing is left is not carried
    PERFORM cancel_hand_task(h.id, p_at, 'its receipt was undone') FROM hand_task h
    WHERE h.kind = 'putaway' AND h.source = outermost(r.place) AND h.item IS NULL AND h.state IN ('open', 'leased')
      AND NOT EXISTS (SELECT FROM units_within(h.source) w JOIN stock s ON s.place = w.code AND s.qty > 0);
    IF a.state = 'arrived' THEN PERFORM lay_out_receiving(a, p_at); END IF;
END $$;
CREATE OR REPLACE FUNCTION hand_undone_receive(t hand_task, p_why text, p_at timestamptz, p_actor text) RETURNS text LANGUAGE sql AS $$
    SELECT 'undone'::text;
$$;

-- Free pieces get another status where they are, now: 'posted', or how many there are.
CREATE OR REPLACE FUNCTION post_status(c status_change, p_at timestamptz, p_who text) RETURNS TABLE (outcome text, held integer) LANGUAGE plpgsql AS $$
BEGIN
    outcome := move_stock(p_at, c.place, c.place, c.item, c.lot, c.owner, c.qty, CASE c.becomes WHEN 'ok' THEN 'release' WHEN 'damaged' THEN 'damage' ELSE c.becomes END,
                          c.asked_by, c.key, c.was, c.becomes);
    IF outcome <> 'posted' THEN
        SELECT s.qty - s.reserved INTO held FROM stock s
        WHERE s.place = c.place AND s.item = c.item AND s.lot = c.lot AND s.owner = c.owner AND s.status = c.was;
        outcome := 'too little'; held := COALESCE(held, 0); RETURN NEXT; RETURN;
    END IF;
    PERFORM emit('floorplane.stock.status_changed', c.place, p_at, jsonb_build_object(
        'place', c.place, 'item', c.item, 'lot', c.lot, 'qty', c.qty, 'from', c.was, 'to', c.becomes, 'reason', c.reason,
        'asked_by', c.asked_by, 'who', p_who));
    IF c.becomes = 'ok' AND EXISTS (SELECT FROM place p WHERE p.code = c.place AND p.kind IN ('staging', 'unit')) AND NOT on_shelf(c.place) THEN
        IF EXISTS (SELECT FROM place p WHERE p.code = c.place AND p.kind = 'unit') THEN
            PERFORM put_unit_away(p_at, c.place, NULL, 'U-' || left(md5(c.key), 16));
        ELSE
            PERFORM plan_putaway(p_at, c.place, c.item, c.lot, c.owner, c.qty, NULL, 'U-' || left(md5(c.key), 16));
        END IF;
    END IF;
    RETURN NEXT;
END $$;

-- Ask for another status; above the limit a second person decides. 'posted', 'pending', 'unknown item', or 'too little'.
CREATE OR REPLACE FUNCTION ask_status(
    p_at timestamptz, p_who text, p_place text, p_item text, p_lot text, p_qty integer, p_was text, p_becomes text, p_reason text,
    p_key text, p_owner text, p_limit integer
) RETURNS TABLE (outcome text, number bigint, held integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    i item;
    c status_change;
BEGIN
    SELECT * INTO i FROM item x WHERE x.id = p_item AND (p_owner = '' OR x.owner = p_owner);
    IF NOT FOUND THEN outcome := 'unknown item'; RETURN NEXT; RETURN; END IF;
    SELECT s.qty - s.reserved INTO held FROM stock s
    WHERE s.place = p_place AND s.item = p_item AND s.lot = p_lot AND s.owner = i.owner AND s.status = p_was;
    IF COALESCE(held, 0) < p_qty THEN outcome := 'too little'; held := COALESCE(held, 0); RETURN NEXT; RETURN; END IF;
    INSERT INTO status_change AS x (place, item, lot, owner, qty, was, becomes, reason, key, state, asked_by, asked_at)
    VALUES (p_place, p_item, p_lot, i.owner, p_qty, p_was, p_becomes, p_reason, p_key, 'pending', p_who, p_at) RETURNING * INTO c;
    number := c.id; outcome := 'pending';
    IF p_qty <= p_limit THEN
        SELECT r.outcome, r.held INTO outcome, held FROM post_status(c, p_at, p_who) AS r;
        IF outcome = 'posted' THEN UPDATE status_change x SET state = 'posted' WHERE x.id = c.id; END IF;
    END IF;
    RETURN NEXT;
END $$;

-- A second person decides about it: 'unknown', 'decided', 'same person', 'too little', 'posted' or 'refused'.
CREATE OR REPLACE FUNCTION decide_status(p_id bigint, p_at timestamptz, p_who text, p_approve boolean, p_why text, p_owner text)
RETURNS TABLE (outcome text, held integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c status_change;
BEGIN
    SELECT * INTO c FROM status_change x WHERE x.id = p_id AND (p_owner = '' OR x.owner = p_owner) FOR UPDATE;
    IF NOT FOUND THEN outcome := 'unknown'; RETURN NEXT; RETURN; END IF;
    IF c.state <> 'pending' THEN outcome := 'decided'; RETURN NEXT; RETURN; END IF;
    IF c.asked_by = p_who THEN outcome := 'same person'; RETURN NEXT; RETURN; END IF;
    outcome := 'refused';
    IF p_approve THEN
        SELECT r.outcome, r.held INTO outcome, held FROM post_status(c, p_at, p_who) AS r;
        IF outcome <> 'posted' THEN RETURN NEXT; RETURN; END IF;
    ELSE
        PERFORM emit('floorplane.stock.status_refused', c.place, p_at, jsonb_build_object(
            'place', c.place, 'item', c.item, 'lot', c.lot, 'qty', c.qty, 'from', c.was, 'to', c.becomes, 'reason', p_why,
            'asked_by', c.asked_by, 'who', p_who));
    END IF;
    UPDATE status_change x SET state = outcome, decided_by = p_who, decided_at = p_at, why = p_why WHERE x.id = p_id;
    RETURN NEXT;
END $$;
