-- Kits: what they are made of, and making them and taking them apart. Parts go into the workshop and kits come out, or the
-- other way round, all in one transaction.

-- Say what a kit is made of; 'kept', or which part cannot be and why.
CREATE OR REPLACE FUNCTION keep_kit(p_item text, p_mode text, p_parts jsonb, p_owner text) RETURNS TABLE (outcome text, part text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    k item;
    r record;
BEGIN
    LOCK TABLE kit IN SHARE ROW EXCLUSIVE MODE;  -- two changes together could close a circle that neither sees
    SELECT * INTO k FROM item WHERE id = p_item;
    IF NOT FOUND OR (p_owner <> '' AND k.owner <> p_owner) THEN outcome := 'unknown'; RETURN NEXT; RETURN; END IF;
    IF (p_mode = 'explode') <> (k.kind = 'service') THEN outcome := 'kind'; part := k.kind; RETURN NEXT; RETURN; END IF;
    FOR r IN SELECT x.part, x.qty, i.kind, i.owner, m.mode FROM jsonb_to_recordset(p_parts) AS x(part text, qty integer)
        LEFT JOIN item i ON i.id = x.part LEFT JOIN kit m ON m.item = x.part ORDER BY x.part
    LOOP
        part := r.part;
        IF part = p_item THEN outcome := 'circle'; RETURN NEXT; RETURN; END IF;
        IF r.kind IS DISTINCT FROM 'stock' OR r.owner <> k.owner THEN outcome := 'unknown part'; RETURN NEXT; RETURN; END IF;
    END LOOP;
    part := NULL;
    INSERT INTO kit AS x (item, mode) VALUES (p_item, p_mode) ON CONFLICT (item) DO UPDATE SET mode = excluded.mode, version = x.version + 1;
    DELETE FROM kit_part x WHERE x.kit = p_item;
    INSERT INTO kit_part SELECT p_item, x.part, x.qty FROM jsonb_to_recordset(p_parts) AS x(part text, qty integer);
    IF EXISTS (
        WITH RECURSIVE inside(part) AS (
            SELECT x.part FROM kit_part x WHERE x.kit = p_item
            UNION SELECT x.part FROM inside JOIN kit_part x ON x.kit = inside.part
        ) SELECT FROM inside WHERE inside.part = p_item
    ) THEN
        outcome := 'circle'; RETURN NEXT; RETURN;  -- the caller rolls back
    END IF;
    outcome := 'kept'; RETURN NEXT;
END $$;

CREATE OR REPLACE FUNCTION kit_data(p_id text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('kit', b.kit, 'way', b.way, 'qty', b.qty, 'done', b.done, 'place', b.place, 'parts', b.parts, 'made_by', b.made_by)
    FROM kit_build b WHERE b.id = p_id;
$$;

-- Ask for kits to be made, or taken apart; a person does it. 'open', or why not.
CREATE OR REPLACE FUNCTION ask_kit(
    p_id text, p_at timestamptz, p_who text, p_kit text, p_way text, p_qty integer, p_place text, p_priority integer, p_owner text
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    i item;
    parts jsonb;
BEGIN
    SELECT * INTO i FROM item WHERE id = p_kit;
    SELECT jsonb_agg(jsonb_build_object('item', x.part, 'qty', x.qty) ORDER BY x.part) INTO parts
    FROM kit k JOIN kit_part x ON x.kit = k.item WHERE k.item = p_kit AND k.mode = 'build';
    IF parts IS NULL OR (p_owner <> '' AND i.owner <> p_owner) THEN RETURN 'unknown'; END IF;
    IF NOT is_open_place(p_place) THEN RETURN 'unknown place'; END IF;
    INSERT INTO kit_build (id, kit, way, qty, place, parts, state, made_by, made_at)
    VALUES (p_id, p_kit, p_way, p_qty, p_place, parts, 'open', p_who, p_at);
    PERFORM open_hand_task('B-' || p_id, 'kit', p_at, p_kit, p_qty, CASE p_way WHEN 'unbuild' THEN p_place END,
        CASE p_way WHEN 'build' THEN p_place END, p_id, '', i.owner, p_priority, NULL, jsonb_build_object('way', p_way, 'parts', parts, 'asks', jsonb_build_array('item', 'qty')));
    PERFORM emit('floorplane.kit.asked', p_id, p_at, kit_data(p_id));
    RETURN 'open';
END $$;

-- `taken` or `laid`: a list of `item,place,qty` or `item,place,qty,lot` that says where each part came from, or went. For a build, what is not
-- named is taken where it is free, what expires first, shelves before bins; for an unbuild it is laid where the kit was.
CREATE OR REPLACE FUNCTION hand_done_kit(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n integer := (f->>'qty')::integer;
    b kit_build;
    p record;
    r record;
    said text;
    left_over integer;
    k integer := 0;
    key text := 'kit/' || t.ref || '/';
BEGIN
    SELECT * INTO b FROM kit_build WHERE id = t.ref FOR UPDATE;
    IF b.state <> 'open' THEN RETURN 'is ' || b.state; END IF;
    IF n IS NULL OR n <= 0 THEN RETURN 'how many kits were made is missing'; END IF;
    IF n > b.qty THEN RETURN format('%s kits were wanted, not %s', b.qty, n); END IF;
    IF b.way = 'unbuild' THEN
        said := move_stock(p_at, b.place, 'workshop', b.kit, '', t.owner, n, 'unkit', p_actor, key || 'kit', 'ok', 'ok', t.id);
        IF said <> 'posted' THEN RETURN format('%s kits are not free in %s', n, b.place); END IF;
    END IF;
    FOR p IN SELECT x->>'item' AS item, (x->>'qty')::integer * n AS qty FROM jsonb_array_elements(b.parts) AS x ORDER BY 1 LOOP
        left_over := p.qty;
        FOR r IN
            SELECT 0 AS rank, NULL::date AS expires, x.n AS place_rank, x.place, x.lot, x.qty
            FROM (SELECT y.ordinality AS n, split_part(y.value, ',', 1) AS item, split_part(y.value, ',', 2) AS place,
                         CASE WHEN split_part(y.value, ',', 3) ~ '^[0-9]{1,7}$' THEN split_part(y.value, ',', 3)::integer END AS qty,
                         split_part(y.value, ',', 4) AS lot
                  FROM jsonb_array_elements_text(COALESCE(f->(CASE b.way WHEN 'build' THEN 'taken' ELSE 'laid' END), '[]')) WITH ORDINALITY AS y(value, ordinality)) AS x
            WHERE x.item = p.item
            UNION ALL
            SELECT 1, s.expires, CASE c.kind WHEN 'bin' THEN 1 ELSE 0 END, s.place, s.lot, s.qty - s.reserved
            FROM stock s JOIN place c ON c.code = s.place AND c.kind IN ('bin', 'shelf', 'unit')
            WHERE b.way = 'build' AND NOT f ? 'taken' AND s.item = p.item AND s.owner = t.owner AND s.status = 'ok' AND NOT s.doubt AND s.live
              AND s.qty > s.reserved AND COALESCE(s.expires >= (p_at AT TIME ZONE 'UTC')::date, true)
            UNION ALL SELECT 2, NULL, 0, b.place, '', p.qty WHERE b.way = 'unbuild' AND NOT f ? 'laid'
            ORDER BY 1, 2, 3, 4, 5
        LOOP
            EXIT WHEN left_over = 0;
            IF r.qty IS NULL OR r.qty <= 0 THEN RETURN format('%s: %s pieces is not a number of pieces', p.item, r.qty); END IF;
            k := k + 1;
            IF NOT COALESCE(is_open_place(r.place), false) THEN RETURN format('%s is not a place for goods', r.place); END IF;
            IF b.way = 'build' THEN
                said := move_stock(p_at, r.place, 'workshop', p.item, r.lot, t.owner, LEAST(r.qty, left_over), 'kit_part', p_actor, key || k, 'ok', 'ok', t.id);
            ELSE
                said := move_stock(p_at, 'workshop', r.place, p.item, r.lot, t.owner, LEAST(r.qty, left_over), 'unkit_part', p_actor, key || k, 'ok', 'ok', t.id);
            END IF;
            IF said <> 'posted' THEN RETURN format('%s pieces of %s are not free in %s', LEAST(r.qty, left_over), p.item, r.place); END IF;
            left_over := left_over - LEAST(r.qty, left_over);
        END LOOP;
        IF left_over > 0 THEN RETURN format('%s pieces of %s are missing', left_over, p.item); END IF;
    END LOOP;
    IF b.way = 'build' THEN
        said := move_stock(p_at, 'workshop', b.place, b.kit, '', t.owner, n, 'kit', p_actor, key || 'kit', 'ok', 'ok', t.id);
        IF said <> 'posted' THEN RETURN said; END IF;
    END IF;
    UPDATE kit_build SET state = 'done', done = n, closed_at = p_at WHERE id = b.id;
    PERFORM emit('floorplane.kit.' || CASE b.way WHEN 'build' THEN 'built' ELSE 'taken_apart' END, b.id, p_at, kit_data(b.id) || jsonb_build_object('who', p_actor));
    RETURN 'posted';
END $$;

CREATE OR REPLACE FUNCTION hand_undone_kit(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE kit_build SET state = 'undone', done = 0, closed_at = p_at WHERE id = t.ref;
    RETURN 'undone';
END $$;

CREATE OR REPLACE FUNCTION hand_cancelled_kit(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE kit_build SET state = 'cancelled', closed_at = p_at WHERE id = t.ref;
    PERFORM emit('floorplane.kit.cancelled', t.ref, p_at, kit_data(t.ref) || jsonb_build_object('who', p_who, 'reason', p_reason));
    RETURN 'cancelled';
END $$;

-- A kit that was ordered and taken apart is done as far as its parts make it whole; it is known when its order is closed.
CREATE OR REPLACE FUNCTION finish_kits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ends boolean := NEW.state IN ('shipped', 'short', 'cancelled');
BEGIN
    UPDATE order_line k SET done = CASE WHEN ends THEN LEAST(k.qty, x.whole) ELSE 0 END,
        cancelled = CASE WHEN ends AND x.cancelled THEN k.qty - LEAST(k.qty, x.whole) ELSE 0 END,
        short = CASE WHEN ends AND NOT x.cancelled THEN k.qty - LEAST(k.qty, x.whole) ELSE 0 END
    FROM (SELECT p.kit_line, min(l.done / p.per_kit) AS whole, bool_or(l.cancelled > 0) AS cancelled
          FROM order_kit_part p JOIN order_line l ON l.order_id = p.order_id AND l.line = p.line
          WHERE p.order_id = NEW.id GROUP BY p.kit_line) AS x
    WHERE k.order_id = NEW.id AND k.line = x.kit_line;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER finish_kits AFTER UPDATE OF state ON orders FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND (OLD.state IN ('shipped', 'short', 'cancelled') OR NEW.state IN ('shipped', 'short', 'cancelled')))
    EXECUTE FUNCTION finish_kits();
