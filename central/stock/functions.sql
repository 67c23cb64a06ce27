-- One move in the ledger. `p_key` names the cause: the same cause posts once, ever.
CREATE OR REPLACE FUNCTION post(
    p_at timestamptz, p_a text, p_b text, p_item text, p_qty integer, p_reason text,
    p_task text, p_order text, p_line integer, p_actor text, p_key text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO posted VALUES (p_key);
    INSERT INTO ledger (at, a, b, item, qty, reason, task, order_id, line, actor, key)
    VALUES (p_at, p_a, p_b, p_item, p_qty, p_reason, p_task, p_order, p_line, p_actor, p_key);
END $$;

-- Claim up to `p_qty` pieces in as few bins as possible: the smallest bin that has all that is left, else the fullest;
-- among equals the first by code. The write is the gate: what somebody else took meanwhile is looked for again.
CREATE OR REPLACE FUNCTION reserve(p_item text, p_qty integer, p_without text DEFAULT '')
RETURNS TABLE (stock_id bigint, bin text, qty integer) LANGUAGE plpgsql AS $$
DECLARE
    wanted integer := p_qty;
    best record;
    take integer;
BEGIN
    WHILE wanted > 0 LOOP
        SELECT s.id, s.place, s.qty - s.reserved AS free INTO best
        FROM stock s JOIN place p ON p.code = s.place AND p.kind = 'bin'
        WHERE s.item = p_item AND s.live AND s.qty > s.reserved AND s.status = 'ok' AND NOT s.doubt
          AND s.place <> p_without
        ORDER BY s.qty - s.reserved >= wanted DESC,
                 CASE WHEN s.qty - s.reserved >= wanted THEN s.qty - s.reserved ELSE s.reserved - s.qty END,
                 s.place, s.id
        LIMIT 1;
        EXIT WHEN NOT FOUND;
        take := LEAST(wanted, best.free);
        UPDATE stock s SET reserved = s.reserved + take WHERE s.id = best.id AND s.qty - s.reserved >= take;
        IF FOUND THEN
            wanted := wanted - take;
            stock_id := best.id; bin := best.place; qty := take;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;

-- Book lines of (n, place, item, qty, reason, key) against a virtual place, each by itself; says what became of each.
CREATE OR REPLACE FUNCTION book(p_at timestamptz, p_actor text, p_lines jsonb)
RETURNS TABLE (n integer, outcome text, held integer) LANGUAGE plpgsql AS $$
DECLARE
    l record;
    found_kind text;
BEGIN
    FOR l IN
        SELECT * FROM jsonb_to_recordset(p_lines)
            AS x(n integer, place text, item text, qty integer, reason text, key text) ORDER BY x.n
    LOOP
        n := l.n; held := NULL;
        SELECT p.kind INTO found_kind FROM place p WHERE p.code = l.place;
        IF found_kind IS DISTINCT FROM 'bin' THEN outcome := 'unknown place'; RETURN NEXT; CONTINUE; END IF;
        SELECT i.kind INTO found_kind FROM item i WHERE i.id = l.item;
        IF found_kind IS NULL THEN outcome := 'unknown item'; RETURN NEXT; CONTINUE; END IF;
        IF found_kind <> 'stock' THEN outcome := 'service item'; RETURN NEXT; CONTINUE; END IF;
        INSERT INTO posted VALUES (l.key) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN outcome := 'duplicate'; RETURN NEXT; CONTINUE; END IF;
        IF l.qty > 0 THEN
            SELECT s.qty INTO held FROM stock s
            WHERE s.place = l.place AND s.item = l.item AND s.lot = '' AND s.owner = '' AND s.status = 'ok' FOR UPDATE;
            IF held > 2000000000 - l.qty THEN
                DELETE FROM posted p WHERE p.key = l.key;
                outcome := 'too much'; RETURN NEXT; CONTINUE;
            END IF;
            INSERT INTO stock AS s (place, item, qty) VALUES (l.place, l.item, l.qty)
            ON CONFLICT (place, item, lot, owner, status)
            DO UPDATE SET qty = s.qty + excluded.qty, doubt = s.doubt AND l.reason <> 'count'
            RETURNING s.qty INTO held;
        ELSE
            UPDATE stock s SET qty = s.qty + l.qty, doubt = s.doubt AND l.reason <> 'count'
            WHERE s.place = l.place AND s.item = l.item AND s.lot = '' AND s.owner = '' AND s.status = 'ok'
              AND s.qty - s.reserved >= -l.qty
            RETURNING s.qty INTO held;
            IF NOT FOUND THEN
                DELETE FROM posted p WHERE p.key = l.key;
                SELECT s.qty - s.reserved INTO held FROM stock s
                WHERE s.place = l.place AND s.item = l.item AND s.lot = '' AND s.owner = '' AND s.status = 'ok';
                held := COALESCE(held, 0); outcome := 'too little'; RETURN NEXT; CONTINUE;
            END IF;
        END IF;
        INSERT INTO ledger (at, a, b, item, qty, reason, actor, key)
        SELECT p_at, CASE WHEN l.qty > 0 THEN v ELSE l.place END, CASE WHEN l.qty > 0 THEN l.place ELSE v END,
               l.item, abs(l.qty), l.reason, p_actor, l.key
        FROM (SELECT CASE WHEN l.reason = 'opening' THEN 'supplier' ELSE 'adjustment' END AS v) AS x;
        outcome := 'posted'; RETURN NEXT;
    END LOOP;
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
