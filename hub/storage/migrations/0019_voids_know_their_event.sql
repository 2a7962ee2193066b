-- A void that is repeated under another key is answered with the hub's sealed word on it, too.
ALTER TABLE sales ADD COLUMN void_outbox_id INTEGER;      -- NULL: of older voids, and of none
