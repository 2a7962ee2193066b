-- Orders that ended long ago are forgotten but for what tells a late word of the cloud from news.
CREATE TABLE orders_forgotten (
    order_id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,                    -- an older or equal one changes nothing
    state TEXT NOT NULL                          -- how it ended
) STRICT, WITHOUT ROWID;
