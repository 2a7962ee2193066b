-- The tip within a card payment: `amount_minor` is what the card is charged, the tip included; the
-- sale is paid with the rest.
ALTER TABLE payments ADD COLUMN tip_minor INTEGER NOT NULL DEFAULT 0;
