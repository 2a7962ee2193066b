"""Runs Mosquitto as a child of the hub, for as long as the hub runs.

Each start writes the configuration and the accounts anew (0600), takes away a broker that a
crashed hub left behind, and counts as done when the broker answers MQTT on the hub's socket.  A
broker that ends is started again with jittered backoff, for ever; what it prints goes into the
log, and tells which of its connections are silent for too long (:mod:`hub.mqtt.strangers`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pwd
import signal
import sys
from asyncio.subprocess import Process
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

from hub import events
from hub.clock import Clock, Randomness
from hub.domain.schedule import restart_s
from hub.mqtt import deathwatch
from hub.mqtt.childends import end_child, kill_child
from hub.mqtt.config import BrokerPlan, BrokerProgram, render
from hub.mqtt.leftover import BrokerStuck, forget_broker, remember_broker, replace_leftover
from hub.mqtt.logpipe import pump_log
from hub.mqtt.strangers import Patience, Strangers

_START_TIMEOUT_S: Final = 15.0
_STOP_TIMEOUT_S: Final = 5.0
_BACKOFF_FIRST_S: Final = 0.2
_BACKOFF_MAX_S: Final = 30.0
_SETTLED_S: Final = 60.0
_KEPT_DATABASES: Final = 3
_STRANGERS_BESIDE: Final = 1_024  # who came and went since the last look

_log = logging.getLogger("hub.mqtt.broker")

# CONNECT of MQTT 5 without a user name: the refusal proves that the broker's loop runs.
_PROBE: Final = b"\x10\x10\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x03hub"


class BrokerState(StrEnum):
    """``starting``: not answering yet; ``backoff``: waiting before the next start."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """For the status page.  ``reason`` says why it is in this state, empty when all is well;
    ``caution`` what it can't do while it runs."""

    state: BrokerState = BrokerState.STOPPED
    reason: str = ""
    restarts: int = 0
    pid: int | None = None
    since_ms: int = 0
    caution: str = ""


