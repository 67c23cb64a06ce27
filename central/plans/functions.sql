-- Give the oldest plan that nobody works on to a worker: a queued one, or one of `p_silent`, whose workers fell silent.
CREATE OR REPLACE FUNCTION lease_plan(p_worker text, p_kinds text[], p_at timestamptz, p_silent text[])
RETURNS SETOF plan LANGUAGE sql AS $$
    UPDATE plan SET state = 'running', worker = p_worker, attempt = attempt + 1, share = 0, cost = NULL, begun_at = p_at
    WHERE id = (
        SELECT id FROM plan
        WHERE kind = ANY (p_kinds) AND (state = 'queued' OR (state = 'running' AND id = ANY (p_silent)))
        ORDER BY asked_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING *;
$$;

-- Hear from a worker how far it is; false: the plan is not its any more.
CREATE OR REPLACE FUNCTION plan_goes_on(p_id text, p_attempt integer, p_share real, p_cost double precision)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE plan SET share = GREATEST(share, p_share), cost = COALESCE(p_cost, cost)
    WHERE id = p_id AND attempt = p_attempt AND state = 'running';
    RETURN FOUND;
END $$;

-- Keep what a worker found, or why it found nothing; once, and only from the worker that has the plan.
DROP FUNCTION IF EXISTS plan_ended(text, integer, timestamptz, double precision, bigint, jsonb, text);
CREATE OR REPLACE FUNCTION plan_ended(
    p_id text, p_attempt integer, p_at timestamptz, p_cost double precision, p_used bigint, p_result text, p_reason text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE plan SET state = CASE WHEN p_result IS NULL THEN 'failed' ELSE 'done' END, result = p_result, reason = p_reason,
        cost = COALESCE(p_cost, cost), used = p_used, share = CASE WHEN p_result IS NULL THEN share ELSE 1 END,
        ended_at = p_at
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
    RETURN p_to;
END $$;
