"""One kind while it runs: a child that tells how far it has got."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from hub.mqtt import deathwatch
from scripts.campaigns.kinds import Kind

GRACE_S = 240.0
"""How long after its time a kind may need to end."""
TIDY_S = 30.0
"""How long one that is interrupted may take to stop what it started and remove its files."""
BURIED_S = 5.0
LINE_MAX_BYTES = 8 << 20
STDERR_LINES = 30


class State(StrEnum):
    """Where a kind stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    STOPPED = "stopped"
    SKIPPED = "skipped"
    """It can't be had on this machine; its note says why."""


@dataclass
class Trial:
    """``told`` is the newest object the child has printed."""

    kind: Kind
    seconds: float
    state: State = State.WAITING
    told: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    began_s: float = 0.0
    took_s: float = 0.0
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=STDERR_LINES))

    @property
    def trials(self) -> int:
        """How many there were."""
        return int(self.told.get("trials", 0))

    @property
    def violations(self) -> int:
        """How many promises were broken."""
        return int(self.told.get("violations", 0))

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began."""
        if self.state is State.RUNNING:
            return time.monotonic() - self.began_s
        return self.took_s

    async def run(self, log: Path, moved: Callable[[], None]) -> None:
        """Run the child to its end; what it says on stderr goes to ``log``.  Cancelled, it first
        has the child tidy up; cancelled once more, it doesn't wait for that."""
        self.state, self.began_s = State.RUNNING, time.monotonic()
        moved()
        child = await self._start()
        if self.kind.nice:
            _put_first(child.pid, self.kind.nice)
        try:
            async with asyncio.timeout(self.seconds + GRACE_S):
                await asyncio.gather(self._listen(child, moved), self._keep(child, log))
                code = await child.wait()
            self._judge(code)
        except TimeoutError:
            self.problems.append(f"did not end within {GRACE_S:.0f} s after its time")
        except asyncio.CancelledError:
            self.problems.append("was interrupted")
            moved()
            raise
        finally:
            try:
                await _end(child)
            finally:
                self.took_s = time.monotonic() - self.began_s
                stopped = "was interrupted" in self.problems
                failed = State.STOPPED if stopped else State.FAILED
                passed = State.PASSED if self.trials else State.SKIPPED
                self.state = failed if self.problems else passed
                moved()

    async def _start(self) -> asyncio.subprocess.Process:
        watch = (sys.executable, "-I", "-S", deathwatch.__file__, str(os.getpid()))
        return await asyncio.create_subprocess_exec(
            *watch, sys.executable, "-m", self.kind.module, "--seconds", f"{self.seconds:.0f}",
            *self.kind.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            limit=LINE_MAX_BYTES, start_new_session=True, env=os.environ | {"COLUMNS": "120"},
        )  # fmt: skip

    async def _listen(self, child: asyncio.subprocess.Process, moved: Callable[[], None]) -> None:
        assert child.stdout is not None
        async for line in self._lines(child.stdout):
            try:
                told = json.loads(line)
            except ValueError:
                self.errors.append(line.decode(errors="replace").rstrip())
                continue
            if isinstance(told, dict):
                self.told = told
                moved()

    async def _keep(self, child: asyncio.subprocess.Process, log: Path) -> None:
        assert child.stderr is not None
        with log.open("wb", buffering=0) as file:
            async for line in self._lines(child.stderr):
                file.write(line)
                self.errors.append(line.decode(errors="replace").rstrip())

    async def _lines(self, stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                self.problems.append(f"wrote a line of more than {LINE_MAX_BYTES >> 20} MiB")
                continue
            if not line:
                return
            yield line

    def _judge(self, code: int) -> None:
        told = self.told
        if not told.get("done"):
            self.problems.append(f"ended with code {code} without a last word")
            return
        if self.violations:
            self.problems.append(f"{self.violations} violations")
        elif code != 0:
            self.problems.append(f"ended with code {code}")
        faults = told.get("faults", {})
        silent = [name for name in told.get("must_fire", ()) if not faults.get(name)]
        if silent:
            self.problems.append(f"never happened: {', '.join(silent)}")
        if not self.trials and not self.kind.optional:
            self.problems.append("not one trial was made")


async def _end(child: asyncio.subprocess.Process) -> None:
    """Nothing of it goes on, nor of its own children; one that still runs may tidy up first."""
    try:
        if child.returncode is None:
            _signal(child.pid, signal.SIGINT)
            with suppress(TimeoutError):
                async with asyncio.timeout(TIDY_S):
                    await _drained(child)
    finally:
        _signal(child.pid, signal.SIGKILL)
        with suppress(TimeoutError):  # a stranger may hold its pipe
            async with asyncio.timeout(BURIED_S):
                await child.wait()


async def _drained(child: asyncio.subprocess.Process) -> None:
    """Until it has ended; a full pipe doesn't hold it up."""
    assert child.stdout is not None
    assert child.stderr is not None
    for stream in (child.stdout, child.stderr):
        while await stream.read(LINE_MAX_BYTES):
            pass
    await child.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _put_first(pid: int, nice: int) -> None:
    """Prefer a session's leader and what it will start: by its autogroup (sched(7)), which makes
    its processes' own niceness count among themselves only; where that is off, by theirs."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PGRP, pid, nice)
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))
