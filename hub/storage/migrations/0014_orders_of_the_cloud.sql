-- Online orders (this shop's parts of them), their lines, and what became of them.  What is reserved
-- for them stands in `reservations`.
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,                    -- the cloud's; an older one changes nothing
    number TEXT NOT NULL,                        -- what people call it
    part TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL,                          -- pickup, ship
    state TEXT NOT NULL,
    short_lines INTEGER NOT NULL DEFAULT 0,      -- how many lack goods; 0 once it has ended
    placed_at_ms INTEGER NOT NULL,
    promised_at_ms INTEGER,
    due_ms INTEGER NOT NULL,                     -- the promise; the end of time without one
    taken_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,                         -- NULL: somebody still has to do something
    told INTEGER NOT NULL DEFAULT 0,             -- events about it, to tell them apart
    customer_name TEXT NOT NULL DEFAULT '',      -- of open ones only
    note TEXT NOT NULL DEFAULT ''                -- of open ones only
) STRICT;
CREATE INDEX orders_open ON orders (due_ms, id) WHERE ended_at_ms IS NULL;
CREATE INDEX orders_ended ON orders (ended_at_ms, id) WHERE ended_at_ms IS NOT NULL;
CREATE INDEX orders_number ON orders (number, id);

CREATE TABLE order_lines (
    order_no INTEGER NOT NULL REFERENCES orders (id),
    line_no INTEGER NOT NULL,
    sku TEXT NOT NULL,                           -- may be unknown here
    qty INTEGER NOT NULL CHECK (qty > 0),
    short_qty INTEGER NOT NULL DEFAULT 0,        -- not reserved; 0 once the order has ended
    gone_qty INTEGER NOT NULL DEFAULT 0,         -- given out
    PRIMARY KEY (order_no, line_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX order_lines_short ON order_lines (sku) WHERE short_qty > 0;

CREATE TABLE order_steps (
    order_no INTEGER NOT NULL REFERENCES orders (id),
    n INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (order_no, n)
) STRICT, WITHOUT ROWID;
