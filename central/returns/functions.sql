-- What customers send back: announced, received, graded; never more than was shipped.

-- Claim what is announced on the lines of its order: the write is the gate. Lines of (line, order_line, item, qty, reason);
-- says for each that cannot be what the bound is.
CREATE OR REPLACE FUNCTION announce_return(
    p_id text, p_source text, p_ref text, p_owner text, p_order text, p_reason text, p_at timestamptz, p_who text, p_lines jsonb, p_correlation text
) RETURNS TABLE (n integer, field text, held integer) LANGUAGE plpgsql AS $$
DECLARE
    l record;
    whose text;
BEGIN
    INSERT INTO goods_return (id, source, ref, owner, order_id, state, reason, made_by, made_at)
    VALUES (p_id, p_source, p_ref, p_owner, p_order, 'announced', p_reason, p_who, p_at);
    FOR l IN
        SELECT x.n, x.line, x.order_line, x.item, x.qty, x.reason FROM jsonb_to_recordset(p_lines)
            AS x(n integer, line integer, order_line integer, item text, qty integer, reason text) ORDER BY x.order_line, x.item, x.line
    LOOP
        n := l.n; field := NULL; held := NULL;
        SELECT i.owner INTO whose FROM item i WHERE i.id = l.item AND i.kind = 'stock';
        IF NOT FOUND OR whose <> p_owner THEN field := 'item'; RETURN NEXT; CONTINUE; END IF;
        IF p_order IS NOT NULL THEN
            IF l.order_line IS NULL THEN
                SELECT x.line INTO l.order_line FROM order_line x
                WHERE x.order_id = p_order AND x.item = l.item ORDER BY x.done - x.returned >= l.qty DESC, x.done - x.returned DESC, x.line LIMIT 1;
            END IF;
            UPDATE order_line x SET returned = x.returned + l.qty
            WHERE x.order_id = p_order AND x.line = l.order_line AND x.item = l.item AND x.kind = 'stock' AND x.done - x.returned >= l.qty;
            IF NOT FOUND THEN
                SELECT x.done - x.returned INTO held FROM order_line x
                WHERE x.order_id = p_order AND x.line = l.order_line AND x.item = l.item AND x.kind = 'stock';
                field := CASE WHEN FOUND THEN 'qty' ELSE 'order_line' END;
                RETURN NEXT; CONTINUE;
            END IF;
        END IF;
        INSERT INTO return_line (return_id, line, order_line, item, qty, reason) VALUES (p_id, l.line, l.order_line, l.item, l.qty, l.reason);
    END LOOP;
    PERFORM emit('floorplane.return.announced', p_id, p_at, return_data(p_id), p_correlation);
END $$;

