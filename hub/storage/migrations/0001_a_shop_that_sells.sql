-- Version 1. Instants are UTC milliseconds (*_at_ms); budgets are the hub's own monotonic
-- milliseconds (*_budget_ms), which a changed wall clock doesn't move. Money is integer minor units.

CREATE TABLE hub (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    store TEXT NOT NULL,
    hub_id TEXT NOT NULL,
    machine_hash TEXT NOT NULL,
    starts INTEGER NOT NULL DEFAULT 0,           -- counted beside the database, too: a copy shows
    incarnation INTEGER NOT NULL DEFAULT 0,      -- issued by the OMS; 0 before the first HELLO
    source INTEGER NOT NULL,                     -- the source of new outbox rows
    epoch INTEGER NOT NULL DEFAULT 0,
    fence TEXT NOT NULL DEFAULT '' CHECK (fence IN ('', 'restored', 'superseded')),
    hello_nonce TEXT,                            -- of the HELLO under way, for its repetition
    oms_incarnation TEXT NOT NULL DEFAULT '',
    budget_ms INTEGER NOT NULL DEFAULT 0,
    trusted_wall_ms INTEGER NOT NULL DEFAULT 0,  -- high-water mark of trusted wall time
    clock_suspect TEXT NOT NULL DEFAULT '',      -- why, or '' when the clock is trusted
    commands_cursor TEXT NOT NULL DEFAULT '',
    audit_head_day TEXT NOT NULL DEFAULT '',     -- whose audit head the cloud was last told
    created_at_ms INTEGER NOT NULL
) STRICT;

-- Outbox ------------------------------------------------------------------------------------------
CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    incarnation INTEGER NOT NULL,
    fork TEXT NOT NULL DEFAULT '',               -- set on rows written before the cloud was met
    uri TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE streams (
    source INTEGER NOT NULL REFERENCES sources (id),
    stream TEXT NOT NULL,
    head_seq INTEGER NOT NULL DEFAULT 0,
    acked_seq INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,                      -- the hub's work sequence
    source INTEGER NOT NULL REFERENCES sources (id),
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    aggregate TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    data TEXT NOT NULL,
    UNIQUE (source, stream, seq)
) STRICT;

CREATE TABLE parked (
    outbox_id INTEGER PRIMARY KEY,               -- whose place in the stream a marker has taken
    source INTEGER NOT NULL,
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    aggregate TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    data TEXT NOT NULL,
    reason TEXT NOT NULL,
    parked_at_ms INTEGER NOT NULL,
    resent_at_ms INTEGER
) STRICT;
CREATE INDEX parked_open ON parked (aggregate) WHERE resent_at_ms IS NULL;

