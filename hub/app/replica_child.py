"""Runs Litestream as a child of the hub, for as long as the hub runs.

A child and no service of its own, because the hub's lock on its state is then Litestream's, too:
nothing replicates a database that is being migrated, restored or set aside.  A hub that is killed
has the kernel end it (:mod:`hub.mqtt.deathwatch`), after it sent what it had.  It is started after
the database was opened and ended after the writer, so that an orderly end loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from hub.app.founding import REPLICA_MEMORY
from hub.app.replica import (
    SHUTDOWN_SYNC_S,
    SOCKET,
    Reader,
    ReplicaRefused,
    environment_of,
    find_litestream,
    replica_in,
    write_config,
)
from hub.app.replica_keys import keys_changed
from hub.clock import Clock, Randomness
from hub.config import Settings
from hub.domain.schedule import restart_s
from hub.health.facts import Replica
from hub.mqtt import deathwatch
from hub.mqtt.childends import end_child
from hub.mqtt.leftover import BrokerStuck, forget_broker, remember_broker, replace_leftover
from hub.security.files import SECRET_MODE, write_atomic

log = logging.getLogger("hub.replica")

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MAX_S: Final = 300.0
SETTLED_S: Final = 60.0
STOP_TIMEOUT_S: Final = SHUTDOWN_SYNC_S + 3.0
ANSWER_TIMEOUT_S: Final = 3.0
ANSWER_BYTES_MAX: Final = 65_536
LINE_BYTES: Final = 4_000
BACKLOG_BYTES_MAX: Final = 512 << 20
"""What may wait on this box's disk while the target can't be reached."""
BACKLOG_EVERY_S: Final = 60.0
PID_FILE: Final = "replica.pid"
CONFIG_FILE: Final = "replica.json"


class Replicator:
    """``machine`` tells this state on this box from every other (the hub's ``machine_hash``)."""

    def __init__(
        self,
        settings: Settings,
        database: Path,
        machine: str,
        clock: Clock,
        randomness: Randomness,
        *,
        backlog_bytes_max: int = BACKLOG_BYTES_MAX,
        backlog_every_s: float = BACKLOG_EVERY_S,
    ) -> None:
        self._backlog_bytes_max = backlog_bytes_max
        self._backlog_every_s = backlog_every_s
        self._waiting = database.with_name(f".{database.name}-litestream")
        self._settings = settings
        self._replica = settings.replica
        self._database = database
        self._machine = machine
        self._clock = clock
        self._randomness = randomness
        self._directory = settings.paths.run / "replica"
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._since_ms = clock.wall_ms()
        self._synced_at_ms: int | None = None
        self._error, self._error_at_ms = "", 0
        self._restarts = 0
        self._series: int | None = None

    def start(self) -> None:
        """Begin to replicate, if a URL is set; returns at once."""
        if self._replica.url is not None and self._task is None:
            self._task = asyncio.create_task(self._run(), name="replicator")

    async def stop(self) -> None:
        """End it when it has sent what is there, or after some seconds."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def look(self) -> Replica | None:
        """How it stands; None when no replica is set up."""
        url = self._replica.url
        if url is None:
            return None
        synced = await self._ask() if self._process is not None else None
        if synced is not None:
            self._synced_at_ms = synced
            if synced > self._error_at_ms:
                self._error = ""
        changed = await asyncio.to_thread(keys_changed, self._settings.paths.state)
        return Replica(
            target=url,
            since_ms=self._since_ms,
            synced_at_ms=self._synced_at_ms,
            error=self._error,
            restarts=self._restarts,
            series=self._series,
            keys_escrowed=not changed,
        )

    # -- the loop -----------------------------------------------------------------------------

    async def _run(self) -> None:
        failures = 0
        while True:
            started_s = self._clock.monotonic_s()
            try:
                reason = await self._live_once()
            except (ReplicaRefused, BrokerStuck, OSError) as error:
                reason = str(error)
            except Exception as error:  # the shop goes on without a replica, but not unheard
                reason = f"unexpected: {error!r}"
                log.exception("running the replicator failed unexpectedly")
            lived_s = self._clock.monotonic_s() - started_s
            failures = 1 if lived_s >= SETTLED_S else failures + 1
            uniform = self._randomness.uniform
            pause_s = restart_s(failures - 1, BACKOFF_FIRST_S, BACKOFF_MAX_S, uniform)
            self._restarts += 1
            self._fails(reason)
            log.info("the replicator is started again in %.1f s", pause_s)
            await asyncio.sleep(pause_s)

    async def _live_once(self) -> str:
        """Start Litestream, stay until it ends, and say how it ended."""
        tool = await asyncio.to_thread(find_litestream, self._replica.binary)
        pid_file, config_file = self._directory / PID_FILE, self._directory / CONFIG_FILE
        await replace_leftover(pid_file, config_file, "replicator")
        series = self._series = await self._own_series()
        await asyncio.to_thread(
            write_config, self._replica, self._database, series, self._directory
        )
        process = await self._spawn(tool, config_file)
        assert process.stderr is not None
        hearing = asyncio.create_task(_lines(process.stderr, self._hear), name="replicator-log")
        full = asyncio.create_task(self._backlog_full(), name="replicator-backlog")
        ended = asyncio.create_task(process.wait(), name="replicator-end")
        try:
            remember_broker(pid_file, process.pid)
            self._process = process
            log.info("the database is replicated to %s/%d", self._replica.url, series)
            await asyncio.wait({full, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._process = None
            given_up = full.done() and full.exception() is None
            full.cancel()
            await end_child(process, "replicator", STOP_TIMEOUT_S, log)
            await asyncio.gather(full, ended, return_exceptions=True)
            await hearing
            forget_broker(pid_file)
        if given_up:
            await asyncio.to_thread(shutil.rmtree, self._waiting)
            why = f" ({self._error})" if self._error else ""
            return f"too much waited to be sent: it begins again with a whole snapshot{why}"[:500]
        return self._error or f"the replicator ended by itself ({process.returncode})"

    async def _spawn(self, tool: Path, config_file: Path) -> Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", deathwatch.__file__, str(os.getpid()), str(tool)),
            *("replicate", "-config", str(config_file), "-no-expand-env"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment_of(self._replica, self._directory),
            umask=0o077,
            start_new_session=True,  # Ctrl-C is the hub's to handle
        )

    async def _backlog_full(self) -> None:
        """Until more waits on the disk than may."""
        while True:
            await asyncio.sleep(self._backlog_every_s)
            if await asyncio.to_thread(_bytes_below, self._waiting) > self._backlog_bytes_max:
                return

    async def _own_series(self) -> int:
        """The one that these books on this box write: known from before, else a new one."""
        memory = self._settings.paths.state / REPLICA_MEMORY
        own = {"machine": self._machine, "url": self._replica.url}
        known = await asyncio.to_thread(_remembered, memory)
        if known.items() >= own.items() and isinstance(known.get("series"), int):
            return int(known["series"])
        looking = self._directory / "looking"
        try:
            series = await Reader(self._replica, looking).next_series()
        finally:  # the server's key lies in it
            await asyncio.to_thread(shutil.rmtree, looking, ignore_errors=True)
        # What waits there is of other books, or for another place.
        if await asyncio.to_thread(self._waiting.exists):
            await asyncio.to_thread(shutil.rmtree, self._waiting)
        content = json.dumps(own | {"series": series}).encode()
        await asyncio.to_thread(write_atomic, memory, content, SECRET_MODE)
        return series

    # -- what it says -------------------------------------------------------------------------

    def _hear(self, line: str) -> None:
        """One line of Litestream's log: a JSON object, or what Go prints when it gives up."""
        try:
            said = json.loads(line)
        except ValueError:
            said = {"level": "ERROR", "msg": line.removeprefix("Error: ")}
        if not isinstance(said, dict):
            return
        text = ": ".join(str(said[key]) for key in ("msg", "error") if said.get(key))[:500]
        match said.get("level"):
            case "ERROR":
                self._fails(text)
            case "WARN":
                log.warning("%s", text)
            case _:
                log.debug("%s", text)

    def _fails(self, reason: str) -> None:
        """Keep why, and say it once."""
        if reason != self._error:
            log.warning("the replica falls behind: %s", reason)
        self._error, self._error_at_ms = reason, self._clock.wall_ms()

    async def _ask(self) -> int | None:
        """When everything was last sent; None when it doesn't say so in time."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return replica_in(await listed(self._directory / SOCKET))
        except (TimeoutError, OSError, ValueError) as error:
            log.debug("the replicator doesn't answer: %r", error)
            return None


async def listed(socket_path: Path) -> dict[str, Any]:
    """What Litestream's control socket answers to ``GET /list``."""
    reader, writer = await asyncio.open_unix_connection(str(socket_path))
    try:
        writer.write(b"GET /list HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b""
        while chunk := await reader.read(ANSWER_BYTES_MAX - len(answer)):
            answer += chunk
    finally:
        writer.close()
    found = json.loads(answer.partition(b"\r\n\r\n")[2])
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 - a wrong answer, as the others
    return found


async def _lines(stream: asyncio.StreamReader, heard: Callable[[str], None]) -> None:
    """Until the stream ends; a line over 4,000 bytes is cut."""
    rest = b""
    while chunk := await stream.read(65_536):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:LINE_BYTES]
        for line in lines:
            if line.strip():
                heard(line[:LINE_BYTES].decode(errors="replace").strip())


def _bytes_below(directory: Path) -> int:
    """What its files take; those that vanish meanwhile take nothing."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
    return total


def _remembered(memory: Path) -> dict[str, Any]:
    try:
        found = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
