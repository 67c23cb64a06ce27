-- What comes in: lots, storage rules, ASNs, doors, receipts, stock that waits for a decision.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- Zones are what a building gives: a cold room, a cage for hazardous goods, a hall.
CREATE TABLE zone (
    code        text COLLATE "C" PRIMARY KEY,
    name        text NOT NULL DEFAULT '',
    temperature text NOT NULL DEFAULT 'ambient' CHECK (temperature IN ('ambient', 'chilled', 'frozen')),
    hazards     text[] NOT NULL DEFAULT '{}'
);

-- What a place takes: NULL is as much as one likes; `item`: kept free for this one.
ALTER TABLE place
    ADD COLUMN volume_ml bigint CHECK (volume_ml > 0),
    ADD COLUMN weight_g  bigint CHECK (weight_g > 0),
    ADD COLUMN mixing    text NOT NULL DEFAULT 'free' CHECK (mixing IN ('free', 'owner', 'item', 'lot')),
    ADD COLUMN zone      text COLLATE "C" REFERENCES zone,
    ADD COLUMN item      text COLLATE "C" REFERENCES item,
    ADD COLUMN way       integer NOT NULL DEFAULT 0 CHECK (way >= 0);
CREATE INDEX place_kept ON place (item, way, code) WHERE item IS NOT NULL;
CREATE INDEX place_storage ON place (way, code) WHERE kind IN ('bin', 'shelf');

ALTER TABLE item
    ADD COLUMN lots            boolean NOT NULL DEFAULT false,
    ADD COLUMN shelf_life_days integer NOT NULL DEFAULT 0 CHECK (shelf_life_days >= 0),
    ADD COLUMN receive_days    integer NOT NULL DEFAULT 0 CHECK (receive_days >= 0),
    ADD COLUMN temperature     text NOT NULL DEFAULT 'ambient' CHECK (temperature IN ('ambient', 'chilled', 'frozen')),
    ADD COLUMN hazard          text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN per_case        integer NOT NULL DEFAULT 0 CHECK (per_case >= 0),
    ADD COLUMN per_layer       integer NOT NULL DEFAULT 0 CHECK (per_layer >= 0),
    ADD COLUMN per_pallet      integer NOT NULL DEFAULT 0 CHECK (per_pallet >= 0),
    ADD COLUMN putaway         text COLLATE "C" NOT NULL DEFAULT '',
    ADD CHECK (shelf_life_days = 0 OR lots);

CREATE TABLE lot (
    item        text COLLATE "C" NOT NULL REFERENCES item,
    lot         text COLLATE "C" NOT NULL CHECK (lot <> ''),
    expires     date,
    made        date,
    supplier    text NOT NULL DEFAULT '',
    received_on date NOT NULL,
    PRIMARY KEY (item, lot),
    CHECK (made <= expires)
);

-- Who gets goods that still last so long.
CREATE TABLE customer (
    id       text COLLATE "C" PRIMARY KEY,
    owner    text COLLATE "C" NOT NULL DEFAULT '',
    name     text NOT NULL DEFAULT '',
    min_days integer NOT NULL DEFAULT 0 CHECK (min_days BETWEEN 0 AND 3650)
);
ALTER TABLE orders
    ADD COLUMN customer text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN min_days integer NOT NULL DEFAULT 0 CHECK (min_days BETWEEN 0 AND 3650),
    ADD COLUMN backorder boolean NOT NULL DEFAULT false;
CREATE INDEX order_line_short ON order_line (item) WHERE short > 0;

-- How much more than announced may come, and whether anything may come unannounced; '' is the house.
CREATE TABLE receiving_rule (
    owner    text COLLATE "C" PRIMARY KEY,
    over_pct integer NOT NULL DEFAULT 0 CHECK (over_pct BETWEEN 0 AND 100),
    blind    boolean NOT NULL DEFAULT false
);
INSERT INTO receiving_rule VALUES ('', 0, false);

