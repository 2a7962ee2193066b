"""One kind while it runs: a child that tells how far it has got."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from scripts.campaigns.kinds import Kind

GRACE_S = 240.0
"""How long after its time a kind may need to end."""
LINE_MAX_BYTES = 8 << 20
STDERR_LINES = 30


class State(StrEnum):
    """Where a kind stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


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
        """Run the child to its end; what it says on stderr goes to ``log``."""
        self.state, self.began_s = State.RUNNING, time.monotonic()
        moved()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.kind.module, "--seconds", f"{self.seconds:.0f}",
            *self.kind.arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            limit=LINE_MAX_BYTES, start_new_session=True, env=os.environ | {"COLUMNS": "120"},
        )  # fmt: skip
        try:
            async with asyncio.timeout(self.seconds + GRACE_S):
                await asyncio.gather(self._listen(child, moved), self._keep(child, log))
                code = await child.wait()
            self._judge(code)
        except TimeoutError:
            self.problems.append(f"did not end within {GRACE_S:.0f} s after its time")
        finally:
            await _end(child)
        self.took_s = time.monotonic() - self.began_s
        self.state = State.FAILED if self.problems else State.PASSED
        moved()

    async def _listen(self, child: asyncio.subprocess.Process, moved: Callable[[], None]) -> None:
        assert child.stdout is not None
        while line := await child.stdout.readline():
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
        with log.open("wb") as file:
            while line := await child.stderr.readline():
                file.write(line)
                self.errors.append(line.decode(errors="replace").rstrip())

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
    """Nothing of it goes on, nor of its own children."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        await asyncio.sleep(0.2)
    await child.wait()
