-- Something happened that others may want to know.
CREATE OR REPLACE FUNCTION emit(p_type text, p_subject text, p_at timestamptz, p_data jsonb, p_correlation text DEFAULT '')
RETURNS void LANGUAGE sql AS $$
    INSERT INTO event (type, subject, at, data, correlation) VALUES (p_type, p_subject, p_at, p_data, p_correlation);
$$;

-- The task's work key changes: the relay publishes what it then is (its work, or nothing when it is closed).
CREATE OR REPLACE FUNCTION say_work(p_task text, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO event (type, subject, at) VALUES ('work', p_task, p_at);
$$;

CREATE OR REPLACE VIEW open_work AS
SELECT t.id, t.kind, t.attempt, t.order_id, t.line, t.tote, t.item, i.barcode, t.qty, i.weight_g, p.parent AS pod, t.bin,
       (extract(epoch FROM o.due) * 1000)::bigint AS due_ms, o.priority
FROM task t
JOIN orders o ON o.id = t.order_id
LEFT JOIN item i ON i.id = t.item
LEFT JOIN place p ON p.code = t.bin
WHERE t.state IN ('released', 'started') AND NOT t.hand;

-- What was committed after the cursor, in order, below every transaction that is still under way. Where there is nothing
-- else to say it waits up to `p_patience_ms` for such; a last row of type 'held' says that there was still one. `p_tx`, `p_seq`: published so far.
CREATE OR REPLACE FUNCTION outbox(p_tx text, p_seq bigint, p_limit integer, p_patience_ms integer)
RETURNS TABLE (tx text, seq bigint, type text, subject text, at timestamptz, data text, correlation text,
               kind text, attempt integer, order_id text, line integer, tote text, item text, barcode text, qty integer,
               weight_g integer, pod text, bin text, due_ms bigint, priority integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    last_tx xid8;
    last_seq bigint;
    horizon xid8;
    held boolean;
    waited integer := 0;
    r record;
BEGIN
    IF p_tx IS NULL THEN
        SELECT c.tx, c.seq INTO last_tx, last_seq FROM cursor c WHERE c.name = 'relay';
    ELSE
        last_tx := p_tx::xid8; last_seq := p_seq;
    END IF;
    LOOP
        horizon := pg_snapshot_xmin(pg_current_snapshot());
        held := EXISTS (SELECT FROM event e WHERE (e.tx, e.seq) > (last_tx, last_seq) AND e.tx >= horizon);
        EXIT WHEN NOT held OR waited >= p_patience_ms
            OR EXISTS (SELECT FROM event e WHERE (e.tx, e.seq) > (last_tx, last_seq) AND e.tx < horizon);
        PERFORM pg_sleep(0.001);
        waited := waited + 1;
    END LOOP;
    -- one by one, so that each task is found by its key, whatever the planner thinks of how many are open
    FOR r IN SELECT * FROM event x WHERE (x.tx, x.seq) > (last_tx, last_seq) AND x.tx < horizon ORDER BY x.tx, x.seq LIMIT p_limit
    LOOP
        tx := r.tx::text; seq := r.seq; type := r.type; subject := r.subject;
        at := r.at; data := r.data::text; correlation := r.correlation;
        kind := NULL;
        IF r.type = 'work' THEN
            SELECT w.kind, w.attempt, w.order_id, w.line, w.tote, w.item, w.barcode, w.qty, w.weight_g, w.pod, w.bin,
                   w.due_ms, w.priority
            INTO kind, attempt, order_id, line, tote, item, barcode, qty, weight_g, pod, bin, due_ms, priority
            FROM open_work w WHERE w.id = r.subject;
        END IF;
        RETURN NEXT;
    END LOOP;
    IF held THEN
        type := 'held';
        RETURN NEXT;
    END IF;
    IF p_tx IS NOT NULL THEN
        UPDATE cursor c SET tx = last_tx, seq = last_seq WHERE c.name = 'relay' AND (c.tx, c.seq) < (last_tx, last_seq);
    END IF;
END $$;

-- Whether an owner (empty: the house, which may see all) may know of an event: of its own orders only.
CREATE OR REPLACE FUNCTION may_know(p_owner text, p_type text, p_subject text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT p_owner = '' OR (starts_with(p_type, 'floorplane.order.')
                            AND EXISTS (SELECT FROM orders o WHERE o.id = p_subject AND o.owner = p_owner))
        OR (starts_with(p_type, 'floorplane.asn.') AND EXISTS (SELECT FROM asn a WHERE a.id = p_subject AND a.owner = p_owner))
        OR (starts_with(p_type, 'floorplane.return.') AND EXISTS (SELECT FROM goods_return g WHERE g.id = p_subject AND g.owner = p_owner))
        OR (starts_with(p_type, 'floorplane.transfer.') AND EXISTS (SELECT FROM transfer t WHERE t.id = p_subject AND t.owner = p_owner));
$$;

-- What was published after (p_tx, p_seq), in order, of types that match one of the patterns (none: all) and subjects
-- that begin so. At most `p_most` rows are looked at; the last row, of type '', says up to where and how many.
CREATE OR REPLACE FUNCTION events_after(
    p_tx text, p_seq bigint, p_patterns text[], p_subject text, p_owner text, p_most integer
) RETURNS TABLE (tx text, seq bigint, type text, subject text, at timestamptz, data text, correlation text, looked integer)
LANGUAGE sql STABLE AS $$
    WITH raw AS MATERIALIZED (
        SELECT * FROM event e WHERE (e.tx, e.seq) > (p_tx::xid8, p_seq) AND e.tx < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.tx, e.seq LIMIT p_most
    ), told AS (
        SELECT r.tx::text, r.seq, r.type, r.subject, r.at, r.data::text, r.correlation, 0 FROM raw r
        WHERE starts_with(r.type, 'floorplane.') AND (cardinality(p_patterns) = 0 OR r.type LIKE ANY (p_patterns))
          AND starts_with(r.subject, p_subject) AND may_know(p_owner, r.type, r.subject)
        ORDER BY r.tx, r.seq
    )
    SELECT * FROM told
    UNION ALL
    (SELECT r.tx::text, r.seq, '', '', r.at, NULL, '', (SELECT count(*)::integer FROM raw) FROM raw r
     ORDER BY r.tx DESC, r.seq DESC LIMIT 1);
$$;
