"""The sales floor: what is under way at this moment, and whether the tills may begin anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Asked:
    """A request under way.  ``killed_at_ms``: the hub's last death since it was asked, wall time;
    None if it has not been killed since."""

    what: str
    killed_at_ms: int | None = None


@dataclass(slots=True)
class Floor:
    """Shared by all tills and whoever harms the shop; belongs to one event loop."""

    asking: dict[str, Asked] = field(default_factory=dict)
    answered: int = 0
    busy: int = 0
    over: bool = False
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def asks(self, key: str, what: str) -> None:
        self.asking[key] = Asked(what)
        self._tell()

    def heard(self, key: str) -> Asked:
        """The request has its final answer."""
        self.answered += 1
        asked = self.asking.pop(key)
        self._tell()
        return asked

    def hub_killed(self, at_ms: int) -> None:
        """Everything under way has lived through it."""
        for asked in self.asking.values():
            asked.killed_at_ms = at_ms

    def open(self) -> None:
        """The tills sell."""
        self._open.set()

    async def pause(self, timeout_s: float) -> None:
        """The tills finish what they began and wait.  Raises TimeoutError."""
        self._open.clear()
        await self.until(lambda: self.busy == 0, timeout_s)

    def close(self) -> None:
        """The tills finish what they began and go home."""
        self.over = True
        self._open.set()

    async def begin(self) -> bool:
        """A till may begin something new; False when the shop is over."""
        await self._open.wait()
        if self.over:
            return False
        self.busy += 1
        return True

    def end(self) -> None:
        """It has finished that."""
        self.busy -= 1
        self._tell()

    async def until(self, true: Callable[[], bool], timeout_s: float) -> None:
        """Wait until something moved that makes it true.  Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not true():
                self._moved.clear()
                await self._moved.wait()

    def _tell(self) -> None:
        self._moved.set()