CREATE OR REPLACE FUNCTION return_data(p_id text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('ref', g.ref, 'source', g.source, 'order', g.order_id, 'lines', COALESCE((
        SELECT jsonb_agg(jsonb_build_object('line', l.line, 'order_line', l.order_line, 'item', l.item, 'qty', l.qty, 'received', l.received,
            'back', l.back, 'other', l.other, 'damaged', l.damaged, 'scrapped', l.scrapped, 'refund', l.received) ORDER BY l.line)
        FROM return_line l WHERE l.return_id = g.id), '[]'))
    FROM goods_return g WHERE g.id = p_id;
$$;

CREATE OR REPLACE FUNCTION return_tag(p_id text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT md5(g::text || COALESCE((SELECT string_agg(l::text, ';' ORDER BY l.line) FROM return_line l WHERE l.return_id = g.id), ''))
    FROM goods_return g WHERE g.id = p_id;
$$;

-- How many pieces of an item may still come back without an order: as many as have left and are not back, or announced.
CREATE OR REPLACE FUNCTION may_come_back(p_item text) RETURNS integer LANGUAGE sql AS $$
    SELECT GREATEST(0, COALESCE((SELECT sum(CASE WHEN l.b = 'customer' THEN l.qty ELSE -l.qty END) FROM ledger l
            WHERE l.item = p_item AND (l.a = 'customer') <> (l.b = 'customer')), 0)
        - COALESCE((SELECT sum(r.qty - r.received) FROM return_line r JOIN goods_return g ON g.id = r.return_id AND g.closed_at IS NULL
            WHERE r.item = p_item AND r.order_line IS NOT NULL), 0))::integer;
$$;

-- Pieces of a line have come: from the customer into a place, not for sale until they are graded. `p_line` NULL: a new line
-- of a blind return. Says 'received', or what stands in the way, and the bound.
CREATE OR REPLACE FUNCTION receive_return(
    p_id text, p_key text, p_line integer, p_item text, p_lot text, p_qty integer, p_place text, p_at timestamptz, p_actor text
) RETURNS TABLE (outcome text, held integer, line integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    g goods_return;
    l return_line;
    said text;
    bound text;
    key text;
BEGIN
    SELECT * INTO g FROM goods_return x WHERE x.id = p_id FOR UPDATE;
    IF g.closed_at IS NOT NULL THEN outcome := 'is ' || g.state; RETURN NEXT; RETURN; END IF;
    IF p_line IS NOT NULL THEN
        SELECT * INTO l FROM return_line x WHERE x.return_id = p_id AND x.line = p_line;
    ELSE
        SELECT * INTO l FROM return_line x WHERE x.return_id = p_id AND x.item = p_item
        ORDER BY x.order_line IS NULL OR x.qty - x.received >= p_qty DESC, x.line LIMIT 1;
    END IF;
    IF NOT FOUND THEN
        IF g.order_id IS NOT NULL OR p_line IS NOT NULL THEN outcome := 'unknown line'; RETURN NEXT; RETURN; END IF;
        IF NOT EXISTS (SELECT FROM item i WHERE i.id = p_item AND i.kind = 'stock' AND i.owner = g.owner) THEN
            outcome := 'unknown item'; RETURN NEXT; RETURN;
        END IF;
        INSERT INTO return_line (return_id, line, item, qty)
        VALUES (p_id, (SELECT COALESCE(max(x.line), 0) + 1 FROM return_line x WHERE x.return_id = p_id), p_item, 0) RETURNING * INTO l;
    END IF;
    line := l.line;
    IF p_item IS NOT NULL AND p_item <> l.item THEN outcome := 'wrong item'; RETURN NEXT; RETURN; END IF;
    IF NOT is_open_place(p_place) THEN outcome := 'unknown place'; RETURN NEXT; RETURN; END IF;
    IF l.order_line IS NOT NULL THEN
        held := l.qty - l.received;
    ELSE
        SELECT p.blind_returns INTO bound FROM care_policy p;
        IF bound = 'shipped' THEN
            PERFORM FROM item i WHERE i.id = l.item FOR NO KEY UPDATE;  -- one blind return of an item at a time
            held := may_come_back(l.item);
        END IF;
    END IF;
    IF held < p_qty THEN outcome := 'too much'; RETURN NEXT; RETURN; END IF;
    key := concat_ws('/', 'return', p_id, l.line, p_key);
    said := move_stock(p_at, 'customer', p_place, l.item, p_lot, g.owner, p_qty, 'return', p_actor, key, 'ok', 'quality', NULL, g.order_id);
    IF said <> 'posted' THEN outcome := said; RETURN NEXT; RETURN; END IF;
    UPDATE return_line x SET received = x.received + p_qty WHERE x.return_id = p_id AND x.line = l.line;
    UPDATE goods_return x SET state = 'received' WHERE x.id = p_id;
    PERFORM open_hand_task('G-' || left(md5(key), 20), 'grade', p_at, l.item, p_qty, p_place, NULL, p_id, p_lot, g.owner, 2, NULL,
        jsonb_build_object('line', l.line, 'reason', l.reason, 'asks', '["source", "item",
            {"field": "grade", "type": "choice", "label": "Grade", "options": ["A", "B", "damaged", "scrap"]}, "qty",
            {"field": "target", "label": "Put into", "optional": true},
            {"field": "b_item", "label": "B goods: as which item", "optional": true}]'::jsonb), 'quality');
    outcome := 'received'; RETURN NEXT;
END $$;

-- Somebody has looked at them. A: back to stock (`target`). B: as another item (`b_item`, else of the same, held back) to
-- `target`. Damaged: aside. Scrap: away. Fewer than the task says: the rest is graded by another task.
CREATE OR REPLACE FUNCTION hand_done_grade(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n integer := (f->>'qty')::integer;
    grade text := COALESCE(f->>'grade', f->>'reason');
    goal text := NULLIF(f->>'target', '');
    other text := NULLIF(f->>'b_item', '');
    lot_is text := COALESCE(f->>'lot', t.lot);
    key text := 'hand/' || t.id;
    said text;
BEGIN
    IF n IS NULL OR n <= 0 THEN RETURN 'how many pieces were graded is missing'; END IF;
    IF n > t.qty THEN RETURN format('%s pieces were to be graded, not %s', t.qty, n); END IF;
    IF grade IS NULL OR grade NOT IN ('A', 'B', 'damaged', 'scrap') THEN
        RETURN format('grade %s is none of A, B, damaged, scrap', COALESCE(grade, 'nothing'));
    END IF;
    IF lot_is <> t.lot THEN RETURN format('wrong lot: %s was scanned, %s is wanted', lot_is, t.lot); END IF;
    IF grade IN ('A', 'B') AND NOT COALESCE(is_open_place(goal), false) THEN RETURN format('%s is not a place for goods', COALESCE(goal, 'nothing')); END IF;
    IF grade = 'A' THEN
        said := move_stock(p_at, t.source, goal, t.item, t.lot, t.owner, n, 'restock', p_actor, key, 'quality', 'ok', t.id);
        IF said = 'posted' AND EXISTS (SELECT FROM place p WHERE p.code = goal AND p.kind = 'staging') THEN
            PERFORM plan_putaway(p_at, goal, t.item, t.lot, t.owner, n, NULL, 'U-' || left(md5(key), 16));
        END IF;
    ELSIF grade = 'B' AND other IS NULL THEN
        said := move_stock(p_at, t.source, goal, t.item, t.lot, t.owner, n, 'regrade', p_actor, key, 'quality', 'hold', t.id);
    ELSIF grade = 'B' THEN
        IF NOT EXISTS (SELECT FROM item i WHERE i.id = other AND i.kind = 'stock' AND i.owner = t.owner AND i.id <> t.item) THEN
            RETURN format('%s is not another item of the same owner', other);
        END IF;
        said := move_stock(p_at, t.source, 'workshop', t.item, t.lot, t.owner, n, 'regrade_from', p_actor, key || '/in', 'quality', 'ok', t.id);
        IF said = 'posted' THEN
            said := move_stock(p_at, 'workshop', goal, other, t.lot, t.owner, n, 'regrade_to', p_actor, key || '/out', 'ok', 'ok', t.id);
        END IF;
    ELSIF grade = 'damaged' THEN
        goal := COALESCE(goal, 'damaged');
        said := move_stock(p_at, t.source, goal, t.item, t.lot, t.owner, n, 'damage', p_actor, key, 'quality', 'damaged', t.id);
    ELSE
        goal := 'scrap';
        said := move_stock(p_at, t.source, goal, t.item, t.lot, t.owner, n, 'scrap', p_actor, key, 'quality', 'ok', t.id);
    END IF;
    IF said <> 'posted' THEN RETURN CASE said WHEN 'too little' THEN format('not so many are in %s', t.source) ELSE said END; END IF;
    PERFORM grade_line(t, grade, n);
    IF n < t.qty THEN
        PERFORM open_hand_task('G-' || left(md5(t.id || '/rest'), 20), 'grade', p_at, t.item, t.qty - n, t.source, NULL, t.ref, t.lot, t.owner,
                               t.priority, t.due, t.detail, t.status);
    END IF;
    PERFORM emit('floorplane.return.graded', t.ref, p_at, jsonb_build_object(
        'line', (t.detail->>'line')::integer, 'item', t.item, 'qty', n, 'grade', grade, 'target', goal, 'as_item', other, 'who', p_actor));
    PERFORM close_return(t.ref, p_at, p_actor, '', false);
    RETURN 'posted';
END $$;

CREATE OR REPLACE FUNCTION grade_line(t hand_task, p_grade text, p_n integer) RETURNS void LANGUAGE sql AS $$
    UPDATE return_line SET back = back + CASE p_grade WHEN 'A' THEN p_n ELSE 0 END, other = other + CASE p_grade WHEN 'B' THEN p_n ELSE 0 END,
        damaged = damaged + CASE p_grade WHEN 'damaged' THEN p_n ELSE 0 END, scrapped = scrapped + CASE p_grade WHEN 'scrap' THEN p_n ELSE 0 END
    WHERE return_id = t.ref AND line = (t.detail->>'line')::integer;
$$;

-- A return is closed when all that came is graded and nothing more is expected; `p_force`: nothing more is expected from now
-- on, and what did not come is not returned. The ERP is told what to refund. 'closed', 'open', or what it is.
CREATE OR REPLACE FUNCTION close_return(p_id text, p_at timestamptz, p_who text, p_why text, p_force boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    g goods_return;
    l record;
BEGIN
    SELECT * INTO g FROM goods_return WHERE id = p_id FOR UPDATE;
    IF g.closed_at IS NOT NULL THEN RETURN g.state; END IF;
    IF EXISTS (SELECT FROM return_line x WHERE x.return_id = p_id AND (x.back + x.other + x.damaged + x.scrapped < x.received)) THEN RETURN 'ungraded'; END IF;
    IF NOT p_force AND EXISTS (SELECT FROM return_line x WHERE x.return_id = p_id AND x.received < x.qty) THEN RETURN 'open'; END IF;
    FOR l IN SELECT * FROM return_line x WHERE x.return_id = p_id AND x.order_line IS NOT NULL AND x.received < x.qty ORDER BY x.order_line LOOP
        UPDATE order_line SET returned = returned - (l.qty - l.received) WHERE order_id = g.order_id AND line = l.order_line;
    END LOOP;
    IF NOT EXISTS (SELECT FROM return_line x WHERE x.return_id = p_id AND x.received > 0) THEN
        UPDATE goods_return SET state = 'cancelled', closed_at = p_at WHERE id = p_id;
        PERFORM emit('floorplane.return.cancelled', p_id, p_at, return_data(p_id) || jsonb_build_object('who', p_who, 'reason', p_why));
        RETURN 'cancelled';
    END IF;
    UPDATE goods_return SET state = 'closed', closed_at = p_at WHERE id = p_id;
    PERFORM emit('floorplane.return.closed', p_id, p_at, return_data(p_id) || jsonb_build_object('who', p_who, 'reason', p_why));
    RETURN 'closed';
END $$;

-- A grading is taken back: the pieces lie ungraded where they were.
CREATE OR REPLACE FUNCTION hand_undone_grade(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    g goods_return;
    was text;
BEGIN
    SELECT * INTO g FROM goods_return WHERE id = t.ref FOR UPDATE;
    IF g.closed_at IS NOT NULL THEN RETURN format('return %s is %s: its refund was told', g.id, g.state); END IF;
    SELECT CASE l.reason WHEN 'restock' THEN 'A' WHEN 'damage' THEN 'damaged' WHEN 'scrap' THEN 'scrap' ELSE 'B' END INTO was
    FROM ledger l WHERE l.seq = t.moves[1];
    IF was IS NULL THEN RETURN 'how it was graded is not known'; END IF;
    PERFORM grade_line(t, was, -t.done_qty);
    PERFORM open_hand_task('G-' || left(md5(t.id || '/undone'), 20), 'grade', p_at, t.item, t.done_qty, t.source, NULL, t.ref, t.lot, t.owner,
                           t.priority, t.due, t.detail, t.status);
    RETURN 'undone';
END $$;

-- Nobody cancels the grading of goods that lie there: they are graded, or their receipt is undone.
CREATE OR REPLACE FUNCTION hand_cancelled_grade(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE sql AS $$
    SELECT 'must be done: the goods lie there; undo their receipt if they never came';
$$;

-- A receipt of ungraded goods is undone by a row that points back (`follow_reversal` does the rest). 'undone', or why not.
CREATE OR REPLACE FUNCTION undo_return_receipt(p_id text, p_task text, p_at timestamptz, p_who text, p_reason text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    g goods_return;
    t hand_task;
    move bigint;
    said text;
BEGIN
    SELECT * INTO g FROM goods_return WHERE id = p_id FOR UPDATE;
    SELECT * INTO t FROM hand_task WHERE id = p_task AND ref = p_id AND kind = 'grade' FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF t.state NOT IN ('open', 'leased') THEN RETURN 'is ' || t.state; END IF;
    SELECT l.seq INTO move FROM ledger l WHERE l.b = t.source AND l.item = t.item AND l.reason = 'return' AND 'G-' || left(md5(l.key), 20) = t.id;
    IF NOT FOUND THEN RETURN 'is the rest of one that is partly graded'; END IF;
    SELECT x.outcome INTO said FROM reverse_move(move, p_at, p_who, 'reverse', p_reason, '') AS x;
    IF said <> 'reversed' THEN RETURN said; END IF;
    RETURN 'undone';
END $$;
