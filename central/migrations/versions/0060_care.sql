-- Care of the stock: what comes back, what is counted, what is brought to the front, what is built, scrapped or sent to
-- another site.

INSERT INTO place (code, kind) VALUES
    ('transit', 'virtual'),   -- between two sites
    ('workshop', 'virtual'),  -- where parts become something else
    ('returns', 'staging'),   -- what customers sent back, until it is graded
    ('damaged', 'staging')    -- what nobody may sell, until somebody decides
ON CONFLICT DO NOTHING;

CREATE TABLE care_policy (
    one               boolean PRIMARY KEY DEFAULT true CHECK (one),
    count_limit       integer NOT NULL DEFAULT 100 CHECK (count_limit > 0),
    count_rounds      integer NOT NULL DEFAULT 6 CHECK (count_rounds BETWEEN 2 AND 50),
    count_after_short boolean NOT NULL DEFAULT true,
    scrap_limit       integer NOT NULL DEFAULT 20 CHECK (scrap_limit > 0),
    blind_returns     text NOT NULL DEFAULT 'shipped' CHECK (blind_returns IN ('shipped', 'any')),
    changed_at        timestamptz,
    changed_by        text
);
INSERT INTO care_policy DEFAULT VALUES;

-- Counts. Nothing here says how much was expected before somebody has counted: a count is blind.
CREATE TABLE count_plan (
    id         text COLLATE "C" PRIMARY KEY,
    cause      text NOT NULL CHECK (cause IN ('class', 'zero')),
    class      text CHECK (class IN ('A', 'B', 'C')),
    every_days integer NOT NULL CHECK (every_days BETWEEN 1 AND 366),
    at_most    integer NOT NULL CHECK (at_most BETWEEN 1 AND 10000),
    priority   integer NOT NULL DEFAULT 0,
    active     boolean NOT NULL DEFAULT true,
    version    integer NOT NULL DEFAULT 1,
    CHECK ((cause = 'class') = (class IS NOT NULL))
);
CREATE TABLE item_class (
    item  text COLLATE "C" PRIMARY KEY REFERENCES item,
    class text NOT NULL CHECK (class IN ('A', 'B', 'C')),
    picks integer NOT NULL CHECK (picks >= 0),
    at    timestamptz NOT NULL
);
CREATE INDEX item_class_class ON item_class (class, item);
CREATE TABLE stock_count (
    id         text COLLATE "C" PRIMARY KEY,
    place      text COLLATE "C" NOT NULL REFERENCES place,
    item       text COLLATE "C" NOT NULL REFERENCES item,
    lot        text COLLATE "C" NOT NULL DEFAULT '',
    owner      text COLLATE "C" NOT NULL DEFAULT '',
    status     text COLLATE "C" NOT NULL DEFAULT 'ok',
    cause      text NOT NULL CHECK (cause IN ('class', 'zero', 'doubt', 'short_pick', 'reserved', 'asked')),
    plan       text COLLATE "C" REFERENCES count_plan,
    evidence   jsonb,
    state      text NOT NULL CHECK (state IN ('open', 'recount', 'agreed', 'posted', 'pending', 'cancelled')),
    rounds     integer NOT NULL DEFAULT 1,
    since      xid8,
    difference integer,
    posted     integer NOT NULL DEFAULT 0,
    opened_at  timestamptz NOT NULL,
    opened_by  text NOT NULL,
    closed_at  timestamptz,
    reason     text NOT NULL DEFAULT '',
    CHECK ((state IN ('open', 'recount')) = (closed_at IS NULL))
);
CREATE UNIQUE INDEX stock_count_open ON stock_count (place, item, lot, owner, status) WHERE closed_at IS NULL;
CREATE INDEX stock_count_opened ON stock_count (opened_at, id);
CREATE INDEX stock_count_plan ON stock_count (plan) WHERE closed_at IS NULL;
CREATE TABLE count_result (
    count_id text COLLATE "C" NOT NULL REFERENCES stock_count,
    round    integer NOT NULL,
    person   text NOT NULL,
    at       timestamptz NOT NULL,
    counted  integer NOT NULL CHECK (counted >= 0),
    expected integer NOT NULL CHECK (expected >= 0),
    moving   boolean NOT NULL,
    PRIMARY KEY (count_id, round)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON count_result FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Bringing goods from the reserve to where robots pick.
CREATE TABLE replenish_rule (
    item     text COLLATE "C" PRIMARY KEY REFERENCES item,
    min_qty  integer NOT NULL CHECK (min_qty >= 0),
    max_qty  integer NOT NULL CHECK (max_qty > 0),
    pack     integer NOT NULL DEFAULT 1 CHECK (pack > 0),
    target   text COLLATE "C" REFERENCES place,
    priority integer NOT NULL DEFAULT 0,
    active   boolean NOT NULL DEFAULT true,
    version  integer NOT NULL DEFAULT 1,
    CHECK (min_qty < max_qty)
);
CREATE INDEX hand_task_replenish ON hand_task (item) WHERE kind = 'replenish' AND state IN ('open', 'leased');

-- What customers send back.
CREATE TABLE goods_return (
    id        text COLLATE "C" PRIMARY KEY,
    source    text COLLATE "C" NOT NULL,
    ref       text COLLATE "C" NOT NULL,
    owner     text COLLATE "C" NOT NULL DEFAULT '',
    order_id  text COLLATE "C" REFERENCES orders,
    state     text NOT NULL CHECK (state IN ('announced', 'received', 'closed', 'cancelled')),
    reason    text NOT NULL DEFAULT '',
    made_by   text NOT NULL,
    made_at   timestamptz NOT NULL,
    closed_at timestamptz,
    UNIQUE (source, ref),
    CHECK ((state IN ('closed', 'cancelled')) = (closed_at IS NOT NULL))
);
CREATE INDEX goods_return_made ON goods_return (made_at, id);
CREATE INDEX goods_return_order ON goods_return (order_id) WHERE order_id IS NOT NULL;
CREATE TABLE return_line (
    return_id  text COLLATE "C" NOT NULL REFERENCES goods_return,
    line       integer NOT NULL CHECK (line > 0),
    order_line integer,
    item       text COLLATE "C" NOT NULL REFERENCES item,
    qty        integer NOT NULL CHECK (qty >= 0),
    received   integer NOT NULL DEFAULT 0 CHECK (received >= 0),
    back       integer NOT NULL DEFAULT 0 CHECK (back >= 0),
    other      integer NOT NULL DEFAULT 0 CHECK (other >= 0),
    damaged    integer NOT NULL DEFAULT 0 CHECK (damaged >= 0),
    scrapped   integer NOT NULL DEFAULT 0 CHECK (scrapped >= 0),
    reason     text NOT NULL DEFAULT '',
    PRIMARY KEY (return_id, line),
    CHECK (back + other + damaged + scrapped <= received),
    CHECK (order_line IS NULL OR received <= qty)
);

CREATE TABLE scrapping (
    id         text COLLATE "C" PRIMARY KEY,
    place      text COLLATE "C" NOT NULL REFERENCES place,
    item       text COLLATE "C" NOT NULL REFERENCES item,
    lot        text COLLATE "C" NOT NULL DEFAULT '',
    owner      text COLLATE "C" NOT NULL DEFAULT '',
    status     text COLLATE "C" NOT NULL DEFAULT 'ok',
    qty        integer NOT NULL CHECK (qty > 0),
    reason     text NOT NULL,
    note       text NOT NULL DEFAULT '',
    state      text NOT NULL CHECK (state IN ('pending', 'approved', 'posted', 'refused')),  -- approved: for a moment, inside
    asked_by   text NOT NULL,
    asked_at   timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    why        text NOT NULL DEFAULT '',
    move       bigint,
    CHECK (decided_by <> asked_by),
    CHECK (state <> 'pending' OR decided_by IS NULL),
    CHECK ((state = 'posted') = (move IS NOT NULL))
);
CREATE INDEX scrapping_asked ON scrapping (asked_at, id);

-- Kits: `explode` is taken apart when it is ordered and never lies anywhere, `build` is made of its parts beforehand.
CREATE TABLE kit (
    item    text COLLATE "C" PRIMARY KEY REFERENCES item,
    mode    text NOT NULL CHECK (mode IN ('explode', 'build')),
    version integer NOT NULL DEFAULT 1
);
CREATE TABLE kit_part (
    kit  text COLLATE "C" NOT NULL REFERENCES kit,
    part text COLLATE "C" NOT NULL REFERENCES item,
    qty  integer NOT NULL CHECK (qty BETWEEN 1 AND 10000),
    PRIMARY KEY (kit, part),
    CHECK (part <> kit)
);
CREATE INDEX kit_part_part ON kit_part (part);
CREATE TABLE kit_build (
    id        text COLLATE "C" PRIMARY KEY,
    kit       text COLLATE "C" NOT NULL REFERENCES kit,
    way       text NOT NULL CHECK (way IN ('build', 'unbuild')),
    qty       integer NOT NULL CHECK (qty > 0),
    done      integer NOT NULL DEFAULT 0,
    place     text COLLATE "C" NOT NULL REFERENCES place,
    parts     jsonb NOT NULL,
    state     text NOT NULL CHECK (state IN ('open', 'done', 'cancelled', 'undone')),
    made_by   text NOT NULL,
    made_at   timestamptz NOT NULL,
    closed_at timestamptz,
    CHECK (done BETWEEN 0 AND qty),
    CHECK ((state = 'open') = (closed_at IS NULL))
);
CREATE INDEX kit_build_made ON kit_build (made_at, id);
-- Which lines of an order are parts of a kit that was ordered in another line of it.
CREATE TABLE order_kit_part (
    order_id text COLLATE "C" NOT NULL,
    line     integer NOT NULL,
    kit_line integer NOT NULL,
    per_kit  integer NOT NULL CHECK (per_kit > 0),
    PRIMARY KEY (order_id, line),
    FOREIGN KEY (order_id, line) REFERENCES order_line DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (order_id, kit_line) REFERENCES order_line DEFERRABLE INITIALLY DEFERRED
);

-- Transfers: each of the two sites keeps its half of the document.
CREATE TABLE transfer (
    id         text COLLATE "C" PRIMARY KEY,
    way        text NOT NULL CHECK (way IN ('out', 'in')),
    ref        text COLLATE "C" NOT NULL,
    other_site text COLLATE "C" NOT NULL,
    owner      text COLLATE "C" NOT NULL DEFAULT '',
    state      text NOT NULL CHECK (state IN ('open', 'sent', 'received', 'closed', 'cancelled')),
    reason     text NOT NULL DEFAULT '',
    made_by    text NOT NULL,
    made_at    timestamptz NOT NULL,
    sent_at    timestamptz,
    closed_at  timestamptz,
    UNIQUE (way, other_site, ref),
    CHECK ((state IN ('closed', 'cancelled')) = (closed_at IS NOT NULL))
);
CREATE INDEX transfer_made ON transfer (made_at, id);
CREATE TABLE transfer_line (
    transfer text COLLATE "C" NOT NULL REFERENCES transfer,
    line     integer NOT NULL CHECK (line > 0),
    item     text COLLATE "C" NOT NULL REFERENCES item,
    lot      text COLLATE "C" NOT NULL DEFAULT '',
    place    text COLLATE "C" REFERENCES place,
    qty      integer NOT NULL CHECK (qty > 0),
    sent     integer NOT NULL DEFAULT 0 CHECK (sent >= 0),
    received integer NOT NULL DEFAULT 0 CHECK (received >= 0),
    PRIMARY KEY (transfer, line),
    CHECK (sent <= qty)
);

-- Last, since others wait from here on. Nothing was returned before, so no row is looked at.
ALTER TABLE stock ADD COLUMN counted_at timestamptz;
CREATE INDEX stock_empty ON stock (place) WHERE NOT live;
CREATE INDEX orders_worked_on ON orders (id) WHERE state IN ('allocated', 'released', 'picking');
ALTER TABLE order_line ADD COLUMN returned integer NOT NULL DEFAULT 0;
ALTER TABLE order_line ADD CONSTRAINT order_line_returned CHECK (returned BETWEEN 0 AND done) NOT VALID;
