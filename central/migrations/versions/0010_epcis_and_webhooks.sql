-- In which transaction a move was posted: what is read in this order below the snapshot's xmin misses none. Rows from
-- before have none, and are older than all others.
ALTER TABLE ledger ADD COLUMN tx xid8;
ALTER TABLE ledger ALTER COLUMN tx SET DEFAULT pg_current_xact_id();

-- EPCIS 2.0 events, captured from others and made of our own moves. `terms` is all that a query may ask for.
CREATE TABLE epcis_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    text COLLATE "C" NOT NULL,
    event_time  timestamptz NOT NULL,
    record_time timestamptz NOT NULL,
    declared_at timestamptz,
    declared    boolean NOT NULL GENERATED ALWAYS AS (declared_at IS NOT NULL) STORED,
    source      text COLLATE "C" NOT NULL,
    owner       text COLLATE "C" NOT NULL DEFAULT '',
    terms       text[] COLLATE "C" NOT NULL,
    quantities  double precision[] NOT NULL,
    context     text NOT NULL,
    data        text NOT NULL,
    UNIQUE (event_id, declared)
);
CREATE INDEX epcis_event_terms ON epcis_event USING gin (terms);
CREATE INDEX epcis_event_time ON epcis_event (event_time, id);
CREATE INDEX epcis_event_recorded ON epcis_event (record_time, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON epcis_event FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE epcis_capture (
    id          text COLLATE "C" PRIMARY KEY,
    client      text NOT NULL,
    owner       text COLLATE "C" NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    behaviour   text NOT NULL CHECK (behaviour IN ('rollback', 'proceed')),
    success     boolean NOT NULL,
    captured    integer NOT NULL,
    errors      jsonb NOT NULL
);
CREATE INDEX epcis_capture_created ON epcis_capture (created_at, id);

CREATE SEQUENCE webhook_number;
CREATE TABLE webhook (
    id           text COLLATE "C" PRIMARY KEY DEFAULT 'W-' || nextval('webhook_number'),
    url          text NOT NULL,
    secret       text NOT NULL,
    types        text[] NOT NULL,
    subject      text COLLATE "C" NOT NULL,
    client       text NOT NULL,
    owner        text COLLATE "C" NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL,
    since        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    active       boolean NOT NULL DEFAULT true,
    delivered    bigint NOT NULL DEFAULT 0,
    last_at      timestamptz,
    last_outcome text NOT NULL DEFAULT ''
);

-- What is still to be sent, and what could not be. A delivered one is gone.
CREATE TABLE webhook_delivery (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook  text COLLATE "C" NOT NULL REFERENCES webhook ON DELETE CASCADE,
    tx       xid8 NOT NULL,
    seq      bigint NOT NULL,
    dead     boolean NOT NULL DEFAULT false,
    attempts integer NOT NULL DEFAULT 0,
    due_at   timestamptz NOT NULL,
    outcome  text NOT NULL DEFAULT '',
    UNIQUE (webhook, tx, seq)
) WITH (fillfactor = 70);
CREATE INDEX webhook_delivery_due ON webhook_delivery (due_at, id) WHERE NOT dead;
CREATE INDEX webhook_delivery_dead ON webhook_delivery (webhook, id) WHERE dead;

-- Both begin with what is not published yet: what happened before is nobody's news.
INSERT INTO cursor SELECT x.name, c.tx, c.seq FROM cursor c, (VALUES ('epcis'), ('webhooks')) AS x(name) WHERE c.name = 'relay';
