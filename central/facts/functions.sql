-- Take a run of the dispatcher's facts, in order and each once. Says how far central is now, and what became of each
-- fact that was taken. An older epoch and what comes after a gap are not taken.
CREATE OR REPLACE FUNCTION take_facts(p_site text, p_epoch bigint, p_facts jsonb)
RETURNS TABLE (epoch bigint, seq bigint, outcomes text[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c fact_cursor;
    f jsonb;
    b jsonb;
    at timestamptz;
    n bigint;
    said text;
BEGIN
    SELECT * INTO c FROM fact_cursor k WHERE k.site = p_site FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO fact_cursor VALUES (p_site, p_epoch, 0) ON CONFLICT DO NOTHING;
        SELECT * INTO c FROM fact_cursor k WHERE k.site = p_site FOR UPDATE;
    END IF;
    outcomes := '{}';
    IF p_epoch > c.epoch THEN c.epoch := p_epoch; c.seq := 0; END IF;
    IF p_epoch = c.epoch THEN
        FOR f IN SELECT x FROM jsonb_array_elements(p_facts) AS x LOOP
            n := (f->>'seq')::bigint;
            CONTINUE WHEN n <= c.seq;
            EXIT WHEN n > c.seq + 1;
            b := f->'body';
            BEGIN
                at := 'epoch'::timestamptz + (f->>'at_ms')::bigint * interval '1 millisecond';
                CASE b->>'type'
                    WHEN 'task_started' THEN said := start_task(b, at);
                    WHEN 'pick_done' THEN said := post_pick(b, at);
                    WHEN 'tote_arrived' THEN said := post_arrival(b, at);
                    WHEN 'tote_packed' THEN said := post_packed(b, at);
                    WHEN 'pod_moved' THEN
                        UPDATE place SET node = b->>'node' WHERE code = b->>'pod' AND kind = 'pod';
                        said := CASE WHEN FOUND THEN 'posted' ELSE 'unknown' END;
                    WHEN 'transport_changed' THEN said := post_transport(b, at);
                    WHEN 'alarm_raised' THEN
                        PERFORM raise_alarm(at, b->>'key', b->>'severity', b->>'subject', b->>'text', b->>'remedy');
                        said := 'posted';
                    WHEN 'alarm_cleared' THEN
                        PERFORM clear_alarm(at, b->>'key');
                        said := 'posted';
                END CASE;
            EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
                -- the floor goes on; the fact is kept where a person sees it
                PERFORM raise_alarm(COALESCE(at, 'epoch'), format('fact/%s/%s', p_epoch, n), 'error', COALESCE(b->>'task', p_site),
                    format('A fact of the dispatcher could not be posted: %s; %s', SQLERRM, b), 'Compare the floor with the books');
                said := 'refused';
            END;
            outcomes := outcomes || said;
            c.seq := n;
        END LOOP;
        UPDATE fact_cursor k SET epoch = c.epoch, seq = c.seq WHERE k.site = p_site;
    END IF;
    epoch := c.epoch; seq := c.seq;
    RETURN NEXT;
END $$;

-- Somebody works on a task: where, and who brings the pod.
CREATE OR REPLACE FUNCTION start_task(f jsonb, p_at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t record;
BEGIN
    UPDATE task SET state = 'started', started_at = COALESCE(started_at, p_at),
        station = COALESCE(f->>'station', station), robot = COALESCE(f->>'robot', robot)
    WHERE id = f->>'task' AND attempt = (f->>'attempt')::integer AND state IN ('released', 'started')
    RETURNING kind, order_id INTO t;
    IF NOT FOUND THEN RETURN 'closed'; END IF;
    UPDATE orders SET state = 'picking', started_at = p_at WHERE id = t.order_id AND state = 'released';
    RETURN 'posted';
END $$;
