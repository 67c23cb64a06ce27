-- Transports: work without stock.
CREATE TABLE transport (
    id          text COLLATE "C" PRIMARY KEY,
    client      text NOT NULL,
    state       text NOT NULL CHECK (state IN ('open', 'assigned', 'loaded', 'done', 'cancelled')),
    attempt     integer NOT NULL DEFAULT 1,
    from_place  text COLLATE "C" NOT NULL,
    to_place    text COLLATE "C" NOT NULL,
    origin      text COLLATE "C" NOT NULL,
    goal        text COLLATE "C" NOT NULL,
    load        text NOT NULL DEFAULT '',
    load_type   text NOT NULL DEFAULT '',
    handling    boolean NOT NULL,
    priority    integer NOT NULL DEFAULT 0,
    due         timestamptz,
    robot       text COLLATE "C",
    reason      text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    assigned_at timestamptz,
    loaded_at   timestamptz,
    closed_at   timestamptz
) WITH (fillfactor = 70);
CREATE INDEX transport_created ON transport (created_at, id);
CREATE INDEX transport_open ON transport (created_at, id) WHERE state IN ('open', 'assigned', 'loaded');
CREATE INDEX transport_closed ON transport (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE transport_history (
    transport text COLLATE "C" NOT NULL REFERENCES transport,
    seq       bigint GENERATED ALWAYS AS IDENTITY,
    at        timestamptz NOT NULL,
    state     text NOT NULL,
    robot     text,
    node      text,
    reason    text NOT NULL DEFAULT '',
    who       text NOT NULL,
    PRIMARY KEY (transport, seq)
);
