-- Why a move is not undone by itself, and what is to be done instead; '' when it may be.
CREATE OR REPLACE FUNCTION why_not_reversed(l ledger) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    what text;
BEGIN
    IF l.reverses IS NOT NULL THEN RETURN 'is itself a reversal; post what really happened instead'; END IF;
    IF l.reason = 'ship' THEN RETURN 'is of a shipment; reverse that before it departs, or book the goods that come back as a return'; END IF;
    IF l.reason = 'putback' OR starts_with(l.key, 'lost/') THEN
        RETURN 'belongs to an order that was cancelled; move the pieces from where they are now';
    END IF;
    SELECT h.id INTO what FROM hand_task h WHERE h.id = l.task AND h.kind IN ('kit', 'grade');
    IF FOUND THEN RETURN format('is part of a whole; undo the hand task that posted it: %s', what); END IF;
    IF l.reason = 'return' THEN
        SELECT g.id INTO what FROM goods_return g WHERE g.id = split_part(l.key, '/', 2) AND g.closed_at IS NOT NULL;
        IF FOUND THEN RETURN format('is of return %s, whose refund was told; book what differs', what); END IF;
    ELSIF l.reason IN ('transfer_out', 'transfer_in', 'transfer_difference') THEN
        SELECT t.id INTO what FROM transfer t WHERE t.id = split_part(l.key, '/', 2) AND t.closed_at IS NOT NULL AND t.state = 'closed';
        IF FOUND THEN RETURN format('is of transfer %s, which is closed at both sites; make another one', what); END IF;
        SELECT t.id INTO what FROM transfer t WHERE t.id = split_part(l.key, '/', 2) AND t.way = 'out' AND t.state = 'sent';
        IF FOUND THEN RETURN format('is of transfer %s; cancel that, and all of it comes back', what); END IF;
    ELSIF l.reason IN ('fill', 'empty') THEN
        SELECT format('%s is %s', u.sscc, u.state) INTO what FROM unit u WHERE u.place IN (l.a, l.b) AND u.state <> 'open' LIMIT 1;
        IF FOUND THEN RETURN format('is into or out of a handling unit: %s; open it first', what); END IF;
    END IF;
    RETURN '';
END $$;

-- Undo one move: a row in the other direction that points back. Says what came of it, and the number of the new row.
-- The write is the gate: what is reserved, or is not there any more, is not taken back.
CREATE OR REPLACE FUNCTION reverse_move(p_seq bigint, p_at timestamptz, p_who text, p_error text, p_why text, p_owner text)
RETURNS TABLE (outcome text, seq bigint, held integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    l ledger;
    o orders;
    place_kind text;
    source_row bigint;
BEGIN
    SELECT * INTO l FROM ledger x WHERE x.seq = p_seq;
    IF NOT FOUND OR (p_owner <> '' AND NOT EXISTS (SELECT FROM item i WHERE i.id = l.item AND i.owner = p_owner)) THEN
        outcome := 'unknown'; RETURN NEXT; RETURN;
    END IF;
    IF l.reverses IS NOT NULL THEN outcome := 'a reversal'; RETURN NEXT; RETURN; END IF;
    IF l.reason = 'ship' THEN outcome := 'shipped'; RETURN NEXT; RETURN; END IF;
    IF l.reason = 'putback' OR starts_with(l.key, 'lost/') THEN outcome := 'put back'; RETURN NEXT; RETURN; END IF;
    -- the order before its stock, as everybody else does
    IF l.order_id IS NOT NULL THEN SELECT * INTO o FROM orders x WHERE x.id = l.order_id FOR UPDATE; END IF;
    INSERT INTO posted VALUES ('reverse/' || p_seq) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN outcome := 'reversed already'; RETURN NEXT; RETURN; END IF;

    SELECT kind INTO place_kind FROM place p WHERE p.code = l.b;
    IF place_kind IS DISTINCT FROM 'virtual' THEN
        SELECT s.id, s.qty - s.reserved INTO source_row, held FROM stock s
        WHERE s.place = l.b AND s.item = l.item AND s.lot = l.lot AND s.owner = l.owner AND s.status = l.b_status FOR UPDATE;
        UPDATE stock s SET qty = s.qty - l.qty WHERE s.id = source_row AND s.qty - s.reserved >= l.qty;
        IF NOT FOUND THEN
            DELETE FROM posted p WHERE p.key = 'reverse/' || p_seq;
            held := COALESCE(held, 0); outcome := 'too little'; RETURN NEXT; RETURN;
        END IF;
    END IF;
    SELECT kind INTO place_kind FROM place p WHERE p.code = l.a;
    IF place_kind IS DISTINCT FROM 'virtual' THEN
        INSERT INTO stock AS s (place, item, lot, owner, status, qty) VALUES (l.a, l.item, l.lot, l.owner, l.a_status, l.qty)
        ON CONFLICT (place, item, lot, owner, status) DO UPDATE SET qty = s.qty + excluded.qty;
    END IF;
    INSERT INTO ledger AS x (at, a, b, a_status, b_status, item, lot, owner, qty, reason, task, order_id, line, actor, key, reverses)
    VALUES (p_at, l.b, l.a, l.b_status, l.a_status, l.item, l.lot, l.owner, l.qty, p_error, l.task, l.order_id, l.line, p_who, 'reverse/' || p_seq, p_seq)
    RETURNING x.seq INTO seq;
    IF place_kind IS DISTINCT FROM 'virtual' THEN PERFORM tell_overfull(p_at, l.a); END IF;

    -- a pick that is undone is not done: the line is short by it, and the ERP decides
    IF l.task IS NOT NULL AND l.reason IN ('pick', 'late_pick') THEN
        UPDATE task t SET done_qty = t.done_qty - l.qty WHERE t.id = l.task;
        IF l.reason = 'pick' THEN
            UPDATE order_line x SET done = x.done - l.qty, short = x.short + l.qty
            WHERE x.order_id = l.order_id AND x.line = l.line;
            PERFORM emit('floorplane.order.line_short', l.order_id, p_at, jsonb_build_object(
                'line', l.line, 'item', l.item, 'short', l.qty), o.correlation);
        END IF;
    END IF;
    IF l.reason = 'receive' THEN PERFORM unreceive(l, p_at); END IF;
    PERFORM emit('floorplane.ledger.reversed', p_seq::text, p_at, jsonb_build_object(
        'move', p_seq, 'reversal', seq, 'from', l.b, 'to', l.a, 'item', l.item, 'qty', l.qty, 'order', l.order_id,
        'error', p_error, 'reason', p_why, 'who', p_who), COALESCE(o.correlation, ''));
    outcome := 'reversed'; RETURN NEXT;
END $$;
