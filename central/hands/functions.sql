-- Work for hands. A kind of it is known by its function `hand_done_<kind>(hand_task, jsonb, timestamptz, text) RETURNS text`,
-- which the room that owns the kind writes: it posts what was done and says 'posted', or says in a few words why not, and then
-- nothing of it happens. Beside it may stand `hand_cancelled_<kind>` and `hand_undone_<kind>(hand_task, text, timestamptz, text)`
-- (the text: why), which say 'cancelled' and 'undone' when a person's cancelling or undoing is taken.
CREATE OR REPLACE FUNCTION hand_function(p_what text, p_kind text) RETURNS regprocedure LANGUAGE sql STABLE AS $$
    SELECT to_regprocedure(format('hand_%s_%I(hand_task, %s, timestamptz, text)', p_what, p_kind,
                                  CASE p_what WHEN 'done' THEN 'jsonb' ELSE 'text' END));
$$;

-- Whether this person may do it: not who is among those that `detail.not` names, as who has counted it before.
CREATE OR REPLACE FUNCTION may_do(p_detail jsonb, p_person text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT (p_detail->'not' ? p_person) IS NOT TRUE;
$$;

-- The kinds of work that are known here, and how many tasks of each are open to this person (1000: so many at least).
DROP FUNCTION IF EXISTS hand_kinds(timestamptz);
CREATE OR REPLACE FUNCTION hand_kinds(p_at timestamptz, p_person text) RETURNS TABLE (kind text, open bigint) LANGUAGE sql STABLE AS $$
    SELECT k.kind, (SELECT count(*) FROM (SELECT FROM hand_task h WHERE h.kind = k.kind AND h.state = 'open' AND may_do(h.detail, p_person)
                                          LIMIT 1000) AS x)
                 + (SELECT count(*) FROM hand_task h WHERE h.state = 'leased' AND h.lease_until <= p_at AND h.kind = k.kind
                    AND may_do(h.detail, p_person))
    FROM (SELECT substr(p.proname, 11) AS kind FROM pg_proc p
          WHERE starts_with(p.proname, 'hand_done_') AND p.pronamespace = current_schema()::regnamespace) AS k
    WHERE hand_function('done', k.kind) IS NOT NULL ORDER BY k.kind;
$$;

-- Open a task; false when there is one with this id already.
CREATE OR REPLACE FUNCTION open_hand_task(
    p_id text, p_kind text, p_at timestamptz, p_item text, p_qty integer, p_source text, p_target text, p_ref text,
    p_lot text DEFAULT '', p_owner text DEFAULT '', p_priority integer DEFAULT 0, p_due timestamptz DEFAULT NULL,
    p_detail jsonb DEFAULT '{}', p_status text DEFAULT 'ok'
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF hand_function('done', p_kind) IS NULL THEN
        RAISE EXCEPTION 'hand task %: nobody knows how work of the kind % is done', p_id, p_kind USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO hand_task (id, kind, item, qty, source, target, ref, lot, owner, status, priority, due, detail, created_at)
    VALUES (p_id, p_kind, NULLIF(p_item, ''), p_qty, NULLIF(p_source, ''), NULLIF(p_target, ''), NULLIF(p_ref, ''),
            COALESCE(p_lot, ''), COALESCE(p_owner, ''), COALESCE(p_status, 'ok'), p_priority, p_due, COALESCE(p_detail, '{}'), p_at)
    ON CONFLICT (id) DO NOTHING;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM emit('floorplane.hands.opened', p_id, p_at, jsonb_build_object(
        'kind', p_kind, 'item', NULLIF(p_item, ''), 'lot', COALESCE(p_lot, ''), 'qty', p_qty, 'source', NULLIF(p_source, ''),
        'target', NULLIF(p_target, ''), 'ref', NULLIF(p_ref, '')));
    RETURN true;
END $$;

-- Withdraw a task that is not done, also from whoever has it; false when there is nothing to withdraw.
CREATE OR REPLACE FUNCTION cancel_hand_task(p_id text, p_at timestamptz, p_reason text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    t hand_task;
BEGIN
    UPDATE hand_task SET state = 'cancelled', lease_until = NULL, closed_at = p_at, reason = p_reason
    WHERE id = p_id AND state IN ('open', 'leased') RETURNING * INTO t;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM emit('floorplane.hands.cancelled', p_id, p_at, jsonb_build_object(
        'kind', t.kind, 'item', t.item, 'ref', t.ref, 'reason', p_reason, 'who', t.person));
    RETURN true;
END $$;

-- Leases that have run out are open again. Who had one last is remembered: as long as nobody else took it, they may confirm.
CREATE OR REPLACE FUNCTION end_leases(p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    UPDATE hand_task SET state = 'open', lease_until = NULL WHERE state = 'leased' AND lease_until <= p_at;
$$;

-- Give a person the best open task of these kinds: by priority, then by due time. `p_scan`: only of those that this names, by
-- their id, by what they are for, or by one of their places ('': of all). The UPDATE is the gate.
DROP FUNCTION IF EXISTS lease_hand_task(timestamptz, text, text, text[], timestamptz);
CREATE OR REPLACE FUNCTION lease_hand_task(
    p_at timestamptz, p_person text, p_client text, p_kinds text[], p_until timestamptz, p_scan text DEFAULT ''
) RETURNS SETOF hand_task LANGUAGE plpgsql AS $$
DECLARE
    best text;
    t hand_task;
BEGIN
    PERFORM end_leases(p_at);
    IF p_scan = '' AND 'pick' = ANY (p_kinds) THEN
        SELECT * INTO t FROM next_of_round(p_person, p_client, p_at, p_until);
        IF FOUND THEN
            RETURN NEXT t;
            RETURN;
        END IF;
    END IF;
    LOOP
        SELECT x.id INTO best FROM unnest(p_kinds) AS k(kind) CROSS JOIN LATERAL (
            SELECT h.id, h.priority, h.due FROM hand_task h WHERE h.kind = k.kind AND h.state = 'open'
              AND (p_scan = '' OR p_scan IN (h.id, h.source, h.target, h.ref))
              AND may_do(h.detail, p_person)
            ORDER BY h.priority DESC, h.due, h.id LIMIT 1) AS x
        ORDER BY x.priority DESC, x.due, x.id LIMIT 1;
        IF NOT FOUND THEN RETURN; END IF;
        UPDATE hand_task SET state = 'leased', attempt = attempt + 1, person = p_person, client = p_client, lease_until = p_until
        WHERE id = best AND state = 'open' RETURNING * INTO t;
        IF FOUND THEN
            RETURN NEXT t;
            RETURN;
        END IF;
    END LOOP;
END $$;

-- Give a person this task, or more time for it if they have it: 'leased', or why not.
CREATE OR REPLACE FUNCTION take_hand_task(p_id text, p_at timestamptz, p_person text, p_client text, p_until timestamptz)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t hand_task;
BEGIN
    SELECT * INTO t FROM hand_task WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF t.state NOT IN ('open', 'leased') THEN RETURN 'is ' || t.state; END IF;
    IF NOT may_do(t.detail, p_person) THEN RETURN 'is for somebody else than ' || p_person; END IF;
    IF t.state = 'leased' AND t.lease_until > p_at THEN
        IF t.person <> p_person OR t.client <> p_client THEN RETURN 'is in the hands of ' || t.person; END IF;
        UPDATE hand_task SET lease_until = GREATEST(lease_until, p_until) WHERE id = p_id;
    ELSE
        UPDATE hand_task SET state = 'leased', attempt = attempt + 1, person = p_person, client = p_client, lease_until = p_until
        WHERE id = p_id;
    END IF;
    RETURN 'leased';
END $$;

-- Whether this attempt of this client still counts: '' when it does, else why not.
CREATE OR REPLACE FUNCTION hand_lease(t hand_task, p_client text, p_person text, p_attempt integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN t.state NOT IN ('open', 'leased') THEN 'is ' || t.state
                WHEN t.attempt <> p_attempt THEN format('is in its attempt %s by now, not %s', t.attempt, p_attempt)
                WHEN t.person IS NULL THEN 'is in nobody''s hands'
                WHEN t.client <> p_client OR (p_person IS NOT NULL AND t.person <> p_person)
                    THEN 'is in the hands of ' || t.person
                ELSE '' END;
$$;

-- What was scanned, as an item of ours: by its id, or by its barcode with or without leading zeros.
CREATE OR REPLACE FUNCTION item_by_scan(p_scan text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT COALESCE(
        (SELECT i.id FROM item i WHERE i.id = p_scan),
        (SELECT i.id FROM item i WHERE i.barcode = p_scan AND i.barcode <> ''),
        (SELECT i.id FROM item i WHERE p_scan ~ '^[0-9]{8,14}$' AND i.barcode <> '' AND i.barcode IN (
            ltrim(p_scan, '0'), lpad(ltrim(p_scan, '0'), 8, '0'), lpad(ltrim(p_scan, '0'), 12, '0'),
            lpad(ltrim(p_scan, '0'), 13, '0'), lpad(ltrim(p_scan, '0'), 14, '0')) ORDER BY i.id LIMIT 1));
$$;

-- A person has done it: the room of its kind posts it, in this transaction. 'posted', or why not; then nothing happened.
CREATE OR REPLACE FUNCTION confirm_hand_task(
    p_id text, p_at timestamptz, p_client text, p_person text, p_attempt integer, p_f jsonb
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t hand_task;
    f jsonb := p_f;
    said text;
    before bigint;
    found_item text;
BEGIN
    SELECT * INTO t FROM hand_task WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    said := hand_lease(t, p_client, p_person, p_attempt);
    IF said <> '' THEN RETURN said; END IF;
    IF f ? 'item' THEN
        found_item := item_by_scan(f->>'item');
        IF found_item IS NULL THEN RETURN format('item %s is not known', f->>'item'); END IF;
        IF found_item <> t.item THEN RETURN format('wrong item: %s was scanned, %s is wanted', found_item, t.item); END IF;
        f := f || jsonb_build_object('item', found_item);
    END IF;
    IF f->>'source' <> t.source THEN RETURN format('wrong place: %s was scanned, %s is wanted', f->>'source', t.source); END IF;
    -- several may be confirmed in one transaction, each with its own moves
    SELECT COALESCE(max(l.seq), 0) INTO before FROM ledger l WHERE l.tx = pg_current_xact_id();
    PERFORM overrule(COALESCE(f->>'overrule', t.detail->>'overrule'));
    EXECUTE format('SELECT hand_done_%I($1, $2, $3, $4)', t.kind) INTO said USING t, f, p_at, t.person;
    IF said IS DISTINCT FROM 'posted' THEN RETURN COALESCE(said, 'nothing was said of it'); END IF;
    UPDATE hand_task SET state = 'done', lease_until = NULL, done_qty = (f->>'qty')::integer, done_by = t.person,
        reason = COALESCE(f->>'reason', ''), closed_at = p_at,
        moves = COALESCE((SELECT array_agg(l.seq ORDER BY l.seq) FROM ledger l WHERE l.tx = pg_current_xact_id() AND l.seq > before), '{}')
    WHERE id = p_id;
    PERFORM emit('floorplane.hands.done', p_id, p_at, jsonb_build_object(
        'kind', t.kind, 'item', COALESCE(f->>'item', t.item), 'lot', COALESCE(f->>'lot', t.lot), 'qty', (f->>'qty')::integer,
        'source', t.source, 'target', COALESCE(f->>'target', t.target), 'ref', t.ref, 'reason', COALESCE(f->>'reason', ''),
        'who', t.person));
    RETURN 'posted';
END $$;

-- Give a task back: 'released', or why not. `p_any`: whoever has it.
CREATE OR REPLACE FUNCTION release_hand_task(p_id text, p_at timestamptz, p_client text, p_attempt integer, p_reason text, p_any boolean)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t hand_task;
    said text;
BEGIN
    SELECT * INTO t FROM hand_task WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    said := hand_lease(t, CASE WHEN p_any THEN t.client ELSE p_client END, NULL, p_attempt);
    IF said <> '' THEN RETURN said; END IF;
    UPDATE hand_task SET state = 'open', person = NULL, client = NULL, lease_until = NULL, reason = p_reason WHERE id = p_id;
    RETURN 'released';
END $$;

-- A person withdraws a task: 'cancelled', or why not.
CREATE OR REPLACE FUNCTION withdraw_hand_task(p_id text, p_at timestamptz, p_who text, p_reason text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t hand_task;
    said text := 'cancelled';
BEGIN
    SELECT * INTO t FROM hand_task WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF t.state NOT IN ('open', 'leased') THEN RETURN 'is ' || t.state; END IF;
    IF hand_function('cancelled', t.kind) IS NOT NULL THEN
        EXECUTE format('SELECT hand_cancelled_%I($1, $2, $3, $4)', t.kind) INTO said USING t, p_reason, p_at, p_who;
        IF said IS DISTINCT FROM 'cancelled' THEN RETURN COALESCE(said, 'nothing was said of it'); END IF;
    END IF;
    PERFORM cancel_hand_task(p_id, p_at, p_reason);
    RETURN 'cancelled';
END $$;

-- Undo what a confirmation posted: each of its moves by a row that points back, the last one first. 'undone', or why not.
CREATE OR REPLACE FUNCTION undo_hand_task(p_id text, p_at timestamptz, p_who text, p_client text, p_reason text, p_any boolean)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t hand_task;
    r record;
    n bigint;
    said text;
BEGIN
    SELECT * INTO t FROM hand_task WHERE id = p_id FOR UPDATE;
    IF NOT FOUND THEN RETURN 'unknown'; END IF;
    IF t.state <> 'done' THEN RETURN 'is ' || t.state; END IF;
    IF NOT p_any AND t.client <> p_client THEN RETURN 'was done by ' || t.done_by; END IF;
    IF hand_function('undone', t.kind) IS NULL THEN
        RETURN format('a %s is not taken back as a whole; a supervisor may reverse its moves: %s', t.kind, array_to_string(t.moves, ', '));
    END IF;
    FOR n IN SELECT m.seq FROM unnest(t.moves) AS m(seq) ORDER BY m.seq DESC LOOP
        SELECT * INTO r FROM reverse_move(n, p_at, p_who, 'reverse', p_reason, '');
        IF r.outcome = 'too little' THEN RETURN format('of what move %s brought, only %s are there and not reserved', n, r.held); END IF;
        IF r.outcome NOT IN ('reversed', 'reversed already') THEN RETURN format('move %s: %s', n, r.outcome); END IF;
    END LOOP;
    EXECUTE format('SELECT hand_undone_%I($1, $2, $3, $4)', t.kind) INTO said USING t, p_reason, p_at, p_who;
    IF said IS DISTINCT FROM 'undone' THEN RETURN COALESCE(said, 'nothing was said of it'); END IF;
    UPDATE hand_task SET state = 'undone', reason = p_reason, closed_at = p_at WHERE id = p_id;
    PERFORM emit('floorplane.hands.undone', p_id, p_at, jsonb_build_object(
        'kind', t.kind, 'item', t.item, 'qty', t.done_qty, 'ref', t.ref, 'reason', p_reason, 'who', p_who));
    PERFORM fill_waiting(p_at, x.item) FROM (SELECT DISTINCT l.item FROM unnest(t.moves) AS m(seq) JOIN ledger l ON l.seq = m.seq ORDER BY 1) AS x;
    RETURN 'undone';
END $$;

-- What an ETag of a task is made of.
CREATE OR REPLACE FUNCTION hand_tag(p_id text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT md5(h::text) FROM hand_task h WHERE h.id = p_id;
$$;

-- Whether people may put goods there, or take them from there, without an order.
CREATE OR REPLACE FUNCTION is_open_place(p_code text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM place WHERE code = p_code AND kind IN ('bin', 'shelf', 'staging', 'dock', 'unit'));
$$;

-- Somebody carried goods from place to place. What they did not find is counted.
CREATE OR REPLACE FUNCTION hand_done_move(t hand_task, f jsonb, p_at timestamptz, p_actor text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n integer := (f->>'qty')::integer;
    goal text := COALESCE(f->>'target', t.target);
    said text;
BEGIN
    IF n IS NULL OR n < 0 THEN RETURN 'how many pieces were moved is missing'; END IF;
    IF n = 0 AND COALESCE(f->>'reason', '') = '' THEN RETURN 'why nothing was moved is missing'; END IF;
    IF n > t.qty THEN RETURN format('%s pieces were to be moved, not %s', t.qty, n); END IF;
    IF goal <> t.target THEN RETURN format('wrong place: %s was scanned, %s is wanted', goal, t.target); END IF;
    IF f->>'lot' <> t.lot THEN RETURN format('wrong lot: %s was scanned, %s is wanted', f->>'lot', t.lot); END IF;
    IF goal IS NULL OR NOT is_open_place(goal) THEN RETURN format('%s is not a place for goods', COALESCE(goal, 'nothing')); END IF;
    IF t.source IS NULL OR NOT is_open_place(t.source) THEN RETURN format('%s is not a place for goods', COALESCE(t.source, 'nothing')); END IF;
    IF n < t.qty AND f->>'reason' = 'missing' THEN PERFORM count_after_short(p_at, t.source, t.item, t.lot, t.id); END IF;
    IF n = 0 THEN RETURN 'posted'; END IF;
    said := move_stock(p_at, t.source, goal, t.item, t.lot, t.owner, n, 'move', p_actor, 'hand/' || t.id, t.status,
                       COALESCE(t.detail->>'to_status', t.status), t.id);
    RETURN CASE said WHEN 'too little' THEN format('not so many are free in %s', t.source) ELSE said END;
END $$;

CREATE OR REPLACE FUNCTION hand_undone_move(t hand_task, p_reason text, p_at timestamptz, p_who text) RETURNS text LANGUAGE sql AS $$
    SELECT 'undone';
$$;
