-- Walks of people along aisles. Where all places of a round lie in one area its walk is asked for when it begins: a plan of the
-- kind `picking`, which a planner worker makes. Until it is there, and everywhere else, places are walked by their `way`.

-- How many other rounds still go into each aisle of an area; each makes a metre there count as so many more.
CREATE OR REPLACE FUNCTION crowds(p_area text, p_round text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT COALESCE(jsonb_agg(jsonb_build_object('aisle', x.aisle, 'crowd', LEAST(100, x.rounds * a.crowd)) ORDER BY x.aisle), '[]')
    FROM pick_area a, LATERAL (
        SELECT s.aisle, count(DISTINCT r.id) AS rounds FROM pick_round r JOIN pick_round_tote t ON t.round = r.id AND NOT t.done
        JOIN hand_task h ON h.kind = 'pick' AND h.target = t.tote AND h.state = 'leased'
        JOIN pick_spot s ON s.place = h.source AND s.area = p_area
        WHERE r.state = 'open' AND r.id <> COALESCE(p_round, '') GROUP BY s.aisle) AS x
    WHERE a.code = p_area AND a.crowd > 0;
$$;

-- The walk of a round as a planner reads it, listed by `way`; NULL: its places lie in no area, in several, or are none.
CREATE OR REPLACE FUNCTION walk_problem(p_round text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (WITH stop AS (
        SELECT DISTINCT h.source, p.way FROM pick_round_tote x JOIN pick_round r ON r.id = x.round
        JOIN hand_task h ON h.kind = 'pick' AND h.target = x.tote AND h.state = 'leased' JOIN place p ON p.code = h.source
        WHERE x.round = p_round AND NOT x.done AND (r.how <> 'zone' OR zone_of(h.source) = r.zone))
    SELECT jsonb_build_object(
        'round', p_round, 'area', a.form || jsonb_build_object('busy', crowds(a.code, p_round)),
        'starts', CASE WHEN a.habit->>'depot' = '' THEN '[]'::jsonb ELSE jsonb_build_array(a.habit->>'depot') END,
        'ends', a.habit->'ends',
        'wants', (SELECT jsonb_agg(jsonb_build_object('id', t.source, 'spots', jsonb_build_array(
                      jsonb_build_object('aisle', s.aisle, 'at_m', s.at_m, 'id', t.source))) ORDER BY t.way, t.source)
                  FROM stop t JOIN pick_spot s ON s.place = t.source))
    FROM pick_area a
    WHERE EXISTS (SELECT FROM stop)
      AND NOT EXISTS (SELECT FROM stop t LEFT JOIN pick_spot s ON s.place = t.source WHERE s.area IS DISTINCT FROM a.code));
END $$;

-- Ask for the walk of a round that begins; not where it has one from its batch, or a single stop.
CREATE OR REPLACE FUNCTION ask_walk(p_round text, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    asked jsonb := walk_problem(p_round);
    made text := 'L-' || left(md5('walk/' || p_round), 12);
BEGIN
    IF asked IS NULL OR jsonb_array_length(asked->'wants') < 2 OR EXISTS (SELECT FROM round_walk w WHERE w.round = p_round) THEN RETURN; END IF;
    INSERT INTO plan (id, kind, state, problem, effort, seed, asked_by, asked_at)
    VALUES (made, 'picking', 'queued', asked::text, 0, 1, '(rounds)', p_at);
    UPDATE pick_round SET plan = made WHERE id = p_round;
END $$;

-- A planned walk is that of its round from now on; false: the round is over, or somebody has begun to walk it.
CREATE OR REPLACE FUNCTION take_walk(p plan) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    r pick_round;
BEGIN
    SELECT * INTO r FROM pick_round WHERE id = p.problem::jsonb->>'round' FOR UPDATE;
    IF NOT FOUND OR r.state <> 'open' OR EXISTS (
        SELECT FROM pick_round_tote x JOIN hand_task h ON h.kind = 'pick' AND h.target = x.tote AND h.state = 'done' AND h.closed_at >= r.created_at
        WHERE x.round = r.id) THEN
        RETURN false;
    END IF;
    DELETE FROM round_walk WHERE round = r.id;
    INSERT INTO round_walk (round, place, n)
    SELECT r.id, s.stop->>'want', s.n FROM jsonb_array_elements(p.result::jsonb->'plan'->'stops') WITH ORDINALITY AS s (stop, n);
    UPDATE pick_round SET plan = p.id WHERE id = r.id;
    RETURN true;
END $$;

-- Where a place comes in a round's walk; what was added since comes behind its neighbour in the aisle. NULL: there is no walk.
CREATE OR REPLACE FUNCTION walked_at(p_round text, p_place text) RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT COALESCE(
        (SELECT w.n FROM round_walk w WHERE w.round = p_round AND w.place = p_place),
        (SELECT w.n + 0.5 FROM pick_spot me JOIN pick_spot s ON s.area = me.area AND s.aisle = me.aisle
         JOIN round_walk w ON w.round = p_round AND w.place = s.place
         WHERE me.place = p_place ORDER BY abs(s.at_m - me.at_m), w.n LIMIT 1));
$$;

-- The totes that people could fill on a round now: open, in no round, with picks.
CREATE OR REPLACE FUNCTION open_totes() RETURNS TABLE (tote text, order_id text, priority integer, due timestamptz) LANGUAGE sql STABLE AS $$
    SELECT x.id, x.order_id, o.priority, o.due FROM tote x JOIN orders o ON o.id = x.order_id
    WHERE x.hand AND x.state = 'open' AND o.state IN ('released', 'picking')
      AND NOT EXISTS (SELECT FROM pick_round_tote y WHERE y.tote = x.id AND NOT y.done)
      AND EXISTS (SELECT FROM task y WHERE y.tote = x.id AND y.kind = 'pick' AND y.state = 'released');
$$;

-- What could be batched in an area as a planner reads it: each tote all of whose picks lie there, the most urgent first. Rounds
-- that go on keep a picker busy for as long as their stops take.
CREATE OR REPLACE FUNCTION batching_problem(p_area text, p_at timestamptz) RETURNS jsonb LANGUAGE sql STABLE AS $$
    WITH busy AS (
        SELECT r.id, count(DISTINCT h.source) AS stops FROM pick_round r JOIN pick_round_tote t ON t.round = r.id AND NOT t.done
        JOIN hand_task h ON h.kind = 'pick' AND h.target = t.tote AND h.state = 'leased' JOIN pick_spot s ON s.place = h.source AND s.area = p_area
        WHERE r.state = 'open' GROUP BY r.id),
    late AS (SELECT b.id, b.stops, row_number() OVER (ORDER BY b.id) AS n FROM busy b),
    line AS (
        SELECT t.tote, s.area, k.bin, s.aisle, s.at_m, k.item, sum(k.qty) AS qty, sum(k.qty::bigint * i.volume_ml) AS volume_ml,
               sum(k.qty::bigint * i.weight_g) AS weight_g
        FROM open_totes() t JOIN task k ON k.tote = t.tote AND k.kind = 'pick' AND k.state = 'released' JOIN item i ON i.id = k.item
        LEFT JOIN pick_spot s ON s.place = k.bin GROUP BY t.tote, s.area, k.bin, s.aisle, s.at_m, k.item)
    SELECT jsonb_build_object(
        'books', p_area, 'area', a.form || jsonb_build_object('busy', crowds(p_area, NULL)), 'cart', a.cart, 'depot', a.habit->>'depot',
        'speed_mps', a.habit->'speed_mps', 'pick_s', a.habit->'pick_s', 'setup_s', a.habit->'setup_s',
        'metres_a_late_s', a.habit->'metres_a_late_s',
        'pickers', (SELECT jsonb_agg(jsonb_build_object('id', COALESCE(l.id, 'free-' || g.n), 'free_s',
                        COALESCE(l.stops, 0) * ((a.habit->>'pick_s')::double precision + 10)) ORDER BY g.n)
                    FROM generate_series(1, GREATEST((a.habit->>'pickers')::integer, (SELECT count(*) FROM busy)::integer)) AS g (n)
                    LEFT JOIN late l ON l.n = g.n),
        'orders', COALESCE((
            SELECT jsonb_agg(jsonb_build_object('id', t.tote, 'weight', 1 + t.priority,
                       'due_s', extract(epoch FROM t.due - p_at)::double precision, 'lines', x.lines) ORDER BY t.priority DESC, t.due, t.order_id, t.tote)
            FROM open_totes() t JOIN LATERAL (
                SELECT jsonb_agg(jsonb_build_object('spot', y.bin, 'aisle', y.aisle, 'at_m', y.at_m, 'item', y.item, 'qty', y.qty,
                           'volume_ml', y.volume_ml, 'weight_g', y.weight_g) ORDER BY y.bin, y.item) AS lines,
                       bool_and(y.area = p_area) AS here
                FROM line y WHERE y.tote = t.tote) x ON x.here), '[]'))
    FROM pick_area a WHERE a.code = p_area;
$$;

-- An accepted plan of batches replaces the ones of its area that nobody has begun.
CREATE OR REPLACE FUNCTION take_batches(p plan) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    where_to text := p.problem::jsonb->>'books';
BEGIN
    IF NOT EXISTS (SELECT FROM pick_area WHERE code = where_to) THEN RETURN; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('pick_batch', 0));
    DELETE FROM pick_batch WHERE area = where_to;
    INSERT INTO pick_batch (area, n, plan, totes, walk)
    SELECT where_to, b.n, p.id, ARRAY(SELECT jsonb_array_elements_text(b.batch->'orders')),
           ARRAY(SELECT s.stop->>'spot' FROM jsonb_array_elements(b.batch->'stops') WITH ORDINALITY AS s (stop, n)
                 GROUP BY s.stop->>'spot' ORDER BY min(s.n))
    FROM jsonb_array_elements(p.result::jsonb->'plan'->'batches') WITH ORDINALITY AS b (batch, n);
END $$;

-- The next batch for whoever begins a round: the first with a tote that is still open, unless something that came since is more
-- urgent than all that is left of it.
CREATE OR REPLACE FUNCTION next_batch() RETURNS SETOF pick_batch LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pick_batch) THEN RETURN; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('pick_batch', 0));
    RETURN QUERY
    WITH t AS (SELECT x.tote, -x.priority AS first, COALESCE(x.due, 'infinity') AS due FROM open_totes() x),
    other AS (
        SELECT t.first, t.due FROM t WHERE NOT EXISTS (SELECT FROM pick_batch c WHERE t.tote = ANY (c.totes)) ORDER BY t.first, t.due LIMIT 1)
    SELECT b.* FROM pick_batch b CROSS JOIN LATERAL (
        SELECT t.first, t.due FROM t WHERE t.tote = ANY (b.totes) ORDER BY t.first, t.due LIMIT 1) u
    WHERE NOT EXISTS (SELECT FROM other o WHERE (o.first, o.due) < (u.first, u.due))
    ORDER BY b.n, b.area LIMIT 1;
