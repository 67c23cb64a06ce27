-- What the interface needs: owners, expiring reservations, adjustments by two people, stock of past days.

ALTER TABLE item ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN expires_at timestamptz;
CREATE INDEX orders_to_expire ON orders (expires_at) WHERE state = 'allocated' AND expires_at IS NOT NULL;

-- A token or a person that is bound to an owner sees and changes nothing of others; '' is the house itself, which sees all.
ALTER TABLE client ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE app_user ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';

-- Bookings above the limit wait here for a second person.
CREATE TABLE adjustment (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place      text COLLATE "C" NOT NULL REFERENCES place,
    item       text COLLATE "C" NOT NULL REFERENCES item,
    qty        integer NOT NULL CHECK (qty <> 0),
    reason     text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL UNIQUE,
    state      text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'refused')),
    asked_by   text NOT NULL,
    asked_at   timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    why        text NOT NULL DEFAULT '',
    CHECK (decided_by <> asked_by),
    CHECK ((state = 'pending') = (decided_by IS NULL))
);
CREATE INDEX adjustment_pending ON adjustment (id) WHERE state = 'pending';

-- Stock as it was at the end of past months: made of the ledger's rows up to `seq`, so that what is posted late is added
-- to it when it is read. Derived, and checked by the invariants.
CREATE TABLE stock_month (
    at  timestamptz PRIMARY KEY,
    seq bigint NOT NULL
);
CREATE TABLE stock_then (
    at    timestamptz NOT NULL REFERENCES stock_month,
    item  text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL,
    lot   text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL,
    qty   bigint NOT NULL,
    PRIMARY KEY (at, item, place, lot, owner)
);