-- Requests ----------------------------------------------------------------------------------------
CREATE TABLE requests (
    caller TEXT NOT NULL,
    idk TEXT NOT NULL,
    hash BLOB NOT NULL,
    reply TEXT NOT NULL,
    events INTEGER NOT NULL DEFAULT 0,           -- emitted by it; they end at the reply's seq
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (caller, idk)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_age ON requests (at_ms);

CREATE TABLE journals (
    device_id TEXT NOT NULL,
    journal_id TEXT NOT NULL,
    evt_seq INTEGER NOT NULL,                    -- facts up to here are taken in
    at_ms INTEGER NOT NULL,                      -- of the last one
    PRIMARY KEY (device_id, journal_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX journals_age ON journals (at_ms);

-- Devices -----------------------------------------------------------------------------------------
CREATE TABLE devices (
    device_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    auth TEXT NOT NULL,
    password_hash TEXT,                          -- dynsec's salted form
    status TEXT NOT NULL DEFAULT 'paired' CHECK (status IN ('paired', 'revoked')),
    number INTEGER NOT NULL UNIQUE,              -- short, on receipts
    presence TEXT NOT NULL DEFAULT 'unknown',
    presence_session TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    firmware TEXT NOT NULL DEFAULT '',
    meta TEXT NOT NULL DEFAULT '{}',
    receipt_count INTEGER NOT NULL DEFAULT 0,
    paired_at_ms INTEGER NOT NULL,
    last_seen_at_ms INTEGER,
    revoked_at_ms INTEGER,
    revoke_reason TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE certificates (
    serial TEXT PRIMARY KEY,                     -- hexadecimal
    device_id TEXT NOT NULL REFERENCES devices (device_id),
    issued_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER,
    revoke_reason TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX certificates_device ON certificates (device_id);

CREATE TABLE pairings (
    pairing_id TEXT PRIMARY KEY,
    code_salt BLOB NOT NULL,
    code_hash BLOB NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    rekey_device_id TEXT,
    tries_left INTEGER NOT NULL,
    expires_budget_ms INTEGER NOT NULL,
    opened_by TEXT NOT NULL,
    opened_at_ms INTEGER NOT NULL,
    used_by TEXT,
    used_at_ms INTEGER
) STRICT, WITHOUT ROWID;

-- Staff -------------------------------------------------------------------------------------------
CREATE TABLE roles (
    generation INTEGER NOT NULL,
    role TEXT NOT NULL,
    permissions TEXT NOT NULL,                   -- {permission: maximum in minor units or null}
    PRIMARY KEY (generation, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE staff (
    generation INTEGER NOT NULL,
    staff_id TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    pin_hash TEXT NOT NULL,
    active INTEGER NOT NULL,
    PRIMARY KEY (generation, staff_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE lockouts (
    staff_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    failures INTEGER NOT NULL,
    until_budget_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (staff_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sign_ins (
    device_id TEXT PRIMARY KEY,
    staff_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    expires_budget_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE approvals (
    approval_id TEXT PRIMARY KEY,
    permission TEXT NOT NULL,
    subject TEXT NOT NULL,                       -- canonical JSON
    reason TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'refused', 'used')),
    staff_id TEXT,
    device_id TEXT NOT NULL,
    decided_by TEXT,
    decided_on TEXT,
    at_ms INTEGER NOT NULL,
    expires_budget_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX approvals_pending ON approvals (expires_budget_ms) WHERE state = 'pending';

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    caller TEXT NOT NULL,
    staff_id TEXT,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    data TEXT NOT NULL,
    hash BLOB NOT NULL                           -- sha256 over the row and the hash before it
) STRICT;

CREATE TABLE web_sessions (
    token_hash BLOB PRIMARY KEY,
    role TEXT NOT NULL,
    opened_at_ms INTEGER NOT NULL,
    expires_budget_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Datasets ----------------------------------------------------------------------------------------
CREATE TABLE datasets (
    dataset TEXT PRIMARY KEY,
    generation INTEGER NOT NULL DEFAULT 0,       -- the local number in force; 0: none yet
    label TEXT NOT NULL DEFAULT '',              -- the cloud's name of it
    cursor TEXT NOT NULL DEFAULT '',
    staging INTEGER NOT NULL DEFAULT 0,          -- the local number being staged; 0: none
    staging_label TEXT NOT NULL DEFAULT '',
    staging_chunk INTEGER NOT NULL DEFAULT 0,    -- chunks fully staged
    rows INTEGER NOT NULL DEFAULT 0,
    changes INTEGER NOT NULL DEFAULT 0,          -- applied since the snapshot
    swapped_at_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE products (
    generation INTEGER NOT NULL,
    sku TEXT NOT NULL,
    name TEXT NOT NULL,
    uom TEXT NOT NULL,
    scale INTEGER NOT NULL,
    tax_code TEXT NOT NULL,
    category TEXT NOT NULL,
    age_min INTEGER,
    active INTEGER NOT NULL,
    safety_qty INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, sku)
) STRICT, WITHOUT ROWID;

CREATE TABLE barcodes (
    generation INTEGER NOT NULL,
    gtin TEXT NOT NULL,                          -- 14 digits
    sku TEXT NOT NULL,
    PRIMARY KEY (generation, gtin)
) STRICT, WITHOUT ROWID;

CREATE TABLE prices (
    generation INTEGER NOT NULL,
    sku TEXT NOT NULL,
    valid_from_ms INTEGER NOT NULL,              -- 0: always
    valid_to_ms INTEGER,
    price_minor INTEGER NOT NULL,
    PRIMARY KEY (generation, sku, valid_from_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE taxes (
    generation INTEGER NOT NULL,
    code TEXT NOT NULL,                          -- '' is the row of the policy
    data TEXT NOT NULL,
    PRIMARY KEY (generation, code)
) STRICT, WITHOUT ROWID;

CREATE TABLE policies (
    generation INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (generation, key)
) STRICT, WITHOUT ROWID;

-- Stock -------------------------------------------------------------------------------------------
CREATE TABLE skus (
    id INTEGER PRIMARY KEY,
    sku TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE stock (
    sku_id INTEGER PRIMARY KEY REFERENCES skus (id),
    sellable INTEGER NOT NULL DEFAULT 0,
    staged INTEGER NOT NULL DEFAULT 0,
    quarantine INTEGER NOT NULL DEFAULT 0,
    refurbish INTEGER NOT NULL DEFAULT 0,
    damaged INTEGER NOT NULL DEFAULT 0,
    transit_in INTEGER NOT NULL DEFAULT 0,
    reserved INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    allotted INTEGER NOT NULL DEFAULT 0,
    last_seq INTEGER NOT NULL DEFAULT 0          -- this product's newest movement
) STRICT;

CREATE TABLE movements (
    seq INTEGER PRIMARY KEY,
    sku_id INTEGER NOT NULL REFERENCES skus (id),
    qty INTEGER NOT NULL CHECK (qty > 0),
    src TEXT NOT NULL,
    dst TEXT NOT NULL,
    type TEXT NOT NULL,
    ref_type TEXT NOT NULL,                      -- sale, void, return, receipt, adjustment, count
    ref_id INTEGER NOT NULL,                     -- row number of that document
    ref_line INTEGER NOT NULL,
    n INTEGER NOT NULL DEFAULT 0,
    prev_seq INTEGER NOT NULL,                   -- this product's movement before; 0: none
    hash BLOB NOT NULL,                          -- sha256 over the row and the hash before it
    UNIQUE (ref_type, ref_id, ref_line, type, n)
) STRICT;

CREATE TABLE documents (
    id INTEGER PRIMARY KEY,                      -- receipts, adjustments and counts
    document_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    hash BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    staff_id TEXT,
    reference TEXT NOT NULL,
    data TEXT NOT NULL
) STRICT;

CREATE TABLE reservations (
    order_id TEXT NOT NULL,
    sku_id INTEGER NOT NULL REFERENCES skus (id),
    qty INTEGER NOT NULL CHECK (qty > 0),
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (order_id, sku_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reservations_sku ON reservations (sku_id);

CREATE TABLE holds (
    basket INTEGER NOT NULL REFERENCES baskets (id),
    sku_id INTEGER NOT NULL REFERENCES skus (id),
    qty INTEGER NOT NULL CHECK (qty > 0),
    expires_budget_ms INTEGER NOT NULL,
    PRIMARY KEY (basket, sku_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_expiry ON holds (expires_budget_ms);

CREATE TABLE count_tasks (
    sku_id INTEGER PRIMARY KEY REFERENCES skus (id),
    reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE drift (
    sku TEXT PRIMARY KEY,
    hub TEXT NOT NULL,
    oms TEXT NOT NULL,
    found_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Baskets -----------------------------------------------------------------------------------------
CREATE TABLE baskets (
    id INTEGER PRIMARY KEY,
    basket_id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'suspended', 'closed', 'abandoned')),
    owner TEXT NOT NULL,
    staff_id TEXT,
    label TEXT NOT NULL DEFAULT '',
    opened_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX baskets_live ON baskets (changed_at_ms) WHERE state IN ('open', 'suspended');

CREATE TABLE basket_lines (
    basket INTEGER NOT NULL REFERENCES baskets (id),
    line_no INTEGER NOT NULL,
    sku TEXT NOT NULL,
    gtin TEXT,
    name TEXT NOT NULL,
    qty INTEGER NOT NULL,
    uom TEXT NOT NULL,
    scale INTEGER NOT NULL,
    list_price_minor INTEGER NOT NULL,
    unit_price_minor INTEGER NOT NULL,
    discount_minor INTEGER NOT NULL,
    tax_code TEXT NOT NULL,
    tax TEXT NOT NULL,                           -- the rate and policy in force when added
    generation INTEGER NOT NULL,
    reason TEXT,
    PRIMARY KEY (basket, line_no)
) STRICT, WITHOUT ROWID;

-- Sales -------------------------------------------------------------------------------------------
CREATE TABLE sales (
    id INTEGER PRIMARY KEY,
    sale_id TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL,                          -- of the request, to tell a repeat from a clash
    state TEXT NOT NULL DEFAULT 'completed' CHECK (state IN ('completed', 'voided')),
    receipt_no TEXT NOT NULL,
    device_id TEXT NOT NULL,
    staff_id TEXT,
    business_day TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    currency TEXT NOT NULL,
    total_minor INTEGER NOT NULL,
    tax_minor INTEGER NOT NULL,
    rounding_minor INTEGER NOT NULL,
    change_minor INTEGER NOT NULL,
    tax TEXT NOT NULL,                           -- policy and rates as applied
    outbox_id INTEGER NOT NULL,
    note TEXT NOT NULL DEFAULT '',
    void_hash BLOB,
    voided_at_ms INTEGER,
    void_reason TEXT
) STRICT;

CREATE TABLE sale_lines (
    sale INTEGER NOT NULL REFERENCES sales (id),
    line_no INTEGER NOT NULL,
    sku TEXT NOT NULL,
    gtin TEXT,
    name TEXT NOT NULL,
    qty INTEGER NOT NULL,
    scale INTEGER NOT NULL,
    list_price_minor INTEGER NOT NULL,
    unit_price_minor INTEGER NOT NULL,
    gross_minor INTEGER NOT NULL,
    discount_minor INTEGER NOT NULL,
    net_minor INTEGER NOT NULL,
    tax_code TEXT NOT NULL,
    tax_minor INTEGER NOT NULL,
    reason TEXT,
    returned_qty INTEGER NOT NULL DEFAULT 0,
    returned_minor INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sale, line_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE tenders (
    sale INTEGER NOT NULL REFERENCES sales (id),
    n INTEGER NOT NULL,
    kind TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    payment_id TEXT,
    last4 TEXT,
    token TEXT,
    approval_code TEXT,
    refunded_minor INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sale, n)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tenders_payment ON tenders (payment_id) WHERE payment_id IS NOT NULL;

CREATE TABLE returns (
    id INTEGER PRIMARY KEY,
    return_id TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL,
    sale INTEGER NOT NULL REFERENCES sales (id),
    device_id TEXT NOT NULL,
    staff_id TEXT,
    business_day TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    total_minor INTEGER NOT NULL,
    tax_minor INTEGER NOT NULL,
    refund TEXT NOT NULL,
    outbox_id INTEGER NOT NULL
) STRICT;
CREATE INDEX returns_sale ON returns (sale);

CREATE TABLE return_lines (
    return INTEGER NOT NULL REFERENCES returns (id),
    line_no INTEGER NOT NULL,
    sale_line INTEGER NOT NULL,                  -- which line of the sale came back
    sku TEXT NOT NULL,
    qty INTEGER NOT NULL,
    refund_minor INTEGER NOT NULL,
    tax_minor INTEGER NOT NULL,
    disposition TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (return, line_no)
) STRICT, WITHOUT ROWID;

-- One row per business day: what the status page shows without counting sales.
CREATE TABLE day_totals (
    business_day TEXT PRIMARY KEY,
    sales INTEGER NOT NULL DEFAULT 0,
    total_minor INTEGER NOT NULL DEFAULT 0,
    voided INTEGER NOT NULL DEFAULT 0,
    voided_minor INTEGER NOT NULL DEFAULT 0,
    returned_minor INTEGER NOT NULL DEFAULT 0,
    last_at_ms INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE print_jobs (
    id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    device_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'printing', 'printed', 'failed', 'ambiguous', 'expired')),
    document TEXT NOT NULL,
    made_at_ms INTEGER NOT NULL,
    expires_budget_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX print_jobs_open ON print_jobs (id) WHERE state IN ('queued', 'printing', 'ambiguous');