END $$;

-- Plan the batches of each area that is planned by itself anew: what has been begun stays, what came since is added. Says after
-- how many seconds to ask again; NULL: no area is planned by itself.
CREATE OR REPLACE FUNCTION ask_batches(p_at timestamptz) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    a pick_area;
    asked jsonb;
BEGIN
    FOR a IN
        SELECT x.* FROM pick_area x WHERE x.rebatch_s > 0 AND (x.asked_at IS NULL OR x.asked_at + make_interval(secs => x.rebatch_s) <= p_at)
        ORDER BY x.code FOR UPDATE
    LOOP
        UPDATE pick_area SET asked_at = p_at WHERE code = a.code;
        CONTINUE WHEN EXISTS (
            SELECT FROM plan x WHERE x.kind = 'batching' AND x.state IN ('queued', 'running') AND x.problem::jsonb->>'books' = a.code);
        asked := batching_problem(a.code, p_at);
        CONTINUE WHEN jsonb_array_length(asked->'orders') = 0;
        INSERT INTO plan (id, kind, state, problem, effort, seed, asked_by, asked_at)
        VALUES ('L-' || left(md5(format('batches/%s/%s', a.code, p_at)), 12), 'batching', 'queued', asked::text, 0, 1, '(rounds)', p_at)
        ON CONFLICT (id) DO NOTHING;
    END LOOP;
    RETURN (SELECT min(GREATEST(1, extract(epoch FROM x.asked_at + make_interval(secs => x.rebatch_s) - p_at)))
            FROM pick_area x WHERE x.rebatch_s > 0);
END $$;

-- What rounds have asked for is taken when it is there; what a person has asked for, when it is accepted.
CREATE OR REPLACE FUNCTION take_plan_of_rounds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind = 'batching' THEN
        PERFORM take_batches(NEW);
    ELSE
        PERFORM take_walk(NEW);
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS plan_of_rounds ON plan;
CREATE TRIGGER plan_of_rounds AFTER UPDATE OF state ON plan FOR EACH ROW
    WHEN (NEW.kind IN ('picking', 'batching') AND NEW.state <> OLD.state
          AND (NEW.state = 'accepted' OR (NEW.state = 'done' AND NEW.asked_by = '(rounds)')))
    EXECUTE FUNCTION take_plan_of_rounds();
