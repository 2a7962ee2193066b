-- The sandbox OMS's tables.  sales, sale_lines, tenders, levels and events may be read by anyone
-- who wants to compare: their columns are part of what the sandbox promises.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Where the logs stood when an earlier life of this database ended in a restore from backup.
CREATE TABLE past_lives (
    oms_incarnation TEXT PRIMARY KEY,
    commands_head   INTEGER NOT NULL,
    events_head     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stores (
    store              TEXT PRIMARY KEY,
    incarnation        INTEGER NOT NULL DEFAULT 0,
    epoch              INTEGER NOT NULL DEFAULT 0,
    hub_id             TEXT NOT NULL DEFAULT '',
    machine_id_hash    TEXT NOT NULL DEFAULT '',
    session_token      TEXT NOT NULL DEFAULT '',
    commands_confirmed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE hellos (
    n       INTEGER PRIMARY KEY AUTOINCREMENT,
    store   TEXT NOT NULL,
    nonce   TEXT NOT NULL,
    request TEXT NOT NULL,
    reply   TEXT NOT NULL,
    UNIQUE (store, nonce)
) STRICT;

CREATE TABLE watermarks (
    store  TEXT NOT NULL,
    source TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (store, source, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    event          INTEGER PRIMARY KEY AUTOINCREMENT,
    store          TEXT NOT NULL,
    source         TEXT NOT NULL,
    stream         TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    id             TEXT NOT NULL,
    type           TEXT NOT NULL,
    partitionkey   TEXT NOT NULL,
    subject        TEXT,
    time           TEXT,
    data           TEXT NOT NULL,
    status         TEXT NOT NULL,
    parked_for     TEXT,
    problem        TEXT,
    received_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX events_by_store ON events (store, event);

-- Every id an event was ever sent under; dedup is for ever and whatever the source.
CREATE TABLE event_ids (
    store TEXT NOT NULL,
    id    TEXT NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (store, id)
) STRICT, WITHOUT ROWID;

-- Every place in a stream an event ever came in at: levels "as of" a hub's heads need them all.
CREATE TABLE placements (
    store  TEXT NOT NULL,
    source TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    id     TEXT NOT NULL,
    event  INTEGER NOT NULL,
    PRIMARY KEY (store, source, stream, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX placements_by_event ON placements (event);

CREATE TABLE movements (
    event      INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    store      TEXT NOT NULL,
    ledger_seq INTEGER NOT NULL,
    sku        TEXT NOT NULL,
    qty        INTEGER NOT NULL CHECK (qty > 0),
    from_place TEXT NOT NULL,
    to_place   TEXT NOT NULL,
    type       TEXT NOT NULL,
    ref_line   TEXT,
    PRIMARY KEY (event, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE levels (
    store  TEXT NOT NULL,
    sku    TEXT NOT NULL,
    bucket TEXT NOT NULL,
    qty    INTEGER NOT NULL,
    PRIMARY KEY (store, sku, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE sales (
    store          TEXT NOT NULL,
    sale_id        TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('completed', 'voided')),
    receipt_no     TEXT NOT NULL,
    device_id      TEXT NOT NULL,
    staff_id       TEXT,
    business_day   TEXT NOT NULL,
    occurred_at_ms INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    total_minor    INTEGER NOT NULL,
    tax_minor      INTEGER NOT NULL,
    rounding_minor INTEGER NOT NULL,
    change_minor   INTEGER NOT NULL,
    fingerprint    TEXT NOT NULL,
    event          INTEGER NOT NULL,
    PRIMARY KEY (store, sale_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sale_lines (
    store            TEXT NOT NULL,
    sale_id          TEXT NOT NULL,
    line_no          INTEGER NOT NULL,
    sku              TEXT NOT NULL,
    gtin             TEXT,
    qty              INTEGER NOT NULL,
    scale            INTEGER NOT NULL,
    unit_price_minor INTEGER NOT NULL,
    gross_minor      INTEGER NOT NULL,
    discount_minor   INTEGER NOT NULL,
    net_minor        INTEGER NOT NULL,
    tax_code         TEXT NOT NULL,
    tax_minor        INTEGER NOT NULL,
    reason           TEXT,
    PRIMARY KEY (store, sale_id, line_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE tenders (
    store        TEXT NOT NULL,
    sale_id      TEXT NOT NULL,
    n            INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    payment_id   TEXT,
    last4        TEXT,
    PRIMARY KEY (store, sale_id, n)
) STRICT, WITHOUT ROWID;

-- A void may arrive before its sale when they come from different sources.
CREATE TABLE voids (
    store    TEXT NOT NULL,
    sale_id  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    staff_id TEXT,
    event    INTEGER NOT NULL,
    PRIMARY KEY (store, sale_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE returns (
    store       TEXT NOT NULL,
    return_id   TEXT NOT NULL,
    sale_id     TEXT,
    total_minor INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    event       INTEGER NOT NULL,
    PRIMARY KEY (store, return_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE return_lines (
    store        TEXT NOT NULL,
    return_id    TEXT NOT NULL,
    line_no      INTEGER NOT NULL,
    sku          TEXT NOT NULL,
    qty          INTEGER NOT NULL,
    refund_minor INTEGER NOT NULL,
    tax_minor    INTEGER NOT NULL,
    disposition  TEXT NOT NULL,
    PRIMARY KEY (store, return_id, line_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE refunds (
    store        TEXT NOT NULL,
    return_id    TEXT NOT NULL,
    n            INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    payment_id   TEXT,
    PRIMARY KEY (store, return_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE parked (
    store         TEXT NOT NULL,
    original_id   TEXT NOT NULL,
    original_type TEXT NOT NULL,
    aggregate_id  TEXT NOT NULL,
    code          TEXT NOT NULL,
    detail        TEXT NOT NULL,
    marker        INTEGER NOT NULL,
    resolved_by   INTEGER,
    PRIMARY KEY (store, original_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    store    TEXT NOT NULL,
    order_id TEXT NOT NULL,
    state    TEXT NOT NULL,
    data     TEXT NOT NULL,
    PRIMARY KEY (store, order_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
    n            INTEGER PRIMARY KEY AUTOINCREMENT,
    store        TEXT NOT NULL,
    id           TEXT NOT NULL,
    type         TEXT NOT NULL,
    data         TEXT NOT NULL,
    issued_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX commands_by_store ON commands (store, n);

CREATE TABLE dataset_rows (
    store   TEXT NOT NULL,
    dataset TEXT NOT NULL,
    key     TEXT NOT NULL,
    row     TEXT NOT NULL,
    PRIMARY KEY (store, dataset, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE dataset_changes (
    n       INTEGER PRIMARY KEY AUTOINCREMENT,
    store   TEXT NOT NULL,
    dataset TEXT NOT NULL,
    op      TEXT NOT NULL,
    row     TEXT NOT NULL
) STRICT;
CREATE INDEX dataset_changes_by_store ON dataset_changes (store, dataset, n);
