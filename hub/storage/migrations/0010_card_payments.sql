-- Version 10. Card payments: each once, whatever happens between the till, the terminal, the hub and
-- the processor; what is at risk; what is given back; what the processor paid out.

CREATE TABLE payments (
    id INTEGER PRIMARY KEY,
    payment_id TEXT NOT NULL UNIQUE,             -- the idempotency key towards everybody
    hash BLOB NOT NULL,                          -- of the request that began it
    sale_id TEXT NOT NULL,
    basket_id TEXT NOT NULL,                     -- '' for a sale without a basket at the hub
    device_id TEXT NOT NULL,                     -- the till
    staff_id TEXT,
    terminal_id TEXT NOT NULL,                   -- a peripheral's id; the till's own where it drives it
    driven_by TEXT NOT NULL CHECK (driven_by IN ('hub', 'till')),
    state TEXT NOT NULL,
    custody TEXT NOT NULL CHECK (custody IN ('terminal', 'hub')),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    offline_allowed INTEGER NOT NULL,            -- it may be approved without the processor
    offline_seq INTEGER,                         -- of payments approved so: without gaps per terminal
    in_sale INTEGER NOT NULL DEFAULT 0,          -- the sale that it pays is written
    void_asked INTEGER NOT NULL DEFAULT 0,       -- the shop doesn't want it: it goes back
    attempt INTEGER NOT NULL DEFAULT 0,          -- at the terminal
    fence INTEGER NOT NULL DEFAULT 0,            -- of the last lease
    forwards INTEGER NOT NULL DEFAULT 0,         -- times it was presented
    declines INTEGER NOT NULL DEFAULT 0,
    lookups INTEGER NOT NULL DEFAULT 0,          -- in a row that found nothing
    due_budget_ms INTEGER NOT NULL DEFAULT 0,    -- not before: the next step that the hub takes
    lease_budget_ms INTEGER NOT NULL DEFAULT 0,  -- until then it is whoever's who leased it
    doubt_budget_ms INTEGER NOT NULL DEFAULT 0,  -- since then the terminal is asked what it did
    begun_at_ms INTEGER NOT NULL,
    begun_budget_ms INTEGER NOT NULL,
    stored_at_ms INTEGER,
    stored_budget_ms INTEGER,
    sent_at_ms INTEGER,                          -- first presented
    sent_budget_ms INTEGER,
    changed_at_ms INTEGER NOT NULL,
    psp_ref TEXT NOT NULL DEFAULT '',
    terminal_ref TEXT NOT NULL DEFAULT '',       -- how the terminal calls it
    approval_code TEXT NOT NULL DEFAULT '',
    last4 TEXT NOT NULL DEFAULT '',
    scheme TEXT NOT NULL DEFAULT '',
    token_ref TEXT NOT NULL DEFAULT '',          -- keyed hash: the same card, and nothing else
    decline_code TEXT NOT NULL DEFAULT '',
    refunded_minor INTEGER NOT NULL DEFAULT 0,
    mirrored INTEGER NOT NULL DEFAULT 0,         -- a second keeper has it
    reason TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX payments_open ON payments (state, due_budget_ms) WHERE state NOT IN (
    'refused', 'abandoned', 'voided', 'settled', 'reversed', 'refunded', 'recovered', 'written_off',
    'captured'
);
-- Money that is to go back although it is there already.
CREATE INDEX payments_to_void ON payments (id) WHERE void_asked = 1 AND state IN (
    'authorised', 'captured', 'settled'
);
-- Money that is there for a sale that was never written.
CREATE INDEX payments_unsold ON payments (begun_budget_ms) WHERE in_sale = 0 AND void_asked = 0
AND state IN ('authorised', 'captured');
CREATE INDEX payments_of_sale ON payments (sale_id);
CREATE INDEX payments_of_basket ON payments (basket_id) WHERE basket_id <> '' AND in_sale = 0;
CREATE INDEX payments_of_token ON payments (token_ref, stored_at_ms) WHERE token_ref <> '';
CREATE UNIQUE INDEX payments_offline ON payments (terminal_id, offline_seq)
WHERE offline_seq IS NOT NULL;
-- A terminal does one thing at a time.
CREATE UNIQUE INDEX payments_at_terminal ON payments (terminal_id) WHERE state = 'at_terminal';

CREATE INDEX payments_psp ON payments (psp_ref) WHERE psp_ref <> '';

CREATE TABLE payment_steps (
    payment INTEGER NOT NULL REFERENCES payments (id),
    n INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    event TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    by TEXT NOT NULL,                            -- who said so
    detail TEXT NOT NULL,
    PRIMARY KEY (payment, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment_secrets (
    payment INTEGER PRIMARY KEY REFERENCES payments (id),
    key_id TEXT NOT NULL,                        -- the key that wraps this record's own key
    wrapped BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE payment_refunds (
    id INTEGER PRIMARY KEY,
    refund_id TEXT NOT NULL UNIQUE,              -- the idempotency key towards the processor
    payment INTEGER NOT NULL REFERENCES payments (id),
    subject TEXT NOT NULL,                       -- the return or void that it belongs to
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    state TEXT NOT NULL CHECK (state IN ('wanted', 'sending', 'unknown', 'done', 'refused')),
    fence INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    due_budget_ms INTEGER NOT NULL DEFAULT 0,
    lease_budget_ms INTEGER NOT NULL DEFAULT 0,
    sent_at_ms INTEGER,
    psp_ref TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    made_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX payment_refunds_open ON payment_refunds (state, due_budget_ms)
WHERE state NOT IN ('done', 'refused');
CREATE INDEX payment_refunds_of ON payment_refunds (payment);
CREATE INDEX payment_refunds_psp ON payment_refunds (psp_ref) WHERE psp_ref <> '';

-- The last number that was given to a payment approved offline.
CREATE TABLE terminal_sequences (
    terminal_id TEXT PRIMARY KEY,
    offline_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What people said of a payment whose outcome nobody can look up; two have to say the same.
CREATE TABLE payment_words (
    payment INTEGER NOT NULL REFERENCES payments (id),
    staff_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    evidence TEXT NOT NULL,
    step INTEGER NOT NULL,                       -- the payment's last one when it was said
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (payment, staff_id)
) STRICT, WITHOUT ROWID;

-- What each terminal last said that it keeps and hasn't forwarded.
CREATE TABLE terminal_reports (
    terminal_id TEXT PRIMARY KEY,
    stored_count INTEGER,                        -- NULL: it can't say
    stored_minor INTEGER,
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settlement_files (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,                 -- the same file changes nothing
    processor TEXT NOT NULL,
    name TEXT NOT NULL,
    lines INTEGER NOT NULL,
    imported_at_ms INTEGER NOT NULL,
    by TEXT NOT NULL
) STRICT;

CREATE TABLE settlement_lines (
    file INTEGER NOT NULL REFERENCES settlement_files (id),
    n INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('payment', 'refund', 'reversal', 'fee', 'chargeback')),
    payment_id TEXT NOT NULL,
    psp_ref TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    verdict TEXT NOT NULL,                       -- matched, or what is wrong with it
    PRIMARY KEY (file, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX settlement_lines_of ON settlement_lines (payment_id) WHERE payment_id <> '';
CREATE INDEX settlement_lines_wrong ON settlement_lines (verdict) WHERE verdict <> 'matched';
