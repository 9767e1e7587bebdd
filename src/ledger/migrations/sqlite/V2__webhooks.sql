-- What Meta tells: bodies to apply, windows, what could not be understood. A worker of V1 works on: it writes none of
-- it, and reads none of it.

-- Verified webhook bodies that are not applied yet.
CREATE TABLE inbox (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    body BLOB NOT NULL,
    at   INTEGER NOT NULL
);

-- Changes that nobody here understands, for a week.
CREATE TABLE strange (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    field TEXT NOT NULL,
    body  TEXT NOT NULL,
    at    INTEGER NOT NULL
);
CREATE INDEX strange_at ON strange (at);

-- Until when a recipient may be answered freely, by the number they wrote to.
CREATE TABLE windows (
    recipient TEXT NOT NULL,
    number    TEXT NOT NULL,
    until     INTEGER NOT NULL,
    PRIMARY KEY (recipient, number)
) WITHOUT ROWID;
CREATE INDEX windows_until ON windows (until);

-- What is known of each number's webhooks: since when inbound messages are seen, and the latest acceptance of which a
-- status came.
CREATE TABLE heard (
    number        TEXT PRIMARY KEY,
    inbound_since INTEGER,
    accepted_at   INTEGER
) WITHOUT ROWID;

-- Recipients not found on WhatsApp, how often in a row.
CREATE TABLE misses (
    recipient TEXT PRIMARY KEY,
    n         INTEGER NOT NULL
);

-- Keys that never leave the ledger.
CREATE TABLE keyring (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
);

-- Jobs whose delivery has a time limit that was not reached yet.
CREATE INDEX jobs_late_at ON jobs (late_at) WHERE late_at IS NOT NULL;

-- 1: the broker has the event, and the outgoing webhook has not.
ALTER TABLE outbox ADD COLUMN passed_on INTEGER NOT NULL DEFAULT 0;

-- Counts up with each change of what other processes must then look at again: 'fleet'.
CREATE TABLE turns (
    what TEXT PRIMARY KEY,
    n    INTEGER NOT NULL
) WITHOUT ROWID;
