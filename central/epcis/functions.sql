-- A move as EPCIS needs it: with the kinds of its ends, the item's barcode and the order's own reference.
CREATE OR REPLACE VIEW epcis_move AS
SELECT l.tx, l.seq, l.at, l.a, pa.kind AS a_kind, l.b, pb.kind AS b_kind, l.item, i.barcode, l.lot, l.qty, l.reason,
       l.order_id, COALESCE(o.ref, n.ref) AS ref, COALESCE(o.source, n.source) AS source, l.key, l.reverses, COALESCE(i.owner, '') AS owner,
       u.sscc, l.b_status AS status, n.id AS asn, COALESCE(r.supplier, '') AS supplier
FROM ledger l
LEFT JOIN place pa ON pa.code = l.a
LEFT JOIN place pb ON pb.code = l.b
LEFT JOIN item i ON i.id = l.item
LEFT JOIN orders o ON o.id = l.order_id
LEFT JOIN unit u ON u.place = l.a
LEFT JOIN receipt r ON r.key = l.key
LEFT JOIN asn n ON n.id = r.asn;

-- Up to where the next whole transactions reach of which about `p_limit` moves and events come; null when there are none.
CREATE OR REPLACE FUNCTION epcis_reach(p_after xid8, p_limit integer) RETURNS xid8 LANGUAGE plpgsql AS $$
DECLARE
    horizon xid8 := pg_snapshot_xmin(pg_current_snapshot());
    moved xid8[];
    happened xid8[];
BEGIN
    moved := ARRAY(SELECT tx FROM ledger WHERE tx > p_after AND tx < horizon ORDER BY tx, seq LIMIT p_limit);
    happened := ARRAY(SELECT tx FROM event WHERE tx > p_after AND tx < horizon ORDER BY tx, seq LIMIT p_limit);
    IF cardinality(moved) = 0 AND cardinality(happened) = 0 THEN RETURN NULL; END IF;
    RETURN CASE
        WHEN cardinality(moved) = p_limit AND cardinality(happened) = p_limit
            THEN LEAST(moved[p_limit], happened[p_limit])
        WHEN cardinality(moved) = p_limit THEN moved[p_limit]
        WHEN cardinality(happened) = p_limit THEN happened[p_limit]
        ELSE GREATEST(moved[cardinality(moved)], happened[cardinality(happened)]) END;
END $$;

-- Keep events that are not known yet; says of each whether it is new, known, or known with other content.
CREATE OR REPLACE FUNCTION keep_epcis(p_source text, p_at timestamptz, p_events jsonb)
RETURNS TABLE (n integer, outcome text) LANGUAGE plpgsql AS $$
DECLARE
    e record;
    known text;
BEGIN
    FOR e IN
        SELECT * FROM jsonb_to_recordset(p_events) AS x(n integer, event_id text, owner text, event_time timestamptz,
            declared_at timestamptz, terms text[], quantities double precision[], context text, data text) ORDER BY x.n
    LOOP
        n := e.n;
        INSERT INTO epcis_event (event_id, event_time, record_time, declared_at, source, owner, terms, quantities, context, data)
        VALUES (e.event_id, e.event_time, p_at, e.declared_at, p_source, e.owner, e.terms, e.quantities, e.context, e.data)
        ON CONFLICT (event_id, declared) DO NOTHING;
        IF FOUND THEN
            outcome := 'new';
        ELSE
            SELECT v.data INTO known FROM epcis_event v
            WHERE v.event_id = e.event_id AND v.declared = (e.declared_at IS NOT NULL);
            outcome := CASE WHEN known = e.data THEN 'known' ELSE 'other' END;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
