"""After a restore: fetching this hub's own facts from the OMS before anything else is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cloud_link.errors import CursorGone
from cloud_link.http import OmsClient
from cloud_link.orders import in_parts
from cloud_link.pacing import Pacer
from hub.contract.oms import MAX_EVENTS_PAGE, EventsPage
from hub.contract.oms_envelope import CloudEvent, Heads
from hub.contract.oms_orders import OpenOrder
from hub.crashpoints import crashpoint
from hub.service.caller import CLOUD
from hub.service.gate import Gate
from hub.service.handlers.orders import TakeOpenOrders
from hub.service.handlers.recovery import FinishRecovery, Recovered, RecoverEvents
from hub.service.orders import HEAD_COSTS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecoveryProgress:
    """Events looked at so far, and what became of them."""

    seen: int = 0
    counts: Recovered = field(default_factory=Recovered)

    def __str__(self) -> str:
        counts = self.counts
        return f"recovery: {self.seen} events seen, {counts.applied} taken back in"


class Recovery:
    """One pass over the cloud's log of this hub.  Begins anew after an interruption; what is there
    already is passed over."""

    def __init__(self, gate: Gate, client: OmsClient, pacer: Pacer) -> None:
        self._gate = gate
        self._client = client
        self._pacer = pacer
        self.progress = RecoveryProgress()

    async def run(
        self, source_prefix: str, acked: Heads, open_orders: Sequence[OpenOrder] = ()
    ) -> None:
        """Take everything back in, then lift the fence.  Errors: what ends the session.

        Open orders come last: what is reserved for them depends on the stock."""
        self.progress = RecoveryProgress()
        cursor, more = "", True
        while more:
            try:
                page = await self._page(cursor, source_prefix)
            except CursorGone:
                cursor, self.progress = "", RecoveryProgress()
                continue
            await self._take(page)
            crashpoint("recovery.written")
            cursor, more = page.cursor, page.more
        counts = self.progress.counts
        for part in in_parts(open_orders, lambda order: HEAD_COSTS + len(order.lines)):
            await self._gate.internal(CLOUD, TakeOpenOrders(tuple(part)))
        crashpoint("recovery.before-lift")
        await self._gate.internal(CLOUD, FinishRecovery(acked, counts))
        crashpoint("recovery.lifted")
        log.warning(
            "recovered from the cloud: %d events taken back in, %d were here, %d failed",
            counts.applied,
            counts.known,
            counts.failed,
        )

    async def _page(self, cursor: str, source_prefix: str) -> EventsPage:
        query: dict[str, str | int] = {
            "after": cursor,
            "source_prefix": source_prefix,
            "limit": MAX_EVENTS_PAGE,
        }
        return await self._pacer.call(lambda _: self._client.get("/events", EventsPage, query))

    async def _take(self, page: EventsPage) -> None:
        if not page.events:
            return
        times = await asyncio.to_thread(lambda: tuple(instant_ms(one) for one in page.events))
        got: Recovered = await self._gate.internal(CLOUD, RecoverEvents(page.events, times))
        sums = self.progress.counts
        self.progress = RecoveryProgress(
            self.progress.seen + len(page.events),
            replace(
                sums,
                applied=sums.applied + got.applied,
                known=sums.known + got.known,
                kept=sums.kept + got.kept,
                failed=sums.failed + got.failed,
            ),
        )


def instant_ms(event: CloudEvent) -> int:
    """The event's time (RFC 3339) as UTC milliseconds; 0 when it has none that can be read."""
    try:
        moment = datetime.fromisoformat(event.time or "")
    except ValueError:
        return 0
    return round(moment.timestamp() * 1000) if moment.tzinfo else 0
