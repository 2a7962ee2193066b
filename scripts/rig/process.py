"""A child process: started, awaited until it is ready, killed, restarted; it never outlives us."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from hub.mqtt import deathwatch

ROOT = Path(__file__).resolve().parents[2]
_TAIL_LINES = 15
_LINE_BYTES_MAX = 1_048_576
_NOT_INHERITED = ("STORE_HUB", "NOTIFY_SOCKET", "WATCHDOG_", "CREDENTIALS_DIRECTORY")


class ChildDied(RuntimeError):
    """A process ended when it should not have; the text quotes the end of its log."""


class Spawned(Protocol):
    """What a child needs of its process, as :class:`asyncio.subprocess.Process` has it."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    @property
    def stdout(self) -> asyncio.StreamReader | None: ...

    async def wait(self) -> int: ...

    def kill(self) -> None: ...

    def terminate(self) -> None: ...


class Child:
    """One program, started as often as needed.

    Its standard error goes to ``log``, and so does its standard output, of which every line is also
    given to ``on_line``.  The kernel ends it with SIGTERM when this process dies (prctl(2),
    PR_SET_PDEATHSIG).
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        log: Path,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.starts = 0
        self.arguments = list(arguments)
        self.on_line = on_line
        self._process: Spawned | None = None
        self._reader: asyncio.Task[None] | None = None
        self._first: asyncio.Future[str] | None = None

    @property
    def pid(self) -> int:
        """Of the running process; RuntimeError if there is none."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def announced(self) -> bool:
        """Whether its latest start has printed its first JSON object, or ended without one."""
        return self._first is not None and self._first.done()

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.returncode

    async def start(self) -> None:
        """Start it; returns at once."""
        assert not self.alive, f"{self.name} runs already"
        self.starts += 1
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._first = asyncio.get_running_loop().create_future()
        with self.log.open("ab") as log:
            self._process = await self._spawn(_environment(), log)
        self._reader = asyncio.create_task(self._read(), name=f"{self.name} output")

    async def ready(self, timeout_s: float = 120.0) -> dict[str, Any]:
        """The JSON object that it prints first.  Raises ChildDied, TimeoutError."""
        assert self._first is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await asyncio.shield(self._first)
        except TimeoutError:
            raise TimeoutError(
                f"{self.name} was not ready after {timeout_s:.0f} s; {self.log} ends with:\n"
                + self.tail()
            ) from None
        found: dict[str, Any] = json.loads(line)
        return found

    async def ended(self) -> int:
        """Its exit status, once it ended."""
        assert self._process is not None
        if self._reader is not None:
            await asyncio.wait({self._reader})
        return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL, now; returns when the kernel has buried it."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.kill()
        await self.ended()

    async def stop(self, timeout_s: float = 60.0) -> bool:
        """SIGTERM, and SIGKILL after ``timeout_s``; False if it had to be killed."""
        if self._process is None or not self.alive:
            return True
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(timeout_s):
                await self.ended()
        except TimeoutError:
            await self.kill()
            return False
        return True

    def tail(self) -> str:
        """The last lines of its log."""
        with suppress(OSError):
            lines = self.log.read_text(errors="replace").splitlines()
            return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])
        return "  (no log)"

    async def _spawn(self, environment: Mapping[str, str], log: BinaryIO) -> Spawned:
        watch = [sys.executable, "-I", "-S", deathwatch.__file__, str(os.getpid())]
        return await asyncio.create_subprocess_exec(
            *watch,
            *self.arguments,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=log,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
            limit=_LINE_BYTES_MAX,
        )

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._first is not None
        with self.log.open("ab", buffering=0) as log:
            while line := await self._line(log):
                if not self._first.done() and line.startswith("{"):
                    self._first.set_result(line)
                if self.on_line is not None:
                    self.on_line(line)
        code = await self._process.wait()
        if not self._first.done():
            died = f"{self.name} ended with status {code} before it was ready; its log ends with:"
            self._first.set_exception(ChildDied(f"{died}\n{self.tail()}"))
            self._first.exception()  # nobody has to wait for it

    async def _line(self, log: BinaryIO) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        raw = await self._process.stdout.readline()
        log.write(raw)
        return raw.decode(errors="replace")


def _environment() -> dict[str, str]:
    """Ours, without what would change the hub's settings from outside."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)
    }
