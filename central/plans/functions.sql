-- Give the oldest plan that nobody works on to a worker: a queued one, or one of `p_silent`, whose workers fell silent.
CREATE OR REPLACE FUNCTION lease_plan(p_worker text, p_kinds text[], p_at timestamptz, p_silent text[])
RETURNS SETOF plan LANGUAGE sql AS $$
    UPDATE plan SET state = 'running', worker = p_worker, attempt = attempt + 1, share = 0, done = 0, eta_s = NULL, cost = NULL,
        steps = '[]', begun_at = p_at
    WHERE id = (
        SELECT id FROM plan
        WHERE kind = ANY (p_kinds) AND (state = 'queued' OR (state = 'running' AND id = ANY (p_silent)))
        ORDER BY asked_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING *;
$$;

-- Hear from a worker how far it is, and keep each step to a better plan: 'go', 'stop' with the best so far, or '': it is not
-- its plan any more.
DROP FUNCTION IF EXISTS plan_goes_on(text, integer, real, double precision);
CREATE OR REPLACE FUNCTION plan_goes_on(
    p_id text, p_attempt integer, p_share real, p_cost double precision, p_done bigint, p_eta_s real
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    x plan;
BEGIN
    SELECT * INTO x FROM plan WHERE id = p_id AND attempt = p_attempt AND state = 'running' FOR UPDATE;
    IF NOT FOUND THEN RETURN ''; END IF;
    UPDATE plan SET share = GREATEST(share, p_share), cost = COALESCE(p_cost, cost), done = GREATEST(done, p_done), eta_s = p_eta_s,
        steps = CASE WHEN p_cost IS NOT NULL AND jsonb_array_length(steps) < 500 AND p_cost IS DISTINCT FROM (steps->-1->>'cost')::double precision
                     THEN steps || jsonb_build_object('done', p_done, 'cost', p_cost) ELSE steps END
    WHERE id = p_id;
    RETURN CASE WHEN x.stop THEN 'stop' ELSE 'go' END;
END $$;

-- Keep what a worker found, or why it found nothing; once, and only from the worker that has the plan.
DROP FUNCTION IF EXISTS plan_ended(text, integer, timestamptz, double precision, bigint, jsonb, text);
CREATE OR REPLACE FUNCTION plan_ended(
    p_id text, p_attempt integer, p_at timestamptz, p_cost double precision, p_used bigint, p_result text, p_reason text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE plan SET state = CASE WHEN p_result IS NULL THEN 'failed' ELSE 'done' END, result = p_result, reason = p_reason,
        cost = COALESCE(p_cost, cost), used = p_used, eta_s = NULL, done = COALESCE(p_used, done), ended_at = p_at,
        share = CASE WHEN p_result IS NULL THEN share WHEN (stop OR until > 0) AND share < 1 THEN share ELSE 1 END
    WHERE id = p_id AND attempt = p_attempt AND state = 'running';
    IF FOUND THEN
        PERFORM emit('floorplane.plan.' || x.state, x.id, p_at, jsonb_build_object(
            'kind', x.kind, 'cost', x.cost, 'reason', x.reason, 'worker', x.worker)) FROM plan x WHERE x.id = p_id;
    END IF;
    RETURN FOUND;
END $$;

-- Cancel a plan that is asked for, or decide about one that is there; says what it is now, or what stood in the way.
CREATE OR REPLACE FUNCTION decide_plan(p_id text, p_to text, p_at timestamptz, p_who text, p_why text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    x plan;
BEGIN
    SELECT * INTO x FROM plan WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF x.state = p_to THEN RETURN p_to; END IF;
    IF (p_to = 'cancelled' AND x.state NOT IN ('queued', 'running')) OR (p_to <> 'cancelled' AND x.state <> 'done') THEN
        RETURN 'is ' || x.state;
    END IF;
    UPDATE plan SET state = p_to, decided_by = p_who, decided_at = p_at, reason = p_why,
        ended_at = COALESCE(ended_at, p_at) WHERE id = p_id;
    PERFORM emit('floorplane.plan.' || p_to, p_id, p_at, jsonb_build_object(
        'kind', x.kind, 'cost', x.cost, 'reason', p_why, 'worker', x.worker));
    IF p_to = 'accepted' AND x.kind = 'slotting' THEN
        INSERT INTO plan_move (plan, n, item, origin, goal, gain_m, cost_m)
        SELECT x.id, m.n, m.step->>'item', m.step->>'from', m.step->>'to', (m.step->>'gain_m')::double precision,
               (m.step->>'cost_m')::double precision
        FROM jsonb_array_elements(x.result::jsonb->'plan'->'moves') WITH ORDINALITY AS m (step, n);
    END IF;
    RETURN p_to;
END $$;

-- Stop a plan: one that is made is brought with the best so far; of an accepted one the moves that are left are not done.
-- 'stopped', or what stands in the way.
CREATE OR REPLACE FUNCTION stop_plan(p_id text, p_at timestamptz, p_why text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    x plan;
BEGIN
    SELECT * INTO x FROM plan WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF x.state = 'running' THEN
        UPDATE plan SET stop = true WHERE id = p_id;
        RETURN 'stopped';
    END IF;
    IF x.state <> 'accepted' OR NOT EXISTS (SELECT FROM plan_move m WHERE m.plan = p_id AND m.state IN ('waiting', 'open')) THEN
        RETURN 'is ' || x.state;
    END IF;
    PERFORM cancel_hand_task(h.id, p_at, p_why) FROM hand_task h WHERE h.ref = p_id AND h.kind = 'move' AND h.state IN ('open', 'leased');
    UPDATE plan_move m SET state = 'stopped', reason = p_why, closed_at = p_at, qty = moved_by(m.plan, m.n)
    WHERE m.plan = p_id AND m.state IN ('waiting', 'open');
    RETURN 'stopped';
END $$;

-- The hand tasks of a move.
CREATE OR REPLACE FUNCTION tasks_of_move(p_plan text, p_n integer) RETURNS SETOF hand_task LANGUAGE sql STABLE AS $$
    SELECT h FROM hand_task h WHERE h.ref = p_plan AND h.kind = 'move' AND (h.detail->>'step')::integer = p_n;
$$;

-- How many pieces people have brought by now.
CREATE OR REPLACE FUNCTION moved_by(p_plan text, p_n integer) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT COALESCE(sum(h.done_qty) FILTER (WHERE h.state = 'done'), 0)::integer FROM tasks_of_move(p_plan, p_n) h;
$$;

-- The bin of a pod for pieces that come from elsewhere: an empty one to which nobody is on the way, that takes all of them.
CREATE OR REPLACE FUNCTION free_bin(p_pod text, p_item text, p_lot text, p_owner text, p_qty integer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT p.code FROM place p
    WHERE p.parent = p_pod AND p.kind = 'bin' AND NOT EXISTS (SELECT FROM lies_in(p.code))
      AND (SELECT r.fits FROM room_in(p.code, p_item, p_lot, p_owner, p_qty) r) >= p_qty
    ORDER BY p.code LIMIT 1;
$$;

-- Where pieces go that a plan wants in a pod, or in a place of its own on the floor of people (which may hold several items while
-- two change places): NULL, there is no room.
CREATE OR REPLACE FUNCTION goal_of_move(p_goal text, p_item text, p_lot text, p_owner text, p_qty integer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p.kind = 'pod' THEN free_bin(p.code, p_item, p_lot, p_owner, p_qty)
                WHEN (SELECT r.fits FROM room_in(p.code, p_item, p_lot, p_owner, p_qty) r) >= p_qty THEN p.code END
    FROM place p WHERE p.code = p_goal;
$$;

-- Go on with the moves of accepted slotting plans, the one decided first before the others: close what people have done, and
-- where there is time (no other work waits for hands, and at most `p_busy` picks for robots) open the next ones, `p_most` at
-- a time. Each is looked at against the stock as it is now: what is promised to orders waits, what lies there no more, or has
-- no room there, is left out with the reason. Says how many moves are left.
CREATE OR REPLACE FUNCTION go_on_moving(p_at timestamptz, p_most integer, p_busy integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    m record;
    s record;
    u record;
    goal text;
    why text;
    k integer;
    under_way integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('plan_move', 0));
    FOR m IN SELECT * FROM plan_move x WHERE x.state = 'open' ORDER BY x.plan, x.n FOR UPDATE LOOP
        SELECT bool_and(h.state NOT IN ('open', 'leased')) AS closed, string_agg(NULLIF(h.reason, ''), '; ') AS why INTO u
        FROM tasks_of_move(m.plan, m.n) h;
        CONTINUE WHEN NOT u.closed;
        k := moved_by(m.plan, m.n);
        UPDATE plan_move SET state = CASE WHEN k > 0 THEN 'done' ELSE 'skipped' END, qty = k, reason = COALESCE(u.why, ''), closed_at = p_at
        WHERE plan = m.plan AND n = m.n;
    END LOOP;
    SELECT count(*) INTO under_way FROM plan_move x WHERE x.state = 'open';
    IF EXISTS (SELECT FROM hand_task h WHERE h.state = 'open' AND h.kind <> 'move')
       OR (SELECT count(*) FROM (SELECT FROM task t WHERE t.state IN ('released', 'started') AND t.kind = 'pick' LIMIT p_busy + 1) y) > p_busy THEN
        under_way := p_most;
    END IF;
    FOR m IN
        SELECT x.* FROM plan_move x JOIN plan y ON y.id = x.plan WHERE x.state = 'waiting' ORDER BY y.decided_at, x.plan, x.n FOR UPDATE OF x
    LOOP
        EXIT WHEN under_way >= p_most;
        SELECT count(*) AS rows, COALESCE(sum(x.reserved), 0) AS reserved, bool_or(x.doubt) AS doubt INTO u
        FROM stock x JOIN place p ON p.code = x.place AND m.origin IN (p.parent, p.code) WHERE x.item = m.item AND x.live;
        why := CASE WHEN NOT EXISTS (SELECT FROM place p WHERE p.code = m.goal AND p.kind IN ('pod', 'bin', 'shelf'))
                    THEN m.goal || ' is neither a pod nor a place of the site'
                    WHEN u.rows = 0 THEN format('nothing of it lies in %s any more', m.origin) END;
        IF why IS NULL AND (u.reserved > 0 OR u.doubt) THEN CONTINUE; END IF;
        k := 0;
        IF why IS NULL AND (EXISTS (SELECT FROM place p WHERE p.code = m.goal AND p.kind <> 'pod') OR u.rows <= (
            SELECT count(*) FROM place p WHERE p.parent = m.goal AND p.kind = 'bin' AND NOT EXISTS (SELECT FROM lies_in(p.code)))) THEN
            FOR s IN
                SELECT x.* FROM stock x JOIN place p ON p.code = x.place AND m.origin IN (p.parent, p.code) WHERE x.item = m.item AND x.live
                ORDER BY x.place, x.lot, x.owner, x.status
            LOOP
                goal := goal_of_move(m.goal, s.item, s.lot, s.owner, s.qty);
                EXIT WHEN goal IS NULL;
                k := k + 1;
                PERFORM open_hand_task(format('%s-%s.%s', m.plan, m.n, k), 'move', p_at, s.item, s.qty, s.place, goal, m.plan, s.lot, s.owner,
                                       -1, NULL, jsonb_build_object('step', m.n, 'gain_m', m.gain_m), s.status);
            END LOOP;
        END IF;
        IF why IS NULL AND k = 0 THEN
            -- what an earlier move takes away from there makes room
            CONTINUE WHEN EXISTS (
                SELECT FROM plan_move x WHERE x.plan = m.plan AND x.origin = m.goal AND x.state IN ('waiting', 'open') AND x.n < m.n);
            why := format(CASE WHEN EXISTS (SELECT FROM place p WHERE p.code = m.goal AND p.kind = 'pod')
                               THEN 'no bin of %s is free for it' ELSE '%s has no room for it' END, m.goal);
        END IF;
        IF why IS NOT NULL THEN
            UPDATE plan_move SET state = 'skipped', reason = why, closed_at = p_at WHERE plan = m.plan AND n = m.n;
        ELSE
            UPDATE plan_move SET state = 'open', opened_at = p_at WHERE plan = m.plan AND n = m.n;
            under_way := under_way + 1;
        END IF;
    END LOOP;
    RETURN (SELECT count(*) FROM plan_move x WHERE x.state IN ('waiting', 'open'));
END $$;
