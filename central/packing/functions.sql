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

-- A packed tote is open again, to be packed anew: as long as it stands by itself on no truck. Its number stays its own.
-- 'undone', or what stands in the way.
CREATE OR REPLACE FUNCTION hand_undone_pack(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    x tote;
    u unit;
    what text;
BEGIN
    PERFORM lock_nesting();
    SELECT * INTO o FROM orders WHERE id = t.ref FOR UPDATE;
    SELECT * INTO x FROM tote WHERE id = t.source FOR UPDATE;
    IF x.shipment IS NOT NULL THEN RETURN format('%s has left with shipment %s: reverse that first', x.id, x.shipment); END IF;
    IF x.state <> 'packed' THEN RETURN format('tote %s is %s', x.id, x.state); END IF;
    IF o.put_back IS NOT NULL THEN RETURN format('order %s is being put back', o.id); END IF;
    SELECT k.truck INTO what FROM truck_tote k WHERE k.tote = x.id AND k.state = 'loaded';
    IF what IS NOT NULL THEN RETURN format('%s is loaded on truck %s: unload it first', x.id, what); END IF;
    what := outermost(x.id);
    IF what <> x.id THEN RETURN format('%s stands in %s: take it out first', x.id, sscc_of(what)); END IF;
    SELECT h.person INTO what FROM hand_task h WHERE h.kind = 'load' AND h.state = 'leased' AND h.detail->>'unit' = x.id;
    IF what IS NOT NULL THEN RETURN format('%s is carrying it to its truck', what); END IF;
    PERFORM cancel_hand_task(h.id, p_at, p_reason) FROM hand_task h WHERE h.kind = 'load' AND h.state = 'open' AND h.detail->>'unit' = x.id;
    UPDATE tote SET state = 'open', weight_g = NULL WHERE id = x.id;
    UPDATE unit SET state = 'open', closed_at = NULL WHERE place = x.id RETURNING * INTO u;
    UPDATE task SET state = 'released', closed_at = NULL WHERE id = t.detail->>'task';
    UPDATE orders SET state = 'picking', packed_at = NULL WHERE id = o.id AND state = 'packed';
    PERFORM emit('floorplane.unit.opened', u.sscc, p_at, jsonb_build_object(
        'unit', u.sscc, 'at', (SELECT parent FROM place WHERE code = x.id), 'owner', u.owner, 'who', p_who, 'reason', p_reason));
    PERFORM emit('floorplane.order.unpacked', o.id, p_at, jsonb_build_object(
        'ref', o.ref, 'source', o.source, 'tote', x.id, 'who', p_who, 'reason', p_reason, 'lines', lines_of(o.id)), o.correlation);
    PERFORM offer_hand_pack(x.id, p_at);
    RETURN 'undone';
END $$;
