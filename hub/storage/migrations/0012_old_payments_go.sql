-- Money that is there for a sale that was never written goes back, also when a report has paid it
-- out first; payments that are long over are forgotten.
DROP INDEX payments_unsold;
CREATE INDEX payments_unsold ON payments (begun_budget_ms) WHERE in_sale = 0 AND void_asked = 0
AND state IN ('authorised', 'captured', 'settled');
CREATE INDEX payments_over ON payments (changed_at_ms) WHERE state IN (
    'refused', 'abandoned', 'voided', 'captured', 'settled', 'reversed', 'refunded', 'recovered',
    'written_off'
);

-- How many of a terminal's numbered payments are forgotten.
ALTER TABLE terminal_sequences ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
CREATE INDEX settlement_files_age ON settlement_files (imported_at_ms);
