-- Version 2. What the technician's pages look for, found without reading a whole table.

CREATE INDEX sales_day ON sales (business_day, id);
CREATE INDEX sales_receipt ON sales (receipt_no);
CREATE INDEX documents_counts ON documents (id) WHERE kind = 'count';

CREATE TABLE commands (
    number INTEGER PRIMARY KEY,                  -- the newest 1,000 are kept
    command_id TEXT NOT NULL,
    type TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'failed', 'passed_over')),
    why TEXT NOT NULL DEFAULT '',
    at_ms INTEGER NOT NULL
) STRICT;
