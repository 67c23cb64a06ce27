-- What goes out: handling units with an SSCC, waves, rounds of people who pick, trucks with their stops.

ALTER TABLE place DROP CONSTRAINT place_kind_check, ADD CONSTRAINT place_kind_check CHECK (kind IN (
    'virtual', 'pod', 'bin', 'station', 'chute', 'tote', 'shelf', 'dock', 'staging', 'unit',
    'truck'    -- what is loaded stands in it until it leaves
)) NOT VALID;
ALTER TABLE place VALIDATE CONSTRAINT place_kind_check;

-- What central is told at its start and functions need: the company prefix of new numbers, and whether people pick from
-- shelves. The one counter of all prefixes never goes back, so that no number is issued twice, whatever is rolled back.
CREATE TABLE outbound_setting (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    sscc_prefix text NOT NULL CHECK (sscc_prefix ~ '^\d{4,12}$'),
    hand_picks  boolean NOT NULL
);
INSERT INTO outbound_setting (sscc_prefix, hand_picks) VALUES ('9520000', false);
CREATE SEQUENCE sscc_serial;

-- A handling unit is a place, its own or an order tote's; where it stands, or in which other unit, is the place's parent.
CREATE TABLE unit (
    sscc       text COLLATE "C" PRIMARY KEY CHECK (sscc ~ '^\d{18}$'),
    place      text COLLATE "C" NOT NULL UNIQUE REFERENCES place,
    kind       text NOT NULL CHECK (kind IN ('tote', 'carton', 'pallet', 'cage')),
    state      text NOT NULL CHECK (state IN ('open', 'closed', 'shipped', 'void')),
    issued     boolean NOT NULL,
    owner      text COLLATE "C" NOT NULL DEFAULT '',
    weight_g   integer CHECK (weight_g >= 0),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    closed_at  timestamptz
) WITH (fillfactor = 80);
CREATE INDEX unit_created ON unit (created_at, sscc);

-- No unit inside itself, also when two nest at the same time: who nests waits for whoever nests, then looks anew.
CREATE FUNCTION refuse_unit_in_itself() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    above text := NEW.parent;
    depth integer := 0;
BEGIN
    IF (SELECT p.kind FROM place p WHERE p.code = above) NOT IN ('unit', 'tote') THEN RETURN NEW; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('floorplane nesting', 0));
    WHILE above IS NOT NULL LOOP
        depth := depth + 1;
        IF above = NEW.code THEN
            RAISE EXCEPTION 'unit % would stand inside itself', NEW.code USING ERRCODE = 'check_violation', CONSTRAINT = 'unit_in_itself';
        END IF;
        IF depth > 8 THEN
            RAISE EXCEPTION 'unit % would stand more than 8 deep', NEW.code USING ERRCODE = 'check_violation', CONSTRAINT = 'unit_too_deep';
        END IF;
        SELECT p.parent INTO above FROM place p WHERE p.code = above AND p.kind IN ('unit', 'tote');
        IF NOT FOUND THEN EXIT; END IF;
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER no_unit_in_itself BEFORE INSERT OR UPDATE OF parent ON place
    FOR EACH ROW WHEN (NEW.parent IS NOT NULL AND NEW.kind IN ('unit', 'tote')) EXECUTE FUNCTION refuse_unit_in_itself();

-- Where an order goes, and why it is not worked on yet. An order with a route leaves with a truck, one without when it is packed.
CREATE TABLE wave (
    id          text COLLATE "C" PRIMARY KEY,
    state       text NOT NULL CHECK (state IN ('planned', 'released', 'done', 'cancelled')),
    wanted      jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    created_by  text NOT NULL,
    release_at  timestamptz,
    released_at timestamptz,
    closed_at   timestamptz,
    reason      text NOT NULL DEFAULT ''
);
CREATE INDEX wave_due ON wave (release_at) WHERE state = 'planned' AND release_at IS NOT NULL;
CREATE INDEX wave_created ON wave (created_at, id);
ALTER TABLE orders
    ADD COLUMN carrier       text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN route         text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN ship_gln      text COLLATE "C" NOT NULL DEFAULT '' CHECK (ship_gln ~ '^(\d{13})?$'),
    ADD COLUMN ship_postcode text NOT NULL DEFAULT '',
    ADD COLUMN holds_for     text NOT NULL DEFAULT '' CHECK (holds_for IN ('', 'wave', 'capacity')),
    ADD COLUMN wave          text COLLATE "C" REFERENCES wave,
    ADD COLUMN waits         text NOT NULL DEFAULT '',
    ADD COLUMN put_back      text;
COMMENT ON COLUMN orders.holds_for IS 'Who releases it: nobody but time (empty), the capacity rule, or a wave';
COMMENT ON COLUMN orders.waits IS 'Why it is not released yet, in words';
COMMENT ON COLUMN orders.put_back IS 'Why it goes back to stock instead of out, since somebody cancelled it so';
CREATE INDEX orders_of_wave ON orders (wave) WHERE wave IS NOT NULL;
CREATE INDEX orders_held ON orders (holds_for, priority DESC, due, received_at, id) WHERE state = 'allocated' AND holds_for <> '';
CREATE INDEX orders_in_work ON orders (id) WHERE state IN ('released', 'picking');
CREATE INDEX orders_to_load ON orders (route, due, id) WHERE state = 'packed';

