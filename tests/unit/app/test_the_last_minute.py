"""What the history writes while the hub stops."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hub.app.chronicle import Chronicle
from hub.service.caller import Caller
from hub.service.handlers.history import NoteMinute
from hub.service.internal import InternalCommand
from tests.support.chronicled import Told


class LateGate:
    """Commits at once, and answers a minute's write when it is let."""

    def __init__(self, gate: Any) -> None:
        self._gate = gate
        self.minutes: list[InternalCommand] = []
        self.asked = asyncio.Event()
        self.let = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gate, name)

    async def internal(self, caller: Caller, command: InternalCommand) -> Any:
        value = await self._gate.internal(caller, command)
        if isinstance(command, NoteMinute):
            self.minutes.append(command)
            self.asked.set()
            await self.let.wait()
        return value


async def test_a_minute_that_is_being_written_when_the_hub_stops_is_written_once(
    tmp_path: Path,
) -> None:
    told = Told(tmp_path)
    gate = LateGate(told.shop.gate)
    chronicle = Chronicle(gate, told.link.watched())  # type: ignore[arg-type]
    chronicle.start()
    told.shop.clock.advance(61)
    chronicle._woken.set()
    async with asyncio.timeout(60):
        await gate.asked.wait()
        stopping = asyncio.ensure_future(chronicle.stop())
        await asyncio.sleep(0)
        gate.let.set()
        await stopping
    assert [minute.span_ms for minute in gate.minutes if isinstance(minute, NoteMinute)] == [61_000]
    told.shop.close()
