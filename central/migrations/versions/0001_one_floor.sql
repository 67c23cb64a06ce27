-- The first floor: places, items, stock, the ledger, orders, work, events, identity.
-- Integers only. Codes are text in "C" order, so that every list is in the same order on every machine.

CREATE TABLE place (
    code      text COLLATE "C" PRIMARY KEY,
    kind      text NOT NULL CHECK (kind IN ('virtual', 'pod', 'bin', 'station', 'chute', 'tote')),
    parent    text COLLATE "C" REFERENCES place DEFERRABLE INITIALLY DEFERRED,
    node      text COLLATE "C",
    CHECK (parent <> code)
) WITH (fillfactor = 80);
CREATE INDEX place_parent ON place (parent);

CREATE TABLE item (
    id           text COLLATE "C" PRIMARY KEY,
    kind         text NOT NULL CHECK (kind IN ('stock', 'service')),
    barcode      text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    weight_g     integer NOT NULL CHECK (weight_g >= 0),
    volume_ml    integer NOT NULL CHECK (volume_ml >= 0),
    category     text COLLATE "C" NOT NULL,
    product_line text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX item_barcode ON item (barcode) WHERE barcode <> '';

-- The accounts: how much of what is where. `doubt` holds the rest of a bin back until somebody has counted it.
CREATE TABLE stock (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place     text COLLATE "C" NOT NULL REFERENCES place,
    item      text COLLATE "C" NOT NULL REFERENCES item,
    lot       text COLLATE "C" NOT NULL DEFAULT '',
    owner     text COLLATE "C" NOT NULL DEFAULT '',
    status    text COLLATE "C" NOT NULL DEFAULT 'ok' CHECK (status IN ('ok', 'quality', 'hold', 'damaged')),
    qty       integer NOT NULL CHECK (qty >= 0),
    reserved  integer NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    doubt     boolean NOT NULL DEFAULT false,
    live      boolean GENERATED ALWAYS AS (qty > 0) STORED,
    CHECK (reserved <= qty),
    UNIQUE (place, item, lot, owner, status)
) WITH (fillfactor = 70);
CREATE INDEX stock_of_item ON stock (item, place) WHERE live;

-- The moves between accounts. Nothing here is ever changed; a mistake is undone by a row that points back.
CREATE TABLE ledger (
    at        timestamptz NOT NULL,
    seq       bigint GENERATED ALWAYS AS IDENTITY,
    a         text COLLATE "C" NOT NULL,
    b         text COLLATE "C" NOT NULL,
    item      text COLLATE "C" NOT NULL,
    lot       text COLLATE "C" NOT NULL DEFAULT '',
    owner     text COLLATE "C" NOT NULL DEFAULT '',
    qty       integer NOT NULL CHECK (qty > 0),
    reason    text COLLATE "C" NOT NULL,
    task      text COLLATE "C",
    order_id  text COLLATE "C",
    line      integer,
    actor     text COLLATE "C" NOT NULL,
    key       text COLLATE "C" NOT NULL,
    reverses  bigint,
    CHECK (a <> b),
    PRIMARY KEY (at, seq)
) PARTITION BY RANGE (at);
CREATE INDEX ledger_a ON ledger (a, seq);
CREATE INDEX ledger_b ON ledger (b, seq);
CREATE INDEX ledger_order ON ledger (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX ledger_at ON ledger USING brin (at);
CREATE TABLE ledger_rest PARTITION OF ledger DEFAULT;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: undo a row with a row that reverses it', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON ledger FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A partitioned table cannot keep `key` unique over all time; this one can.
CREATE TABLE posted (key text COLLATE "C" PRIMARY KEY);

CREATE TABLE orders (
    id          text COLLATE "C" PRIMARY KEY,
    source      text COLLATE "C" NOT NULL,
    ref         text COLLATE "C" NOT NULL,
    state       text COLLATE "C" NOT NULL CHECK (state IN
                ('received', 'allocated', 'released', 'picking', 'packed', 'shipped', 'short', 'cancelled')),
    due         timestamptz NOT NULL,
    release_at  timestamptz,
    priority    integer NOT NULL DEFAULT 0,
    ship_to     text NOT NULL DEFAULT '',
    correlation text NOT NULL DEFAULT '',
    received_at timestamptz NOT NULL,
    released_at timestamptz,
    started_at  timestamptz,
    packed_at   timestamptz,
    closed_at   timestamptz,
    UNIQUE (source, ref)
) WITH (fillfactor = 80);
CREATE INDEX orders_received ON orders (received_at, id);
CREATE INDEX orders_to_release ON orders (release_at) WHERE state = 'allocated';

CREATE TABLE order_line (
    order_id  text COLLATE "C" NOT NULL REFERENCES orders,
    line      integer NOT NULL CHECK (line > 0),
    item      text COLLATE "C" NOT NULL REFERENCES item,
    kind      text NOT NULL,
    qty       integer NOT NULL CHECK (qty BETWEEN 1 AND 100000),
    allocated integer NOT NULL DEFAULT 0 CHECK (allocated >= 0),
    done      integer NOT NULL DEFAULT 0 CHECK (done >= 0),
    short     integer NOT NULL DEFAULT 0 CHECK (short >= 0),
    cancelled integer NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    PRIMARY KEY (order_id, line),
    CHECK (allocated + done + short + cancelled <= qty)
) WITH (fillfactor = 80);

CREATE TABLE tote (
    id        text COLLATE "C" PRIMARY KEY REFERENCES place,
    order_id  text COLLATE "C" NOT NULL REFERENCES orders,
    n         integer NOT NULL,
    state     text NOT NULL CHECK (state IN ('open', 'arrived', 'packed', 'void')),
    oversize  boolean NOT NULL,
    weight_g  integer
) WITH (fillfactor = 80);
CREATE INDEX tote_order ON tote (order_id);

CREATE TABLE task (
    id          text COLLATE "C" PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('pick', 'convey', 'pack')),
    state       text NOT NULL CHECK (state IN ('waiting', 'released', 'started', 'done', 'short', 'cancelled')),
    attempt     integer NOT NULL DEFAULT 1,
    order_id    text COLLATE "C" NOT NULL REFERENCES orders,
    line        integer,
    tote        text COLLATE "C" NOT NULL REFERENCES tote,
    item        text COLLATE "C",
    stock       bigint,
    bin         text COLLATE "C",
    qty         integer,
    done_qty    integer,
    station     text COLLATE "C",
    robot       text COLLATE "C",
    reason      text NOT NULL DEFAULT '',
    evidence    jsonb,
    created_at  timestamptz NOT NULL,
    released_at timestamptz,
    started_at  timestamptz,
    closed_at   timestamptz,
    CHECK ((kind = 'pick') = (qty IS NOT NULL)),
    CHECK (done_qty BETWEEN 0 AND qty)
) WITH (fillfactor = 70);
CREATE INDEX task_order ON task (order_id);
CREATE INDEX task_tote ON task (tote);
CREATE INDEX task_created ON task (created_at, id);
CREATE INDEX task_closed ON task (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX task_open ON task (id) WHERE state IN ('released', 'started');

-- A claim on a stock row; it exists exactly as long as it is reserved there.
CREATE TABLE reservation (
    task      text COLLATE "C" PRIMARY KEY REFERENCES task,
    stock     bigint NOT NULL REFERENCES stock,
    qty       integer NOT NULL CHECK (qty > 0)
);
CREATE INDEX reservation_stock ON reservation (stock);

CREATE TABLE shipment (
    id        text COLLATE "C" PRIMARY KEY,
    order_id  text COLLATE "C" NOT NULL UNIQUE REFERENCES orders,
    at        timestamptz NOT NULL,
    totes     integer NOT NULL,
    pieces    integer NOT NULL,
    services  integer NOT NULL,
    weight_g  integer NOT NULL,
    ship_to   text NOT NULL
);
CREATE INDEX shipment_at ON shipment (at, id);

CREATE TABLE alarm (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key             text COLLATE "C" NOT NULL,
    severity        text NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    subject         text NOT NULL,
    text            text NOT NULL,
    remedy          text NOT NULL,
    raised_at       timestamptz NOT NULL,
    cleared_at      timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    acknowledged_why text
);
CREATE UNIQUE INDEX alarm_active ON alarm (key) WHERE cleared_at IS NULL;

-- The outbox, and the log of what happened: read in the order (tx, seq) below the snapshot's xmin.
CREATE TABLE event (
    tx          xid8 NOT NULL DEFAULT pg_current_xact_id(),
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    type        text NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL,
    data        jsonb,
    correlation text NOT NULL DEFAULT '',
    PRIMARY KEY (tx, seq)
);

CREATE TABLE cursor (
    name text PRIMARY KEY,
    tx   xid8 NOT NULL,
    seq  bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO cursor VALUES ('relay', '0', 0);

-- How far the dispatcher's facts are taken.
CREATE TABLE fact_cursor (
    site  text PRIMARY KEY,
    epoch bigint NOT NULL,
    seq   bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE idempotency (
    client       text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    status       integer NOT NULL,
    response     text NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (client, key)
);

CREATE TABLE client (
    name text PRIMARY KEY,
    role text NOT NULL CHECK (role IN ('operator', 'supervisor', 'erp', 'device'))
);
CREATE TABLE token (
    hash       bytea PRIMARY KEY,
    client     text NOT NULL REFERENCES client,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE TABLE app_user (
    name     text PRIMARY KEY,
    role     text NOT NULL CHECK (role IN ('operator', 'supervisor', 'erp', 'device')),
    password text NOT NULL
);
CREATE TABLE session (
    hash       bytea PRIMARY KEY,
    name       text NOT NULL,
    role       text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE TABLE login_link (
    hash       bytea PRIMARY KEY,
    name       text NOT NULL,
    role       text NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);

CREATE TABLE audit (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL,
    who         text NOT NULL,
    role        text NOT NULL,
    action      text NOT NULL,
    subject     text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    correlation text NOT NULL DEFAULT '',
    detail      jsonb
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();

INSERT INTO place (code, kind) VALUES ('supplier', 'virtual'), ('customer', 'virtual'), ('adjustment', 'virtual');
