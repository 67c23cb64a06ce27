-- Plans step by step: how far they are, how long still, and the way there; stopped with the best so far; what came of them.
ALTER TABLE plan
    ADD COLUMN done    bigint NOT NULL DEFAULT 0,
    ADD COLUMN eta_s   real,
    ADD COLUMN until   bigint NOT NULL DEFAULT 0 CHECK (until >= 0),
    ADD COLUMN stop    boolean NOT NULL DEFAULT false,
    ADD COLUMN steps   jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN outcome jsonb NOT NULL DEFAULT '{}';

-- What an accepted slotting plan moves, in its order; `tasks` for hands are opened one after the other, as there is time.
CREATE TABLE plan_move (
    plan      text COLLATE "C" NOT NULL REFERENCES plan,
    n         integer NOT NULL CHECK (n > 0),
    item      text COLLATE "C" NOT NULL,
    origin    text COLLATE "C" NOT NULL,
    goal      text COLLATE "C" NOT NULL,
    gain_m    double precision NOT NULL,
    cost_m    double precision NOT NULL,
    state     text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'open', 'done', 'skipped', 'stopped')),
    qty       integer NOT NULL DEFAULT 0 CHECK (qty >= 0),
    reason    text NOT NULL DEFAULT '',
    opened_at timestamptz,
    closed_at timestamptz,
    PRIMARY KEY (plan, n),
    CHECK ((state IN ('waiting', 'open')) = (closed_at IS NULL))
);
CREATE INDEX plan_move_left ON plan_move (plan, n) WHERE state IN ('waiting', 'open');
