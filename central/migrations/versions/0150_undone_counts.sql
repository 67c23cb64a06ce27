-- A count that was taken back: what a person found in that round proves nothing any more.
CREATE TABLE count_undone (
    count_id text COLLATE "C" NOT NULL,
    round    integer NOT NULL,
    at       timestamptz NOT NULL,
    who      text NOT NULL,
    reason   text NOT NULL,
    PRIMARY KEY (count_id, round),
    FOREIGN KEY (count_id, round) REFERENCES count_result
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON count_undone FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE VIEW count_proof AS
SELECT r.* FROM count_result r WHERE NOT r.moving
  AND NOT EXISTS (SELECT FROM count_undone u WHERE u.count_id = r.count_id AND u.round = r.round);
