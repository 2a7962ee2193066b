-- A link that may have reached a customer who owes nothing any more is called back.
ALTER TABLE payment_links ADD COLUMN recall TEXT NOT NULL DEFAULT ''
CHECK (recall IN ('', 'wanted', 'done', 'refused'));
CREATE INDEX payment_links_recall ON payment_links (due_budget_ms) WHERE recall = 'wanted';
