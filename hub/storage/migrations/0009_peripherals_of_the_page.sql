-- Version 9. Peripherals that were set up by the page or a shell; those of the settings' file come
-- before them. Each of either has a row in devices, too: auth 'hub', numbers from 1,000,000 on.

CREATE TABLE peripherals (
    peripheral_id TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    address TEXT NOT NULL,
    name TEXT NOT NULL,
    serves TEXT NOT NULL,                        -- JSON: ids of tills
    via TEXT NOT NULL,
    fallback TEXT NOT NULL,
    options TEXT NOT NULL,                       -- JSON: the driver's own
    set_by TEXT NOT NULL,
    set_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
