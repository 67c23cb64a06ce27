-- Counting. What a person finds is compared with the books at the moment of the confirmation, in its transaction, with the
-- account locked. Where anything moved since the task was taken, or a pick there is begun, the count proves nothing and is
-- made anew. Else no difference ends it; a difference counts only when another person finds the same one.
CREATE OR REPLACE FUNCTION open_count(
    p_at timestamptz, p_place text, p_item text, p_lot text, p_cause text, p_by text, p_plan text DEFAULT NULL,
    p_evidence jsonb DEFAULT NULL, p_priority integer DEFAULT 0, p_status text DEFAULT 'ok', p_due timestamptz DEFAULT NULL
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    whose text;
    made text;
BEGIN
    SELECT owner INTO whose FROM item WHERE id = p_item AND kind = 'stock';
    IF NOT FOUND OR NOT is_open_place(p_place) THEN RETURN NULL; END IF;
    made := 'N-' || left(md5(concat_ws('/', p_place, p_item, p_lot, p_status, p_cause, extract(epoch FROM p_at))), 16);
    INSERT INTO stock_count (id, place, item, lot, owner, status, cause, plan, evidence, state, opened_at, opened_by)
    VALUES (made, p_place, p_item, p_lot, whose, p_status, p_cause, p_plan, p_evidence, 'open', p_at, p_by)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN RETURN NULL; END IF;
    PERFORM emit('floorplane.count.opened', made, p_at, jsonb_build_object(
        'place', p_place, 'item', p_item, 'lot', p_lot, 'cause', p_cause, 'who', p_by));
    PERFORM ask_count(made, p_at, p_priority, p_due);
    RETURN made;
END $$;

-- Put the next round of a count before the people; nobody who has counted it already.
CREATE OR REPLACE FUNCTION ask_count(p_id text, p_at timestamptz, p_priority integer, p_due timestamptz DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    c stock_count;
BEGIN
    SELECT * INTO c FROM stock_count WHERE id = p_id;
    PERFORM open_hand_task(c.id || '-' || c.rounds, 'count', p_at, c.item, NULL, c.place, NULL, c.id, c.lot, c.owner, p_priority, p_due,
        jsonb_build_object('round', c.rounds, 'blind', true, 'asks', '["source", "item", "qty"]'::jsonb, 'not', COALESCE((
            SELECT jsonb_agg(DISTINCT r.person) FROM count_proof r WHERE r.count_id = c.id), '[]')), c.status);
END $$;

-- From here on whatever moves there makes the count void.
CREATE OR REPLACE FUNCTION begin_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock_count SET since = pg_snapshot_xmin(pg_current_snapshot()) WHERE id = NEW.ref;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER count_begins AFTER UPDATE OF attempt ON hand_task FOR EACH ROW
    WHEN (NEW.kind = 'count' AND NEW.state = 'leased') EXECUTE FUNCTION begin_count();

CREATE OR REPLACE FUNCTION hand_done_count(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n integer := (f->>'qty')::integer;
    c stock_count;
    s stock;
    rule care_policy;
    moves boolean;
    differs integer;
BEGIN
    IF n IS NULL OR n < 0 THEN RETURN 'how many pieces are there is missing'; END IF;
    IF n > 1000000 THEN RETURN format('%s pieces are more than a place holds: at most 1000000', n); END IF;
    IF f->>'lot' <> t.lot THEN RETURN format('wrong lot: %s was scanned, %s is wanted', f->>'lot', t.lot); END IF;
    SELECT * INTO c FROM stock_count WHERE id = t.ref FOR UPDATE;
    IF c.closed_at IS NOT NULL THEN RETURN format('count %s is %s already', c.id, c.state); END IF;
    IF EXISTS (SELECT FROM count_proof r WHERE r.count_id = c.id AND r.person = p_actor) THEN
        RETURN format('%s has counted it before; somebody else must', p_actor);
    END IF;
    SELECT * INTO rule FROM care_policy;
    -- a row to lock, also where nothing is said to be
    INSERT INTO stock (place, item, lot, owner, status, qty) VALUES (c.place, c.item, c.lot, c.owner, c.status, 0) ON CONFLICT DO NOTHING;
    SELECT * INTO s FROM stock x
    WHERE x.place = c.place AND x.item = c.item AND x.lot = c.lot AND x.owner = c.owner AND x.status = c.status FOR UPDATE;
    moves := count_is_moving(c, s.id, t.id);
    differs := n - s.qty;
    INSERT INTO count_result VALUES (c.id, c.rounds, p_actor, p_at, n, s.qty, moves);
    IF NOT moves AND differs = 0 THEN
        PERFORM settle_count(c, 'agreed', 0, 0, p_at, p_actor);
    ELSIF NOT moves AND EXISTS (SELECT FROM count_proof r WHERE r.count_id = c.id AND r.round < c.rounds
                                AND r.person <> p_actor AND r.counted - r.expected = differs) THEN
        PERFORM post_count(c, s, differs, rule.count_limit, p_at, p_actor);
    ELSE
        UPDATE stock_count SET state = 'recount', rounds = rounds + 1 WHERE id = c.id RETURNING * INTO c;
        IF differs <> 0 AND NOT moves THEN UPDATE stock SET doubt = true WHERE id = s.id AND qty > 0; END IF;
        IF c.rounds > rule.count_rounds THEN
            PERFORM raise_alarm(p_at, 'count/' || c.id, 'warning', c.place,
                format('%s rounds have not settled how much of %s is in %s', c.rounds - 1, c.item, c.place),
                'Keep picks away from the place, count it together, and cancel the count or go on with it');
        END IF;
        PERFORM ask_count(c.id, p_at, t.priority, CASE WHEN moves THEN p_at + interval '15 minutes' END);
    END IF;
    RETURN 'posted';
END $$;

-- Whether what a person has just counted there may have changed while they counted, as far as anybody has told.
CREATE OR REPLACE FUNCTION count_is_moving(c stock_count, p_stock bigint, p_task text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM reservation r JOIN task k ON k.id = r.task WHERE r.stock = p_stock AND k.state = 'started')
        OR EXISTS (SELECT FROM ledger l WHERE l.a = c.place AND l.item = c.item AND l.lot = c.lot AND l.tx >= c.since)
        OR EXISTS (SELECT FROM ledger l WHERE l.b = c.place AND l.item = c.item AND l.lot = c.lot AND l.tx >= c.since)
        OR EXISTS (SELECT FROM hand_task h WHERE h.state = 'leased' AND h.id <> p_task AND h.kind <> 'count'
                   AND h.source = c.place AND h.item = c.item AND h.lot = c.lot)
        OR EXISTS (SELECT FROM hand_task h WHERE h.state = 'leased' AND h.id <> p_task AND h.kind <> 'count'
                   AND h.target = c.place AND h.item = c.item AND h.lot = c.lot);
$$;

-- Two people have found the same. Above the limit a third one decides. What orders hold is not taken from them: their picks
-- come short by themselves, and only the rest is written off here.
CREATE OR REPLACE FUNCTION post_count(c stock_count, s stock, p_differs integer, p_limit integer, p_at timestamptz, p_actor text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    n integer := GREATEST(p_differs, s.reserved - s.qty);
    said text;
BEGIN
    IF n = 0 THEN
        UPDATE stock SET doubt = true WHERE id = s.id;
        PERFORM settle_count(c, 'posted', p_differs, 0, p_at, p_actor);
        RETURN;
    END IF;
    SELECT b.outcome INTO said FROM book(p_at, p_actor, jsonb_build_array(jsonb_build_object(
        'n', 1, 'place', c.place, 'item', c.item, 'lot', c.lot, 'status', c.status, 'qty', n, 'reason', 'count',
        'key', count_key(c.id))), '', p_limit) AS b;
    IF said NOT IN ('posted', 'pending') THEN
        RAISE EXCEPTION 'count %: % pieces of % in %: %', c.id, n, c.item, c.place, said USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF said = 'pending' OR n <> p_differs THEN UPDATE stock SET doubt = true WHERE id = s.id; END IF;
    PERFORM settle_count(c, said, p_differs, CASE said WHEN 'posted' THEN n ELSE 0 END, p_at, p_actor);
END $$;

CREATE OR REPLACE FUNCTION settle_count(c stock_count, p_state text, p_differs integer, p_posted integer, p_at timestamptz, p_who text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock_count SET state = p_state, difference = p_differs, posted = p_posted, closed_at = p_at WHERE id = c.id;
    UPDATE stock SET counted_at = p_at, doubt = doubt AND p_state <> 'agreed'
    WHERE place = c.place AND item = c.item AND lot = c.lot AND owner = c.owner AND status = c.status;
    PERFORM clear_alarm(p_at, 'count/' || c.id);
    PERFORM emit('floorplane.stock.counted', c.place, p_at, jsonb_build_object(
        'bin', c.place, 'item', c.item, 'difference', p_differs, 'who', p_who, 'key', 'count/' || c.id, 'count', c.id,
        'cause', c.cause, 'posted', p_posted, 'state', p_state));
    IF c.status = 'ok' THEN PERFORM fill_waiting(p_at, c.item); END IF;
END $$;

-- What the posting of a count is called: another name each time that it was taken back.
CREATE OR REPLACE FUNCTION count_key(p_id text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'count/' || p_id || CASE WHEN count(*) > 0 THEN '#' || count(*) ELSE '' END FROM count_undone u WHERE u.count_id = p_id;
$$;

-- A person takes back what they said: its posting is reversed by now, and the place is counted anew. What was found stays on
-- record and proves nothing. 'undone', or why not.
CREATE OR REPLACE FUNCTION hand_undone_count(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    c stock_count;
    was record;
    n integer := (t.detail->>'round')::integer;
    other text;
BEGIN
    SELECT * INTO c FROM stock_count WHERE id = t.ref FOR UPDATE;
    IF c.state = 'cancelled' THEN RETURN format('count %s is cancelled', c.id); END IF;
    IF c.state = 'pending' THEN
        SELECT a.id, a.state INTO was FROM adjustment a WHERE a.key = count_key(c.id);
        IF was.state = 'pending' THEN RETURN format('the difference waits for a third person: have adjustment %s refused', was.id); END IF;
        IF was.state = 'approved' THEN RETURN format('adjustment %s was approved by a third person: a supervisor reverses its move', was.id); END IF;
    END IF;
    IF c.closed_at IS NOT NULL AND n < (SELECT max(r.round) FROM count_result r WHERE r.count_id = c.id) THEN
        RETURN format('count %s was settled by a later round: that one is to be taken back', c.id);
    END IF;
    SELECT h.person INTO other FROM hand_task h WHERE h.ref = c.id AND h.kind = 'count' AND h.state = 'leased' LIMIT 1;
    IF other IS NOT NULL THEN RETURN format('%s is counting it again', other); END IF;
    SELECT x.id INTO other FROM stock_count x WHERE x.id <> c.id AND x.closed_at IS NULL AND x.place = c.place AND x.item = c.item
        AND x.lot = c.lot AND x.status = c.status LIMIT 1;
    IF other IS NOT NULL THEN RETURN format('the place is counted anew with count %s', other); END IF;
    INSERT INTO count_undone VALUES (c.id, n, p_at, p_who, p_reason);
    PERFORM cancel_hand_task(h.id, p_at, 'a count of it was taken back') FROM hand_task h
    WHERE h.ref = c.id AND h.kind = 'count' AND h.state = 'open';
    UPDATE stock_count SET state = 'recount', rounds = rounds + 1, closed_at = NULL, difference = NULL, posted = 0
    WHERE id = c.id RETURNING * INTO c;
    PERFORM emit('floorplane.count.reopened', c.id, p_at, jsonb_build_object(
        'place', c.place, 'item', c.item, 'lot', c.lot, 'cause', c.cause, 'who', p_who, 'reason', p_reason));
    PERFORM ask_count(c.id, p_at, t.priority);
    RETURN 'undone';
END $$;

-- Nobody counts it any more.
CREATE OR REPLACE FUNCTION cancel_count(p_id text, p_at timestamptz, p_who text, p_reason text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    c stock_count;
BEGIN
    SELECT * INTO c FROM stock_count WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF c.closed_at IS NOT NULL THEN RETURN 'is ' || c.state; END IF;
    UPDATE stock_count SET state = 'cancelled', closed_at = p_at, reason = p_reason WHERE id = p_id;
    PERFORM cancel_hand_task(h.id, p_at, p_reason) FROM hand_task h WHERE h.ref = p_id AND h.kind = 'count' AND h.state IN ('open', 'leased');
    PERFORM clear_alarm(p_at, 'count/' || p_id);
    PERFORM emit('floorplane.count.cancelled', p_id, p_at, jsonb_build_object(
        'place', c.place, 'item', c.item, 'lot', c.lot, 'cause', c.cause, 'who', p_who, 'reason', p_reason));
    RETURN 'cancelled';
END $$;

CREATE OR REPLACE FUNCTION hand_cancelled_count(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock_count SET state = 'cancelled', closed_at = p_at, reason = p_reason WHERE id = t.ref AND closed_at IS NULL;
    RETURN 'cancelled';
END $$;

-- What a pick did not find is counted.
CREATE OR REPLACE FUNCTION count_after_short(p_at timestamptz, p_bin text, p_item text, p_lot text, p_task text) RETURNS void
LANGUAGE sql AS $$
    SELECT open_count(p_at, p_bin, p_item, p_lot, 'short_pick', 'central', NULL, jsonb_build_object('task', p_task), 5)
    FROM care_policy WHERE count_after_short;
$$;

-- Sort the items into classes by their picks since a day: A make the first 80 % of them, B the next 15 %, C the rest.
CREATE OR REPLACE FUNCTION classify_items(p_at timestamptz, p_since timestamptz, p_a integer DEFAULT 80, p_b integer DEFAULT 95)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    changed integer;
BEGIN
    WITH picks AS (
        SELECT i.id AS item, COALESCE(p.n, 0)::integer AS n FROM item i LEFT JOIN (
            SELECT l.item, count(*) AS n FROM ledger l WHERE l.reason = 'pick' AND l.at >= p_since GROUP BY l.item) AS p ON p.item = i.id
        WHERE i.kind = 'stock'
    ), ranked AS (
        SELECT item, n, sum(n) OVER (ORDER BY n DESC, item) - n AS before, sum(n) OVER () AS of FROM picks
    )
    INSERT INTO item_class AS c (item, class, picks, at)
    SELECT item, CASE WHEN n = 0 OR before * 100 >= of * p_b THEN 'C' WHEN before * 100 >= of * p_a THEN 'B' ELSE 'A' END, n, p_at FROM ranked
    ORDER BY item
    ON CONFLICT (item) DO UPDATE SET class = excluded.class, picks = excluded.picks, at = excluded.at;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END $$;

-- Open the counts that the plans want by now; says how many.
CREATE OR REPLACE FUNCTION plan_counts(p_at timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    p count_plan;
    r record;
    opened integer := 0;
BEGIN
    FOR p IN SELECT * FROM count_plan WHERE active ORDER BY priority DESC, id LOOP
        FOR r IN
            SELECT x.place, x.item, x.lot, x.status FROM (
                SELECT s.place, s.item, s.lot, s.status, s.counted_at FROM item_class k JOIN stock s ON s.item = k.item AND s.live
                WHERE p.cause = 'class' AND k.class = p.class
                UNION ALL
                SELECT s.place, s.item, s.lot, s.status, s.counted_at FROM stock s
                WHERE p.cause = 'zero' AND NOT s.live AND EXISTS (
                    SELECT FROM ledger l WHERE l.a = s.place AND l.item = s.item AND l.at > COALESCE(s.counted_at, '-infinity'))
            ) AS x JOIN place c ON c.code = x.place AND c.kind IN ('bin', 'shelf')
            WHERE (x.counted_at IS NULL OR x.counted_at <= p_at - make_interval(days => p.every_days))
              AND NOT EXISTS (SELECT FROM stock_count n WHERE n.place = x.place AND n.item = x.item AND n.closed_at IS NULL)
            ORDER BY x.counted_at NULLS FIRST, x.place, x.item, x.lot, x.status
            LIMIT GREATEST(0, p.at_most - (SELECT count(*) FROM stock_count n WHERE n.plan = p.id AND n.closed_at IS NULL))
        LOOP
            IF open_count(p_at, r.place, r.item, r.lot, p.cause, 'plan ' || p.id, p.id, NULL, p.priority, r.status) IS NOT NULL THEN
                opened := opened + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN opened;
END $$;

-- What a camera saw in a place, beside what the books say: 'agrees', 'open' (a count was opened), 'counting' (there is one),
-- or 'unknown place'. Nothing is corrected. `p_item` NULL: it saw only whether the place is empty.
CREATE OR REPLACE FUNCTION look_at_place(
    p_at timestamptz, p_by text, p_place text, p_empty boolean, p_item text, p_qty integer, p_evidence jsonb
) RETURNS TABLE (outcome text, count_id text) LANGUAGE plpgsql AS $$
DECLARE
    s record;
    doubtful integer := 0;
BEGIN
    IF NOT is_open_place(p_place) THEN outcome := 'unknown place'; RETURN NEXT; RETURN; END IF;
    outcome := 'agrees';
    FOR s IN
        SELECT x.item, x.lot, x.status, x.qty FROM stock x WHERE x.place = p_place AND x.live AND (p_item IS NULL OR x.item = p_item)
        UNION ALL
        SELECT p_item, '', 'ok', 0 WHERE p_item IS NOT NULL AND NOT EXISTS (SELECT FROM stock x WHERE x.place = p_place AND x.item = p_item AND x.live)
        ORDER BY 1, 2, 3
    LOOP
        CONTINUE WHEN p_empty AND s.qty = 0;
        CONTINUE WHEN NOT p_empty AND (p_item IS NULL OR (p_qty IS NULL AND s.qty > 0));
        CONTINUE WHEN NOT p_empty AND p_qty IS NOT NULL AND p_qty = (
            SELECT COALESCE(sum(x.qty), 0) FROM stock x WHERE x.place = p_place AND x.item = s.item AND x.live);
        doubtful := doubtful + 1;
        count_id := open_count(p_at, p_place, s.item, s.lot, 'doubt', p_by, NULL, p_evidence, 3, s.status);
        IF outcome <> 'open' THEN outcome := CASE WHEN count_id IS NULL THEN 'counting' ELSE 'open' END; END IF;
    END LOOP;
    IF NOT p_empty AND p_item IS NULL AND NOT EXISTS (SELECT FROM stock x WHERE x.place = p_place AND x.live) THEN
        PERFORM raise_alarm(p_at, 'seen/' || p_place, 'info', p_place, 'A camera sees goods where the books say there are none',
                            'Look what it is, and ask for a count of it');
        outcome := 'alarm';
    END IF;
    RETURN NEXT;
END $$;
