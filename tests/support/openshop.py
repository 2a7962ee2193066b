"""A hub's database, writer and gate, opened in one thread, and ways to look into them."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from hub.clock import Ids
from hub.service.gate import Gate
from hub.service.records import Recorder
from hub.service.shop import Shop as Rules
from hub.storage.database import open_database
from hub.storage.readers import LoopReader
from hub.storage.rows import Tx
from hub.storage.writer import WriterCore
from tests.fakes import FakeClock
from tests.support.gatebench import FakeInstants, ReadNow, WriterNow, handlers_of, now
from tests.support.quickdb import open_quickly

T = TypeVar("T")


class OpenShop:
    """An open database behind a gate; nobody has furnished it.  A ``quick`` one doesn't wait for
    the disk."""

    def __init__(
        self,
        path: Path,
        rules: Rules,
        clock: FakeClock,
        ids: Ids,
        desk: Any,
        *,
        quick: bool = False,
    ) -> None:
        self.path = path
        self.rules = rules
        self.clock = clock
        self.ids = ids
        self._desk = desk
        self._quick = quick
        self._open()

    def _open(self) -> None:
        instants = FakeInstants(self.clock)
        conn = (open_quickly if self._quick else open_database)(self.path)
        self.core = WriterCore(conn, instants)
        self.writer = WriterNow(self.core)
        self.rows = LoopReader(self.path)
        self.gate = Gate(
            shop=self.rules,
            writer=self.writer,
            rows=self.rows,
            slow=ReadNow(self.rows),
            handlers=handlers_of(self._desk),
            clock=self.clock,
            budget=instants,
            ids=self.ids,
            recorder=Recorder(bytes(32), self.rules.store),
        )

    def close(self) -> None:
        """Close the database."""
        self.rows.close()
        self.core.conn.close()

    def restart(self) -> None:
        """Stop and start over the same file."""
        self.close()
        self._open()

    def tx(self, work: Callable[[Tx], T]) -> T:
        """Do something inside the writer's transaction."""
        result: T = now(self.writer.submit(work))
        return result

    def run(self, sql: str, *params: Any) -> int:
        """One statement inside the writer's transaction."""
        return self.tx(lambda tx: tx.run(sql, *params))

    def one(self, sql: str, *params: Any) -> tuple[Any, ...] | None:
        """The first row of a query."""
        return self.rows.one(sql, *params)

    def all(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.rows.all(sql, *params)

    def value(self, sql: str, *params: Any) -> Any:
        """The only value of a query."""
        row = self.rows.one(sql, *params)
        return row[0] if row else None

    def events(self, type_: str | None = None) -> list[dict[str, Any]]:
        """The data of the events for the cloud, oldest first."""
        return [
            json.loads(data)
            for kind, data in self.all("SELECT type, data FROM outbox ORDER BY id")
            if type_ is None or kind == type_
        ]

    def audited(self, action: str) -> list[dict[str, Any]]:
        """The data of the audit log's entries of one kind, oldest first."""
        rows = self.all("SELECT data FROM audit WHERE action = ? ORDER BY seq", action)
        return [json.loads(row[0]) for row in rows]

    def fingerprint(self, *, but: Iterable[str] = ("requests",)) -> str:
        """A hash of every row of every table, except those of ``but``."""
        left_out = set(but)
        digest = sha256()
        for (name,) in self.all(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        ):
            if name not in left_out:
                for row in self.all(f"SELECT * FROM {name} ORDER BY 1, 2"):
                    digest.update(repr((name, row)).encode())
        return digest.hexdigest()

    @contextmanager
    def unchanged(self) -> Generator[None]:
        """Nothing but remembered answers may be different afterwards."""
        before = self.fingerprint()
        yield
        assert self.fingerprint() == before, "a refused request changed something"
