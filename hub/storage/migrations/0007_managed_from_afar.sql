-- Version 7. Managed from afar: outage drills, settings of the cloud, bundles it asked for.

CREATE TABLE drills (
    number INTEGER PRIMARY KEY,                  -- the newest 200 are kept
    drill_id TEXT NOT NULL UNIQUE,
    command_id TEXT UNIQUE,                      -- of the cloud, if it asked
    asked_by TEXT NOT NULL,
    began_at_ms INTEGER NOT NULL,
    began_budget_ms INTEGER NOT NULL,
    length_ms INTEGER NOT NULL,
    began_sale INTEGER NOT NULL,                 -- the newest sale then
    devices_began INTEGER NOT NULL,              -- connected then
    ended_at_ms INTEGER,
    ended_budget_ms INTEGER,
    ended_seq INTEGER,
    how TEXT NOT NULL DEFAULT '' CHECK (how IN ('', 'time', 'person', 'clock')),
    devices_ended INTEGER NOT NULL DEFAULT 0,
    devices_selling INTEGER NOT NULL DEFAULT 0,
    sales INTEGER NOT NULL DEFAULT 0,
    total_minor INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0,
    caught_up_ms INTEGER,                        -- how long after its end
    told INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE remote_settings (
    key TEXT PRIMARY KEY,
    value TEXT,                                  -- JSON; NULL: the box's own again
    command_id TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    issued_at_ms INTEGER NOT NULL,               -- an older command changes nothing
    set_at_ms INTEGER NOT NULL,
    ends_budget_ms INTEGER                       -- NULL: until it is changed
) STRICT, WITHOUT ROWID;

CREATE TABLE support_requests (
    command_id TEXT PRIMARY KEY,
    asked_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    outcome TEXT NOT NULL DEFAULT '' CHECK (outcome IN ('', 'done', 'failed')),
    why TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX support_requests_waiting ON support_requests (asked_at_ms) WHERE outcome = '';
