-- One move in the ledger. `p_key` names the cause: the same cause posts once, ever. The owner is the item's, where none is named.
DROP FUNCTION IF EXISTS post(timestamptz, text, text, text, integer, text, text, text, integer, text, text);
CREATE OR REPLACE FUNCTION post(
    p_at timestamptz, p_a text, p_b text, p_item text, p_qty integer, p_reason text,
    p_task text, p_order text, p_line integer, p_actor text, p_key text,
    p_lot text DEFAULT '', p_owner text DEFAULT NULL, p_a_status text DEFAULT 'ok', p_b_status text DEFAULT 'ok'
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO posted VALUES (p_key);
    INSERT INTO ledger (at, a, b, a_status, b_status, item, lot, owner, qty, reason, task, order_id, line, actor, key)
    SELECT p_at, p_a, p_b, p_a_status, p_b_status, p_item, p_lot, COALESCE(p_owner, i.owner), p_qty, p_reason, p_task, p_order, p_line, p_actor, p_key
    FROM item i WHERE i.id = p_item;
END $$;

-- Move free pieces from one account to another (a place may be virtual: supplier, customer, adjustment, scrap), and say so in
-- the ledger: 'posted', 'duplicate' (this key has posted), 'too little' (not so many are there that are not reserved),
-- 'no room: …' (what `take_room` says), 'same place' or 'unknown place'. The UPDATE is the gate. A closed unit that something is
-- taken out of is open; lines that wait for what is free now get it.
CREATE OR REPLACE FUNCTION move_stock(
    p_at timestamptz, p_from text, p_to text, p_item text, p_lot text, p_owner text, p_qty integer, p_reason text,
    p_actor text, p_key text, p_from_status text DEFAULT 'ok', p_to_status text DEFAULT 'ok',
    p_task text DEFAULT NULL, p_order text DEFAULT NULL
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    from_kind text;
    to_kind text;
    said text;
BEGIN
    IF p_from = p_to AND p_from_status = p_to_status THEN RETURN 'same place'; END IF;
    SELECT kind INTO from_kind FROM place WHERE code = p_from;
    SELECT kind INTO to_kind FROM place WHERE code = p_to;
    IF from_kind IS NULL OR to_kind IS NULL THEN RETURN 'unknown place'; END IF;
    INSERT INTO posted VALUES (p_key) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RETURN 'duplicate'; END IF;
    IF to_kind IN ('bin', 'shelf', 'staging', 'unit') AND p_from <> p_to THEN
        said := take_room(p_at, p_from, p_to, p_item, p_lot, p_owner, p_qty, p_task, p_actor);
        IF said <> '' THEN
            DELETE FROM posted p WHERE p.key = p_key;
            RETURN said;
        END IF;
    END IF;
    -- in the order of their rows, so that two who move to and fro wait for each other in one direction only
    PERFORM FROM stock s WHERE s.item = p_item AND s.lot = p_lot AND s.owner = p_owner
        AND ((s.place = p_from AND s.status = p_from_status) OR (s.place = p_to AND s.status = p_to_status))
        ORDER BY s.id FOR NO KEY UPDATE;
    IF from_kind <> 'virtual' THEN
        UPDATE stock s SET qty = s.qty - p_qty
        WHERE s.place = p_from AND s.item = p_item AND s.lot = p_lot AND s.owner = p_owner AND s.status = p_from_status
          AND s.qty - s.reserved >= p_qty;
        IF NOT FOUND THEN
            DELETE FROM posted p WHERE p.key = p_key;
            RETURN 'too little';
        END IF;
    END IF;
    IF to_kind <> 'virtual' THEN
        INSERT INTO stock AS s (place, item, lot, owner, status, qty) VALUES (p_to, p_item, p_lot, p_owner, p_to_status, p_qty)
        ON CONFLICT (place, item, lot, owner, status) DO UPDATE SET qty = s.qty + excluded.qty;
    END IF;
    INSERT INTO ledger (at, a, b, a_status, b_status, item, lot, owner, qty, reason, task, order_id, actor, key)
    VALUES (p_at, p_from, p_to, p_from_status, p_to_status, p_item, p_lot, p_owner, p_qty, p_reason, p_task, p_order, p_actor, p_key);
    IF from_kind = 'unit' AND p_from <> p_to THEN PERFORM open_unit(p_from, p_at, p_actor, p_reason); END IF;
    IF p_to_status = 'ok' AND is_picked_from(p_to) THEN
        PERFORM fill_waiting(p_at, p_item, CASE p_reason WHEN 'replenish' THEN (
            SELECT (h.detail->>'good')::date FROM hand_task h WHERE h.id = p_task) END);
    END IF;
    RETURN 'posted';
END $$;

-- Whether a unit stands on a shelf, however deep inside another one.
CREATE OR REPLACE FUNCTION on_shelf(p_unit text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM place p WHERE p.code = bound_by(p_unit) AND p.kind = 'shelf');
$$;

-- Whether orders are picked there: bins by robots; shelves, and the units that stand on them, by people.
CREATE OR REPLACE FUNCTION is_picked_from(p_place text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM place p WHERE p.code = p_place AND (
        p.kind = 'bin' OR (p.kind = 'shelf' OR (p.kind = 'unit' AND on_shelf(p.code))) AND (SELECT x.hand_picks FROM outbound_setting x)));
$$;

-- The first day on which goods for an order must still be good: so many days after it should leave.
CREATE OR REPLACE FUNCTION good_until(p_at timestamptz, p_due timestamptz, p_min_days integer) RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT (GREATEST(p_at, p_due) AT TIME ZONE 'UTC')::date + p_min_days;
$$;

-- Claim up to `p_qty` pieces that are good until `p_good` at least (NULL: only what never expires): what expires first, else
-- the lot that came first; and then in as few bins as possible: the smallest bin that has all that is left, else the fullest;
-- among equals bins before shelves, then the first by code. The write is the gate: what somebody else took meanwhile is looked
-- for again. `p_kinds`: bins that robots bring, shelves (and the units on them) that people walk to; what is first is first over both.
CREATE OR REPLACE FUNCTION claim(p_item text, p_qty integer, p_without text, p_good date, p_kinds text[])
RETURNS TABLE (stock_id bigint, bin text, qty integer, hand boolean) LANGUAGE plpgsql AS $$
DECLARE
    wanted integer := p_qty;
    best record;
    take integer;
BEGIN
    WHILE wanted > 0 LOOP
        SELECT s.id, s.place, s.qty - s.reserved AS free, p.kind <> 'bin' AS by_hand INTO best
        FROM stock s JOIN place p ON p.code = s.place
            AND (p.kind = ANY (p_kinds) OR (p.kind = 'unit' AND 'shelf' = ANY (p_kinds) AND on_shelf(p.code)))
        WHERE s.item = p_item AND s.live AND s.qty > s.reserved AND s.status = 'ok' AND NOT s.doubt
          AND s.place <> p_without AND (s.expires IS NULL OR s.expires >= p_good)
        ORDER BY s.expires, s.since, p.kind <> 'bin', s.qty - s.reserved >= wanted DESC,
                 CASE WHEN s.qty - s.reserved >= wanted THEN s.qty - s.reserved ELSE s.reserved - s.qty END,
                 s.place, s.id
        LIMIT 1;
        EXIT WHEN NOT FOUND;
        take := LEAST(wanted, best.free);
        UPDATE stock s SET reserved = s.reserved + take WHERE s.id = best.id AND s.qty - s.reserved >= take;
        IF FOUND THEN
            wanted := wanted - take;
            stock_id := best.id; bin := best.place; qty := take; hand := best.by_hand;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;

-- Where orders are picked from here.
CREATE OR REPLACE FUNCTION picked_kinds() RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN x.hand_picks THEN '{bin,shelf}'::text[] ELSE '{bin}'::text[] END FROM outbound_setting x;
$$;

-- The same from one kind of places.
DROP FUNCTION IF EXISTS reserve(text, integer, text);
DROP FUNCTION IF EXISTS reserve(text, integer, text, date);
CREATE OR REPLACE FUNCTION reserve(p_item text, p_qty integer, p_without text DEFAULT '', p_good date DEFAULT NULL, p_kind text DEFAULT 'bin')
RETURNS TABLE (stock_id bigint, bin text, qty integer) LANGUAGE sql AS $$
    SELECT c.stock_id, c.bin, c.qty FROM claim(p_item, p_qty, p_without, p_good, ARRAY[p_kind]) AS c;
$$;

-- Book lines of (n, place, item, qty, reason, key, lot, status, overrule) against a virtual place, each by itself; says what became
-- of each. What comes in needs room there (`take_room`), but for what somebody has counted: that is the truth.
-- `p_owner`: only items of this owner ('': of all). What moves more than `p_limit` pieces waits for a second person, but
-- for the opening of an account. A count that finds no difference (qty 0) is kept, and ends doubt.
DROP FUNCTION IF EXISTS book(timestamptz, text, jsonb);
CREATE OR REPLACE FUNCTION book(
    p_at timestamptz, p_actor text, p_lines jsonb, p_owner text DEFAULT '', p_limit integer DEFAULT 2000000000
) RETURNS TABLE (n integer, outcome text, held integer) LANGUAGE plpgsql AS $$
DECLARE
    l record;
    i item;
    found_place place;
    content bigint;
    freed text[] := '{}';
BEGIN
    -- places with limits first, in one order
    PERFORM FROM place p WHERE p.code IN (SELECT x.place FROM jsonb_to_recordset(p_lines) AS x(place text, qty integer) WHERE x.qty > 0)
        AND (p.volume_ml IS NOT NULL OR p.weight_g IS NOT NULL OR p.mixing <> 'free') ORDER BY p.code FOR NO KEY UPDATE;
    -- by account: two requests that book the same stock wait for each other in one direction only
    FOR l IN
        SELECT * FROM jsonb_to_recordset(p_lines)
            AS x(n integer, place text, item text, qty integer, reason text, key text, lot text, status text, overrule text) ORDER BY x.item, x.place, x.n
    LOOP
        n := l.n; held := NULL; l.lot := COALESCE(l.lot, ''); l.status := COALESCE(l.status, 'ok');
        content := hashtextextended(concat_ws(chr(10), l.place, l.item, l.lot, l.status, l.qty, l.reason), 0);
        SELECT * INTO i FROM item WHERE id = l.item;
        IF NOT FOUND OR (p_owner <> '' AND i.owner <> p_owner) THEN outcome := 'unknown item'; RETURN NEXT; CONTINUE; END IF;
        IF i.kind <> 'stock' THEN outcome := 'service item'; RETURN NEXT; CONTINUE; END IF;
        SELECT * INTO found_place FROM place p WHERE p.code = l.place;
        IF found_place.kind IS NULL OR found_place.kind NOT IN ('bin', 'shelf', 'staging', 'unit') THEN outcome := 'unknown place'; RETURN NEXT; CONTINUE; END IF;
        -- a key that waits for a second person, or was decided, with something else
        IF EXISTS (SELECT FROM adjustment a WHERE a.key = l.key AND (a.place, a.item, a.lot, a.status, a.qty, a.reason)
                   IS DISTINCT FROM (l.place, l.item, l.lot, l.status, l.qty, l.reason)) THEN
            outcome := 'another'; RETURN NEXT; CONTINUE;
        END IF;
        IF abs(l.qty) > p_limit AND (l.reason <> 'opening' OR EXISTS (
               SELECT FROM stock s WHERE s.place = l.place AND s.item = l.item AND s.lot = l.lot AND s.owner = i.owner AND s.status = l.status))
           AND NOT EXISTS (SELECT FROM posted p WHERE p.key = l.key) THEN
            INSERT INTO adjustment (place, item, lot, status, qty, reason, key, asked_by, asked_at, overrule)
            VALUES (l.place, l.item, l.lot, l.status, l.qty, l.reason, l.key, p_actor, p_at, COALESCE(l.overrule, '')) ON CONFLICT (key) DO NOTHING;
            outcome := CASE WHEN FOUND THEN 'pending' ELSE 'duplicate' END; RETURN NEXT; CONTINUE;
        END IF;
        INSERT INTO posted (key, said) VALUES (l.key, content) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            outcome := CASE WHEN EXISTS (SELECT FROM posted p WHERE p.key = l.key AND p.said <> content) THEN 'another' ELSE 'duplicate' END;
            RETURN NEXT; CONTINUE;
        END IF;
        IF l.qty = 0 THEN
            UPDATE stock s SET doubt = false
            WHERE s.place = l.place AND s.item = l.item AND s.lot = l.lot AND s.owner = i.owner AND s.status = l.status AND s.doubt;
            PERFORM emit('floorplane.stock.counted', l.place, p_at, jsonb_build_object(
                'bin', l.place, 'item', l.item, 'difference', 0, 'who', p_actor, 'key', l.key));
            freed := freed || l.item;
            outcome := 'posted'; RETURN NEXT; CONTINUE;
        END IF;
        IF l.qty > 0 THEN
            SELECT s.qty INTO held FROM stock s
            WHERE s.place = l.place AND s.item = l.item AND s.lot = l.lot AND s.owner = i.owner AND s.status = l.status FOR UPDATE;
            IF held > 2000000000 - l.qty THEN
                DELETE FROM posted p WHERE p.key = l.key;
                outcome := 'too much'; RETURN NEXT; CONTINUE;
            END IF;
            IF l.reason <> 'count' AND has_limits(found_place, i) THEN
                PERFORM overrule(l.overrule);
                outcome := take_room(p_at, '', l.place, l.item, l.lot, i.owner, l.qty, '', p_actor);
                IF outcome <> '' THEN
                    DELETE FROM posted p WHERE p.key = l.key;
                    RETURN NEXT; CONTINUE;
                END IF;
            END IF;
            INSERT INTO stock AS s (place, item, lot, owner, status, qty) VALUES (l.place, l.item, l.lot, i.owner, l.status, l.qty)
            ON CONFLICT (place, item, lot, owner, status)
            DO UPDATE SET qty = s.qty + excluded.qty, doubt = s.doubt AND l.reason <> 'count'
            RETURNING s.qty INTO held;
            IF l.reason = 'count' THEN PERFORM tell_overfull(p_at, l.place); END IF;
        ELSE
            UPDATE stock s SET qty = s.qty + l.qty, doubt = s.doubt AND l.reason <> 'count'
            WHERE s.place = l.place AND s.item = l.item AND s.lot = l.lot AND s.owner = i.owner AND s.status = l.status
              AND s.qty - s.reserved >= -l.qty
            RETURNING s.qty INTO held;
            IF NOT FOUND THEN
                DELETE FROM posted p WHERE p.key = l.key;
                SELECT s.qty - s.reserved INTO held FROM stock s
                WHERE s.place = l.place AND s.item = l.item AND s.lot = l.lot AND s.owner = i.owner AND s.status = l.status;
                held := COALESCE(held, 0); outcome := 'too little'; RETURN NEXT; CONTINUE;
            END IF;
        END IF;
        INSERT INTO ledger (at, a, b, a_status, b_status, item, lot, owner, qty, reason, actor, key)
        SELECT p_at, CASE WHEN l.qty > 0 THEN v ELSE l.place END, CASE WHEN l.qty > 0 THEN l.place ELSE v END, l.status, l.status,
               l.item, l.lot, i.owner, abs(l.qty), l.reason, p_actor, l.key
        FROM (SELECT CASE WHEN l.reason = 'opening' THEN 'supplier' ELSE 'adjustment' END AS v) AS x;
        IF l.qty > 0 OR l.reason = 'count' THEN freed := freed || l.item; END IF;
        outcome := 'posted'; RETURN NEXT;
    END LOOP;
    IF EXISTS (SELECT FROM orders o WHERE o.backorder AND o.state IN ('allocated', 'released', 'picking')) THEN
        PERFORM fill_waiting(p_at, x.item) FROM (SELECT DISTINCT unnest(freed) AS item ORDER BY 1) AS x;
    END IF;
END $$;

-- A second person decides about an adjustment; says 'unknown', 'decided', 'same person', what `book` says, or 'refused'.
CREATE OR REPLACE FUNCTION decide_adjustment(p_id bigint, p_at timestamptz, p_who text, p_approve boolean, p_why text, p_owner text)
RETURNS TABLE (outcome text, held integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    x adjustment;
BEGIN
    SELECT * INTO x FROM adjustment a WHERE a.id = p_id FOR UPDATE;
    IF NOT FOUND OR (p_owner <> '' AND NOT EXISTS (SELECT FROM item i WHERE i.id = x.item AND i.owner = p_owner)) THEN
        outcome := 'unknown'; RETURN NEXT; RETURN;
    END IF;
    IF x.state <> 'pending' THEN outcome := 'decided'; RETURN NEXT; RETURN; END IF;
    IF x.asked_by = p_who THEN outcome := 'same person'; RETURN NEXT; RETURN; END IF;
    outcome := 'refused';
    IF p_approve THEN
        SELECT b.outcome, b.held INTO outcome, held FROM book(p_at, x.asked_by, jsonb_build_array(jsonb_build_object(
            'n', 1, 'place', x.place, 'item', x.item, 'lot', x.lot, 'status', x.status, 'qty', x.qty, 'reason', x.reason,
            'key', x.key, 'overrule', x.overrule))) AS b;
        IF outcome NOT IN ('posted', 'duplicate') THEN RETURN NEXT; RETURN; END IF;
    END IF;
    UPDATE adjustment a SET state = CASE WHEN p_approve THEN 'approved' ELSE 'refused' END, decided_by = p_who, decided_at = p_at, why = p_why
    WHERE a.id = p_id;
    PERFORM emit('floorplane.stock.adjustment_' || CASE WHEN p_approve THEN 'approved' ELSE 'refused' END, p_id::text, p_at,
        jsonb_build_object('place', x.place, 'item', x.item, 'qty', x.qty, 'reason', x.reason, 'asked_by', x.asked_by, 'who', p_who));
    RETURN NEXT;
END $$;

-- How much of what was where, and in which status, at the end of `p_at`, of one item or (NULL) of all: the last month end that is
-- kept, and the moves since; what was posted late for a time before it is added. Only rows up to `p_upto`, where that is not NULL.
DROP FUNCTION IF EXISTS stock_as_of(timestamptz, text, bigint);
CREATE OR REPLACE FUNCTION stock_as_of(p_at timestamptz, p_item text, p_upto bigint DEFAULT NULL)
RETURNS TABLE (item text, place text, lot text, owner text, status text, qty bigint) LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    kept stock_month;
BEGIN
    SELECT * INTO kept FROM stock_month m WHERE m.at < p_at AND (p_upto IS NULL OR m.seq <= p_upto) ORDER BY m.at DESC LIMIT 1;
    kept.at := COALESCE(kept.at, '-infinity'); kept.seq := COALESCE(kept.seq, 0);
    IF p_item IS NOT NULL THEN
        RETURN QUERY
        WITH moves AS MATERIALIZED (
            SELECT l.a, l.b, l.a_status, l.b_status, l.lot, l.owner, l.qty FROM ledger l
            WHERE l.item = p_item AND l.at > kept.at AND l.at <= p_at AND (p_upto IS NULL OR l.seq <= p_upto)
            UNION ALL
            SELECT l.a, l.b, l.a_status, l.b_status, l.lot, l.owner, l.qty FROM ledger l
            WHERE l.item = p_item AND l.at <= kept.at AND l.seq > kept.seq AND (p_upto IS NULL OR l.seq <= p_upto)
        ), parts AS (
            SELECT t.place, t.lot, t.owner, t.status, t.qty FROM stock_then t WHERE t.at = kept.at AND t.item = p_item
            UNION ALL SELECT m.b, m.lot, m.owner, m.b_status, m.qty FROM moves m
            UNION ALL SELECT m.a, m.lot, m.owner, m.a_status, -m.qty FROM moves m
        )
        SELECT p_item, x.place, x.lot, x.owner, x.status, sum(x.qty)::bigint FROM parts x JOIN place c ON c.code = x.place AND c.kind <> 'virtual'
        GROUP BY x.place, x.lot, x.owner, x.status HAVING sum(x.qty) <> 0 ORDER BY x.place, x.lot, x.owner, x.status;
        RETURN;
    END IF;
    RETURN QUERY
    WITH moves AS MATERIALIZED (
        SELECT l.item, l.a, l.b, l.a_status, l.b_status, l.lot, l.owner, l.qty FROM ledger l
        WHERE l.at > kept.at AND l.at <= p_at AND (p_upto IS NULL OR l.seq <= p_upto)
        UNION ALL
        SELECT l.item, l.a, l.b, l.a_status, l.b_status, l.lot, l.owner, l.qty FROM ledger l
        WHERE l.at <= kept.at AND l.seq > kept.seq AND (p_upto IS NULL OR l.seq <= p_upto)
    ), parts AS (
        SELECT t.item, t.place, t.lot, t.owner, t.status, t.qty FROM stock_then t WHERE t.at = kept.at
        UNION ALL SELECT m.item, m.b, m.lot, m.owner, m.b_status, m.qty FROM moves m
        UNION ALL SELECT m.item, m.a, m.lot, m.owner, m.a_status, -m.qty FROM moves m
    ), summed AS (
        SELECT x.item, x.place, x.lot, x.owner, x.status, sum(x.qty)::bigint AS qty FROM parts x
        GROUP BY x.item, x.place, x.lot, x.owner, x.status HAVING sum(x.qty) <> 0
    )
    SELECT x.item, x.place, x.lot, x.owner, x.status, x.qty FROM summed x JOIN place c ON c.code = x.place AND c.kind <> 'virtual';
END $$;

-- One page of the same, by item and place, after (p_item, p_place, p_lot, p_owner, p_status): only as many items are looked at as
-- fill it. `p_whose`: only items of this owner ('': of all). `p_in`: only of this status (NULL: of all).
DROP FUNCTION IF EXISTS stock_page(timestamptz, text, text, text, text, text, integer);
CREATE OR REPLACE FUNCTION stock_page(
    p_at timestamptz, p_item text, p_place text, p_lot text, p_owner text, p_status text, p_whose text, p_in text, p_limit integer
) RETURNS TABLE (item text, place text, lot text, owner text, status text, qty bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    i text;
    found_rows integer;
    wanted integer := p_limit;
BEGIN
    FOR i IN SELECT x.id FROM item x WHERE x.id >= p_item AND x.kind = 'stock' AND (p_whose = '' OR x.owner = p_whose) ORDER BY x.id LOOP
        RETURN QUERY SELECT * FROM stock_as_of(p_at, i) AS s
            WHERE (i > p_item OR (s.place, s.lot, s.owner, s.status) > (p_place, p_lot, p_owner, p_status))
              AND (p_in IS NULL OR s.status = p_in)
            ORDER BY s.place, s.lot, s.owner, s.status LIMIT wanted;
        GET DIAGNOSTICS found_rows = ROW_COUNT;
        wanted := wanted - found_rows;
        EXIT WHEN wanted <= 0;
    END LOOP;
END $$;

-- The number up to which every row of the ledger is committed: who posts is waited for, a moment.
CREATE OR REPLACE FUNCTION settled_seq() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE ledger IN SHARE MODE;
    RETURN (SELECT COALESCE(max(seq), 0) FROM ledger);
END $$;

-- Keep the stock of each month end before `p_at` that is not kept yet, of the ledger's rows up to `p_upto`.
CREATE OR REPLACE FUNCTION keep_months(p_at timestamptz, p_upto bigint) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    kept integer := 0;
    month timestamptz;
    last timestamptz;
BEGIN
    SELECT max(m.at) INTO last FROM stock_month m;
    IF last IS NULL THEN SELECT min(l.at) INTO last FROM ledger l; END IF;
    IF last IS NULL THEN RETURN 0; END IF;
    FOR month IN
        SELECT x - interval '1 microsecond'
        FROM generate_series(date_trunc('month', last, 'UTC') + interval '1 month', date_trunc('month', p_at, 'UTC'), interval '1 month') AS x
    LOOP
        CONTINUE WHEN month <= last;
        INSERT INTO stock_month VALUES (month, p_upto);
        INSERT INTO stock_then (at, item, place, lot, owner, status, qty)
        SELECT month, e.item, e.place, e.lot, e.owner, e.status, e.qty FROM stock_as_of(month, NULL, p_upto) AS e;
        kept := kept + 1;
    END LOOP;
    RETURN kept;
END $$;

-- Make the partitions of the month of `p_at` and of the two after it.
CREATE OR REPLACE FUNCTION make_partitions(p_at timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    first date := date_trunc('month', p_at AT TIME ZONE 'UTC')::date;
    made integer := 0;
    month date;
    name text;
BEGIN
    FOR i IN 0..2 LOOP
        month := (first + make_interval(months => i))::date;
        name := 'ledger_' || to_char(month, 'YYYY_MM');
        IF to_regclass(name) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE TABLE %I PARTITION OF ledger FOR VALUES FROM (%L) TO (%L)', name, month::timestamp
                               AT TIME ZONE 'UTC', (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
                made := made + 1;
            EXCEPTION WHEN check_violation THEN
                RAISE WARNING 'rows of % lie in ledger_rest already and stay there', name;
            END;
        END IF;
    END LOOP;
    RETURN made;
END $$;
