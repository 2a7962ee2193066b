"""A PostgreSQL cluster of its own in a temporary directory, reached by a unix socket only."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from scripts.benchmarks.bench import Missing
from scripts.benchmarks.programs import output_of

HOW = "apt-get install postgresql"
_USERS = ("postgres", "nobody")
_READY_S = 60.0
_STOP_S = 20.0
_POLL_S = 0.1


@asynccontextmanager
async def cluster(base: Path) -> AsyncIterator[str]:
    """How to connect (a libpq connection string).  Settings are PostgreSQL's own defaults; it
    refuses to run as root, so root starts it as another user.  Errors: :class:`Missing`."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="shb-pg-", dir=base))
    try:
        try:
            server = await _started(programs, folder)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise Missing(f"PostgreSQL does not run here: {error}") from error
        try:
            yield f"host={folder} user=bench dbname=postgres"
        finally:
            await _stop(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _started(programs: Path, folder: Path) -> asyncio.subprocess.Process:
    before, data = _as_somebody_else(folder), folder / "data"
    await output_of(
        [*before, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "bench"],
        timeout_s=_READY_S,
    )
    options = ("-D", str(data), "-k", str(folder), "-c", "listen_addresses=")
    with (folder / "log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(
            *(*before, str(programs / "postgres"), *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )
    try:
        await _ready(server, folder)
    except BaseException:
        await _stop(server)
        raise
    return server


def _programs() -> Path:
    """Where ``initdb`` and ``postgres`` are; the newest."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.is_dir()]
    newest = max(found, key=lambda path: int(path.parent.name), default=None)
    on_path = shutil.which("initdb")
    if newest is None and on_path is None:
        raise Missing(f"procrastinate needs PostgreSQL: {HOW}")
    return newest if newest is not None else Path(str(on_path)).resolve().parent


def _as_somebody_else(folder: Path) -> list[str]:
    """What a command has to begin with; the folder is made theirs.  It dies with this process,
    whose kernel forgets that wish when a program changes its user (so it comes afterwards)."""
    here = [shutil.which("setpriv") or "setpriv", "--pdeathsig", "QUIT"]
    if os.geteuid() != 0:
        return here
    for name in _USERS:
        with suppress(KeyError):
            user = pwd.getpwnam(name)
            os.chown(folder, user.pw_uid, user.pw_gid)
            who = ["--reuid", name, "--regid", str(user.pw_gid), "--clear-groups"]
            return [here[0], *who, *here[1:]]
    raise Missing("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


async def _ready(server: asyncio.subprocess.Process, folder: Path) -> None:
    """Until it listens.  Errors: RuntimeError quoting its log, TimeoutError."""
    async with asyncio.timeout(_READY_S):
        while server.returncode is None:
            with suppress(OSError):
                _, writer = await asyncio.open_unix_connection(str(folder / ".s.PGSQL.5432"))
                writer.close()
                if b"ready to accept" in (folder / "log").read_bytes():
                    return
            await asyncio.sleep(_POLL_S)
    raise RuntimeError((folder / "log").read_text()[-300:])


async def _stop(server: asyncio.subprocess.Process) -> None:
    """Fast shutdown, then SIGQUIT, then SIGKILL."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server.returncode is not None:
            return
        with suppress(ProcessLookupError):
            server.send_signal(number)
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await server.wait()
