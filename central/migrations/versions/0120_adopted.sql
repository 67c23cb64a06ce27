-- Robots that the site does not name and somebody adopted; one that was forgotten keeps its row.
CREATE TABLE adopted_robot (
    id            text COLLATE "C" PRIMARY KEY,   -- of its work key
    robot         text COLLATE "C" NOT NULL,
    manufacturer  text NOT NULL,
    serial        text NOT NULL,
    attempt       integer NOT NULL DEFAULT 1,
    adopted_at    timestamptz NOT NULL,
    adopted_by    text NOT NULL,
    reason        text NOT NULL,
    forgotten_at  timestamptz,
    forgotten_by  text,
    forgotten_why text,
    UNIQUE (manufacturer, serial)
);
CREATE UNIQUE INDEX adopted_robot_robot ON adopted_robot (robot) WHERE forgotten_at IS NULL;
