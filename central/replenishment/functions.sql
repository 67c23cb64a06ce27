-- From the reserve (shelves that people reach, and units that stand there) to the bins that robots bring.

-- Pieces that orders wait for (`backorder`).
CREATE OR REPLACE VIEW waiting_demand AS
SELECT l.item, sum(l.short)::integer AS qty, count(*)::integer AS lines
FROM orders o JOIN order_line l ON l.order_id = o.id
WHERE o.backorder AND o.state IN ('allocated', 'released', 'picking') AND l.kind = 'stock' AND l.short > 0 GROUP BY l.item;

-- An item's pieces by what can be promised of them. `bins`: free where robots pick, now. `reserve`: free on shelves and in
-- units there. `under_way`: of those, on their way to bins. `held`: not for sale, too old on that day, or in doubt. `waiting`: wanted already.
CREATE OR REPLACE FUNCTION availability(p_item text, p_day date)
RETURNS TABLE (bins integer, reserve integer, under_way integer, held integer, waiting integer, promised integer)
LANGUAGE sql STABLE AS $$
    SELECT COALESCE(sum(s.qty - s.reserved) FILTER (WHERE free AND p.kind = 'bin'), 0)::integer,
           COALESCE(sum(s.qty - s.reserved) FILTER (WHERE free AND p.kind <> 'bin'), 0)::integer,
           (SELECT COALESCE(sum(h.qty), 0)::integer FROM hand_task h
            WHERE h.kind = 'replenish' AND h.item = p_item AND h.state IN ('open', 'leased')),
           COALESCE(sum(s.qty - s.reserved) FILTER (WHERE NOT free), 0)::integer,
           (SELECT COALESCE(sum(w.qty), 0)::integer FROM waiting_demand w WHERE w.item = p_item),
           COALESCE(sum(s.reserved), 0)::integer
    FROM stock s JOIN place p ON p.code = s.place AND p.kind IN ('bin', 'shelf', 'unit')
    CROSS JOIN LATERAL (SELECT s.status = 'ok' AND NOT s.doubt AND COALESCE(s.expires >= p_day, true) AS free) AS x
    WHERE s.item = p_item AND s.live;
$$;

-- Bring up to so many pieces, which are good until `p_good` at least, from the reserve: what expires first, else what came first. Into
-- the rule's place, else the emptiest bin that has it, else where some is on its way to, else an empty bin that nobody is on the way
-- to; the first by code among equals; into each as much as it has room for. Says how many, and how many tasks there are by now.
CREATE OR REPLACE FUNCTION bring(
    p_at timestamptz, p_item text, p_owner text, p_rule text, p_qty integer, p_good date, p_priority integer, p_waiting integer, p_opened integer
) RETURNS TABLE (pieces integer, opened integer) LANGUAGE plpgsql AS $$
DECLARE
    s record;
    c record;
    r record;
    left_over integer;