-- What is looked at before anybody may have it: goods of a supplier, of an item, or of both ('': of any).
CREATE TABLE quality_rule (
    id       text COLLATE "C" PRIMARY KEY,
    supplier text COLLATE "C" NOT NULL DEFAULT '',
    item     text COLLATE "C" NOT NULL DEFAULT '',
    reason   text NOT NULL,
    CHECK (supplier <> '' OR item <> '')
);

-- In which order places are looked for, by the item's putaway class; '' is for all others.
CREATE TABLE putaway_strategy (
    class text COLLATE "C" PRIMARY KEY,
    steps jsonb NOT NULL CHECK (jsonb_typeof(steps) = 'array')
);
INSERT INTO putaway_strategy VALUES
    ('', '[{"rule": "cross_dock"}, {"rule": "fixed"}, {"rule": "same_item"}, {"rule": "nearest", "kinds": ["shelf"]},
           {"rule": "nearest", "kinds": ["bin"]}]');

CREATE TABLE asn (
    id           text COLLATE "C" PRIMARY KEY,
    source       text COLLATE "C" NOT NULL,
    ref          text COLLATE "C" NOT NULL,
    owner        text COLLATE "C" NOT NULL,
    supplier     text COLLATE "C" NOT NULL,
    state        text NOT NULL CHECK (state IN ('expected', 'arrived', 'closed', 'cancelled')),
    due          timestamptz NOT NULL,
    over_pct     integer CHECK (over_pct BETWEEN 0 AND 100),
    staging      text COLLATE "C" REFERENCES place,
    note         text NOT NULL DEFAULT '',
    correlation  text NOT NULL DEFAULT '',
    announced_at timestamptz NOT NULL,
    arrived_at   timestamptz,
    closed_at    timestamptz,
    UNIQUE (source, ref)
) WITH (fillfactor = 80);
CREATE INDEX asn_announced ON asn (announced_at, id);
CREATE INDEX asn_open ON asn (due, id) WHERE state IN ('expected', 'arrived');

CREATE TABLE asn_line (
    asn      text COLLATE "C" NOT NULL REFERENCES asn,
    line     integer NOT NULL CHECK (line > 0),
    item     text COLLATE "C" NOT NULL REFERENCES item,
    lot      text COLLATE "C" NOT NULL DEFAULT '',
    expires  date,
    qty      integer NOT NULL CHECK (qty BETWEEN 0 AND 1000000),
    received integer NOT NULL DEFAULT 0 CHECK (received >= 0),
    damaged  integer NOT NULL DEFAULT 0 CHECK (damaged BETWEEN 0 AND received),
    PRIMARY KEY (asn, line)
) WITH (fillfactor = 80);
CREATE INDEX asn_line_item ON asn_line (item);

-- Expected handling units, nested; each known by its SSCC, which only one open announcement may hold.
CREATE TABLE asn_unit (
    asn         text COLLATE "C" NOT NULL REFERENCES asn,
    sscc        text COLLATE "C" NOT NULL CHECK (sscc ~ '^[0-9]{18}$'),
    parent      text COLLATE "C",
    state       text NOT NULL DEFAULT 'expected' CHECK (state IN ('expected', 'received', 'missing', 'cancelled')),
    received_at timestamptz,
    PRIMARY KEY (asn, sscc),
    FOREIGN KEY (asn, parent) REFERENCES asn_unit DEFERRABLE INITIALLY DEFERRED,
    CHECK (parent <> sscc)
);
CREATE UNIQUE INDEX asn_unit_expected ON asn_unit (sscc) WHERE state = 'expected';
CREATE TABLE asn_unit_line (
    asn  text COLLATE "C" NOT NULL,
    sscc text COLLATE "C" NOT NULL,
    line integer NOT NULL,
    qty  integer NOT NULL CHECK (qty > 0),
    PRIMARY KEY (asn, sscc, line),
    FOREIGN KEY (asn, sscc) REFERENCES asn_unit,
    FOREIGN KEY (asn, line) REFERENCES asn_line
);

