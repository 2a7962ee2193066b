"""Sales whose rows are made beforehand: what is left is the storage layer's part.

Each writes what a sale of four lines writes through the gate, by the same functions: receipt
number, sale, lines, a tender, movements, levels, an event, the day's totals and the stored answer.
Not its own are the look-ups, rules, taxes, hashes and texts: they are made before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hub.clock import SystemClock
from hub.domain.stock import StockRow
from hub.service.timekeeping import BudgetClock
from hub.storage import outbox, requests, salerows, stockrows
from hub.storage.rows import Tx
from hub.storage.salerows import SaleLineRow, SaleRow, TenderRow
from hub.storage.sqlite import Connection
from hub.storage.stockrows import LevelRow, MovementRow
from hub.storage.writer import WriterCore
from hub.storage.writer_thread import WriterThread
from scripts.benchmarks.counter import IDS, LINES
from scripts.benchmarks.seeding import EVENT, PRICE_MINOR, STAFF, gtin_of, sku_of

_DAY = "2026-01-01"
_TOTAL_MINOR = PRICE_MINOR * LINES
_HASH = bytes(range(32))
_TAX = (
    '{"policy":{"mode":"inclusive","rounding_scope":"line","rounding":"half_up"},"rates":'
    '{"standard":{"tax_code":"standard","name":"standard","rate_ppm":190000}}}'
)
_REPLY = (
    '{"ok":true,"seq":1234567,"result":{"sale_id":"%s","receipt_no":"001-000001","business_day":'
    '"2026-01-01","total_minor":476,"tax_minor":76,"rounding_minor":0,"change_minor":0,"currency":'
    '"EUR","at_ms":1767225600000,"receipt_printed":false}}'
)


@dataclass(frozen=True, slots=True)
class ReadySale:
    """One sale's rows; numbers that only the transaction knows are put in when it is written."""

    key: str
    sale: SaleRow
    lines: list[SaleLineRow]
    event: str
    reply: str
    goods: tuple[int, ...]


@dataclass(slots=True)
class Store:
    """The writer of a database that nobody else writes to; ``device`` is the till that sells."""

    thread: WriterThread
    source: int
    device: str = "till-1"
    _seq: int = 0
    _last: dict[int, int] = field(default_factory=dict)

    async def sell(self, ready: ReadySale) -> None:
        """Durable when it returns."""
        await self.thread.submit(lambda tx: self.write(tx, ready))

    def write(self, tx: Tx, ready: ReadySale) -> None:
        """All rows of one sale."""
        receipt_no, outbox_id = salerows.next_receipt_no(tx, self.device)
        sale = ready.sale._replace(receipt_no=receipt_no, outbox_id=outbox_id)
        number = salerows.add(tx, sale)
        salerows.add_lines(tx, number, ready.lines)
        salerows.add_tenders(
            tx, number, [TenderRow(1, "cash", _TOTAL_MINOR, None, None, None, None)]
        )
        moved, levels = self._goods(number, ready)
        stockrows.append_movements(tx, moved)
        stockrows.save_levels(tx, levels)
        outbox.append(
            tx,
            source=self.source,
            stream="sales",
            event_id=sale.sale_id,
            type_="com.storehub.sale.completed.v1",
            aggregate=sale.sale_id,
            data=ready.event,
        )
        salerows.add_to_day(tx, _DAY, sales=1, total_minor=_TOTAL_MINOR)
        requests.store(tx, self.device, ready.key, _HASH, ready.reply)

    def _goods(self, number: int, ready: ReadySale) -> tuple[list[MovementRow], list[LevelRow]]:
        moved, levels = [], []
        for line, good in zip(ready.lines, ready.goods, strict=True):
            self._seq = seq = self._seq + 1
            before = self._last.get(good, 0)
            self._last[good] = seq
            moved.append(
                MovementRow(
                    *(seq, good, line.sku, 1, "sellable", "customer", "sale", "sale"),
                    *(number, line.line_no, 0, before, _HASH),
                )
            )
            levels.append(LevelRow(good, line.sku, StockRow(1_000_000_000 - seq), seq))
        return moved, levels


def ready_sale(number: int) -> ReadySale:
    """A sale of four products among the first 100."""
    sale_id, now_ms = IDS.uuid7(), SystemClock().wall_ms()
    goods = tuple(1 + (number * LINES + n) % 100 for n in range(LINES))
    lines = [
        SaleLineRow(
            line_no=line_no,
            sku=sku_of(good),
            gtin=gtin_of(good).zfill(14),
            name=f"Product number {good} of the shop",
            qty=1,
            scale=0,
            list_price_minor=PRICE_MINOR,
            unit_price_minor=PRICE_MINOR,
            gross_minor=PRICE_MINOR,
            discount_minor=0,
            net_minor=PRICE_MINOR,
            tax_code="standard",
            tax_minor=19,
            reason=None,
        )
        for line_no, good in enumerate(goods, start=1)
    ]
    sale = SaleRow(
        *(0, sale_id, _HASH, "completed", "", "till-1", STAFF, _DAY, now_ms, "EUR", _TOTAL_MINOR),
        *(76, 0, 0, _TAX, 0, ""),
    )
    return ReadySale(IDS.uuid7(), sale, lines, EVENT % sale_id, _REPLY % sale_id, goods)


@asynccontextmanager
async def open_store(conn: Connection) -> AsyncIterator[Store]:
    """The storage layer alone over an open database, which is closed at the end."""
    source = conn.execute("SELECT source FROM hub").fetchone()[0]
    core = WriterCore(conn, BudgetClock(SystemClock(), 0))
    thread = WriterThread(core, on_notices=lambda _: None, on_fatal=_give_up)
    try:
        yield Store(thread, source)
    finally:
        await thread.stop()


def _give_up(error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": f"writing failed: {error}"})
