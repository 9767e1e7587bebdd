-- Times are milliseconds since 1970. A job and everything that belongs to it share one `seq`, which also is the
-- order in which jobs were published.

CREATE TABLE lanes (
    id       INTEGER PRIMARY KEY,
    pool     TEXT NOT NULL,
    pinned   TEXT NOT NULL, -- the one number, or ''
    priority TEXT NOT NULL,
    UNIQUE (pool, pinned, priority)
);

-- Which producers there are: an id without its source is looked up under each of them.
CREATE TABLE sources (name TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE jobs (
    seq           INTEGER PRIMARY KEY,
    key           BLOB NOT NULL,
    source        TEXT,
    id            TEXT NOT NULL,
    digest        BLOB NOT NULL,
    lane          INTEGER NOT NULL,
    recipient     TEXT NOT NULL,
    category      TEXT NOT NULL,
    campaign      TEXT,
    template      TEXT,
    metadata      TEXT,
    on_unknown    TEXT NOT NULL,
    expires_at    INTEGER NOT NULL,
    late_at       INTEGER,
    created_at    INTEGER NOT NULL,
    state         TEXT NOT NULL,
    reason        TEXT,
    code          INTEGER,
    details       TEXT,
    number        TEXT,
    attempt       INTEGER NOT NULL DEFAULT 0, -- admitted
    charged       INTEGER NOT NULL DEFAULT 0, -- of these, counted against the job's budget
    lost          INTEGER NOT NULL DEFAULT 0, -- of these, without an outcome
    deadline      INTEGER,                    -- set in `sending` and `unknown` alone
    wamid         TEXT,
    cost_type     TEXT,
    cost_category TEXT,
    accepted_at   INTEGER,
    sent_at       INTEGER,
    delivered_at  INTEGER,
    read_at       INTEGER,
    ended_at      INTEGER,
    updated_at    INTEGER NOT NULL
);
CREATE UNIQUE INDEX jobs_key ON jobs (key);
CREATE INDEX jobs_deadline ON jobs (deadline) WHERE deadline IS NOT NULL;
CREATE INDEX jobs_ended_at ON jobs (ended_at) WHERE ended_at IS NOT NULL;

-- One row a job that has not ended. Narrow: a claim must not copy bodies.
CREATE TABLE waiting (
    seq        INTEGER PRIMARY KEY,
    lane       INTEGER NOT NULL,
    class      INTEGER NOT NULL, -- 0 timed, 1 fresh: in this order
    due_at     INTEGER NOT NULL, -- 0 for fresh rows: they go in order of seq
    expires_at INTEGER NOT NULL,
    held       INTEGER NOT NULL DEFAULT 0, -- the hold it is parked under, or 0
    owned      INTEGER NOT NULL DEFAULT 0  -- 1: in the worker's hands, or in an attempt
);
CREATE INDEX waiting_free ON waiting (lane, class, due_at) WHERE owned = 0 AND held = 0;
CREATE INDEX waiting_owned ON waiting (seq) WHERE owned = 1;
CREATE INDEX waiting_parked ON waiting (held, lane, due_at) WHERE held > 0;
CREATE INDEX waiting_expires_at ON waiting (expires_at);

-- The jobs themselves, of the same rows; with the key, so that a claim reads nothing else.
CREATE TABLE bodies (seq INTEGER PRIMARY KEY, key BLOB NOT NULL, body TEXT NOT NULL);

-- Waits and retries of a job.
CREATE TABLE trail (
    seq    INTEGER NOT NULL,
    n      INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    state  TEXT NOT NULL,
    reason TEXT NOT NULL,
    code   INTEGER,
    number TEXT,
    until  INTEGER,
    PRIMARY KEY (seq, n)
) WITHOUT ROWID;

CREATE TABLE holds (
    id       INTEGER PRIMARY KEY AUTOINCREMENT, -- jobs and workers remember it: never used twice
    scope    TEXT NOT NULL,
    subject  TEXT NOT NULL,
    category TEXT NOT NULL, -- '' for all
    country  TEXT NOT NULL, -- '' for all
    effect   TEXT NOT NULL,
    reason   TEXT NOT NULL,
    who      TEXT NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER,
    probe    INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    lifted   INTEGER NOT NULL DEFAULT 0, -- 1: holds nothing any more, stands until its rows are let out
    UNIQUE (scope, subject, category, country)
);
CREATE INDEX holds_general ON holds (id) WHERE scope <> 'recipient';
CREATE INDEX holds_lifted ON holds (id) WHERE lifted = 1;
CREATE INDEX holds_until ON holds (until) WHERE until IS NOT NULL AND probe = 0 AND lifted = 0;

CREATE TABLE leases (
    name       TEXT PRIMARY KEY,
    owner      BLOB, -- null: nobody's
    fence      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE fleet (
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    parent  TEXT NOT NULL,
    fields  TEXT NOT NULL,
    read_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

CREATE TABLE outbox (
    seq   INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    event TEXT NOT NULL, -- its id: the same event has the same
    job   TEXT NOT NULL,
    body  TEXT NOT NULL
);

CREATE TABLE dead (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    hash   BLOB NOT NULL UNIQUE, -- of body, reason and origin: what is delivered again is the same
    body   BLOB NOT NULL,
    reason TEXT NOT NULL,
    field  TEXT NOT NULL,
    origin TEXT NOT NULL,
    at     INTEGER NOT NULL
);

-- How many there are, kept by each commit: counting a million rows every few seconds would cost too much.
CREATE TABLE tally (
    what TEXT NOT NULL, -- 'state', 'waiting' or 'dead'
    word TEXT NOT NULL,
    n    INTEGER NOT NULL,
    PRIMARY KEY (what, word)
) WITHOUT ROWID;

CREATE VIEW jobs_v1 AS
SELECT j.id,
       j.source,
       j.state,
       j.reason,
       j.code,
       l.pool,
       l.priority,
       j.campaign,
       j.template,
       coalesce(j.number, nullif(l.pinned, '')) AS number,
       j.recipient,
       j.category,
       j.attempt AS attempts,
       j.wamid,
       strftime('%Y-%m-%dT%H:%M:%fZ', iif(w.class = 0, w.due_at, NULL) / 1000.0, 'unixepoch') AS due_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', j.created_at / 1000.0, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', j.accepted_at / 1000.0, 'unixepoch') AS accepted_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', j.sent_at / 1000.0, 'unixepoch') AS sent_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', j.delivered_at / 1000.0, 'unixepoch') AS delivered_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', j.read_at / 1000.0, 'unixepoch') AS read_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', j.ended_at / 1000.0, 'unixepoch') AS ended_at,
       j.cost_type,
       j.cost_category,
       strftime('%Y-%m-%dT%H:%M:%fZ', j.updated_at / 1000.0, 'unixepoch') AS updated_at
FROM jobs j
JOIN lanes l ON l.id = j.lane
LEFT JOIN waiting w ON w.seq = j.seq AND w.owned = 0 AND w.held = 0;
