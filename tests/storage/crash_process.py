"""A hub's writer that is killed in the middle: told where, it sells until it gets there.

``python -m tests.storage.crash_process DIRECTORY PLACE NTH`` prints a line per answered sale.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from hub.crashpoints import on_crashpoint
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Gate, Request
from hub.service.records import Recorder
from hub.storage.readers import LoopReader
from hub.storage.writer_thread import WriterThread
from tests.support.gatebench import FakeInstants, PlainDesk, ReadNow, handlers_of
from tests.support.shop import Shop

SALES = 40


async def trade(shop: Shop, place: str, nth: int) -> None:
    """Sell from many tills at once until the process is killed."""
    writer = WriterThread(shop.core, on_notices=lambda _: None, on_fatal=lambda _: None)
    rows = LoopReader(shop.path)
    gate = Gate(
        shop=shop.rules,
        writer=writer,
        rows=rows,
        slow=ReadNow(rows),
        handlers=handlers_of(PlainDesk()),
        clock=shop.clock,
        budget=FakeInstants(shop.clock),
        ids=shop.ids,
        recorder=Recorder(bytes(32), shop.rules.store),
    )
    passed = 0

    def hook(name: str) -> None:
        nonlocal passed
        passed += name == place
        if passed == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    async def till(number: int) -> None:
        for _ in range(SALES):
            line = {"code": "tea", "qty": 1, "unit_price_minor": 499}
            body = shop.sale(line, total_minor=499)
            raw = json.dumps(body).encode()
            caller = Caller(CallerKind.DEVICE, f"till-{number}")
            key = shop.id()
            found = await gate.answer(Request(caller, "sale", "commit", raw, key))
            line_out = {"till": caller.id, "key": key, "body": body, "reply": found}
            sys.stdout.write(json.dumps(line_out) + "\n")
            sys.stdout.flush()

    on_crashpoint(hook)
    await asyncio.gather(*(till(number) for number in (1, 2, 3)))
    await writer.stop()


def main() -> None:
    """See the module's text."""
    directory, place, nth = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    shop = Shop(directory, seed=nth, quick=False)
    shop.product("tea", 499, stock=1000)
    for number in (1, 2, 3):
        shop.sign_in(f"till-{number}")
    asyncio.run(trade(shop, place, nth))


if __name__ == "__main__":
    main()
