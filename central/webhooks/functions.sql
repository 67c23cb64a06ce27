-- Give each webhook its part of what was published since the last time; says whether there may be more.
CREATE OR REPLACE FUNCTION fan_out(p_at timestamptz, p_most integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    c record;
    last_tx xid8;
    last_seq bigint;
    looked integer;
BEGIN
    SELECT * INTO c FROM cursor k WHERE k.name = 'webhooks' FOR UPDATE;
    WITH raw AS MATERIALIZED (
        SELECT tx, seq, type, subject FROM event e
        WHERE (e.tx, e.seq) > (c.tx, c.seq) AND e.tx < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.tx, e.seq LIMIT p_most
    ), told AS (
        INSERT INTO webhook_delivery (webhook, tx, seq, due_at)
        SELECT w.id, r.tx, r.seq, p_at FROM raw r JOIN webhook w
            ON w.active AND r.tx >= w.since AND starts_with(r.subject, w.subject)
           AND (cardinality(w.types) = 0 OR r.type LIKE ANY (w.types))
        WHERE starts_with(r.type, 'floorplane.') AND may_know(w.owner, r.type, r.subject)
        ORDER BY r.tx, r.seq, w.id
        ON CONFLICT DO NOTHING
    )
    SELECT (array_agg(tx ORDER BY tx DESC, seq DESC))[1], (array_agg(seq ORDER BY tx DESC, seq DESC))[1], count(*)
    INTO last_tx, last_seq, looked FROM raw;
    IF looked > 0 THEN UPDATE cursor k SET tx = last_tx, seq = last_seq WHERE k.name = 'webhooks'; END IF;
    RETURN looked = p_most;
END $$;
