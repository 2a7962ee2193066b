"""A ready-made durable queue in a process of its own: ``python otherqueue.py KIND FOLDER [DSN]``,
with the interpreter of an environment that has the queue's package and not this project.

It prints one JSON line that says how it keeps things; then, for each line ``CLIENTS SECONDS`` that
it reads, one with how many events of 1.4 KB it enqueued per second.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import json
import sqlite3
import sys
from collections.abc import Callable
from threading import Lock, Thread
from time import perf_counter
from typing import Any

EVENT = "x" * 1400
_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
_POOL = 10

Put = Callable[[], object]
Rate = Callable[[int, float], float]


def _persist_queue(folder: str) -> tuple[Rate, str]:
    module: Any = importlib.import_module("persistqueue")
    queue = module.SQLiteQueue(folder + "/pq", multithreading=True, auto_commit=True)
    queue.put(EVENT)
    settings = _pragmas(queue._putter)
    return _threads(lambda: queue.put(EVENT)), f"SQLite, {settings}, a commit per event"


def _huey(folder: str, *, unsynced: bool) -> tuple[Rate, str]:
    module: Any = importlib.import_module("huey")
    options = {"fsync": False} if unsynced else {}
    storage = module.SqliteHuey("bench", filename=f"{folder}/huey.db", **options).storage
    event = EVENT.encode()
    storage.enqueue(event)
    how = "fsync=False: not durable" if unsynced else "a commit per event"
    return _threads(lambda: storage.enqueue(event)), f"SQLite, {_pragmas(storage.conn)}, {how}"


def _pragmas(conn: sqlite3.Connection) -> str:
    (journal,) = conn.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = conn.execute("PRAGMA synchronous").fetchone()
    return f"journal_mode={journal}, synchronous={_SYNCHRONOUS[int(synchronous)]}"


def _threads(put: Put) -> Rate:
    def rate(clients: int, seconds: float) -> float:
        counts, lock = [0], Lock()
        start_s = perf_counter()

        def client() -> None:
            mine = 0
            while perf_counter() - start_s < seconds:
                put()
                mine += 1
            with lock:
                counts[0] += mine

        threads = [Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return counts[0] / (perf_counter() - start_s)

    return rate


class _Procrastinate:
    """Its own asynchronous connector, ten connections."""

    def __init__(self, dsn: str) -> None:
        module: Any = importlib.import_module("procrastinate")
        self._loop = asyncio.new_event_loop()
        self._app = module.App(
            connector=module.PsycopgConnector(conninfo=dsn, min_size=_POOL, max_size=_POOL)
        )
        self._task = self._app.task(lambda event: None, name="take")

    def open(self) -> str:
        """Make its schema; how the server keeps things."""
        return self._loop.run_until_complete(self._open())

    async def _open(self) -> str:
        await self._app.open_async()
        await self._app.schema_manager.apply_schema_async()
        await self._task.defer_async(event=EVENT)
        found = []
        for name in ("fsync", "synchronous_commit"):
            row = await self._app.connector.execute_query_one_async(
                f"SELECT current_setting('{name}') AS value"
            )
            found.append(f"{name}={row['value']}")
        return f"PostgreSQL, {', '.join(found)}"

    def rate(self, clients: int, seconds: float) -> float:
        return self._loop.run_until_complete(self._rate(clients, seconds))

    async def _rate(self, clients: int, seconds: float) -> float:
        start_s = perf_counter()

        async def client() -> int:
            mine = 0
            while perf_counter() - start_s < seconds:
                await self._task.defer_async(event=EVENT)
                mine += 1
            return mine

        counts = await asyncio.gather(*(client() for _ in range(clients)))
        return sum(counts) / (perf_counter() - start_s)

    def close(self) -> None:
        self._loop.run_until_complete(self._app.close_async())
        self._loop.close()


def main(kind: str, folder: str, dsn: str = "") -> None:
    rate: Rate
    close: Callable[[], None] = lambda: None  # noqa: E731
    if kind == "procrastinate":
        queue = _Procrastinate(dsn)
        how, rate, close = queue.open(), queue.rate, queue.close
    elif kind == "persist-queue":
        rate, how = _persist_queue(folder)
    else:
        rate, how = _huey(folder, unsynced=kind != "huey")
    version = importlib.metadata.version(kind.removesuffix("-unsynced"))
    print(json.dumps({"version": version, "how": how}), flush=True)
    try:
        for line in sys.stdin:
            clients, seconds = line.split()
            print(json.dumps({"per_s": rate(int(clients), float(seconds))}), flush=True)
    finally:
        close()


if __name__ == "__main__":
    main(*sys.argv[1:])
