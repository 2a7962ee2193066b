"""Whether the status page tells what is the matter: against what the simulation knows to be so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hub.contract.local import (
    BrokerStatus,
    CloudStatus,
    DiscoveryStatus,
    HubStatus,
    RecentError,
    StorageStatus,
)
from hub.health.status import StatusSource, storage_status
from hub.storage.rows import Rows

if TYPE_CHECKING:
    from tests.simulation.shop.hubwiring import RunningHub
    from tests.simulation.shop.scenario import Scenario

READ_S = 60.0
KNOWN_AFTER_S = 1_800.0
"""After half an hour what is cut off has to be on the page."""


class Page:
    """Asked now and then; what it says is compared with the truth of that very moment."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._cloud_cut_since_s: float | None = None

    async def look(self) -> None:
        """Read the page, and the rows it is about, at one instant."""
        running = self._shop.hub.running
        if running is None or not running.process.ready or self._shop.disk.broken:
            return
        before = _commits(running)
        reading = running.process.spawn(_read(running), "page")
        await asyncio.wait({reading}, timeout=READ_S)
        if not reading.done() or reading.exception() is not None:
            return
        status: HubStatus = reading.result()
        if running.process.alive and _commits(running) == before:
            self._shop.world.count("page read")
            for sentence in self._untrue(running, status):
                self._shop.world.violated(f"the status page: {sentence}; it says {status.problems}")

    def _untrue(self, running: RunningHub, status: HubStatus) -> Iterator[str]:
        rows = running.rows.quiet
        yield from _counts(rows, status)
        yield from _standing(rows, status)
        yield from self._cloud(running, status)
        lost = [row[0] for row in rows.all(LOST)]
        if lost:
            self._shop.world.count("page: device lost")
            if not any(lost[0] in text for text in status.problems):
                yield f"{lost} are lost and not named"

    def _cloud(self, running: RunningHub, status: HubStatus) -> Iterator[str]:
        """A cloud that can't be reached has to be seen, whether or not somebody sells."""
        now_s = self._shop.world.loop.time()
        network = self._shop.world.network
        reachable = (
            network.link("hub", "oms").up
            and network.link("oms", "hub").up
            and self._shop.world.machine("oms").up
        )
        if reachable:
            self._cloud_cut_since_s = None
            return
        if self._cloud_cut_since_s is None:
            self._cloud_cut_since_s = now_s
        since_s = max(
            self._cloud_cut_since_s,
            self._shop.nemesis.joined_s,
            self._shop.world.machine("oms").clock.started_s,
            running.process.machine.clock.started_s,
        )
        if now_s - since_s < KNOWN_AFTER_S:
            return
        self._shop.world.count("page: cloud cut")
        if status.cloud.state == "up" or not any("cloud" in text for text in status.problems):
            yield f"the cloud is cut off since {now_s - since_s:.0f} s: {status.cloud.state}"


LOST = "SELECT name FROM devices WHERE status = 'paired' AND presence = 'lost' ORDER BY device_id"


def _commits(running: RunningHub) -> int:
    return running.core.batches


async def _read(running: RunningHub) -> HubStatus:
    return await StatusSource(running.gate, _Parts(running), started_at_ms=0).fresh()


def _counts(rows: Rows, status: HubStatus) -> Iterator[str]:
    waiting = _number(rows, "SELECT coalesce(sum(head_seq - acked_seq), 0) FROM streams")
    if status.outbox.depth != waiting:
        yield f"{waiting} events wait in the outbox, it says {status.outbox.depth}"
    parked = _number(rows, "SELECT count(*) FROM parked WHERE resent_at_ms IS NULL")
    if status.outbox.parked != parked:
        yield f"{parked} events are parked, it says {status.outbox.parked}"
    if parked and not any("refused" in text for text in status.problems):
        yield f"{parked} events are parked and nobody is told"
    day = status.sales.business_day
    sold = rows.one(
        "SELECT count(*), coalesce(sum(total_minor), 0) FROM sales"
        " WHERE business_day = ? AND state = 'completed'",
        day,
    )
    if (status.sales.count, status.sales.total_minor) != sold:
        yield f"sales of {day} are {sold}, it says {status.sales}"


def _standing(rows: Rows, status: HubStatus) -> Iterator[str]:
    fence, suspect = rows.all("SELECT fence, clock_suspect FROM hub")[0]
    if bool(suspect) != status.clock_suspect:
        yield f"the clock is suspect: {suspect!r}, it says {status.clock_suspect}"
    if suspect and not any("clock" in text for text in status.problems):
        yield "the clock is suspect and nobody is told"
    if fence == "restored" and not any("restored" in text for text in status.problems):
        yield "the hub was restored and nobody is told"
    drift = _number(rows, "SELECT count(*) FROM drift")
    if drift and not any("differ" in text for text in status.problems):
        yield f"stock of {drift} products differs from the cloud's and nobody is told"


def _number(rows: Rows, sql: str) -> int:
    return int(rows.all(sql)[0][0])


class _Parts:
    """The running parts, as the real page looks at them."""

    def __init__(self, running: RunningHub) -> None:
        self._running = running

    def broker(self) -> BrokerStatus:
        return self._running.messaging.status()

    def cloud(self) -> CloudStatus:
        return self._running.link.status()

    def discovery(self) -> DiscoveryStatus:
        return DiscoveryStatus(state="off")

    def storage(self) -> StorageStatus:
        running = self._running
        return storage_status(
            running.database,
            queue_depth=running.writer.depth,
            full=running.writer.full or running.gate.storage_full,
            alive=running.core.fatal is None,
        )

    def errors(self) -> Sequence[RecentError]:
        return ()

    def server_certificate_expires_at_ms(self) -> int | None:
        return None
