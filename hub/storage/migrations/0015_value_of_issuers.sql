-- Version 15. Gift cards and store credit: payments whose value an issuer keeps, and what it has set
-- aside of each card for this shop.

ALTER TABLE payments ADD COLUMN kind TEXT NOT NULL DEFAULT 'card' CHECK (
    kind IN ('card', 'gift_card', 'store_credit')
);
ALTER TABLE payments ADD COLUMN account TEXT NOT NULL DEFAULT '';         -- of the allotment it took from
ALTER TABLE payments ADD COLUMN account_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN balance_minor INTEGER;                    -- left on it, as last told

-- The issuer is asked for many at once, unlike a terminal.
DROP INDEX payments_at_terminal;
CREATE UNIQUE INDEX payments_at_terminal ON payments (terminal_id)
WHERE state = 'at_terminal' AND kind = 'card';
-- Whoever tries out numbers is refused again and again.
CREATE INDEX payments_value_refused ON payments (device_id, changed_at_ms)
WHERE kind <> 'card' AND state = 'refused';

CREATE TABLE value_accounts (
    account TEXT PRIMARY KEY,                    -- the issuer's name for the card
    kind TEXT NOT NULL CHECK (kind IN ('gift_card', 'store_credit')),
    token_ref TEXT NOT NULL,                     -- keyed hash: the same card, and nothing else
    last4 TEXT NOT NULL,
    currency TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    granted_minor INTEGER NOT NULL,              -- these four are cumulative within the epoch
    recalled_minor INTEGER NOT NULL,
    returned_minor INTEGER NOT NULL,
    spent_minor INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX value_accounts_of_token ON value_accounts (token_ref);
CREATE INDEX value_accounts_age ON value_accounts (changed_at_ms);
