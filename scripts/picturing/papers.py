"""What is printed while pictures are taken: some receipts, and some of which nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from tests.e2e.peripheralshop import PeripheralShop

WAIT_S: Final = 60


async def print_some(shop: PeripheralShop, many: int = 6) -> None:
    """Copies of the last receipts, all on paper."""
    for offset in range(many):
        await _reprint(shop, offset)
    await _until(shop, "state <> 'printed'", lambda open_: open_ == 0)


async def print_badly(shop: PeripheralShop) -> None:
    """The printer loses its power in mid-job, then its paper ends and two wait."""
    await print_some(shop, 4)
    printer = shop.printer()
    quick, printer._job_s = printer._job_s, 3600.0
    await _reprint(shop, 4)
    await _until(shop, "state = 'printing'", bool)
    printer.suffer("off")
    await _until(shop, "state = 'ambiguous'", bool)
    printer._job_s = quick
    printer.suffer("paper-empty")
    shop.printer("printer-office").suffer("off")
    for offset in (5, 6):
        await _reprint(shop, offset)


async def _reprint(shop: PeripheralShop, offset: int) -> None:
    found = await shop.hub.gate.read(
        lambda rows: rows.one(
            "SELECT sale_id FROM sales WHERE state = 'completed' ORDER BY id DESC LIMIT 1 OFFSET ?",
            offset,
        )
    )
    assert found is not None
    async with shop.hub.technician() as (http, csrf):
        key = {"Idempotency-Key": f"pictures-{offset}"}
        body = {"sale_id": found[0]}
        async with http.post("/api/1/print/reprint", json=body, headers=csrf | key) as answer:
            answer.raise_for_status()


async def _until(shop: PeripheralShop, which: str, fits: Callable[[int], bool]) -> None:
    sql = f"SELECT count(*) FROM print_jobs WHERE {which}"
    async with asyncio.timeout(WAIT_S):
        while not fits((await shop.hub.gate.read(lambda rows: rows.one(sql)) or (0,))[0]):
            await asyncio.sleep(0.05)
