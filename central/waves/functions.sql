-- Release by capacity and due time, and waves.

-- Release as many orders as there is room for: at most `p_most` are in work; the most urgent first, then what is due first;
-- none earlier than `p_ahead` before it is due (NULL: any). Those that wait are told why. Says how many were released, how many
-- wait, and when the next one may be released by time alone.
CREATE OR REPLACE FUNCTION release_by_capacity(p_at timestamptz, p_most integer, p_ahead interval)
RETURNS TABLE (released integer, held integer, next_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    room integer;
BEGIN
    -- one at a time: two would see the same room
    PERFORM pg_advisory_xact_lock(hashtextextended('floorplane release', 0));
    released := 0;
    -- a back-order that only waits for goods keeps nobody busy
    SELECT p_most - count(*) INTO room FROM orders x WHERE x.state IN ('released', 'picking')
      AND NOT (x.backorder AND NOT EXISTS (SELECT FROM task t WHERE t.order_id = x.id AND t.state IN ('released', 'started')));
    FOR o IN
        SELECT * FROM orders x WHERE x.state = 'allocated' AND x.holds_for = 'capacity' AND x.expires_at IS NULL AND x.wave IS NULL
          AND (x.release_at IS NULL OR x.release_at <= p_at) AND (p_ahead IS NULL OR x.due <= p_at + p_ahead)
        ORDER BY x.priority DESC, x.due, x.received_at, x.id LIMIT GREATEST(room, 0) FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM release_one(o, p_at);
        released := released + 1;
    END LOOP;
    UPDATE orders x SET waits = y.why FROM (
        SELECT z.id, CASE WHEN z.release_at > p_at THEN 'its release time has not come yet'
            WHEN z.due > p_at + p_ahead THEN format('it is due later than %s h from now', round(extract(epoch FROM p_ahead) / 3600, 1))
            ELSE format('%s orders are in work, as many as may be', p_most) END AS why
        FROM orders z WHERE z.state = 'allocated' AND z.holds_for = 'capacity' AND z.expires_at IS NULL AND z.wave IS NULL
    ) AS y WHERE x.id = y.id AND x.waits <> y.why;
    SELECT count(*), LEAST(min(x.release_at) FILTER (WHERE x.release_at > p_at), min(x.due - p_ahead) FILTER (WHERE x.due > p_at + p_ahead))
    INTO held, next_at
    FROM orders x WHERE x.state = 'allocated' AND x.holds_for = 'capacity' AND x.expires_at IS NULL AND x.wave IS NULL;
    RETURN NEXT;
END $$;

-- Orders that a wave could take, as `p_wanted` has them: named by `orders`, or all that wait and fit; the most urgent first.
CREATE OR REPLACE FUNCTION wave_candidates(p_wanted jsonb) RETURNS SETOF orders LANGUAGE sql STABLE AS $$
    SELECT o.* FROM orders o
    WHERE o.state = 'allocated' AND o.wave IS NULL AND o.expires_at IS NULL
      AND CASE WHEN p_wanted ? 'orders' THEN o.id IN (SELECT jsonb_array_elements_text(p_wanted->'orders'))
               ELSE o.holds_for <> '' END
      AND (p_wanted->>'due_from' IS NULL OR o.due >= (p_wanted->>'due_from')::timestamptz)
      AND (p_wanted->>'due_to' IS NULL OR o.due <= (p_wanted->>'due_to')::timestamptz)
      AND (p_wanted->>'carrier' IS NULL OR o.carrier = p_wanted->>'carrier')
      AND (p_wanted->>'route' IS NULL OR o.route = p_wanted->>'route')
      AND (p_wanted->>'owner' IS NULL OR o.owner = p_wanted->>'owner')
      AND (p_wanted->>'priority' IS NULL OR o.priority >= (p_wanted->>'priority')::integer)
      AND (p_wanted->>'zone' IS NULL OR EXISTS (
          SELECT FROM task t JOIN place p ON p.code = t.bin LEFT JOIN place q ON q.code = p.parent
          WHERE t.order_id = o.id AND t.kind = 'pick' AND COALESCE(p.zone, q.zone) = p_wanted->>'zone'))
    ORDER BY o.priority DESC, o.due, o.received_at, o.id
    LIMIT COALESCE((p_wanted->>'most')::integer, 100000);
$$;

-- Plan a wave; says how many orders it has.
CREATE OR REPLACE FUNCTION plan_wave(p_id text, p_at timestamptz, p_who text, p_wanted jsonb, p_release_at timestamptz) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    taken integer;
BEGIN
    INSERT INTO wave (id, state, wanted, created_at, created_by, release_at) VALUES (p_id, 'planned', p_wanted, p_at, p_who, p_release_at);
    WITH free AS (
        -- locked in one order, and looked at again once they are
        SELECT o.id FROM orders o WHERE o.id IN (SELECT c.id FROM wave_candidates(p_wanted) c) AND o.state = 'allocated' AND o.wave IS NULL
        ORDER BY o.id FOR UPDATE
    )
    UPDATE orders o SET wave = p_id, waits = format('wave %s is not released yet', p_id) FROM free s WHERE o.id = s.id AND o.state = 'allocated' AND o.wave IS NULL;
    GET DIAGNOSTICS taken = ROW_COUNT;
    PERFORM emit('floorplane.wave.planned', p_id, p_at, jsonb_build_object('orders', taken, 'who', p_who, 'release_at', p_release_at));
    RETURN taken;
END $$;

-- Release a wave: all its orders, the most urgent first. Says how many, or NULL where it is not planned any more.
CREATE OR REPLACE FUNCTION release_wave(p_id text, p_at timestamptz, p_who text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    released integer := 0;
BEGIN
    UPDATE wave SET state = 'released', released_at = p_at WHERE id = p_id AND state = 'planned';
    IF NOT FOUND THEN RETURN NULL; END IF;
    PERFORM FROM orders x WHERE x.wave = p_id ORDER BY x.id FOR UPDATE;
    FOR o IN SELECT * FROM orders x WHERE x.wave = p_id AND x.state = 'allocated' ORDER BY x.priority DESC, x.due, x.received_at, x.id LOOP
        PERFORM release_one(o, p_at);
        released := released + 1;
    END LOOP;
    PERFORM emit('floorplane.wave.released', p_id, p_at, jsonb_build_object('orders', released, 'who', p_who));
    PERFORM close_wave(p_id, p_at);
    RETURN released;
END $$;

-- Give up a wave that is not released: its orders wait for another one, or for their turn.
CREATE OR REPLACE FUNCTION cancel_wave(p_id text, p_at timestamptz, p_who text, p_why text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    freed integer;
BEGIN
    UPDATE wave SET state = 'cancelled', closed_at = p_at, reason = p_why WHERE id = p_id AND state = 'planned';
    IF NOT FOUND THEN RETURN NULL; END IF;
    UPDATE orders SET wave = NULL, waits = CASE holds_for WHEN 'wave' THEN 'no wave has taken it yet'
        WHEN 'capacity' THEN 'its turn has not come yet' ELSE 'its release time has not come yet' END
    WHERE id IN (SELECT x.id FROM orders x WHERE x.wave = p_id ORDER BY x.id FOR UPDATE) AND state = 'allocated';
    GET DIAGNOSTICS freed = ROW_COUNT;
    PERFORM emit('floorplane.wave.cancelled', p_id, p_at, jsonb_build_object('orders', freed, 'who', p_who, 'reason', p_why));
    RETURN freed;
END $$;

-- Waves whose time has come are released; says how many, and when the next one is due.
CREATE OR REPLACE FUNCTION release_waves(p_at timestamptz) RETURNS TABLE (released integer, next_at timestamptz) LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    released := 0;
    FOR name IN SELECT w.id FROM wave w WHERE w.state = 'planned' AND w.release_at <= p_at ORDER BY w.release_at, w.id LOOP
        IF release_wave(name, p_at, 'central') IS NOT NULL THEN released := released + 1; END IF;
    END LOOP;
    SELECT min(w.release_at) INTO next_at FROM wave w WHERE w.state = 'planned';
    RETURN NEXT;
END $$;

-- A released wave is done with its last order.
CREATE OR REPLACE FUNCTION close_wave(p_id text, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM orders WHERE wave = p_id AND state IN ('allocated', 'released', 'picking')) THEN RETURN; END IF;
    UPDATE wave SET state = 'done', closed_at = p_at WHERE id = p_id AND state = 'released';
    IF FOUND THEN
        PERFORM emit('floorplane.wave.done', p_id, p_at, (
            SELECT jsonb_build_object('orders', count(*), 'short', count(*) FILTER (WHERE o.state = 'short'),
                                      'cancelled', count(*) FILTER (WHERE o.state = 'cancelled')) FROM orders o WHERE o.wave = p_id));
    END IF;
END $$;

CREATE OR REPLACE FUNCTION order_left_work() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM close_wave(NEW.wave, COALESCE(NEW.closed_at, NEW.packed_at));
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS order_left_work ON orders;
CREATE TRIGGER order_left_work AFTER UPDATE OF state ON orders FOR EACH ROW
    WHEN (NEW.wave IS NOT NULL AND NEW.state NOT IN ('allocated', 'released', 'picking') AND OLD.state IN ('allocated', 'released', 'picking'))
    EXECUTE FUNCTION order_left_work();

-- How far a wave is.
CREATE OR REPLACE FUNCTION wave_progress(p_id text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'orders', (SELECT COALESCE(jsonb_object_agg(x.state, x.n), '{}') FROM (
            SELECT o.state, count(*) AS n FROM orders o WHERE o.wave = p_id GROUP BY o.state) AS x),
        'picks', (SELECT jsonb_build_object('total', count(*), 'done', count(*) FILTER (WHERE t.state IN ('done', 'short')),
                                            'short', count(*) FILTER (WHERE t.state = 'short'),
                                            'by_hand', count(*) FILTER (WHERE t.hand))
                  FROM orders o JOIN task t ON t.order_id = o.id WHERE o.wave = p_id AND t.kind = 'pick' AND t.state <> 'cancelled'),
        'pieces', (SELECT jsonb_build_object('wanted', COALESCE(sum(l.qty - l.cancelled), 0), 'picked', COALESCE(sum(l.done), 0),
                                             'short', COALESCE(sum(l.short), 0))
                   FROM orders o JOIN order_line l ON l.order_id = o.id WHERE o.wave = p_id AND l.kind = 'stock'),
        'totes', (SELECT jsonb_build_object('total', count(*), 'packed', count(*) FILTER (WHERE t.state = 'packed'))
                  FROM orders o JOIN tote t ON t.order_id = o.id WHERE o.wave = p_id AND t.state <> 'void'));
$$;
