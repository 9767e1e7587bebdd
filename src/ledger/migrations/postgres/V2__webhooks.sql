-- What Meta tells: bodies to apply, windows, what could not be understood. A worker of V1 works on: it writes none of
-- it, and reads none of it.

-- Verified webhook bodies that are not applied yet.
CREATE TABLE inbox (
    seq  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    body bytea NOT NULL,
    at   bigint NOT NULL
);
ALTER TABLE inbox SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- Changes that nobody here understands, for a week.
CREATE TABLE strange (
    seq   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    field text NOT NULL,
    body  text NOT NULL,
    at    bigint NOT NULL
);
CREATE INDEX strange_at ON strange (at);

-- Until when a recipient may be answered freely, by the number they wrote to.
CREATE TABLE windows (
    recipient text NOT NULL,
    number    text NOT NULL,
    until     bigint NOT NULL,
    PRIMARY KEY (recipient, number)
) WITH (fillfactor = 80);
CREATE INDEX windows_until ON windows (until);

-- What is known of each number's webhooks: since when inbound messages are seen, and the latest acceptance of which a
-- status came.
CREATE TABLE heard (
    number        text PRIMARY KEY,
    inbound_since bigint,
    accepted_at   bigint
) WITH (fillfactor = 50);

-- Recipients not found on WhatsApp, how often in a row.
CREATE TABLE misses (
    recipient text PRIMARY KEY,
    n         integer NOT NULL
);

-- Keys that never leave the ledger.
CREATE TABLE keyring (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);

-- Whether holds of erased people stand: their subjects are keyed hashes.
ALTER TABLE hold_version ADD COLUMN erased boolean NOT NULL DEFAULT false;

-- Jobs whose delivery has a time limit that was not reached yet.
CREATE INDEX jobs_late_at ON jobs (late_at) WHERE late_at IS NOT NULL;

-- Counts up with each change of what is known of numbers, accounts and templates.
CREATE TABLE fleet_version (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    n   bigint NOT NULL
);
INSERT INTO fleet_version (n) VALUES (0);
