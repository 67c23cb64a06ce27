-- Scrap: goods that are thrown away, with a reason; above the limit a second person decides.

-- 'posted', 'pending', or why not with the bound.
CREATE OR REPLACE FUNCTION scrap_stock(
    p_id text, p_at timestamptz, p_who text, p_place text, p_item text, p_lot text, p_status text, p_qty integer, p_reason text, p_note text,
    p_owner text
) RETURNS TABLE (outcome text, held integer) LANGUAGE plpgsql AS $$
DECLARE
    whose text;
BEGIN
    SELECT i.owner INTO whose FROM item i WHERE i.id = p_item AND i.kind = 'stock';
    IF NOT FOUND OR (p_owner <> '' AND whose <> p_owner) THEN outcome := 'unknown item'; RETURN NEXT; RETURN; END IF;
    IF NOT is_open_place(p_place) THEN outcome := 'unknown place'; RETURN NEXT; RETURN; END IF;
    SELECT COALESCE(sum(s.qty - s.reserved), 0) INTO held FROM stock s
    WHERE s.place = p_place AND s.item = p_item AND s.lot = p_lot AND s.owner = whose AND s.status = p_status;
    IF held < p_qty THEN outcome := 'too little'; RETURN NEXT; RETURN; END IF;
    INSERT INTO scrapping (id, place, item, lot, owner, status, qty, reason, note, state, asked_by, asked_at)
    VALUES (p_id, p_place, p_item, p_lot, whose, p_status, p_qty, p_reason, p_note, 'pending', p_who, p_at);
    IF p_qty > (SELECT scrap_limit FROM care_policy) THEN
        PERFORM emit('floorplane.stock.scrap_asked', p_id, p_at, scrap_data(p_id));
        outcome := 'pending';
    ELSE
        outcome := post_scrap(p_id, p_at, p_who);
    END IF;
    RETURN NEXT;
END $$;

CREATE OR REPLACE FUNCTION scrap_data(p_id text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('place', x.place, 'item', x.item, 'lot', x.lot, 'status', x.status, 'qty', x.qty, 'reason', x.reason,
        'note', x.note, 'asked_by', x.asked_by, 'who', x.decided_by, 'why', x.why) FROM scrapping x WHERE x.id = p_id;
$$;

CREATE OR REPLACE FUNCTION post_scrap(p_id text, p_at timestamptz, p_who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    x scrapping;
    said text;
BEGIN
    SELECT * INTO x FROM scrapping WHERE id = p_id;
    said := move_stock(p_at, x.place, 'scrap', x.item, x.lot, x.owner, x.qty, 'scrap', p_who, 'scrap/' || p_id, x.status, 'ok');
    IF said <> 'posted' THEN RETURN said; END IF;
    UPDATE scrapping SET state = 'posted', move = (SELECT l.seq FROM ledger l WHERE l.b = 'scrap' AND l.key = 'scrap/' || p_id ORDER BY l.seq DESC LIMIT 1)
    WHERE id = p_id;
    PERFORM emit('floorplane.stock.scrapped', p_id, p_at, scrap_data(p_id));
    RETURN 'posted';
END $$;

-- A second person decides: 'posted', 'refused', 'unknown', 'same person', 'is …', or what `move_stock` says.
CREATE OR REPLACE FUNCTION decide_scrap(p_id text, p_at timestamptz, p_who text, p_approve boolean, p_why text, p_owner text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    x scrapping;
BEGIN
    SELECT * INTO x FROM scrapping WHERE id = p_id FOR UPDATE;
    IF NOT FOUND OR (p_owner <> '' AND x.owner <> p_owner) THEN RETURN 'unknown'; END IF;
    IF x.state <> 'pending' THEN RETURN 'is ' || x.state; END IF;
    IF x.asked_by = p_who THEN RETURN 'same person'; END IF;
    IF p_approve THEN
        UPDATE scrapping SET decided_by = p_who, decided_at = p_at, why = p_why, state = 'approved' WHERE id = p_id;
        RETURN post_scrap(p_id, p_at, x.asked_by);
    END IF;
    UPDATE scrapping SET decided_by = p_who, decided_at = p_at, why = p_why, state = 'refused' WHERE id = p_id;
    PERFORM emit('floorplane.stock.scrap_refused', p_id, p_at, scrap_data(p_id));
    RETURN 'refused';
END $$;
