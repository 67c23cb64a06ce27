-- The lines of an order as its events carry them.
CREATE OR REPLACE FUNCTION lines_of(p_order text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_agg(jsonb_build_object('line', line, 'item', item, 'qty', qty, 'allocated', allocated, 'done', done,
                                        'short', short, 'cancelled', cancelled) ORDER BY line)
    FROM order_line WHERE order_id = p_order;
$$;

-- Close an order of which nothing is left to do: what is in its totes leaves, its service lines with it.
CREATE OR REPLACE FUNCTION finish_order(p_order text, p_at timestamptz, p_actor text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    packed integer;
    services integer;
    pieces integer;
    weight integer;
BEGIN
    SELECT * INTO o FROM orders WHERE id = p_order FOR UPDATE;
    IF o.state IN ('shipped', 'short', 'cancelled') THEN RETURN; END IF;
    IF EXISTS (SELECT FROM task WHERE order_id = p_order AND state IN ('waiting', 'released', 'started')) THEN RETURN; END IF;

    -- what is short of it still comes
    IF o.backorder AND o.put_back IS NULL AND EXISTS (SELECT FROM order_line WHERE order_id = p_order AND kind = 'stock' AND short > 0) THEN RETURN; END IF;

    SELECT count(*), COALESCE(sum(t.weight_g), 0) INTO packed, weight FROM tote t WHERE t.order_id = p_order AND t.state = 'packed';
    UPDATE order_line SET done = qty WHERE order_id = p_order AND kind = 'service' AND cancelled = 0;
    GET DIAGNOSTICS services = ROW_COUNT;
    IF packed = 0 AND services = 0 THEN
        UPDATE orders SET closed_at = p_at, state = CASE
            WHEN EXISTS (SELECT FROM order_line WHERE order_id = p_order AND cancelled > 0) THEN 'cancelled' ELSE 'short' END
        WHERE id = p_order RETURNING * INTO o;
        PERFORM emit('floorplane.order.' || o.state, p_order, p_at, jsonb_build_object(
            'ref', o.ref, 'source', o.source, 'lines', lines_of(p_order)), o.correlation);
        RETURN;
    END IF;

    WITH gone AS (
        DELETE FROM stock s USING tote t
        WHERE t.order_id = p_order AND t.state = 'packed' AND s.place = t.id AND s.qty > 0
        RETURNING s.place, s.item, s.lot, s.owner, s.status, s.qty
    ), keys AS (
        INSERT INTO posted SELECT 'ship/' || place || '/' || item || '/' || lot || '/' || owner FROM gone
    ), moves AS (
        INSERT INTO ledger (at, a, b, a_status, b_status, item, lot, owner, qty, reason, order_id, actor, key)
        SELECT p_at, place, 'customer', status, status, item, lot, owner, qty, 'ship', p_order, p_actor,
               'ship/' || place || '/' || item || '/' || lot || '/' || owner
        FROM gone ORDER BY place, item, lot, owner
    )
    SELECT COALESCE(sum(qty), 0) INTO pieces FROM gone;
    UPDATE orders SET state = 'shipped', packed_at = p_at, closed_at = p_at WHERE id = p_order;
    INSERT INTO shipment (id, order_id, at, totes, pieces, services, weight_g, ship_to)
    VALUES ('S-' || p_order, p_order, p_at, packed, pieces, services, weight, o.ship_to);
    PERFORM emit('floorplane.order.shipped', p_order, p_at, jsonb_build_object(
        'ref', o.ref, 'source', o.source, 'shipment', 'S-' || p_order, 'totes', packed, 'pieces', pieces,
        'lines', lines_of(p_order)), o.correlation);
END $$;
