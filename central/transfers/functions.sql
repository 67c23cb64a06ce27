-- Transfers: goods leave this site into transit, or come out of it. Each site keeps its half of the document, and its ledger
-- its half of the way; over both ledgers nothing stays in transit once both are closed.

CREATE OR REPLACE FUNCTION transfer_data(p_id text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('ref', t.ref, 'way', t.way, 'other_site', t.other_site, 'lines', (
        SELECT jsonb_agg(jsonb_build_object('line', l.line, 'item', l.item, 'lot', l.lot, 'qty', l.qty, 'sent', l.sent, 'received', l.received,
            'difference', l.received - l.sent) ORDER BY l.line) FROM transfer_line l WHERE l.transfer = t.id))
    FROM transfer t WHERE t.id = p_id;
$$;

CREATE OR REPLACE FUNCTION transfer_tag(p_id text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT md5(t::text || (SELECT string_agg(l::text, ';' ORDER BY l.line) FROM transfer_line l WHERE l.transfer = t.id)) FROM transfer t WHERE t.id = p_id;
$$;

-- Lines of (line, item, lot, place, qty). An outgoing one whose place is not named is taken where it is free. Goods that the
-- other site has sent are expected here.
CREATE OR REPLACE FUNCTION open_transfer(
    p_id text, p_way text, p_ref text, p_site text, p_owner text, p_reason text, p_at timestamptz, p_who text, p_lines jsonb
) RETURNS TABLE (n integer, field text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    l record;
BEGIN
    INSERT INTO transfer (id, way, ref, other_site, owner, state, reason, made_by, made_at, sent_at)
    VALUES (p_id, p_way, p_ref, p_site, p_owner, CASE p_way WHEN 'out' THEN 'open' ELSE 'sent' END, p_reason, p_who, p_at,
            CASE p_way WHEN 'in' THEN p_at END);
    FOR l IN SELECT * FROM jsonb_to_recordset(p_lines) AS x(n integer, line integer, item text, lot text, place text, qty integer) ORDER BY x.n LOOP
        n := l.n; field := NULL;
        IF NOT EXISTS (SELECT FROM item i WHERE i.id = l.item AND i.kind = 'stock' AND i.owner = p_owner) THEN field := 'item'; RETURN NEXT; CONTINUE; END IF;
        IF l.place IS NOT NULL AND NOT is_open_place(l.place) THEN field := 'place'; RETURN NEXT; CONTINUE; END IF;
        INSERT INTO transfer_line (transfer, line, item, lot, place, qty, sent)
        VALUES (p_id, l.line, l.item, COALESCE(l.lot, ''), l.place, l.qty, CASE p_way WHEN 'in' THEN l.qty ELSE 0 END);
    END LOOP;
    PERFORM emit('floorplane.transfer.opened', p_id, p_at, transfer_data(p_id));
END $$;

-- All of it leaves, or nothing: 'sent', or which line lacks how much.
CREATE OR REPLACE FUNCTION send_transfer(p_id text, p_at timestamptz, p_who text) RETURNS TABLE (outcome text, line integer, held integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    t transfer;
    l transfer_line;
    r record;
    rest integer;
    k integer;
BEGIN
    SELECT * INTO t FROM transfer x WHERE x.id = p_id FOR UPDATE;
    IF t.way <> 'out' OR t.state <> 'open' THEN outcome := 'is ' || t.state; RETURN NEXT; RETURN; END IF;
    FOR l IN SELECT * FROM transfer_line x WHERE x.transfer = p_id ORDER BY x.item, x.line LOOP
        rest := l.qty; k := 0;
        FOR r IN
            SELECT s.place, s.lot, s.qty - s.reserved AS free FROM stock s JOIN place c ON c.code = s.place AND c.kind IN ('bin', 'shelf', 'unit', 'staging')
            WHERE s.item = l.item AND s.owner = t.owner AND s.status = 'ok' AND s.live AND NOT s.doubt AND s.qty > s.reserved
              AND s.lot = l.lot AND (l.place IS NULL OR s.place = l.place)
            ORDER BY c.kind = 'bin', s.expires NULLS LAST, s.place, s.lot
        LOOP
            EXIT WHEN rest = 0;
            k := k + 1;
            IF move_stock(p_at, r.place, 'transit', l.item, r.lot, t.owner, LEAST(rest, r.free), 'transfer_out', p_who,
                          concat_ws('/', 'transfer', p_id, l.line, k)) = 'posted' THEN
                rest := rest - LEAST(rest, r.free);
            END IF;
        END LOOP;
        IF rest > 0 THEN outcome := 'too little'; line := l.line; held := l.qty - rest; RETURN NEXT; RETURN; END IF;
        UPDATE transfer_line x SET sent = l.qty WHERE x.transfer = p_id AND x.line = l.line;
    END LOOP;
    UPDATE transfer x SET state = 'sent', sent_at = p_at WHERE x.id = p_id;
    PERFORM emit('floorplane.transfer.sent', p_id, p_at, transfer_data(p_id) || jsonb_build_object('who', p_who));
    outcome := 'sent'; RETURN NEXT;
END $$;

-- Pieces of a line came out of transit into a place here. More than was sent is taken too: that is the difference.
CREATE OR REPLACE FUNCTION receive_transfer(p_id text, p_line integer, p_qty integer, p_place text, p_status text, p_at timestamptz, p_who text, p_key text)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t transfer;
    l transfer_line;
    said text;
BEGIN
    SELECT * INTO t FROM transfer WHERE id = p_id FOR UPDATE;
    IF t.way <> 'in' OR t.closed_at IS NOT NULL THEN RETURN 'is ' || t.state; END IF;
    SELECT * INTO l FROM transfer_line WHERE transfer = p_id AND line = p_line;
    IF NOT FOUND THEN RETURN 'unknown line'; END IF;
    IF NOT is_open_place(p_place) THEN RETURN 'unknown place'; END IF;
    said := move_stock(p_at, 'transit', p_place, l.item, l.lot, t.owner, p_qty, 'transfer_in', p_who, concat_ws('/', 'transfer', p_id, p_line, p_key), 'ok', p_status);
    IF said <> 'posted' THEN RETURN said; END IF;
    UPDATE transfer_line SET received = received + p_qty WHERE transfer = p_id AND line = p_line;
    IF p_status = 'ok' AND EXISTS (SELECT FROM place p WHERE p.code = p_place AND p.kind = 'staging') THEN
        PERFORM plan_putaway(p_at, p_place, l.item, l.lot, t.owner, p_qty, NULL, 'U-' || left(md5(concat_ws('/', p_id, p_line, p_key)), 16));
    END IF;
    UPDATE transfer SET state = 'received' WHERE id = p_id;
    RETURN 'received';
END $$;

-- Nothing more will come. The receiver tells what came; the sender, who hears of it (`p_received`: by line), books what was
-- lost, or found, on the way out of transit, so that the two ledgers together hold nothing there.
CREATE OR REPLACE FUNCTION close_transfer(p_id text, p_at timestamptz, p_who text, p_why text, p_received jsonb DEFAULT NULL)
RETURNS TABLE (outcome text, line integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    t transfer;
    l record;
BEGIN
    SELECT * INTO t FROM transfer x WHERE x.id = p_id FOR UPDATE;
    IF t.closed_at IS NOT NULL OR t.state = 'open' THEN outcome := 'is ' || t.state; RETURN NEXT; RETURN; END IF;
    IF t.way = 'out' THEN
        SELECT x.line INTO line FROM jsonb_to_recordset(p_received) AS x(line integer, received integer)
        WHERE NOT EXISTS (SELECT FROM transfer_line y WHERE y.transfer = p_id AND y.line = x.line) LIMIT 1;
        IF FOUND THEN outcome := 'unknown line'; RETURN NEXT; RETURN; END IF;
        FOR l IN
            SELECT y.line, y.item, y.lot, y.sent, COALESCE(x.received, 0) AS got FROM transfer_line y
            LEFT JOIN jsonb_to_recordset(p_received) AS x(line integer, received integer) ON x.line = y.line
            WHERE y.transfer = p_id ORDER BY y.line
        LOOP
            UPDATE transfer_line x SET received = l.got WHERE x.transfer = p_id AND x.line = l.line;
            CONTINUE WHEN l.got = l.sent;
            PERFORM post(p_at, CASE WHEN l.got < l.sent THEN 'transit' ELSE 'adjustment' END, CASE WHEN l.got < l.sent THEN 'adjustment' ELSE 'transit' END,
                         l.item, abs(l.got - l.sent), 'transfer_difference', NULL, NULL, NULL, p_who, concat_ws('/', 'transfer', p_id, l.line, 'difference'),
                         l.lot, t.owner);
        END LOOP;
    END IF;
    UPDATE transfer x SET state = 'closed', closed_at = p_at WHERE x.id = p_id;
    PERFORM emit('floorplane.transfer.closed', p_id, p_at, transfer_data(p_id) || jsonb_build_object('who', p_who, 'reason', p_why));
    outcome := 'closed'; line := NULL; RETURN NEXT;
END $$;

-- What has not left stays; what has left and was not received comes back by rows that point back.
CREATE OR REPLACE FUNCTION cancel_transfer(p_id text, p_at timestamptz, p_who text, p_why text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t transfer;
    r record;
    said text;
BEGIN
    SELECT * INTO t FROM transfer WHERE id = p_id FOR UPDATE;
    IF t.closed_at IS NOT NULL OR t.state = 'received' THEN RETURN 'is ' || t.state; END IF;
    FOR r IN SELECT l.seq FROM ledger l WHERE l.b = 'transit' AND l.reason = 'transfer_out' AND split_part(l.key, '/', 2) = p_id
        AND NOT EXISTS (SELECT FROM posted p WHERE p.key = 'reverse/' || l.seq) ORDER BY l.seq DESC
    LOOP
        SELECT x.outcome INTO said FROM reverse_move(r.seq, p_at, p_who, 'reverse', p_why, '') AS x;
        IF said <> 'reversed' THEN RETURN said; END IF;
    END LOOP;
    UPDATE transfer SET state = 'cancelled', closed_at = p_at, reason = p_why WHERE id = p_id;
    PERFORM emit('floorplane.transfer.cancelled', p_id, p_at, transfer_data(p_id) || jsonb_build_object('who', p_who, 'reason', p_why));
    PERFORM fill_waiting(p_at, x.item) FROM (SELECT DISTINCT l.item FROM transfer_line l WHERE l.transfer = p_id ORDER BY 1) AS x;
    RETURN 'cancelled';
END $$;
