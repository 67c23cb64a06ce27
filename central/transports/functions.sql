-- The transport's key changes: the relay publishes what it then is (its work, or nothing when it is closed).
CREATE OR REPLACE FUNCTION say_transport(p_id text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO event (type, subject, at) VALUES ('transport', p_id, p_at);
$$;

-- A robot is of the fleet from now on; the dispatcher is told by a work key. False: it was before.
CREATE OR REPLACE FUNCTION adopt_robot(
    p_id text, p_robot text, p_manufacturer text, p_serial text, p_at timestamptz, p_who text, p_reason text,
    p_correlation text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO adopted_robot (id, robot, manufacturer, serial, adopted_at, adopted_by, reason)
    VALUES (p_id, p_robot, p_manufacturer, p_serial, p_at, p_who, p_reason)
    ON CONFLICT (id) DO UPDATE SET robot = EXCLUDED.robot, attempt = adopted_robot.attempt + 1,
        adopted_at = EXCLUDED.adopted_at, adopted_by = EXCLUDED.adopted_by, reason = EXCLUDED.reason,
        forgotten_at = NULL, forgotten_by = NULL, forgotten_why = NULL
        WHERE adopted_robot.forgotten_at IS NOT NULL;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO event (type, subject, at) VALUES ('robot', p_id, p_at);
    PERFORM emit('floorplane.robot.adopted', p_robot, p_at, jsonb_build_object(
        'manufacturer', p_manufacturer, 'serial', p_serial, 'who', p_who, 'reason', p_reason), p_correlation);
    RETURN true;
END $$;

-- It is no longer; false: it was not.
CREATE OR REPLACE FUNCTION forget_robot(
    p_robot text, p_at timestamptz, p_who text, p_reason text, p_correlation text
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    r adopted_robot;
BEGIN
    UPDATE adopted_robot SET forgotten_at = p_at, forgotten_by = p_who, forgotten_why = p_reason
    WHERE robot = p_robot AND forgotten_at IS NULL RETURNING * INTO r;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO event (type, subject, at) VALUES ('robot', r.id, p_at);
    PERFORM emit('floorplane.robot.forgotten', p_robot, p_at, jsonb_build_object(
        'manufacturer', r.manufacturer, 'serial', r.serial, 'who', p_who, 'reason', p_reason), p_correlation);
    RETURN true;
END $$;

CREATE OR REPLACE VIEW open_transport AS
SELECT id, attempt, origin, goal, load, load_type, handling, priority,
       COALESCE((extract(epoch FROM due) * 1000)::bigint, 0) AS due_ms, created_at
FROM transport WHERE state IN ('open', 'assigned', 'loaded');

-- Its state changes: the row, its history, and an event for whoever follows.
CREATE OR REPLACE FUNCTION move_transport(
    p_id text, p_state text, p_at timestamptz, p_robot text, p_node text, p_reason text, p_who text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE transport SET state = p_state,
        robot = CASE WHEN p_state = 'open' THEN NULL ELSE COALESCE(p_robot, robot) END,
        reason = p_reason,
        assigned_at = CASE WHEN p_state = 'assigned' THEN p_at WHEN p_state = 'open' THEN NULL ELSE assigned_at END,
        loaded_at = CASE WHEN p_state = 'loaded' THEN p_at ELSE loaded_at END,
        closed_at = CASE WHEN p_state IN ('done', 'cancelled') THEN p_at ELSE closed_at END
    WHERE id = p_id;
    INSERT INTO transport_history (transport, at, state, robot, node, reason, who)
    VALUES (p_id, p_at, p_state, p_robot, p_node, p_reason, p_who);
    PERFORM emit('floorplane.transport.' || p_state, p_id, p_at, jsonb_build_object(
        'robot', p_robot, 'node', p_node, 'reason', p_reason, 'who', p_who));
    IF p_state IN ('done', 'cancelled') THEN PERFORM say_transport(p_id, p_at); END IF;
END $$;

-- The dispatcher says how far a transport is.
CREATE OR REPLACE FUNCTION post_transport(f jsonb, p_at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t transport;
    said text := f->>'state';
BEGIN
    SELECT * INTO t FROM transport WHERE id = f->>'task' FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF t.attempt <> (f->>'attempt')::integer THEN RETURN 'stale'; END IF;
    IF t.state = 'done' THEN RETURN 'closed'; END IF;
    IF t.state = 'cancelled' THEN
        IF said <> 'done' THEN RETURN 'closed'; END IF;
        INSERT INTO transport_history (transport, at, state, robot, node, reason, who)
        VALUES (t.id, p_at, 'late', f->>'robot', f->>'node', 'it was on its robot already', 'dispatcher');
        PERFORM raise_alarm(p_at, 'cancelled-transport/' || t.id, 'info', t.id,
            format('Transport %s was cancelled when robot %s had it already; it stands at %s', t.id, f->>'robot', f->>'node'),
            'Take it from there, or order another transport');
        RETURN 'late';
    END IF;
    PERFORM move_transport(t.id, said, p_at, f->>'robot', f->>'node', COALESCE(f->>'reason', ''), 'dispatcher');
    RETURN 'posted';
END $$;
