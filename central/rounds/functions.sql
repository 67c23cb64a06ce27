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
    IF NEW.state = 'cancelled' THEN PERFORM cancel_hand_task(NEW.id, NEW.closed_at, NEW.reason); END IF;
    IF NEW.kind = 'pick' THEN PERFORM offer_hand_pack(NEW.tote, NEW.closed_at); END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION offer_hand_pack(p_tote text, p_at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM task WHERE tote = p_tote AND kind = 'pick' AND state IN ('waiting', 'released', 'started'))
       OR NOT EXISTS (SELECT FROM task WHERE tote = p_tote AND kind = 'pick' AND done_qty > 0) THEN
        RETURN;
    END IF;
    PERFORM open_hand_task(k.id, 'pack', p_at, NULL, NULL, p_tote, NULL, k.order_id, '', o.owner, o.priority, o.due,
                           jsonb_build_object('tote', p_tote))
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
    WHERE id = NEW.id AND hand AND state IN ('released', 'started');
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
    PERFORM cancel_hand_task('K-' || k.tote, p_at, 'a pick was taken back');
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
    SELECT * INTO k FROM task x WHERE x.id = t.id AND x.kind = 'pack' AND x.hand;
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
