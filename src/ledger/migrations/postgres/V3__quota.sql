-- The messaging limit: who was written to first within the window. A worker of V2 neither counts nor reads it: where a
-- portfolio has a limit, renew all workers before it is near.

-- Each message that may have reached somebody who had not written lately, with the moment by which it was answered.
-- The latest of a person is the one that counts.
CREATE TABLE seen (
    portfolio text NOT NULL,
    recipient text NOT NULL,
    key       uuid NOT NULL,
    at        bigint NOT NULL,
    PRIMARY KEY (portfolio, recipient, key)
) WITH (fillfactor = 80);
CREATE INDEX seen_key ON seen (key);
CREATE INDEX seen_at ON seen (at);

-- How many people's latest message lies in each slot of a portfolio's time.
CREATE TABLE bucket (
    portfolio text NOT NULL,
    slot      bigint NOT NULL,
    n         bigint NOT NULL,
    PRIMARY KEY (portfolio, slot)
) WITH (fillfactor = 80);