BEGIN
    pieces := 0; opened := p_opened;
    FOR s IN
        SELECT x.place, x.lot, x.owner, x.qty - x.reserved - COALESCE((
                   SELECT sum(h.qty) FROM hand_task h WHERE h.source = x.place AND h.item = x.item AND h.lot = x.lot
                   AND h.state IN ('open', 'leased') AND h.kind <> 'count'), 0)::integer AS free
        FROM stock x JOIN place p ON p.code = x.place AND p.kind IN ('shelf', 'unit')
        WHERE x.item = p_item AND x.owner = p_owner AND x.live AND x.status = 'ok' AND NOT x.doubt AND COALESCE(x.expires >= p_good, true)
        ORDER BY x.expires, x.since, x.place, x.lot
    LOOP
        EXIT WHEN pieces = p_qty;
        CONTINUE WHEN s.free <= 0;
        left_over := LEAST(p_qty - pieces, s.free);
        FOR c IN
            SELECT p_rule AS code WHERE p_rule IS NOT NULL
            UNION ALL (
                SELECT x.place FROM stock x JOIN place p ON p.code = x.place AND p.kind = 'bin'
                WHERE p_rule IS NULL AND x.item = p_item AND x.owner = p_owner AND x.status = 'ok' AND x.live AND NOT x.doubt ORDER BY x.qty, x.place)
            UNION ALL (
                SELECT h.target FROM hand_task h WHERE p_rule IS NULL AND h.kind = 'replenish' AND h.item = p_item AND h.state IN ('open', 'leased')
                AND h.target IS NOT NULL ORDER BY h.target)
            UNION ALL (
                SELECT p.code FROM place p WHERE p_rule IS NULL AND p.kind = 'bin'
                  AND NOT EXISTS (SELECT FROM stock x WHERE x.place = p.code AND x.live)
                  AND NOT EXISTS (SELECT FROM hand_task h WHERE h.kind IN ('replenish', 'putaway') AND h.target = p.code AND h.state IN ('open', 'leased'))
                ORDER BY p.code)
        LOOP
            EXIT WHEN left_over = 0;
            SELECT * INTO r FROM room_in(c.code, p_item, s.lot, s.owner, left_over);
            CONTINUE WHEN r.fits = 0;
            -- once more, now that nobody else can give its room away
            PERFORM FROM place p WHERE p.code = c.code FOR NO KEY UPDATE;
            SELECT * INTO r FROM room_in(c.code, p_item, s.lot, s.owner, left_over);
            CONTINUE WHEN r.fits = 0;
            opened := opened + 1;
            IF open_hand_task(
                'R-' || left(md5(concat_ws('/', p_item, s.place, s.lot, extract(epoch FROM p_at)) || CASE WHEN opened > 1 THEN '/' || opened ELSE '' END), 16),
                'replenish', p_at, p_item, r.fits, s.place, c.code, p_item, s.lot, s.owner, p_priority, NULL,
                jsonb_build_object('waiting', p_waiting, 'elsewhere', true, 'good', p_good)) THEN
                pieces := pieces + r.fits; left_over := left_over - r.fits;
            END IF;
        END LOOP;
        IF left_over > 0 THEN
            PERFORM raise_alarm(p_at, 'replenish/' || p_item, 'warning', p_item, 'No bin is free for its replenishment, or has room for it',
                                'Empty a bin, or name a place in its rule');
            EXIT;
        END IF;
    END LOOP;
    RETURN NEXT;
END $$;
DROP FUNCTION IF EXISTS front_bin(text, text, text);

