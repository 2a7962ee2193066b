"""Importing a data set from a file while the hub is stopped: the same rows, checks and staging as
from the cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from hub.clock import Clock, Ids
from hub.service.books import Books
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.datasets import (
    BadRow,
    BeginStaging,
    PurgeGenerations,
    StageRows,
    SwapStaging,
    begin_staging,
    jobs,
    purge_generations,
    read_lines,
    stage_rows,
    swap_staging,
)
from hub.service.shop import Shop
from hub.service.unit import Unit
from hub.storage import datasetrows
from hub.storage.rows import Tx
from hub.storage.sqlite import Connection

T = TypeVar("T")
LINES_PER_READ = 5000
SHELL = Caller(CallerKind.CLI, "import")


@dataclass(frozen=True, slots=True)
class Imported:
    """A data set that is in force now; ``label`` names its content."""

    dataset: str
    rows: int
    label: str


def import_file(
    conn: Connection,
    shop: Shop,
    clock: Clock,
    ids: Ids,
    dataset: str,
    path: Path,
    *,
    on_rows: Callable[[int], None] = lambda _count: None,
) -> Imported:
    """Put the file's rows in force in place of the data set's present ones, or raise and change
    nothing.  Errors: :class:`BadRow` naming file and line; OSError."""
    writer = _Writer(conn, shop, clock, ids)
    with path.open("rb") as file:
        label = f"file-{_digest(path)[:12]}"
        now = writer.run(lambda unit: begin_staging(unit, BeginStaging(dataset, label)))
        total = 0
        for first_line, text in _blocks(file.readline):
            count, rows = read_lines(dataset, text, where=str(path), first_line=first_line)
            for piece in jobs(rows):
                command = StageRows(dataset, now.staging, piece, None)
                writer.run(lambda unit, command=command: stage_rows(unit, command))  # type: ignore[misc]
            total += count
            on_rows(total)
    there = datasetrows.staged_rows(Tx(conn, 0, 0), dataset, now.staging)
    if there != total:
        raise BadRow(f"{path} has {total} rows, but only {there} different ones: keys come twice")
    writer.run(lambda unit: swap_staging(unit, SwapStaging(dataset, now.staging, label, "", total)))
    while writer.run(lambda unit: purge_generations(unit, PurgeGenerations(dataset))):
        pass
    return Imported(dataset, total, label)


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _blocks(readline: Callable[[], bytes]) -> Iterator[tuple[int, bytes]]:
    """``(number of its first line, lines)``, some thousand lines each."""
    first, lines = 1, []
    while line := readline():
        lines.append(line)
        if len(lines) == LINES_PER_READ:
            yield first, b"".join(lines)
            first, lines = first + len(lines), []
    if lines:
        yield first, b"".join(lines)


class _Writer:
    def __init__(self, conn: Connection, shop: Shop, clock: Clock, ids: Ids) -> None:
        self._conn = conn
        self._shop = shop
        self._clock = clock
        self._ids = ids

    def run(self, work: Callable[[Unit], T]) -> T:
        """One transaction."""
        self._conn.execute("BEGIN IMMEDIATE")
        try:
            tx = Tx(self._conn, self._clock.wall_ms(), 0)
            value = work(Unit(tx, SHELL, self._shop, Books(self._shop.currency), self._ids))
            self._conn.execute("COMMIT")
        except BaseException:
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")
            raise
        return value
