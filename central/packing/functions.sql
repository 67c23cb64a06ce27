-- The tote's convey task is done: it lies on a chute.
CREATE OR REPLACE FUNCTION post_arrival(f jsonb, p_at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t task;
BEGIN
    SELECT * INTO t FROM task WHERE id = f->>'task' AND kind = 'convey' FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF t.attempt <> (f->>'attempt')::integer THEN RETURN 'stale'; END IF;
    IF t.state NOT IN ('released', 'started') THEN RETURN 'closed'; END IF;
    UPDATE task SET state = 'done', closed_at = p_at, evidence = f->'evidence' WHERE id = t.id;
    UPDATE tote SET state = 'arrived' WHERE id = t.tote AND state = 'open';
    UPDATE place SET parent = (SELECT code FROM place WHERE code = f->>'chute' AND kind = 'chute') WHERE code = t.tote;
    PERFORM say_work(t.id, p_at);
    RETURN 'posted';
END $$;

-- The tote's pack task is done: the order leaves with its last tote.
CREATE OR REPLACE FUNCTION post_packed(f jsonb, p_at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t task;
BEGIN
    SELECT * INTO t FROM task WHERE id = f->>'task' AND kind = 'pack' FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF t.attempt <> (f->>'attempt')::integer THEN RETURN 'stale'; END IF;
    IF t.state NOT IN ('released', 'started') THEN RETURN 'closed'; END IF;
    UPDATE task SET state = 'done', closed_at = p_at, evidence = f->'evidence' WHERE id = t.id;
    UPDATE tote SET state = 'packed', weight_g = (f->>'weight_g')::integer WHERE id = t.tote;
    PERFORM number_tote(t.tote, o.owner, (f->>'weight_g')::integer, p_at, 'floor') FROM orders o WHERE o.id = t.order_id;
    PERFORM say_work(t.id, p_at);
    PERFORM finish_order(t.order_id, p_at, COALESCE((SELECT parent FROM place WHERE code = t.tote), t.tote));
    RETURN 'posted';
END $$;