-- Open the replenishments that rules and waiting orders want by now; says how many. What is on its way counts as there, and
-- no piece of the reserve is planned twice. What orders wait for must be good as long as each of them wants. `p_item`: only of this one.
CREATE OR REPLACE FUNCTION replenish(p_at timestamptz, p_item text DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    r record;
    w record;
    got record;
    a record;
    today date := (p_at AT TIME ZONE 'UTC')::date;
    n integer;
    ruled integer;
    took integer;
    brought integer;
    days date[];
    there integer[];
    opened integer := 0;
BEGIN
    FOR r IN
        SELECT i.id AS item, i.owner, q.min_qty, q.max_qty, COALESCE(q.pack, 1) AS pack, q.target, COALESCE(q.priority, 0) AS priority
        FROM (SELECT item FROM replenish_rule WHERE active UNION SELECT item FROM waiting_demand) AS x
        JOIN item i ON i.id = x.item LEFT JOIN replenish_rule q ON q.item = i.id AND q.active
        WHERE p_item IS NULL OR i.id = p_item ORDER BY i.id
    LOOP
        SELECT * INTO a FROM availability(r.item, today);
        CONTINUE WHEN a.reserve <= a.under_way OR (a.bins + a.under_way >= COALESCE(r.min_qty, 0) AND a.waiting = 0);
        PERFORM pg_advisory_xact_lock(hashtextextended('replenish/' || r.item, 0));
        SELECT * INTO a FROM availability(r.item, today);
        brought := 0;
        ruled := CASE WHEN a.bins + a.under_way < COALESCE(r.min_qty, 0) THEN r.max_qty - a.bins - a.under_way ELSE 0 END;
        -- what is in bins or on its way to them, by how long it is good
        SELECT array_agg(y.expires ORDER BY y.expires), array_agg(y.qty ORDER BY y.expires) INTO days, there FROM (
            SELECT COALESCE(s.expires, 'infinity') AS expires, s.qty - s.reserved AS qty FROM stock s JOIN place p ON p.code = s.place AND p.kind = 'bin'
            WHERE s.item = r.item AND s.live AND s.status = 'ok' AND NOT s.doubt AND s.qty > s.reserved
            UNION ALL
            SELECT COALESCE(l.expires, 'infinity'), h.qty FROM hand_task h LEFT JOIN lot l ON l.item = h.item AND l.lot = h.lot
            WHERE h.kind = 'replenish' AND h.item = r.item AND h.state IN ('open', 'leased')) AS y;
        FOR w IN SELECT y.good, sum(y.qty)::integer AS qty FROM waiting_lines(p_at, r.item) AS y GROUP BY y.good ORDER BY y.good LOOP
            n := w.qty;
            FOR k IN 1 .. COALESCE(cardinality(days), 0) LOOP
                CONTINUE WHEN days[k] < w.good;
                took := LEAST(n, there[k]); there[k] := there[k] - took; n := n - took;
            END LOOP;
            CONTINUE WHEN n = 0;
            SELECT * INTO got FROM bring(p_at, r.item, r.owner, r.target, n, w.good, r.priority + 5, a.waiting, opened);
            brought := brought + got.pieces; opened := got.opened;
        END LOOP;
        -- whole packs, the rule's maximum
        n := (GREATEST(ruled, brought) + r.pack - 1) / r.pack * r.pack - brought;
        IF n > 0 THEN
            SELECT * INTO got FROM bring(p_at, r.item, r.owner, r.target, n, today, r.priority, a.waiting, opened);
            opened := got.opened;
        END IF;
    END LOOP;
    RETURN opened;
END $$;

CREATE OR REPLACE FUNCTION hand_done_replenish(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n integer := (f->>'qty')::integer;
    goal text := COALESCE(f->>'target', t.target);
    said text;
BEGIN
    IF n IS NULL OR n < 0 THEN RETURN 'how many pieces were brought is missing'; END IF;
    IF n > t.qty THEN RETURN format('%s pieces were to be brought, not %s', t.qty, n); END IF;
    IF f->>'lot' <> t.lot THEN RETURN format('wrong lot: %s was scanned, %s is wanted', f->>'lot', t.lot); END IF;
    IF NOT EXISTS (SELECT FROM place WHERE code = goal AND kind = 'bin') THEN RETURN format('%s is not a bin', goal); END IF;
    IF n > 0 THEN
        said := move_stock(p_at, t.source, goal, t.item, t.lot, t.owner, n, 'replenish', p_actor, 'hand/' || t.id, 'ok', 'ok', t.id);
        IF said <> 'posted' THEN
            RETURN CASE said WHEN 'too little' THEN format('not so many are free in %s', t.source) ELSE said END;
        END IF;
        PERFORM clear_alarm(p_at, 'replenish/' || t.item);
    END IF;
    IF n < t.qty THEN
        UPDATE stock SET doubt = true WHERE place = t.source AND item = t.item AND lot = t.lot AND owner = t.owner AND status = 'ok' AND live;
        PERFORM count_after_short(p_at, t.source, t.item, t.lot, t.id);
    END IF;
    PERFORM emit('floorplane.stock.replenished', t.item, p_at, jsonb_build_object(
        'item', t.item, 'lot', t.lot, 'qty', n, 'from', t.source, 'to', goal, 'task', t.id, 'who', p_actor));
    RETURN 'posted';
END $$;

CREATE OR REPLACE FUNCTION hand_undone_replenish(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE sql AS $$
    SELECT 'undone';
$$;
