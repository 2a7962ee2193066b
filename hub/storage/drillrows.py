"""Outage drills: the one that runs, and what came of those before."""

from __future__ import annotations

from dataclasses import dataclass

from hub.storage import outbox
from hub.storage.rows import Rows, Tx

KEPT = 200
_COLUMNS = (
    "drill_id, command_id, asked_by, began_at_ms, began_budget_ms, length_ms, began_sale,"
    " devices_began, ended_at_ms, ended_budget_ms, ended_seq, how, devices_ended, devices_selling,"
    " sales, total_minor, waiting, caught_up_ms, told"
)


@dataclass(frozen=True, slots=True)
class DrillRow:
    """A drill.  ``ended_at_ms`` None: it runs.  ``how`` it ended: ``time``, ``person``, or
    ``clock`` when that had been set back.  ``caught_up_ms``: how long after its end the cloud had
    everything; None: not yet, or (``told``) it was no longer waited for."""

    drill_id: str
    command_id: str | None
    asked_by: str
    began_at_ms: int
    began_budget_ms: int
    length_ms: int
    began_sale: int
    devices_began: int
    ended_at_ms: int | None
    ended_budget_ms: int | None
    ended_seq: int | None
    how: str
    devices_ended: int
    devices_selling: int
    sales: int
    total_minor: int
    waiting: int
    caught_up_ms: int | None
    told: int

    @property
    def until_ms(self) -> int:
        """When it ends, by the wall clock it began with."""
        return self.began_at_ms + self.length_ms

    def left_ms(self, now_ms: int, budget_ms: int) -> int:
        """How long it still lasts: whichever of the two clocks says less."""
        by_budget = self.length_ms - (budget_ms - self.began_budget_ms)
        return min(self.until_ms - now_ms, by_budget, self.length_ms)


def last(rows: Rows) -> DrillRow | None:
    """The newest."""
    row = rows.one(f"SELECT {_COLUMNS} FROM drills ORDER BY number DESC LIMIT 1")
    return DrillRow(*row) if row else None


def running(rows: Rows) -> DrillRow | None:
    """The one that runs."""
    found = last(rows)
    return found if found is not None and found.ended_at_ms is None else None


def of_command(rows: Rows, command_id: str) -> DrillRow | None:
    """The one that a command of the cloud asked for."""
    row = rows.one(
        f"SELECT {_COLUMNS} FROM drills WHERE command_id = ?",
        command_id,
    )
    return DrillRow(*row) if row else None


def between(rows: Rows, from_ms: int, to_ms: int) -> list[DrillRow]:
    """Those that ran at some time of it, oldest first."""
    found = rows.all(
        f"SELECT {_COLUMNS} FROM drills WHERE began_at_ms < ?"
        " AND coalesce(ended_at_ms, began_at_ms + length_ms) >= ? ORDER BY number LIMIT ?",
        to_ms,
        from_ms,
        KEPT,
    )
    return [DrillRow(*row) for row in found]


def begin(tx: Tx, *, drill_id: str, command_id: str | None, asked_by: str, length_ms: int) -> None:
    """Write it down; beyond 200 the oldest are forgotten."""
    tx.run(
        "INSERT INTO drills (drill_id, command_id, asked_by, began_at_ms, began_budget_ms,"
        " length_ms, began_sale, devices_began) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        drill_id,
        command_id,
        asked_by,
        tx.now_ms,
        tx.budget_ms,
        length_ms,
        _last_sale(tx),
        _connected(tx),
    )
    tx.run("DELETE FROM drills WHERE number <= (SELECT max(number) FROM drills) - ?", KEPT)


def end(tx: Tx, row: DrillRow, how: str) -> None:
    """Write down that it is over, and what was sold meanwhile."""
    sold = tx.one(
        "SELECT count(*), coalesce(sum(total_minor), 0), count(DISTINCT device_id) FROM sales"
        " WHERE id > ?",
        row.began_sale,
    )
    assert sold is not None
    tx.run(
        "UPDATE drills SET ended_at_ms = ?, ended_budget_ms = ?, ended_seq = ?, how = ?,"
        " devices_ended = ?, sales = ?, total_minor = ?, devices_selling = ?, waiting = ?"
        " WHERE drill_id = ?",
        tx.now_ms,
        tx.budget_ms,
        outbox.last_id(tx),
        how,
        _connected(tx),
        *sold,
        sum(outbox.depth(tx).values()),
        row.drill_id,
    )


def finish(tx: Tx, drill_id: str, caught_up_ms: int | None) -> None:
    """Its outcome is known and told."""
    tx.run(
        "UPDATE drills SET caught_up_ms = ?, told = 1 WHERE drill_id = ?", caught_up_ms, drill_id
    )


def _last_sale(tx: Tx) -> int:
    row = tx.one("SELECT max(id) FROM sales")
    return int(row[0] or 0) if row else 0


def _connected(tx: Tx) -> int:
    row = tx.one(
        "SELECT count(*) FROM devices WHERE status = 'paired' AND auth <> 'hub'"
        " AND presence IN ('ready', 'sleeping')"
    )
    return int(row[0]) if row else 0
