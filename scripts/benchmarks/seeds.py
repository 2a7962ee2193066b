"""Large databases, written once and kept for the next run.

Small ones are written anew and thrown away.  Large ones stay below ``var/`` as long as they are
what would be written today (the same schema, the same code that fills them); measuring adds a few
thousand sales to the million.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Event

import hub.storage
from hub.app.founding import open_state
from hub.clock import SystemClock, SystemRandomness
from hub.config import Settings
from hub.storage.sqlite import Connection
from scripts.benchmarks import seeding
from scripts.benchmarks.bench import Bench, Missing
from scripts.benchmarks.seeding import settings_for

KEPT_BYTES = 40 << 20
"""What is at least so large is kept; what is smaller would grow too much by being measured."""
_SPARE = 2.0
_MARKER = "written.json"

OnPiece = Callable[[int], None]
Fill = Callable[[Settings, OnPiece], Connection]
"""Writes the database; tells how many things it has written, which may raise to stop it."""


class Stopped(Exception):
    """Nobody waits for the database any more."""


@asynccontextmanager
async def database(
    bench: Bench, kind: str, count: int, each_bytes: int, fill: Fill
) -> AsyncIterator[tuple[Settings, Connection]]:
    """An open database of ``count`` things of some ``each_bytes``.  The connection is the caller's
    to close.  Errors: :class:`Missing` without the room for it."""
    with _folder(bench, kind, count, each_bytes) as folder:
        # Sockets' paths have to be short; nothing listens here anyway.
        settings = settings_for(folder, paths={"run": str(bench.folder / "run")})
        if (folder / _MARKER).exists():
            state = await asyncio.to_thread(open_state, settings, SystemClock(), SystemRandomness())
            yield settings, state.conn
            return
        free = shutil.disk_usage(folder).free
        if free < count * each_bytes * _SPARE:
            raise Missing(
                f"{count:,} {kind} need {count * each_bytes >> 20:,} MiB and as much to spare; "
                f"{folder} has {free >> 20:,} MiB"
            )
        conn = await _filled(bench, kind, count, settings, fill)
        (folder / _MARKER).write_text(json.dumps({"kind": kind, "count": count}))
        yield settings, conn


async def _filled(
    bench: Bench, kind: str, count: int, settings: Settings, fill: Fill
) -> Connection:
    stop = Event()

    def on_piece(done: int) -> None:
        if stop.is_set():
            raise Stopped
        bench.say(f"writing {count:,} {kind}: {done / count:.0%}")

    work = asyncio.ensure_future(asyncio.to_thread(fill, settings, on_piece))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        for left in await asyncio.gather(work, return_exceptions=True):
            if not isinstance(left, BaseException):
                left.close()
        raise


@contextmanager
def _folder(bench: Bench, kind: str, count: int, each_bytes: int) -> Iterator[Path]:
    """The kept one, if it is large and nobody else uses it; else one that is thrown away, on the
    same disk."""
    root = bench.folder if bench.seeds is None else bench.seeds
    root.mkdir(parents=True, exist_ok=True)
    kept = root / f"{kind}-{count}-{_today(kind, count)}"
    large = bench.seeds is not None and count * each_bytes >= KEPT_BYTES
    with _alone(root / f"{kind}-{count}.lock", wanted=large) as alone:
        if alone:
            _forget(root, kind, count, but=kept)
            kept.mkdir(exist_ok=True)
            try:
                yield kept
            finally:
                if not (kept / _MARKER).exists():
                    shutil.rmtree(kept, ignore_errors=True)
            return
        folder = Path(tempfile.mkdtemp(prefix=f"once-{kind}-", dir=root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _alone(path: Path, *, wanted: bool) -> Iterator[bool]:
    """Whether it is wanted, and no other run has it."""
    if not wanted:
        yield False
        return
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _forget(root: Path, kind: str, count: int, *, but: Path) -> None:
    """Of another schema, or half written."""
    for old in root.glob(f"{kind}-{count}-*"):
        if old != but or not (old / _MARKER).exists():
            shutil.rmtree(old, ignore_errors=True)


def _today(kind: str, count: int) -> str:
    """What such a database depends on."""
    known = hashlib.sha256(f"{kind} {count}".encode())
    migrations = Path(str(hub.storage.__file__)).parent / "migrations"
    for file in (*sorted(migrations.glob("*.sql")), Path(str(seeding.__file__)), Path(__file__)):
        known.update(file.read_bytes())
    return known.hexdigest()[:12]