class BrokerSupervisor:
    """``accounts`` returns the text of dynamic-security.json and is called before each start.

    ``on_status`` runs in the event loop after each change.
    """

    def __init__(
        self,
        plan: BrokerPlan,
        program: BrokerProgram,
        *,
        accounts: Callable[[], str],
        clock: Clock,
        randomness: Randomness,
        on_status: Callable[[BrokerStatus], None] = lambda status: None,
        patience: Patience | None = None,
    ) -> None:
        render(plan, program)  # a plan that can't be written fails here, not in the background
        self._plan = plan
        self._program = program
        self._accounts = accounts
        self._clock = clock
        self._randomness = randomness
        self._on_status = on_status
        self._patience = patience or Patience()
        self._caution = self._cautioned = ""
        self._status = BrokerStatus()
        self._ready = asyncio.Event()
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._planned: str | None = None
        self._lines: deque[str] = deque(maxlen=20)

    @property
    def status(self) -> BrokerStatus:
        return self._status

    def start(self) -> None:
        """Begin to run the broker; returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="broker-supervisor")

    async def wait_running(self) -> None:
        """Until the broker answers; bound it with ``asyncio.timeout``."""
        await self._ready.wait()

    async def stop(self) -> None:
        """End the broker: politely, so that it saves its sessions, then not."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._show(BrokerState.STOPPED, "stopped by the hub")

    def reload_certificates(self) -> None:
        """After the server certificate, its key or the revocation list changed on disk.

        SIGHUP reads all three for new connections (measured with 2.0.11); live ones stay.  The CA
        file is not read again in a way that forgets an old CA: use :meth:`restart` after a
        rollover.
        """
        if self._process is not None and self._status.state is BrokerState.RUNNING:
            self._process.send_signal(signal.SIGHUP)

    def restart(self, reason: str) -> None:
        """A planned restart: sessions and retained messages are kept, no backoff.  A broker that
        hangs is killed after 5 s and keeps only what it saved before."""
        if self._process is not None and self._planned is None:
            self._planned = reason
            self._process.terminate()
            kill = partial(kill_child, self._process, "broker", _STOP_TIMEOUT_S, _log)
            asyncio.get_running_loop().call_later(_STOP_TIMEOUT_S, kill)

    # -- the loop -----------------------------------------------------------------------------

    async def _run(self) -> None:
        failures = 0
        while True:
            started_s = self._clock.monotonic_s()
            try:
                reason = await self._live_once()
            except (BrokerStuck, OSError, ValueError) as error:
                reason = str(error)
            except Exception as error:  # a defect here must not leave the shop without a broker
                reason = f"unexpected: {error!r}"
                _log.exception("running the broker failed unexpectedly")
            if self._planned is not None:
                _log.info("broker restarts as planned: %s", self._planned)
                self._planned, failures, pause_s = None, 0, 0.0
            else:
                lived_s = self._clock.monotonic_s() - started_s
                failures = 1 if lived_s >= _SETTLED_S else failures + 1
                uniform = self._randomness.uniform
                pause_s = restart_s(failures - 1, _BACKOFF_FIRST_S, _BACKOFF_MAX_S, uniform)
                _log.error(
                    "broker down: %s; next start in %.1f s",
                    reason,
                    pause_s,
                    extra=events.BROKER_DOWN(wait_ms=int(pause_s * 1000)),
                )
            self._status = replace(self._status, restarts=self._status.restarts + 1)
            self._show(BrokerState.BACKOFF, reason)
            await asyncio.sleep(pause_s)

    async def _live_once(self) -> str:
        """Start the broker, stay until it ends, and say how it ended."""
        plan = self._plan
        self._show(BrokerState.STARTING, self._status.reason)
        await replace_leftover(plan.pid_file, plan.config_file)
        self._write_files()
        self._lines.clear()
        self._caution = ""
        strangers = self._strangers()
        process = await self._spawn()
        self._process = process
        assert process.stderr is not None
        logs = asyncio.create_task(
            pump_log(process.stderr, _log, self._lines, self._clock, strangers.heard)
        )
        doorman: asyncio.Task[None] | None = None
        ready = False
        try:
            remember_broker(plan.pid_file, process.pid)
            ready = await self._answers(process)
            if ready:
                for socket_path in (plan.hub_socket, plan.ws_socket):
                    socket_path.chmod(0o600)  # Mosquitto lets its group in, whatever the umask
                self._show(BrokerState.RUNNING, "", process.pid)
                self._ready.set()
                doorman = asyncio.create_task(strangers.watch(process.pid), name="broker-doorman")
                await process.wait()
        finally:
            self._ready.clear()
            if doorman is not None:
                doorman.cancel()
                await asyncio.gather(doorman, return_exceptions=True)
            self._process = None
            silent = process.returncode is None
            await end_child(process, "broker", _STOP_TIMEOUT_S, _log)
            await logs  # its last words are in self._lines now
            forget_broker(plan.pid_file)
        if not ready and silent:
            return f"the broker did not answer within {_START_TIMEOUT_S:g} s"
        if not ready:
            self._set_damaged_database_aside(process.returncode or 0)
        return self._ending(process)

    def _strangers(self) -> Strangers:
        plan = self._plan
        ports = [port for port in (plan.password_port, plan.mtls_port) if port is not None]
        places = plan.limits.password_connections + plan.limits.mtls_connections
        most = 2 * places + _STRANGERS_BESIDE
        return Strangers(ports, most, self._patience, self._clock, self._warn)

    def _warn(self, caution: str) -> None:
        """Say it once in the log, and on the status page for as long as it holds."""
        if caution != self._cautioned:
            _log.warning("%s", caution)
        self._caution = self._cautioned = caution
        self._show(self._status.state, self._status.reason, self._status.pid)

    async def _answers(self, process: Process) -> bool:
        """Whether the broker answers on the hub's socket before it ends and in time."""
        exited = asyncio.ensure_future(process.wait())
        probe = asyncio.create_task(_until_answering(self._plan.hub_socket))
        try:
            await asyncio.wait(
                {exited, probe}, timeout=_START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
            )
            return probe.done() and not exited.done()
        finally:
            probe.cancel()
            exited.cancel()

    def _ending(self, process: Process) -> str:
        code = process.returncode
        how = f"ended by {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
        last = next((line for line in reversed(self._lines) if line.startswith("Error")), "")
        return f"broker {how}: {last}" if last else f"broker {how}"

    async def _spawn(self) -> Process:
        arguments = [sys.executable, "-I", "-S", deathwatch.__file__, str(os.getpid())]
        arguments += [f"--data-bytes={self._plan.limits.memory_bytes}"]
        arguments += [str(self._program.executable), "-c", str(self._plan.config_file)]
        return await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            umask=0o077,  # the plugin and the sockets follow it
            start_new_session=True,  # Ctrl-C is the hub's to handle
        )

    def _write_files(self) -> None:
        plan = self._plan
        if plan.user is None and os.geteuid() == 0:
            # Mosquitto started by root would otherwise become a user who can't read our files.
            plan = replace(plan, user=pwd.getpwuid(0).pw_name)
        for directory in (plan.state_dir, plan.run_dir):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for socket_path in (plan.hub_socket, plan.ws_socket):
            socket_path.unlink(missing_ok=True)
        _write_private(plan.config_file, render(plan, self._program))
        _write_private(plan.dynsec_file, self._accounts())

    def _set_damaged_database_aside(self, code: int) -> None:
        """Mosquitto refuses to start, or crashes, on a damaged ``mosquitto.db``.  It holds only
        what is lost in any crash, so it is moved aside and the shop goes on."""
        database = self._plan.database_file
        complaint = any(
            word in line.lower() for line in self._lines for word in ("persist", "database")
        )
        if self._planned is not None or not database.exists() or not (complaint or code < 0):
            return
        aside = database.with_name(f"{database.name}.damaged-{self._clock.wall_ms()}")
        database.rename(aside)
        _log.error(
            "the broker's database is damaged: moved to %s, starting without it",
            aside,
            extra=events.BROKER_DAMAGED(),
        )
        for old in sorted(database.parent.glob(f"{database.name}.damaged-*"))[:-_KEPT_DATABASES]:
            old.unlink()

    def _show(self, state: BrokerState, reason: str, pid: int | None = None) -> None:
        restarts = self._status.restarts
        now_ms = self._clock.wall_ms()
        self._status = BrokerStatus(state, reason, restarts, pid, now_ms, self._caution)
        try:
            self._on_status(self._status)
        except Exception:
            _log.exception("a callback of the broker's status failed")


async def _until_answering(path: Path) -> None:
    """Until the broker answers a CONNECT on this socket; the caller bounds it."""
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(str(path))
        except OSError:
            await asyncio.sleep(0.01)
            continue
        try:
            writer.write(_PROBE)
            if await reader.read(1):
                return
        except OSError:
            await asyncio.sleep(0.01)
        finally:
            writer.close()


def _write_private(path: Path, text: str) -> None:
    """Replace a file that only this user may read, whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(path)
