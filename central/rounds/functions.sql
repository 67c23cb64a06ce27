-- Picks that people do with a cart. Such a pick is a task as any other, marked `hand`, and is not told to the dispatcher: two
-- triggers keep a hand task beside it, which the handheld leases and confirms. A tote is filled by robots or by people.

-- Claim what bins have not from shelves, where people pick.
CREATE OR REPLACE FUNCTION reserve_by_hand(p_item text, p_qty integer, p_without text, p_good date)
RETURNS TABLE (stock_id bigint, bin text, qty integer) LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT x.hand_picks FROM outbound_setting x) THEN
        RETURN QUERY SELECT * FROM reserve(p_item, p_qty, p_without, p_good, 'shelf');
    END IF;
END $$;

-- What a pick came short of and its own kind of places has not is claimed in the other kind, and travels in a tote of its own.
-- Says how many pieces.
CREATE OR REPLACE FUNCTION allocate_elsewhere(t task, p_missing integer, p_at timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    o orders;
    r record;
    made text;
    n integer := 0;
    pieces integer := 0;
BEGIN
    IF NOT t.hand AND NOT (SELECT x.hand_picks FROM outbound_setting x) THEN RETURN 0; END IF;
    SELECT * INTO o FROM orders x WHERE x.id = t.order_id;
    FOR r IN
        SELECT * FROM reserve(t.item, p_missing, t.bin, good_until(p_at, o.due, o.min_days), CASE WHEN t.hand THEN 'bin' ELSE 'shelf' END)
    LOOP
        IF made IS NULL THEN
            made := new_tote(t.order_id, NOT t.hand, p_at);
        END IF;
        n := n + 1;
        INSERT INTO task (id, kind, state, order_id, line, tote, item, stock, bin, qty, created_at, released_at, hand)
        VALUES ('P-' || made || '-' || n, 'pick', 'released', t.order_id, t.line, made, t.item, r.stock_id, r.bin, r.qty, p_at, p_at, NOT t.hand);
        INSERT INTO reservation VALUES ('P-' || made || '-' || n, r.stock_id, r.qty);
        pieces := pieces + r.qty;
    END LOOP;
    IF t.hand AND made IS NOT NULL THEN
        PERFORM say_work(x.id, p_at) FROM (
            SELECT k.id FROM task k WHERE k.tote = made ORDER BY CASE k.kind WHEN 'pick' THEN 0 WHEN 'convey' THEN 1 ELSE 2 END, length(k.id), k.id) AS x;
    END IF;
    RETURN pieces;
END $$;

-- One more tote of a released order, with what is to be done with it once it is filled.
CREATE OR REPLACE FUNCTION new_tote(p_order text, p_hand boolean, p_at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    number integer;
    made text;
BEGIN
    SELECT COALESCE(max(n), 0) + 1 INTO number FROM tote WHERE order_id = p_order;
    made := 'T-' || p_order || '-' || number;
    INSERT INTO place (code, kind) VALUES (made, 'tote');
    INSERT INTO tote (id, order_id, n, state, oversize, hand) VALUES (made, p_order, number, 'open', false, p_hand);
    INSERT INTO task (id, kind, state, order_id, tote, created_at, released_at, hand)
    SELECT k.letter || '-' || made, k.kind, 'released', p_order, made, p_at, p_at, p_hand
    FROM (VALUES ('C', 'convey'), ('K', 'pack')) AS k(letter, kind) WHERE k.kind = 'pack' OR NOT p_hand;
    RETURN made;
END $$;

-- A pick of a person is released: it is work for hands.
CREATE OR REPLACE FUNCTION offer_hand_pick() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM open_hand_task(NEW.id, 'pick', NEW.released_at, NEW.item, NEW.qty, NEW.bin, NEW.tote, NEW.order_id, s.lot, s.owner,
                           o.priority, o.due, jsonb_build_object('tote', NEW.tote, 'line', NEW.line, 'zone', COALESCE(p.zone, '')))
    FROM orders o, stock s, place p WHERE o.id = NEW.order_id AND s.id = NEW.stock AND p.code = NEW.bin;
    RETURN NULL;
END $$;

-- It is withdrawn, or done: then the tote may be complete, and is to be packed.
CREATE OR REPLACE FUNCTION close_hand_pick() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'cancelled' AND NEW.kind = 'pick' THEN PERFORM cancel_hand_task(NEW.id, NEW.closed_at, NEW.reason); END IF;
    IF NEW.state = 'cancelled' AND NEW.kind = 'pack' THEN PERFORM withdraw_hand_pack(NEW.tote, NEW.closed_at, NEW.reason); END IF;
    IF NEW.kind = 'pick' THEN PERFORM offer_hand_pack(NEW.tote, NEW.closed_at); END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION withdraw_hand_pack(p_tote text, p_at timestamptz, p_why text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM cancel_hand_task(h.id, p_at, p_why) FROM hand_task h WHERE h.source = p_tote AND h.kind = 'pack' AND h.state IN ('open', 'leased');
END $$;

-- The tote is complete: somebody packs it. The work has a new name each time that it is offered anew.
CREATE OR REPLACE FUNCTION offer_hand_pack(p_tote text, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    n integer;
BEGIN
    IF EXISTS (SELECT FROM task WHERE tote = p_tote AND kind = 'pick' AND state IN ('waiting', 'released', 'started'))
       OR NOT EXISTS (SELECT FROM task WHERE tote = p_tote AND kind = 'pick' AND done_qty > 0) THEN
        RETURN;
    END IF;
    SELECT count(*) INTO n FROM hand_task h WHERE h.ref = (SELECT t.order_id FROM tote t WHERE t.id = p_tote) AND h.source = p_tote
        AND h.kind = 'pack' AND h.state NOT IN ('open', 'leased');
    PERFORM open_hand_task(k.id || CASE WHEN n > 0 THEN '.' || n + 1 ELSE '' END, 'pack', p_at, NULL, NULL, p_tote, NULL, k.order_id, '',
                           o.owner, o.priority, o.due, jsonb_build_object('tote', p_tote, 'task', k.id))
    FROM task k JOIN orders o ON o.id = k.order_id
    WHERE k.tote = p_tote AND k.kind = 'pack' AND k.hand AND k.state IN ('released', 'started');
END $$;

DROP TRIGGER IF EXISTS hand_pick_made ON task;
CREATE TRIGGER hand_pick_made AFTER INSERT ON task FOR EACH ROW
    WHEN (NEW.hand AND NEW.kind = 'pick' AND NEW.state = 'released') EXECUTE FUNCTION offer_hand_pick();
DROP TRIGGER IF EXISTS hand_pick_released ON task;
CREATE TRIGGER hand_pick_released AFTER UPDATE OF state ON task FOR EACH ROW
    WHEN (NEW.hand AND NEW.kind = 'pick' AND NEW.state = 'released' AND OLD.state = 'waiting') EXECUTE FUNCTION offer_hand_pick();
DROP TRIGGER IF EXISTS hand_pick_closed ON task;
CREATE TRIGGER hand_pick_closed AFTER UPDATE OF state ON task FOR EACH ROW
    WHEN (NEW.hand AND NEW.state IN ('done', 'short', 'cancelled') AND OLD.state NOT IN ('done', 'short', 'cancelled'))
    EXECUTE FUNCTION close_hand_pick();

-- Who has leased a pick has begun it: it is not withdrawn under their hands by a change of the order.
CREATE OR REPLACE FUNCTION begin_hand_pick() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE task SET state = CASE NEW.state WHEN 'leased' THEN 'started' ELSE 'released' END
    WHERE id = COALESCE(NEW.detail->>'task', NEW.id) AND hand AND state IN ('released', 'started');
    IF NEW.state = 'leased' THEN
        UPDATE orders SET state = 'picking' WHERE id = NEW.ref AND state = 'released';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS hand_pick_leased ON hand_task;
CREATE TRIGGER hand_pick_leased AFTER UPDATE OF state ON hand_task FOR EACH ROW
    WHEN (NEW.kind IN ('pick', 'pack') AND NEW.state IN ('leased', 'open') AND OLD.state <> NEW.state) EXECUTE FUNCTION begin_hand_pick();

-- A person has put pieces from a shelf into a tote: posted as the picks of robots' stations are.
CREATE OR REPLACE FUNCTION hand_done_pick(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    k task;
    n integer := (f->>'qty')::integer;
    said text;
BEGIN
    SELECT * INTO k FROM task x WHERE x.id = t.id AND x.kind = 'pick';
    IF NOT FOUND THEN RETURN 'is no pick of an order'; END IF;
    IF n IS NULL THEN RETURN 'how many pieces were picked is missing'; END IF;
    IF n < 0 OR n > k.qty THEN RETURN format('%s pieces are wanted, not %s', k.qty, n); END IF;
    IF n < k.qty AND COALESCE(f->>'reason', '') = '' THEN RETURN format('%s of %s pieces: the reason is missing', n, k.qty); END IF;
    IF f ? 'target' AND f->>'target' NOT IN (k.tote, sscc_of(k.tote)) THEN
        RETURN format('wrong tote: %s was scanned, %s is wanted', f->>'target', k.tote);
    END IF;
    IF f ? 'lot' AND f->>'lot' <> t.lot THEN RETURN format('wrong lot: %s was scanned, %s is wanted', f->>'lot', t.lot); END IF;
    said := post_pick(jsonb_build_object('task', k.id, 'attempt', k.attempt, 'qty', n, 'station', p_actor,
                                         'reason', COALESCE(f->>'reason', ''), 'evidence', f), p_at);
    RETURN CASE WHEN said IN ('posted', 'short') THEN 'posted' ELSE said END;
END $$;

-- A person cannot withdraw a pick of an order: the order is changed or cancelled, or the pick is confirmed with what there is.
CREATE OR REPLACE FUNCTION hand_cancelled_pick(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE sql AS $$
    SELECT format('a pick belongs to its order: confirm it with what is there, or change or cancel order %s', t.ref);
$$;

-- A confirmed pick was taken back, its pieces are on the shelf again: they are to be picked once more.
CREATE OR REPLACE FUNCTION hand_undone_pick(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    k task;
    n integer;
BEGIN
    SELECT * INTO k FROM task x WHERE x.id = t.id;
    IF k.state <> 'done' THEN RETURN format('a short pick is not taken back: count %s', k.bin); END IF;
    IF NOT EXISTS (SELECT FROM tote WHERE id = k.tote AND state = 'open') THEN RETURN format('tote %s is packed already', k.tote); END IF;
    UPDATE stock SET reserved = reserved + k.qty WHERE id = k.stock AND qty - reserved >= k.qty;
    IF NOT FOUND THEN RETURN format('the pieces are not free in %s', k.bin); END IF;
    SELECT count(*) + 1 INTO n FROM task WHERE tote = k.tote AND kind = 'pick';
    PERFORM withdraw_hand_pack(k.tote, p_at, 'a pick was taken back');
    INSERT INTO task (id, kind, state, order_id, line, tote, item, stock, bin, qty, created_at, released_at, hand)
    VALUES ('P-' || k.tote || '-' || n, 'pick', 'released', k.order_id, k.line, k.tote, k.item, k.stock, k.bin, k.qty, p_at, p_at, true);
    INSERT INTO reservation VALUES ('P-' || k.tote || '-' || n, k.stock, k.qty);
    UPDATE order_line SET allocated = allocated + k.qty, short = short - k.qty WHERE order_id = k.order_id AND line = k.line;
    RETURN 'undone';
END $$;

-- A person has packed a tote that people have filled.
CREATE OR REPLACE FUNCTION hand_done_pack(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    k task;
    weight integer := (f->>'weight_g')::integer;
    said text;
BEGIN
    SELECT * INTO k FROM task x WHERE x.id = t.detail->>'task' AND x.kind = 'pack' AND x.hand;
    IF NOT FOUND THEN RETURN 'is no tote to be packed by hand'; END IF;
    IF EXISTS (SELECT FROM task x WHERE x.tote = k.tote AND x.kind = 'pick' AND x.state IN ('waiting', 'released', 'started')) THEN
        RETURN format('picks of %s are open', k.tote);
    END IF;
    IF weight IS NULL THEN
        SELECT sum(s.qty * i.weight_g) INTO weight FROM stock s JOIN item i ON i.id = s.item WHERE s.place = k.tote;
    END IF;
    IF weight NOT BETWEEN 0 AND 50000000 THEN RETURN format('%s g is no weight of a tote', weight); END IF;
    IF f ? 'target' THEN
        IF NOT EXISTS (SELECT FROM place WHERE code = f->>'target' AND kind IN ('staging', 'station', 'chute', 'dock')) THEN
            RETURN format('%s is no place for packed totes', f->>'target');
        END IF;
        UPDATE place SET parent = f->>'target' WHERE code = k.tote;
    END IF;
    said := post_packed(jsonb_build_object('task', k.id, 'attempt', k.attempt, 'weight_g', weight, 'evidence', f), p_at);
    RETURN said;
END $$;
CREATE OR REPLACE FUNCTION hand_cancelled_pack(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE sql AS $$
    SELECT format('packing belongs to its order: cancel order %s', t.ref);
$$;

-- The zone of a pick: of its place, or of what that stands in.
CREATE OR REPLACE FUNCTION zone_of(p_place text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT COALESCE(p.zone, q.zone, '') FROM place p LEFT JOIN place q ON q.code = p.parent WHERE p.code = p_place;
$$;

-- Give a person a round: open totes that people fill, the most urgent first, each to a slot of the cart, and lease their picks.
-- `p_zone` (not NULL): only picks of this zone. 'pass': only totes that no earlier zone (by code) has picks for; the tote is handed
-- on. 'consolidate': each zone fills a tote of its own; the order is together again when all its totes are packed. Says how many totes.
CREATE OR REPLACE FUNCTION start_round(
    p_id text, p_how text, p_zone text, p_join text, p_person text, p_client text, p_most integer, p_orders text[], p_at timestamptz,
    p_until timestamptz
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    t record;
    k record;
    into_tote text;
    slots integer := 0;
    batch pick_batch;
BEGIN
    IF p_zone IS NULL AND p_orders IS NULL THEN
        SELECT * INTO batch FROM next_batch();
    END IF;
    INSERT INTO pick_round (id, how, zone, join_by, person, state, created_at, created_by)
    VALUES (p_id, p_how, COALESCE(p_zone, ''), p_join, p_person, 'open', p_at, p_client);
    FOR t IN
        SELECT x.id, x.order_id FROM tote x JOIN orders o ON o.id = x.order_id
        WHERE x.hand AND x.state = 'open' AND o.state IN ('released', 'picking') AND (p_orders IS NULL OR o.id = ANY (p_orders))
          AND (batch.totes IS NULL OR x.id = ANY (batch.totes))
          AND NOT EXISTS (SELECT FROM pick_round_tote y WHERE y.tote = x.id AND NOT y.done)
          AND EXISTS (SELECT FROM task y WHERE y.tote = x.id AND y.kind = 'pick' AND y.state = 'released'
                      AND (p_zone IS NULL OR zone_of(y.bin) = p_zone))
          AND (p_join <> 'pass' OR NOT EXISTS (SELECT FROM task y WHERE y.tote = x.id AND y.kind = 'pick'
                      AND y.state IN ('released', 'started') AND zone_of(y.bin) < p_zone))
        ORDER BY o.priority DESC, o.due, o.received_at, x.order_id, x.n LIMIT p_most FOR UPDATE OF x SKIP LOCKED
    LOOP
        into_tote := t.id;
        IF p_join = 'consolidate' AND EXISTS (
               SELECT FROM task y WHERE y.tote = t.id AND y.kind = 'pick' AND y.state <> 'cancelled' AND zone_of(y.bin) <> p_zone) THEN
            into_tote := new_tote(t.order_id, true, p_at);
            UPDATE task SET tote = into_tote WHERE tote = t.id AND kind = 'pick' AND state = 'released' AND zone_of(bin) = p_zone;
            UPDATE hand_task h SET target = into_tote, detail = h.detail || jsonb_build_object('tote', into_tote)
            FROM task y WHERE y.tote = into_tote AND h.id = y.id AND h.state = 'open';
            -- what is left in the tote may be complete already
            PERFORM offer_hand_pack(t.id, p_at);
        END IF;
        slots := slots + 1;
        INSERT INTO pick_round_tote (round, slot, tote) VALUES (p_id, slots, into_tote);
    END LOOP;
    PERFORM lease_round(p_id, p_client, p_at, p_until);
    IF batch.n IS NULL THEN
        PERFORM ask_walk(p_id, p_at);
    ELSE
        UPDATE pick_round SET plan = batch.plan WHERE id = p_id;
        INSERT INTO round_walk (round, place, n) SELECT p_id, w.place, w.n FROM unnest(batch.walk) WITH ORDINALITY AS w (place, n);
        DELETE FROM pick_batch b WHERE NOT EXISTS (SELECT FROM open_totes() o WHERE o.tote = ANY (b.totes));
    END IF;
    RETURN slots;
END $$;

-- Lease what is open of a round's totes: at its start, and again when a short pick has led to others.
CREATE OR REPLACE FUNCTION lease_round(p_round text, p_client text, p_at timestamptz, p_until timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    k record;
BEGIN
    FOR k IN
        SELECT h.id, r.person FROM pick_round r JOIN pick_round_tote x ON x.round = r.id AND NOT x.done
        JOIN hand_task h ON h.kind = 'pick' AND h.target = x.tote AND h.state = 'open'
        WHERE r.id = p_round AND (r.how <> 'zone' OR zone_of(h.source) = r.zone) ORDER BY h.id
    LOOP
        PERFORM take_hand_task(k.id, p_at, k.person, p_client, p_until);
    END LOOP;
END $$;

-- A person has taken pieces at a stop of the round: they go into its totes in the order of the slots, or into one tote. Says
-- 'posted', or why not.
CREATE OR REPLACE FUNCTION pick_in_round(
    p_round text, p_place text, p_item text, p_lot text, p_qty integer, p_tote text, p_reason text, p_client text, p_at timestamptz, p_until timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r pick_round;
    h record;
    wanted integer := 0;
    rest integer := p_qty;
    n integer;
    said text;
BEGIN
    SELECT * INTO r FROM pick_round WHERE id = p_round FOR UPDATE;
    IF r.state <> 'open' THEN RETURN format('round %s is %s', r.id, r.state); END IF;
    IF r.how = 'cluster' AND p_tote IS NULL THEN RETURN 'which tote they went into is missing'; END IF;
    SELECT sum(y.qty) INTO wanted FROM pick_round_tote x JOIN hand_task y ON y.kind = 'pick' AND y.target = x.tote AND y.state = 'leased'
    WHERE x.round = p_round AND NOT x.done AND y.source = p_place AND y.item = p_item AND y.lot = COALESCE(p_lot, y.lot)
      AND (p_tote IS NULL OR p_tote IN (x.tote, sscc_of(x.tote)));
    IF wanted IS NULL THEN RETURN format('nothing of %s is wanted from %s', p_item, p_place); END IF;
    IF p_qty > wanted THEN RETURN format('%s pieces are wanted, not %s', wanted, p_qty); END IF;
    IF p_qty < wanted AND p_reason = '' THEN RETURN format('%s of %s pieces: the reason is missing', p_qty, wanted); END IF;
    FOR h IN
        SELECT y.* FROM pick_round_tote x JOIN hand_task y ON y.kind = 'pick' AND y.target = x.tote AND y.state = 'leased'
        WHERE x.round = p_round AND NOT x.done AND y.source = p_place AND y.item = p_item AND y.lot = COALESCE(p_lot, y.lot)
          AND (p_tote IS NULL OR p_tote IN (x.tote, sscc_of(x.tote)))
        ORDER BY x.slot, y.id
    LOOP
        n := LEAST(rest, h.qty);
        rest := rest - n;
        said := confirm_hand_task(h.id, p_at, h.client, r.person, h.attempt, jsonb_build_object('qty', n) ||
            CASE WHEN n < h.qty THEN jsonb_build_object('reason', p_reason) ELSE '{}' END);
        IF said <> 'posted' THEN RETURN said; END IF;
    END LOOP;
    PERFORM lease_round(p_round, p_client, p_at, p_until);
    RETURN 'posted';
END $$;

-- The cart stands at its goal: its totes are put down there, what was not picked is given back. NULL: they stay where they are.
CREATE OR REPLACE FUNCTION end_round(p_round text, p_to text, p_at timestamptz, p_reason text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r pick_round;
    h record;
BEGIN
    SELECT * INTO r FROM pick_round WHERE id = p_round FOR UPDATE;
    IF r.state <> 'open' THEN RETURN format('round %s is %s', r.id, r.state); END IF;
    IF p_to IS NOT NULL AND NOT EXISTS (SELECT FROM place WHERE code = p_to AND kind IN ('staging', 'station', 'chute', 'dock')) THEN
        RETURN format('%s is no place for totes', p_to);
    END IF;
    FOR h IN
        SELECT y.* FROM pick_round_tote x JOIN hand_task y ON y.kind = 'pick' AND y.target = x.tote AND y.state = 'leased'
        WHERE x.round = p_round AND NOT x.done ORDER BY y.id
    LOOP
        PERFORM release_hand_task(h.id, p_at, h.client, h.attempt, p_reason, true);
    END LOOP;
    IF p_to IS NOT NULL THEN
        UPDATE place SET parent = p_to WHERE code IN (
            SELECT x.tote FROM pick_round_tote x JOIN tote t ON t.id = x.tote AND t.state <> 'void' WHERE x.round = p_round AND NOT x.done);
    END IF;
    UPDATE pick_round_tote SET done = true WHERE round = p_round;
    UPDATE pick_round SET state = CASE WHEN p_to IS NULL THEN 'cancelled' ELSE 'done' END, closed_at = p_at WHERE id = p_round;
    RETURN 'ended';
END $$;

-- The stops of a round in the order in which the person walks: as it was planned, else by the places' `way`, then by their code.
DROP FUNCTION IF EXISTS round_stops(text);
CREATE OR REPLACE FUNCTION round_stops(p_round text) RETURNS TABLE (
    place text, zone text, item text, barcode text, name text, lot text, qty bigint, picked bigint, parts jsonb, aisle integer, at_m double precision
) LANGUAGE sql STABLE AS $$
    SELECT h.source, zone_of(h.source), h.item, i.barcode, i.name, h.lot, sum(h.qty), sum(COALESCE(h.done_qty, 0)),
           jsonb_agg(jsonb_build_object('slot', x.slot, 'tote', x.tote, 'task', h.id, 'attempt', h.attempt, 'qty', h.qty,
                                        'picked', h.done_qty, 'state', h.state) ORDER BY x.slot, h.id),
           s.aisle, s.at_m
    FROM pick_round_tote x JOIN pick_round r ON r.id = x.round
    JOIN hand_task h ON h.kind = 'pick' AND h.target = x.tote AND h.state IN ('leased', 'done')
    JOIN item i ON i.id = h.item JOIN place p ON p.code = h.source
    LEFT JOIN pick_spot s ON s.place = h.source
    WHERE x.round = p_round AND (r.how <> 'zone' OR zone_of(h.source) = r.zone)
    GROUP BY h.source, h.item, i.barcode, i.name, h.lot, p.way, p.code, s.aisle, s.at_m
    ORDER BY walked_at(p_round, h.source) NULLS LAST, p.way, p.code, h.item, h.lot;
$$;

-- The next pick of the round that a person walks, on the handheld that asks for it. Where an area gives handhelds rounds, one that
-- is picked is over, and the next one begins.
CREATE OR REPLACE FUNCTION next_of_round(p_person text, p_client text, p_at timestamptz, p_until timestamptz) RETURNS SETOF hand_task LANGUAGE plpgsql AS $$
DECLARE
    t hand_task;
    totes integer;
    made text;
BEGIN
    FOR turn IN 1..2 LOOP
        UPDATE hand_task SET attempt = attempt + 1, client = p_client, lease_until = GREATEST(lease_until, p_until) WHERE id = (
            SELECT h.id FROM pick_round r JOIN pick_round_tote x ON x.round = r.id AND NOT x.done
            JOIN hand_task h ON h.kind = 'pick' AND h.target = x.tote AND h.state = 'leased' AND h.person = p_person
            JOIN place p ON p.code = h.source
            WHERE r.person = p_person AND r.state = 'open' AND (r.how <> 'zone' OR zone_of(h.source) = r.zone)
            ORDER BY r.created_at, r.id, walked_at(r.id, h.source) NULLS LAST, p.way, p.code, h.item, x.slot, h.id LIMIT 1)
        RETURNING * INTO t;
        IF FOUND THEN
            RETURN NEXT t;
            RETURN;
        END IF;
        SELECT max((a.habit->>'handheld_totes')::integer) INTO totes FROM pick_area a;
        IF turn = 2 OR COALESCE(totes, 0) = 0 THEN RETURN; END IF;
        UPDATE pick_round_tote x SET done = true FROM pick_round r WHERE r.id = x.round AND r.person = p_person AND r.state = 'open';
        UPDATE pick_round SET state = 'done', closed_at = p_at WHERE person = p_person AND state = 'open';
        made := 'R-' || left(md5(format('%s/%s', p_person, p_at)), 12);
        IF start_round(made, 'cluster', NULL, '', p_person, p_client, totes, NULL, p_at, p_until) = 0 THEN
            DELETE FROM pick_round WHERE id = made;
            RETURN;
        END IF;
    END LOOP;
END $$;
