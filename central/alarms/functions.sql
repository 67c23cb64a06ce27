CREATE OR REPLACE FUNCTION raise_alarm(
    p_at timestamptz, p_key text, p_severity text, p_subject text, p_text text, p_remedy text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    INSERT INTO alarm (key, severity, subject, text, remedy, raised_at)
    VALUES (p_key, p_severity, p_subject, p_text, p_remedy, p_at)
    ON CONFLICT (key) WHERE cleared_at IS NULL DO NOTHING RETURNING id INTO made;
    IF made IS NOT NULL THEN
        PERFORM emit('floorplane.alarm.raised', made::text, p_at, jsonb_build_object(
            'key', p_key, 'severity', p_severity, 'subject', p_subject, 'text', p_text, 'remedy', p_remedy));
    END IF;
END $$;

CREATE OR REPLACE FUNCTION clear_alarm(p_at timestamptz, p_key text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    cleared bigint;
BEGIN
    UPDATE alarm SET cleared_at = p_at WHERE key = p_key AND cleared_at IS NULL RETURNING id INTO cleared;
    IF cleared IS NOT NULL THEN
        PERFORM emit('floorplane.alarm.cleared', cleared::text, p_at, jsonb_build_object('key', p_key));
    END IF;
END $$;
