-- Version 8. Printed once: what became of each print job, copies that were counted, drawers opened.

DROP INDEX print_jobs_open;
ALTER TABLE print_jobs RENAME TO print_jobs_before;

CREATE TABLE print_jobs (
    id INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    device_id TEXT NOT NULL,                     -- the till it belongs to; '': none
    kind TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (
        state IN
        ('queued', 'printing', 'printed', 'failed', 'ambiguous', 'expired', 'cancelled')
    ),
    document TEXT NOT NULL,                      -- facts (JSON)
    subject TEXT NOT NULL DEFAULT '',            -- the sale or return that it tells of
    title TEXT NOT NULL DEFAULT '',              -- what people call it: a receipt's number
    priority INTEGER NOT NULL DEFAULT 5,         -- lower ones come first
    wanted TEXT NOT NULL DEFAULT '',             -- the printer asked for; '': as the till's route
    printer_id TEXT NOT NULL DEFAULT '',         -- where it was begun last
    attempt INTEGER NOT NULL DEFAULT 0,          -- how often it was begun
    copy INTEGER NOT NULL DEFAULT 0,             -- 0: the original; else which copy
    of_job TEXT,                                 -- the job that this is printed again for
    reason TEXT NOT NULL DEFAULT '',
    confirmed INTEGER NOT NULL DEFAULT 0,        -- the printer itself said so
    answer TEXT NOT NULL DEFAULT '' CHECK (answer IN ('', 'printed', 'again', 'forget')),
    made_at_ms INTEGER NOT NULL,
    began_at_ms INTEGER,
    ended_at_ms INTEGER,
    expires_budget_ms INTEGER NOT NULL,
    due_budget_ms INTEGER NOT NULL DEFAULT 0,    -- not before (a pause between attempts)
    CHECK ((ended_at_ms IS NULL) = (state IN ('queued', 'printing', 'ambiguous')))
) STRICT;

INSERT INTO print_jobs (
    id, job_id, device_id, kind, state, document, subject, title, made_at_ms, ended_at_ms,
    expires_budget_ms
)
SELECT
    id, job_id, device_id, kind, state, document,
    coalesce(json_extract(document, '$.sale_id'), ''),
    coalesce(json_extract(document, '$.receipt_no'), ''),
    made_at_ms,
    CASE WHEN state IN ('queued', 'printing', 'ambiguous') THEN NULL ELSE made_at_ms END,
    expires_budget_ms
FROM print_jobs_before;

DROP TABLE print_jobs_before;

CREATE INDEX print_jobs_open ON print_jobs (priority, id)
WHERE state IN ('queued', 'printing', 'ambiguous');
CREATE INDEX print_jobs_ended ON print_jobs (ended_at_ms) WHERE ended_at_ms IS NOT NULL;
-- A printer prints one thing at a time.
CREATE UNIQUE INDEX print_jobs_printing ON print_jobs (printer_id) WHERE state = 'printing';

CREATE TABLE print_copies (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    copies INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE drawer_opens (
    business_day TEXT NOT NULL,
    device_id TEXT NOT NULL,
    no_sales INTEGER NOT NULL,                   -- opened without a sale
    PRIMARY KEY (business_day, device_id)
) STRICT, WITHOUT ROWID;
