-- What a terminal added for paying by this card, within `amount_minor` as the tip is; and whether the
-- shop had allowed that (`payments.surcharge_max_percent`): what it hadn't, people are shown.
ALTER TABLE payments ADD COLUMN surcharge_minor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN surcharge_unasked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX payments_surcharge_unasked ON payments (begun_at_ms) WHERE surcharge_unasked = 1;
