-- What the shop is owed for a card payment: whom it may ask, and the links it has asked by.

-- Sealed like the token, bound to the payment's id; gone when the payment can't be owed any more.
CREATE TABLE payment_contacts (
    payment INTEGER PRIMARY KEY REFERENCES payments (id),
    key_id TEXT NOT NULL,                        -- the key that wraps this record's own key
    wrapped BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE payment_links (
    id INTEGER PRIMARY KEY,
    link_key TEXT NOT NULL UNIQUE,               -- the idempotency key towards the OMS
    payment INTEGER NOT NULL REFERENCES payments (id),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    state TEXT NOT NULL CHECK (state IN (
        'wanted', 'sending', 'unknown', 'sent', 'refused', 'dropped', 'paid', 'surplus', 'settled'
    )),
    fence INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    due_budget_ms INTEGER NOT NULL DEFAULT 0,
    lease_budget_ms INTEGER NOT NULL DEFAULT 0,
    sent_at_ms INTEGER,                          -- first brought to the OMS
    expires_at_ms INTEGER,
    url TEXT NOT NULL DEFAULT '',
    psp_ref TEXT NOT NULL DEFAULT '',            -- of what was paid by it
    paid_minor INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    by TEXT NOT NULL,                            -- who asked for it
    made_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX payment_links_open ON payment_links (due_budget_ms)
WHERE state IN ('wanted', 'sending', 'unknown');
CREATE INDEX payment_links_surplus ON payment_links (payment) WHERE state = 'surplus';
CREATE INDEX payment_links_of ON payment_links (payment);
CREATE INDEX payment_links_psp ON payment_links (psp_ref) WHERE psp_ref <> '';
