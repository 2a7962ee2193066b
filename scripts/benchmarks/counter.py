"""A hub without wires: the real database, writer thread and gate in this process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hub.app.shopfacts import shop_of
from hub.app.tuning import SWITCH_INTERVAL_S
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.config import Settings
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Gate, Request
from hub.service.handlers import collect
from hub.service.handlers.signin import PinDesk
from hub.service.records import Recorder
from hub.service.timekeeping import BudgetClock
from hub.storage.readers import LoopReader, ThreadReaders
from hub.storage.sqlite import Connection
from hub.storage.writer import WriterCore
from hub.storage.writer_thread import WriterThread
from scripts.benchmarks.seeding import PRICE_MINOR, gtin_of

LINES = 4
IDS = SystemIds(SystemClock(), SystemRandomness())


@dataclass(slots=True)
class Counter:
    """The gate and what is behind it; ``till`` is the device that sells."""

    gate: Gate
    writer: WriterThread
    rows: LoopReader
    till: str = "till-1"

    async def sell(self, sale: tuple[str, bytes]) -> None:
        """One sale through the gate.  Raises RuntimeError when it is refused."""
        key, body = sale
        caller = Caller(CallerKind.DEVICE, self.till)
        answer = await self.gate.answer(Request(caller, "sale", "commit", body, key))
        if not answer.startswith('{"ok":true'):
            raise RuntimeError(f"a sale was refused: {answer}")


def sale_body(number: int) -> tuple[str, bytes]:
    """``(idempotency key, body)`` of a sale of four scanned products among the first 100."""
    lines = [
        {"code": gtin_of(1 + (number * LINES + n) % 100), "qty": 1, "unit_price_minor": PRICE_MINOR}
        for n in range(LINES)
    ]
    total_minor = PRICE_MINOR * LINES
    body: dict[str, Any] = {
        "sale_id": IDS.uuid7(),
        "lines": lines,
        "total_minor": total_minor,
        "tenders": [{"kind": "cash", "amount_minor": total_minor}],
    }
    return IDS.uuid7(), json.dumps(body, separators=(",", ":")).encode()


@asynccontextmanager
async def open_counter(settings: Settings, conn: Connection) -> AsyncIterator[Counter]:
    """The gate over an open database, which is closed at the end."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    clock = SystemClock()
    database = settings.paths.state / "hub.db"
    budget = BudgetClock(clock, 0)
    thread = WriterThread(WriterCore(conn, budget), on_notices=lambda _: None, on_fatal=_give_up)
    slow, desk = ThreadReaders(database), PinDesk()
    try:
        with LoopReader(database) as rows:
            await slow.open()
            gate = Gate(
                shop=shop_of(settings),
                writer=thread,
                rows=rows,
                slow=slow,
                handlers=collect(desk),
                clock=clock,
                budget=budget,
                ids=IDS,
                recorder=Recorder(bytes(32), shop_of(settings).store),
            )
            yield Counter(gate, thread, rows)
    finally:
        desk.close()
        await slow.close()
        await thread.stop()


def _give_up(error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": "writing failed: " + str(error)})
