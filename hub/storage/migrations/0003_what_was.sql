-- Version 3. What was: how the link stood, how fast the hub answered, when the shop was cut off.
-- Numbers, not instants, order the rows: a clock that is set back makes none of them younger.

CREATE TABLE history_minutes (
    number INTEGER PRIMARY KEY,                  -- the newest 2,880 are kept
    at_ms INTEGER NOT NULL,                      -- the end of what it tells of
    span_ms INTEGER NOT NULL,                    -- how much was watched, and how much of it with
    up_ms INTEGER NOT NULL,                      -- the cloud reached
    depth INTEGER NOT NULL,                      -- events that wait for the cloud
    oldest_s INTEGER,                            -- how long the oldest of them has waited
    parked INTEGER NOT NULL,
    requests INTEGER NOT NULL,                   -- answered
    commits TEXT NOT NULL DEFAULT ''             -- how many took how long: a count for each bucket
) STRICT;

CREATE TABLE history_quarters (
    number INTEGER PRIMARY KEY,                  -- the newest 2,976 are kept
    quarter INTEGER NOT NULL,                    -- of an hour, counted from 1970 on
    at_ms INTEGER NOT NULL,
    span_ms INTEGER NOT NULL,
    up_ms INTEGER NOT NULL,
    depth INTEGER NOT NULL,                      -- of these three the highest
    oldest_s INTEGER,
    parked INTEGER NOT NULL,
    requests INTEGER NOT NULL,
    commits TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE link_changes (
    number INTEGER PRIMARY KEY,                  -- the newest 10,000 are kept
    at_ms INTEGER NOT NULL,
    up INTEGER NOT NULL,
    place TEXT NOT NULL DEFAULT '',              -- where the way ended, or 'hub-off'
    marks TEXT NOT NULL                          -- the newest rows of other tables, then
) STRICT;

CREATE TABLE outages (
    number INTEGER PRIMARY KEY,                  -- the newest 400 are kept
    outage_id TEXT NOT NULL UNIQUE,
    began_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,                         -- open without it
    caught_up_at_ms INTEGER,                     -- the cloud had everything from it
    place TEXT NOT NULL,
    drill INTEGER NOT NULL DEFAULT 0,
    highest_depth INTEGER NOT NULL DEFAULT 0,
    began_marks TEXT NOT NULL,
    ended_marks TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX outages_open ON outages ((1)) WHERE ended_at_ms IS NULL;
