-- What is looked after without being asked: the counts that plans want, and the replenishments that rules and orders want.
CREATE OR REPLACE FUNCTION care_due(p_at timestamptz, p_plans boolean) RETURNS TABLE (counts integer, replenishments integer) LANGUAGE plpgsql AS $$
BEGIN
    counts := CASE WHEN p_plans THEN plan_counts(p_at) ELSE 0 END;
    PERFORM clear_overfull(p_at);
    -- what became free without a posting: a lot's date was set right, people pick here by now
    PERFORM fill_waiting(p_at, w.item) FROM (SELECT d.item FROM waiting_demand d ORDER BY 1) AS w;
    replenishments := replenish(p_at);
    RETURN NEXT;
END $$;

-- A move is undone by a row that points back, wherever that is asked for; the document that it belongs to follows.
CREATE OR REPLACE FUNCTION follow_reversal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    l ledger;
    document text;
    n integer;
BEGIN
    SELECT * INTO l FROM ledger x WHERE x.seq = NEW.reverses;
    IF l.reason = 'count' THEN
        -- what two people found is not in the books any more: nobody relies on them there
        UPDATE stock_count SET posted = 0 WHERE 'count/' || id = split_part(l.key, '#', 1) AND state = 'posted';
        IF FOUND THEN UPDATE stock SET doubt = true WHERE place IN (l.a, l.b) AND item = l.item AND lot = l.lot AND owner = l.owner AND live; END IF;
        RETURN NULL;
    END IF;
    IF l.reason NOT IN ('return', 'transfer_out', 'transfer_in') THEN RETURN NULL; END IF;
    document := split_part(l.key, '/', 2); n := split_part(l.key, '/', 3)::integer;
    IF l.reason = 'return' THEN
        UPDATE return_line SET received = received - l.qty WHERE return_id = document AND line = n;
        PERFORM cancel_hand_task('G-' || left(md5(l.key), 20), NEW.at, 'its receipt was undone');
    ELSE
        UPDATE transfer_line SET sent = sent - CASE l.reason WHEN 'transfer_out' THEN l.qty ELSE 0 END,
            received = received - CASE l.reason WHEN 'transfer_in' THEN l.qty ELSE 0 END
        WHERE transfer = document AND line = n;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER follow_reversal AFTER INSERT ON ledger FOR EACH ROW WHEN (NEW.reverses IS NOT NULL) EXECUTE FUNCTION follow_reversal();
