"""The two ways a query reaches the database: inside the writer's transaction, or read-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hub.storage.sqlite import Connection

Row = tuple[Any, ...]


class Rows(Protocol):
    """Where rows are read from: a :class:`Tx` or a reader."""

    def one(self, sql: str, *params: Any) -> Row | None:
        """The first row, or None."""

    def all(self, sql: str, *params: Any) -> list[Row]:
        """All rows; the query bounds them."""


class Tx:
    """One request's view of the writer's transaction.

    ``now_ms`` and ``budget_ms`` are fixed for the whole batch.  ``notices`` are handed out after
    the commit only; a request that fails leaves none.
    """

    __slots__ = ("budget_ms", "conn", "notices", "now_ms")

    def __init__(self, conn: Connection, now_ms: int, budget_ms: int) -> None:
        self.conn = conn
        self.now_ms = now_ms
        self.budget_ms = budget_ms
        self.notices: list[object] = []

    def one(self, sql: str, *params: Any) -> Row | None:
        row: Row | None = self.conn.execute(sql, params).fetchone()
        return row

    def all(self, sql: str, *params: Any) -> list[Row]:
        return self.conn.execute(sql, params).fetchall()

    def run(self, sql: str, *params: Any) -> int:
        """Execute a change; the number of rows it touched."""
        return self.conn.execute(sql, params).rowcount

    def insert(self, sql: str, *params: Any) -> int:
        """Execute an INSERT; the new row's number."""
        row_id = self.conn.execute(sql, params).lastrowid
        assert row_id is not None
        return row_id

    def update(self, table: str, number: int, values: Mapping[str, Any]) -> None:
        """Write these columns of the row with that number; names are the code's own."""
        names = ", ".join(f"{name} = ?" for name in values)
        self.run(f"UPDATE {table} SET {names} WHERE id = ?", *values.values(), number)

    def many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a change once per row."""
        self.conn.executemany(sql, rows)
