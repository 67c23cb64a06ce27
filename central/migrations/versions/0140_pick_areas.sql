-- Where people walk along aisles: the aisles, which place lies where in them, and what the walks of rounds are planned by.
CREATE TABLE pick_area (
    code       text COLLATE "C" PRIMARY KEY,
    form       jsonb NOT NULL,   -- aisles, pitch_m, block_m, depots, one_way: as the planner reads them
    cart       jsonb NOT NULL,
    habit      jsonb NOT NULL,   -- depot, pickers, speed_mps, pick_s, setup_s, metres_a_late_s
    crowd      double precision NOT NULL CHECK (crowd BETWEEN 0 AND 100),
    rebatch_s  integer NOT NULL CHECK (rebatch_s >= 0),
    asked_at   timestamptz
);
CREATE TABLE pick_spot (
    place text COLLATE "C" PRIMARY KEY REFERENCES place,
    area  text COLLATE "C" NOT NULL REFERENCES pick_area ON DELETE CASCADE,
    aisle integer NOT NULL CHECK (aisle >= 0),
    at_m  double precision NOT NULL CHECK (at_m >= 0)
);
CREATE INDEX pick_spot_area ON pick_spot (area, aisle);

-- Batches of an accepted plan that nobody has begun: whoever begins a round gets the next one.
CREATE TABLE pick_batch (
    area  text COLLATE "C" NOT NULL REFERENCES pick_area ON DELETE CASCADE,
    n     integer NOT NULL CHECK (n > 0),
    plan  text COLLATE "C" NOT NULL REFERENCES plan,
    totes text[] COLLATE "C" NOT NULL,
    walk  text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (area, n)
);

-- In which order a round is walked, where that was planned.
CREATE TABLE round_walk (
    round text COLLATE "C" NOT NULL REFERENCES pick_round,
    place text COLLATE "C" NOT NULL,
    n     double precision NOT NULL,
    PRIMARY KEY (round, place)
);
ALTER TABLE pick_round ADD COLUMN plan text COLLATE "C" REFERENCES plan;
CREATE INDEX pick_round_plan ON pick_round (plan) WHERE plan IS NOT NULL;
