-- Who gives a part of a payment back: the hub by one of its hands, or the till at its own terminal,
-- which tells when it has.
ALTER TABLE payment_refunds ADD COLUMN giver TEXT NOT NULL DEFAULT 'hub'
    CHECK (giver IN ('hub', 'till'));
