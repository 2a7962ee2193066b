"""The one picture of the hub that the status page, the command line and the watchdog share."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final, Protocol

from hub.contract.local import (
    BrokerStatus,
    CloudStatus,
    DiscoveryStatus,
    HubStatus,
    OutboxStatus,
    PaymentsStatus,
    PrintingStatus,
    RecentError,
    SalesStatus,
    StorageStatus,
)
from hub.contract.peripherals import PeripheralView
from hub.domain.dayparts import business_day
from hub.health import drills
from hub.health.facts import HOUR_MS, NOTHING_MEASURED, Facts, Limits, Measured
from hub.health.report import Examiner, problems_of
from hub.service.gate import Gate
from hub.service.handlers.devices import view
from hub.service.pages import orders, payments
from hub.storage import sqlite, statusrows
from hub.storage.rows import Rows
from hub.storage.statusrows import StatusRows

CACHED_S: Final = 1.0
RATE_MINUTES: Final = 5
ERRORS_MAX: Final = 30


class LiveParts(Protocol):
    """What only running parts know; each call is quick and touches no network."""

    def broker(self) -> BrokerStatus:
        """The broker and the hub's own connection to it."""

    def cloud(self) -> CloudStatus:
        """The link; ``datasets`` and ``drift`` are filled in from the database."""

    def discovery(self) -> DiscoveryStatus:
        """How the hub is announced."""

    def storage(self) -> StorageStatus:
        """The writer and the disk (:func:`storage_status` makes it)."""

    def errors(self) -> Sequence[RecentError]:
        """Recent warnings and errors, newest first, already masked."""

    def server_certificate_expires_at_ms(self) -> int | None:
        """When the hub's own certificate ends."""


class StatusSource:
    """Builds the status; all who ask within a second share one.

    ``measured`` gives what the probes found last: asking it must cost nothing.
    """

    def __init__(
        self,
        gate: Gate,
        parts: LiveParts,
        *,
        started_at_ms: int,
        limits: Limits | None = None,
        measured: Callable[[], Measured] = lambda: NOTHING_MEASURED,
    ) -> None:
        self._gate = gate
        self._parts = parts
        self._started_at_ms = started_at_ms
        self._limits = limits or Limits()
        self._measured = measured
        self._examiner = Examiner(gate.clock)
        self._lock = asyncio.Lock()
        self._last: HubStatus | None = None
        self._made_at_s = 0.0

    async def status(self) -> HubStatus:
        """At most a second old.  Errors: TimeoutError when the database can't be read in time."""
        async with self._lock:
            now_s = self._gate.clock.monotonic_s()
            if self._last is None or now_s - self._made_at_s >= CACHED_S:
                self._last = await self._build()
                self._made_at_s = now_s
            return self._last

    async def fresh(self) -> HubStatus:
        """Made now."""
        async with self._lock:
            self._last = await self._build()
            self._made_at_s = self._gate.clock.monotonic_s()
            return self._last

    async def _build(self) -> HubStatus:
        gate, shop = self._gate, self._gate.shop
        now_ms, budget_ms = gate.clock.wall_ms(), gate.budget.budget_ms()
        day = business_day(now_ms, shop.zone, shop.day_cutover_hour).isoformat()
        rows, payments_now, orders_now = await gate.read(
            lambda reader: (
                _read(reader, day, now_ms, budget_ms),
                payments.status(reader, shop, now_ms, budget_ms),
                orders.status(reader, now_ms),
            )
        )
        cloud = self._parts.cloud().model_copy(
            update={"datasets": rows.datasets, "drift": rows.drift}
        )
        status = HubStatus(
            store=shop.store,
            store_name=shop.name,
            hub_id=rows.hub.hub_id,
            version=shop.version,
            mode=_mode(rows, cloud),
            training=shop.training,
            started_at_ms=self._started_at_ms,
            time_ms=now_ms,
            incarnation=rows.hub.label,
            epoch=rows.hub.epoch,
            seq=rows.seq,
            safe_seq=rows.safe_seq,
            clock_suspect=bool(rows.hub.clock_suspect),
            superseded_at_ms=rows.superseded_at_ms,
            sales=_sales(rows, shop.currency),
            devices=tuple(view(row) for row in rows.devices),
            outbox=_outbox(rows),
            cloud=cloud,
            broker=self._parts.broker(),
            discovery=self._parts.discovery(),
            storage=self._parts.storage(),
            errors=tuple(self._parts.errors())[:ERRORS_MAX],
            peripherals=self._peripherals(),
            printing=PrintingStatus(**asdict(rows.printing)),
            payments=self._with_way(payments_now),
            orders=orders_now,
            drill=drills.running(rows.drill, now_ms, budget_ms),
            last_drill=drills.outcome(rows.drill),
        )
        report = self._examiner.examine(
            Facts(
                status,
                self._measured(),
                self._limits,
                self._parts.server_certificate_expires_at_ms(),
                rows.hub.clock_suspect,
                sqlite.has_wal_reset_bug(),
            )
        )
        return status.model_copy(update={"problems": problems_of(report), "health": report})

    def _with_way(self, now: PaymentsStatus) -> PaymentsStatus:
        way, problem = self._gate.live.processor()
        refused = self._gate.live.copies_refused()
        update = {"way": way, "problem": problem, "copies_refused": refused}
        return now.model_copy(update=update)

    def _peripherals(self) -> tuple[PeripheralView, ...]:
        desk = self._gate.live.desk
        return desk.listed() if desk is not None else ()


def _read(rows: Rows, day: str, now_ms: int, budget_ms: int) -> StatusRows:
    return statusrows.read(
        rows,
        business_day=day,
        recent_since_ms=now_ms - RATE_MINUTES * 60_000,
        budget_ms=budget_ms,
        failed_since_ms=now_ms - HOUR_MS,
    )


def storage_status(database: Path, *, queue_depth: int, full: bool, alive: bool) -> StorageStatus:
    """What the files and the disk say; a file that isn't there counts nothing."""
    state = "stopped" if not alive else "full" if full else "ok"
    return StorageStatus(
        state=state,
        queue_depth=queue_depth,
        database_bytes=_size(database),
        wal_bytes=_size(database.with_name(f"{database.name}-wal")),
        free_bytes=shutil.disk_usage(database.parent).free,
        sqlite_version=sqlite.version(),
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _mode(rows: StatusRows, cloud: CloudStatus) -> str:
    match rows.hub.fence:
        case "superseded":
            return "superseded"
        case "restored":
            return "recovery"
        case _:
            return "online" if cloud.state == "up" else "offline"


def _sales(rows: StatusRows, currency: str) -> SalesStatus:
    """Count and total without what was voided; returns stand apart."""
    day = rows.day
    return SalesStatus(
        business_day=day.business_day,
        count=day.sales - day.voided,
        total_minor=day.total_minor - day.voided_minor,
        voided=day.voided,
        returned_minor=day.returned_minor,
        currency=currency,
        last_at_ms=day.last_at_ms or None,
        per_minute=round(rows.recent_sales / RATE_MINUTES, 1),
    )


def _outbox(rows: StatusRows) -> OutboxStatus:
    waiting = {stream: count for stream, count in rows.depth.items() if count}
    return OutboxStatus(
        depth=sum(waiting.values()),
        oldest_at_ms=rows.oldest_at_ms,
        parked=rows.parked,
        streams=waiting,
    )