-- Picks that a person does with a cart, and the totes they go into; neither is the dispatcher's business.
ALTER TABLE tote ADD COLUMN hand boolean NOT NULL DEFAULT false, ADD COLUMN shipment text COLLATE "C";
ALTER TABLE task ADD COLUMN hand boolean NOT NULL DEFAULT false, ADD COLUMN back_qty integer NOT NULL DEFAULT 0 CHECK (back_qty >= 0);
COMMENT ON COLUMN task.back_qty IS 'Pieces that were picked and then put back to stock';
CREATE TABLE pick_round (
    id         text COLLATE "C" PRIMARY KEY,
    how        text NOT NULL CHECK (how IN ('batch', 'cluster', 'zone')),
    zone       text COLLATE "C" NOT NULL DEFAULT '',
    join_by    text NOT NULL DEFAULT '' CHECK (join_by IN ('', 'pass', 'consolidate')),
    person     text NOT NULL,
    state      text NOT NULL CHECK (state IN ('open', 'done', 'cancelled')),
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    closed_at  timestamptz,
    CHECK ((how = 'zone') = (join_by <> ''))
);
CREATE INDEX pick_round_created ON pick_round (created_at, id);
CREATE TABLE pick_round_tote (
    round text COLLATE "C" NOT NULL REFERENCES pick_round,
    slot  integer NOT NULL CHECK (slot > 0),
    tote  text COLLATE "C" NOT NULL REFERENCES tote,
    done  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (round, slot),
    UNIQUE (round, tote)
);
CREATE INDEX hand_task_pick_target ON hand_task (target) WHERE kind = 'pick';
CREATE UNIQUE INDEX pick_round_of_tote ON pick_round_tote (tote) WHERE NOT done;

CREATE TABLE truck (
    id            text COLLATE "C" PRIMARY KEY REFERENCES place,
    state         text NOT NULL CHECK (state IN ('planned', 'loading', 'dispatched', 'departed', 'cancelled')),
    carrier       text COLLATE "C" NOT NULL,
    route         text COLLATE "C" NOT NULL,
    vehicle       text NOT NULL,
    dock          text COLLATE "C" REFERENCES place,
    departs_at    timestamptz NOT NULL,
    created_at    timestamptz NOT NULL,
    created_by    text NOT NULL,
    loading_at    timestamptz,
    dispatched_at timestamptz,
    departed_at   timestamptz,
    closed_at     timestamptz,
    reason        text NOT NULL DEFAULT ''
) WITH (fillfactor = 80);
CREATE INDEX truck_created ON truck (created_at, id);
CREATE UNIQUE INDEX truck_at_dock ON truck (dock) WHERE state IN ('loading', 'dispatched') AND dock IS NOT NULL;

-- Stops in the order in which the truck comes to them; it is loaded from the last to the first.
CREATE TABLE truck_stop (
    truck   text COLLATE "C" NOT NULL REFERENCES truck,
    stop    integer NOT NULL CHECK (stop > 0),
    ship_to text NOT NULL,
    PRIMARY KEY (truck, stop)
);
CREATE TABLE truck_order (
    truck    text COLLATE "C" NOT NULL,
    stop     integer NOT NULL,
    order_id text COLLATE "C" NOT NULL REFERENCES orders,
    live     boolean NOT NULL DEFAULT true,
    reason   text NOT NULL DEFAULT '',
    PRIMARY KEY (truck, order_id),
    FOREIGN KEY (truck, stop) REFERENCES truck_stop
);
CREATE UNIQUE INDEX truck_of_order ON truck_order (order_id) WHERE live;

-- Its totes as they are expected on the truck, each with the unit that is lifted: itself, or what it stands in.
CREATE TABLE truck_tote (
    truck     text COLLATE "C" NOT NULL,
    tote      text COLLATE "C" NOT NULL REFERENCES tote,
    order_id  text COLLATE "C" NOT NULL REFERENCES orders,
    stop      integer NOT NULL,
    unit      text COLLATE "C" NOT NULL REFERENCES place,
    state     text NOT NULL CHECK (state IN ('expected', 'loaded', 'left')),
    loaded_at timestamptz,
    loaded_by text,
    reason    text NOT NULL DEFAULT '',
    PRIMARY KEY (truck, tote),
    FOREIGN KEY (truck, stop) REFERENCES truck_stop,
    CHECK ((state = 'loaded') = (loaded_at IS NOT NULL))
);
CREATE UNIQUE INDEX truck_of_tote ON truck_tote (tote) WHERE state <> 'left';
CREATE INDEX truck_tote_unit ON truck_tote (unit) WHERE state <> 'left';

-- An order may leave in parts, and what has not departed may be taken back.
ALTER TABLE shipment DROP CONSTRAINT shipment_order_id_key,
    ADD COLUMN truck text COLLATE "C" REFERENCES truck,
    ADD COLUMN reversed_at timestamptz,
    ADD COLUMN reversed_why text NOT NULL DEFAULT '';
CREATE INDEX shipment_order ON shipment (order_id, at);
CREATE INDEX shipment_truck ON shipment (truck) WHERE truck IS NOT NULL;
