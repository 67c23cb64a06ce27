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

-- Where pieces of an item should go: its rule's place, else the emptiest bin that has it, else an empty bin that nobody is on
-- the way to; the first by code among equals.
CREATE OR REPLACE FUNCTION front_bin(p_item text, p_owner text, p_rule text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT COALESCE(p_rule, (
        SELECT s.place FROM stock s JOIN place p ON p.code = s.place AND p.kind = 'bin'
        WHERE s.item = p_item AND s.owner = p_owner AND s.status = 'ok' AND s.live AND NOT s.doubt ORDER BY s.qty, s.place LIMIT 1), (
        SELECT h.target FROM hand_task h WHERE h.kind = 'replenish' AND h.item = p_item AND h.state IN ('open', 'leased') AND h.target IS NOT NULL
        ORDER BY h.target LIMIT 1), (
        SELECT p.code FROM place p WHERE p.kind = 'bin'
          AND NOT EXISTS (SELECT FROM stock s WHERE s.place = p.code AND s.live)
          AND NOT EXISTS (SELECT FROM hand_task h WHERE h.kind IN ('replenish', 'putaway') AND h.target = p.code AND h.state IN ('open', 'leased'))
        ORDER BY p.code LIMIT 1));
$$;

-- Open the replenishments that rules and waiting orders want by now; says how many. What is on its way counts as there, and
-- no piece of the reserve is planned twice. `p_item`: only of this one.
CREATE OR REPLACE FUNCTION replenish(p_at timestamptz, p_item text DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    r record;
    s record;
    a record;
    wanted integer;
    n integer;
    goal text;
    opened integer := 0;
    made text;
BEGIN
    FOR r IN
        SELECT i.id AS item, i.owner, q.min_qty, q.max_qty, COALESCE(q.pack, 1) AS pack, q.target, COALESCE(q.priority, 0) AS priority
        FROM (SELECT item FROM replenish_rule WHERE active UNION SELECT item FROM waiting_demand) AS x
        JOIN item i ON i.id = x.item LEFT JOIN replenish_rule q ON q.item = i.id AND q.active
        WHERE p_item IS NULL OR i.id = p_item ORDER BY i.id
    LOOP
        SELECT * INTO a FROM availability(r.item, (p_at AT TIME ZONE 'UTC')::date);
        CONTINUE WHEN a.reserve <= a.under_way
            OR (a.bins + a.under_way >= COALESCE(r.min_qty, 0) AND a.bins + a.under_way >= a.waiting);
        PERFORM pg_advisory_xact_lock(hashtextextended('replenish/' || r.item, 0));
        SELECT * INTO a FROM availability(r.item, (p_at AT TIME ZONE 'UTC')::date);
        wanted := GREATEST(
            CASE WHEN a.bins + a.under_way < COALESCE(r.min_qty, 0) THEN r.max_qty - a.bins - a.under_way ELSE 0 END,
            a.waiting - a.bins - a.under_way);
        wanted := (wanted + r.pack - 1) / r.pack * r.pack;
        FOR s IN
            SELECT x.place, x.lot, x.owner, x.qty - x.reserved - COALESCE((
                       SELECT sum(h.qty) FROM hand_task h WHERE h.source = x.place AND h.item = x.item AND h.lot = x.lot
                       AND h.state IN ('open', 'leased') AND h.kind <> 'count'), 0)::integer AS free
            FROM stock x JOIN place p ON p.code = x.place AND p.kind IN ('shelf', 'unit')
            WHERE x.item = r.item AND x.owner = r.owner AND x.live AND x.status = 'ok' AND NOT x.doubt
              AND COALESCE(x.expires >= (p_at AT TIME ZONE 'UTC')::date, true)
            ORDER BY x.expires NULLS LAST, x.since NULLS LAST, x.place, x.lot
        LOOP
            EXIT WHEN wanted <= 0;
            CONTINUE WHEN s.free <= 0;
            goal := front_bin(r.item, r.owner, r.target);
            IF goal IS NULL THEN
                PERFORM raise_alarm(p_at, 'replenish/' || r.item, 'warning', r.item, 'No bin is free for its replenishment',
                                    'Empty a bin, or name a place in its rule');
                EXIT;
            END IF;
            n := LEAST(wanted, s.free);
            made := 'R-' || left(md5(concat_ws('/', r.item, s.place, s.lot, extract(epoch FROM p_at))), 16);
            IF open_hand_task(made, 'replenish', p_at, r.item, n, s.place, goal, r.item, s.lot, s.owner,
                              r.priority + CASE WHEN a.waiting > a.bins THEN 5 ELSE 0 END, NULL,
                              jsonb_build_object('waiting', a.waiting, 'elsewhere', true)) THEN
                opened := opened + 1;
                wanted := wanted - n;
            END IF;
        END LOOP;
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
        PERFORM fill_waiting(p_at, t.item);
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