-- What came in: one row a posting, with the ledger's key.
CREATE TABLE receipt (
    key      text COLLATE "C" PRIMARY KEY,
    at       timestamptz NOT NULL,
    asn      text COLLATE "C" REFERENCES asn,
    line     integer,
    item     text COLLATE "C" NOT NULL REFERENCES item,
    lot      text COLLATE "C" NOT NULL,
    owner    text COLLATE "C" NOT NULL,
    qty      integer NOT NULL CHECK (qty > 0),
    status   text NOT NULL,
    why      text NOT NULL DEFAULT '',
    place    text COLLATE "C" NOT NULL REFERENCES place,
    supplier text COLLATE "C" NOT NULL,
    actor    text NOT NULL,
    FOREIGN KEY (asn, line) REFERENCES asn_line
);
CREATE INDEX receipt_line ON receipt (asn, line);
CREATE INDEX receipt_at ON receipt (at, key);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON receipt FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- No two at one door at a time: the database says so.
CREATE TABLE appointment (
    id         text COLLATE "C" PRIMARY KEY,
    dock       text COLLATE "C" NOT NULL REFERENCES place,
    direction  text NOT NULL CHECK (direction IN ('in', 'out')),
    during     tstzrange NOT NULL CHECK (NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)),
    state      text NOT NULL DEFAULT 'booked' CHECK (state IN ('booked', 'arrived', 'left', 'cancelled')),
    asn        text COLLATE "C" REFERENCES asn,
    carrier    text NOT NULL DEFAULT '',
    vehicle    text NOT NULL DEFAULT '',
    owner      text COLLATE "C" NOT NULL DEFAULT '',
    booked_by  text NOT NULL,
    booked_at  timestamptz NOT NULL,
    arrived_at timestamptz,
    left_at    timestamptz,
    CONSTRAINT one_at_a_door EXCLUDE USING gist (dock WITH =, during WITH &&) WHERE (state <> 'cancelled')
);
CREATE INDEX appointment_asn ON appointment (asn) WHERE asn IS NOT NULL;

-- Stock that became free, held or damaged; above the limit it waits for a second person.
CREATE TABLE status_change (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place      text COLLATE "C" NOT NULL REFERENCES place,
    item       text COLLATE "C" NOT NULL REFERENCES item,
    lot        text COLLATE "C" NOT NULL DEFAULT '',
    owner      text COLLATE "C" NOT NULL DEFAULT '',
    qty        integer NOT NULL CHECK (qty > 0),
    was        text NOT NULL,
    becomes    text NOT NULL,
    reason     text NOT NULL,
    key        text COLLATE "C" NOT NULL UNIQUE,
    state      text NOT NULL CHECK (state IN ('pending', 'posted', 'refused')),
    asked_by   text NOT NULL,
    asked_at   timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    why        text NOT NULL DEFAULT '',
    CHECK (was <> becomes),
    CHECK (decided_by <> asked_by),
    CHECK (state <> 'refused' OR decided_by IS NOT NULL)
);
CREATE INDEX status_change_pending ON status_change (id) WHERE state = 'pending';

-- What people are bringing to a place takes room there already.
CREATE INDEX hand_task_target ON hand_task (target) WHERE state IN ('open', 'leased');
INSERT INTO place (code, kind) VALUES ('inbound', 'staging') ON CONFLICT DO NOTHING;

-- The lot's dates stand beside the stock, where the reservation looks; the two triggers keep them the same.
ALTER TABLE stock ADD COLUMN expires date, ADD COLUMN since date;
CREATE FUNCTION date_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT l.expires, l.received_on INTO NEW.expires, NEW.since FROM lot l WHERE l.item = NEW.item AND l.lot = NEW.lot;
    RETURN NEW;
END $$;
CREATE TRIGGER of_its_lot BEFORE INSERT ON stock FOR EACH ROW WHEN (NEW.lot <> '') EXECUTE FUNCTION date_stock();
CREATE FUNCTION date_stock_of_lot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock s SET expires = NEW.expires, since = NEW.received_on WHERE s.item = NEW.item AND s.lot = NEW.lot;
    RETURN NULL;
END $$;
CREATE TRIGGER date_stock AFTER INSERT OR UPDATE ON lot FOR EACH ROW EXECUTE FUNCTION date_stock_of_lot();
