"""What a processor says by itself: each outcome until somebody has heard it, and now and then a
report of what it has paid out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from hub.contract.settlement import ImportSettlement
from hub.service.caller import HUB, Caller, CallerKind
from hub.service.payments.commands import LearnOutcome
from hub.storage import paymentrows
from tests.simulation.shop.simcards import said_of

if TYPE_CHECKING:
    from tests.simulation.shop.hubwiring import RunningHub
    from tests.simulation.shop.scenario import Scenario

PAUSE_S: Final = (30.0, 1_800.0)
REPORT_S: Final = (14_400.0, 86_400.0)
HEARD: Final = 0.7
LINES: Final = 500
CLERK: Final = Caller(CallerKind.WEB, "office", "900")


class Telling:
    """``owes``: whether an outcome was heard by nobody yet.  A hub that is put back to a copy is
    told everything once more: that is what its people ask the processor for."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._world = shop.world
        self._random = shop.world.random("telling")
        self._unheard: dict[str, None] = {}
        self._reported: set[str] = set()
        self._restored = 0
        self._reports = 0

    def start(self) -> None:
        """For the whole run."""
        processor = self._shop.processor
        processor.on_change = self._changed
        processor.is_known = self._is_known
        self._world.loop.create_task(self._tell(), name="telling")
        self._world.loop.create_task(self._report(), name="reports")

    def owes(self) -> bool:
        """See the class."""
        return bool(self._unheard)

    def _changed(self, payment_id: str) -> None:
        self._unheard[payment_id] = None

    def _is_known(self, payment_id: str) -> bool:
        """What a till's own terminal kept isn't thought over: the till may have given back what it
        was told had been declined."""
        running = self._hub()
        row = paymentrows.get(running.rows.quiet, payment_id) if running is not None else None
        if row is None:
            return False
        return not (row.in_sale and row.driven_by == "till" and row.custody == "terminal")

    def _hub(self) -> RunningHub | None:
        running = self._shop.hub.running
        if running is None or not running.process.ready or self._shop.disk.broken:
            return None
        return running

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(*PAUSE_S))
            if self._restored != self._shop.history.restored:
                self._restored = self._shop.history.restored
                self._unheard |= {one.payment_id: None for one in self._shop.processor.charges()}
                self._reported.clear()
            if self._shop.processor.dumb and self._shop.plan.waits_for_retries:
                continue
            for payment_id in list(self._unheard):
                running = self._hub()
                if running is not None and self._random.random() < HEARD:
                    await self._one(running, payment_id)

    async def _one(self, running: RunningHub, payment_id: str) -> None:
        told = self._shop.processor.told(payment_id)
        if told is None:  # its machine is off
            return
        outcome = told["outcome"]
        learnt = LearnOutcome(payment_id, said_of(told), "cloud:oms")
        task = running.process.spawn(running.gate.internal(HUB, learnt), "outcome")
        await asyncio.wait({task, running.process.ended}, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and not task.cancelled() and task.exception() is None:
            self._world.count(f"outcome told by itself: {outcome}")
            if self._shop.processor.told(payment_id) == told:
                self._unheard.pop(payment_id, None)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(*REPORT_S))
            running = self._hub()
            lines = self._lines() if running is not None else []
            if running is None or not lines:
                continue
            self._reports += 1
            command = ImportSettlement.model_validate(
                {"processor": "simulated", "name": f"report {self._reports}", "lines": lines}
            )
            task = running.process.spawn(
                running.gate.run(CLERK, command, running.process.ids.uuid7()), "report"
            )
            await asyncio.wait({task, running.process.ended}, return_when=asyncio.FIRST_COMPLETED)
            if task.done() and not task.cancelled() and task.exception() is None:
                self._world.count("settlement report taken in")
                self._reported |= {line["payment_id"] for line in lines}

    def _lines(self) -> list[dict[str, Any]]:
        """Of what was captured and is in no report."""
        at_ms = self._world.machine("processor").clock.wall_ms()
        return [
            {
                "kind": "payment",
                "payment_id": one.payment_id,
                "psp_ref": f"bank-{one.payment_id[-12:]}",
                "amount_minor": one.amount_minor,
                "currency": "EUR",
                "at_ms": at_ms,
            }
            for one in self._shop.processor.charges()
            if one.state == "captured" and one.payment_id not in self._reported
        ][:LINES]
