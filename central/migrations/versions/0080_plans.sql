-- Plans: what somebody asked to be planned, who plans it, how far it is, and what became of it.
CREATE TABLE plan (
    id          text COLLATE "C" PRIMARY KEY,
    kind        text NOT NULL,
    state       text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'accepted', 'discarded')),
    problem     text NOT NULL,
    effort      bigint NOT NULL,
    seed        bigint NOT NULL,
    attempt     integer NOT NULL DEFAULT 0,
    worker      text NOT NULL DEFAULT '',
    share       real NOT NULL DEFAULT 0,
    cost        double precision,
    used        bigint,
    result      text,
    reason      text NOT NULL DEFAULT '',
    asked_by    text NOT NULL,
    asked_at    timestamptz NOT NULL,
    begun_at    timestamptz,
    ended_at    timestamptz,
    decided_by  text NOT NULL DEFAULT '',
    decided_at  timestamptz
);
CREATE INDEX plan_open ON plan (asked_at, id) WHERE state IN ('queued', 'running');
