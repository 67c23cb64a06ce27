-- Work for hands: what a person does with a handheld, and the stock that knows lots, owners and statuses in its books too.

ALTER TABLE place DROP CONSTRAINT place_kind_check, ADD CONSTRAINT place_kind_check CHECK (kind IN (
    'virtual', 'pod', 'bin', 'station', 'chute', 'tote',
    'shelf',    -- reserve storage that people reach
    'dock',     -- a door where vehicles stand
    'staging',  -- a lane for goods that came, or will go
    'unit'      -- a handling unit; stands in any of the others, or in another unit
)) NOT VALID;
ALTER TABLE place VALIDATE CONSTRAINT place_kind_check;
INSERT INTO place (code, kind) VALUES ('scrap', 'virtual') ON CONFLICT DO NOTHING;
SET CONSTRAINTS ALL IMMEDIATE;  -- the migrations after this one alter `place` in the same transaction

-- Of which status the pieces were at either end. What was posted before is checked already, by a stricter rule.
ALTER TABLE ledger ADD COLUMN a_status text COLLATE "C" NOT NULL DEFAULT 'ok';
ALTER TABLE ledger ADD COLUMN b_status text COLLATE "C" NOT NULL DEFAULT 'ok';
ALTER TABLE ledger ADD CONSTRAINT ledger_moves CHECK (a <> b OR a_status <> b_status) NOT VALID;
ALTER TABLE ledger DROP CONSTRAINT ledger_check;

ALTER TABLE adjustment ADD COLUMN lot text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE adjustment ADD COLUMN status text COLLATE "C" NOT NULL DEFAULT 'ok' CHECK (status IN ('ok', 'quality', 'hold', 'damaged'));

-- A lease is the row itself: who has it, since which attempt, until when. The attempt grows with each lease, so that what
-- an earlier one confirms is known as old. `moves`: the rows of the ledger that its confirmation posted.
CREATE TABLE hand_task (
    id          text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_.:-]{1,100}$'),
    kind        text COLLATE "C" NOT NULL CHECK (kind ~ '^[a-z][a-z_]{0,39}$'),
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'leased', 'done', 'cancelled', 'undone')),
    priority    integer NOT NULL DEFAULT 0,
    due         timestamptz,
    item        text COLLATE "C" REFERENCES item,
    lot         text COLLATE "C" NOT NULL DEFAULT '',
    owner       text COLLATE "C" NOT NULL DEFAULT '',
    status      text COLLATE "C" NOT NULL DEFAULT 'ok' CHECK (status IN ('ok', 'quality', 'hold', 'damaged')),
    qty         integer CHECK (qty >= 0),
    source      text COLLATE "C",
    target      text COLLATE "C",
    ref         text COLLATE "C",
    detail      jsonb NOT NULL DEFAULT '{}',
    attempt     integer NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    person      text COLLATE "C",
    client      text COLLATE "C",
    lease_until timestamptz,
    done_qty    integer CHECK (done_qty >= 0),
    done_by     text COLLATE "C",
    reason      text NOT NULL DEFAULT '',
    moves       bigint[] NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL,
    closed_at   timestamptz,
    CHECK ((state = 'leased') = (lease_until IS NOT NULL)),
    CHECK (state <> 'leased' OR (person IS NOT NULL AND client IS NOT NULL AND attempt > 0)),
    CHECK ((state IN ('open', 'leased')) = (closed_at IS NULL)),
    CHECK (state <> 'done' OR done_by IS NOT NULL)
) WITH (fillfactor = 70);
CREATE INDEX hand_task_next ON hand_task (kind, priority DESC, due, id) WHERE state = 'open';
CREATE INDEX hand_task_lease ON hand_task (lease_until) WHERE state = 'leased';
CREATE INDEX hand_task_created ON hand_task (created_at, id);
CREATE INDEX hand_task_open ON hand_task (created_at, id) WHERE state IN ('open', 'leased');
CREATE INDEX hand_task_ref ON hand_task (ref) WHERE ref IS NOT NULL;
CREATE INDEX hand_task_source ON hand_task (source) WHERE state IN ('open', 'leased');
