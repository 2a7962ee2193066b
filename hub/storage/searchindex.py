"""Finding products by the beginnings of words: a full-text index in a file of its own.

The file is never changed: it is built aside and renamed over the old one, so that searches go on
meanwhile and selling never waits for it.  It is only a copy of the catalogue; deleting it does no
harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import unicodedata
from collections.abc import Awaitable, Callable
from pathlib import Path

from hub.storage import datasetrows, sqlite
from hub.storage.database import connect_read_only
from hub.storage.datasetrows import Hit
from hub.storage.rows import Rows
from hub.storage.sqlite import Connection

log = logging.getLogger(__name__)

FILE_NAME = "search.db"
HITS_RANKED = 2000
WORDS_MAX = 8
CHANGES_SETTLE_S = 5.0
REBUILD_PAUSE_S = 60.0

_SCHEMA = (
    "CREATE TABLE meta (generation INTEGER NOT NULL, changes INTEGER NOT NULL)",
    """CREATE VIRTUAL TABLE found USING fts5 (
        name, category, sku, prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2')""",
)


def folded(text: str) -> str:
    """Lower case without diacritics, as the index sees it."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(one for one in parts if not unicodedata.combining(one)).casefold()


def words_of(text: str) -> list[str]:
    """The words of a search, folded; at most 8."""
    spaced = "".join(one if one.isalnum() else " " for one in folded(text))
    return spaced.split()[:WORDS_MAX]


def path_beside(rows: Rows) -> Path | None:
    """The index's file beside the database that ``rows`` reads."""
    row = rows.one("SELECT file FROM pragma_database_list WHERE name = 'main'")
    return Path(row[0]).with_name(FILE_NAME) if row and row[0] else None


def search(rows: Rows, text: str, limit: int) -> list[Hit]:
    """Products of which every word of ``text`` begins a word in name, category or SKU, best first.

    The first 2,000 hits are ranked.  Without an index the catalogue itself is walked through.
    """
    words = words_of(text)
    if not words:
        return []
    path = path_beside(rows)
    if path is not None and path.exists():
        try:
            return _search_file(path, words, limit)
        except sqlite.Error as error:
            log.warning("the search index %s can't be used: %s", path, error)
    return datasetrows.scan(rows, text.split()[:WORDS_MAX], limit)


def _search_file(path: Path, words: list[str], limit: int) -> list[Hit]:
    conn = _open_frozen(path)
    try:
        found = conn.execute(
            "SELECT sku, name, category FROM found WHERE found MATCH ? LIMIT ?",
            (" ".join(f'"{word}"*' for word in words), HITS_RANKED),
        ).fetchall()
    finally:
        conn.close()
    hits = [Hit(*row) for row in found]
    hits.sort(key=lambda hit: _rank(hit, words))
    return hits[:limit]


def _rank(hit: Hit, words: list[str]) -> tuple[int, int, int, str]:
    """Whole words first, then words of the name, then where the name begins so, then short ones."""
    name = words_of(hit.name)
    every = {*name, *words_of(hit.category), *words_of(hit.sku)}
    whole = sum(word in every for word in words)
    in_name = sum(any(one.startswith(word) for one in name) for word in words)
    begins = bool(name) and name[0].startswith(words[0])
    return (-whole - in_name, -begins, len(hit.name), hit.sku)


def _open_frozen(path: Path) -> Connection:
    return sqlite.connect(
        f"{_uri(path)}?mode=ro&immutable=1", uri=True, isolation_level=None, check_same_thread=False
    )


def _uri(path: Path) -> str:
    text = str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{text}"


def stamp_of_index(path: Path) -> tuple[int, int] | None:
    """``(generation, changes)`` the index was built from; None when there is none to use."""
    if not path.exists():
        return None
    try:
        conn = _open_frozen(path)
        try:
            row = conn.execute("SELECT generation, changes FROM meta").fetchone()
        finally:
            conn.close()
    except sqlite.Error:
        return None
    return (row[0], row[1]) if row else None


def build(path: Path, database: Path) -> tuple[int, int]:
    """Build the index of the catalogue in force aside and put it in place; what it was built from.

    Takes about half a second for 200,000 products, in SQLite alone: other threads go on.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    conn = sqlite.connect(_uri(fresh), uri=True, isolation_level=None, check_same_thread=False)
    try:
        conn.execute("PRAGMA journal_mode = OFF")
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("ATTACH ? AS hub", (f"{_uri(database)}?mode=ro",))
        conn.execute("BEGIN")
        for statement in _SCHEMA:
            conn.execute(statement)
        stamp: tuple[int, int] = conn.execute(
            "SELECT coalesce(max(generation), 0), coalesce(max(changes), 0) FROM hub.datasets"
            " WHERE dataset = 'catalog'"
        ).fetchone()
        conn.execute(
            "INSERT INTO found (name, category, sku) SELECT name, category, sku"
            " FROM hub.products WHERE generation = ? AND active = 1",
            (stamp[0],),
        )
        conn.execute("INSERT INTO meta VALUES (?, ?)", stamp)
        conn.execute("COMMIT")
    finally:
        conn.close()
    fresh.replace(path)
    return stamp


class SearchIndex:
    """Keeps the index up to date: ``poke`` it when the catalogue changed."""

    def __init__(
        self,
        database: Path,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._path = database.with_name(FILE_NAME)
        self._sleep = sleep
        self._poked = asyncio.Event()
        self._at_once = False
        self._task: asyncio.Task[None] | None = None
        self.builds = 0

    def start(self) -> None:
        """Begin to keep up; builds at once when the index is missing or old."""
        assert self._task is None
        self._poked.set()
        self._at_once = True
        self._task = asyncio.create_task(self._run(), name="search-index")

    async def stop(self) -> None:
        """Finish what is being built and end."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def poke(self, *, snapshot: bool = True) -> None:
        """The catalogue changed: a whole new one (``snapshot``) is indexed at once, single changes
        when they have settled, at most once a minute."""
        self._at_once = self._at_once or snapshot
        self._poked.set()

    async def _run(self) -> None:
        while True:
            await self._poked.wait()
            self._poked.clear()
            if not self._at_once:
                await self._sleep(CHANGES_SETTLE_S)
                self._poked.clear()
            at_once, self._at_once = self._at_once, False
            try:
                built = await asyncio.shield(asyncio.ensure_future(self._refresh()))
            except (sqlite.Error, OSError) as error:
                log.warning("the search index could not be built: %s; tried again later", error)
                built = True
                self._poked.set()
            if built and not at_once:
                await self._sleep(REBUILD_PAUSE_S)

    async def _refresh(self) -> bool:
        return await asyncio.to_thread(self.refresh)

    def refresh(self) -> bool:
        """Build the index if it isn't of the catalogue in force; True if it was built."""
        conn = connect_read_only(self._database)
        try:
            row = conn.execute(
                "SELECT generation, changes FROM datasets WHERE dataset = 'catalog'"
            ).fetchone()
        finally:
            conn.close()
        stamp = (row[0], row[1]) if row else (0, 0)
        if stamp == stamp_of_index(self._path):
            return False
        build(self._path, self._database)
        self.builds += 1
        return True
