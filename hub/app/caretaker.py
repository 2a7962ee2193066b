"""What keeps a hub well while it runs: clocks, expiry, disk space, certificates."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
from collections.abc import Awaitable, Callable

from hub import events
from hub.app.founding import note_running
from hub.app.periodic import Periodic
from hub.app.reserve import Reserve
from hub.clock import Clock
from hub.config import Settings
from hub.security.authority import Authority
from hub.security.certificates import RevocationReason, Revoked
from hub.service.caller import HUB
from hub.service.gate import Gate
from hub.service.internal import Housekeep, KeepTime
from hub.service.timekeeping import ClockGuard
from hub.storage import devicerows
from hub.storage.errors import StorageError
from hub.storage.rows import Rows

log = logging.getLogger(__name__)

CLOCK_S = 10.0
WITNESS_S = 60.0
HOUSEKEEPING_S = 20.0
HOUSEKEEPING_ROUNDS = 50
DISK_S = 5.0
CERTIFICATES_S = 6 * 3600.0
MB = 1 << 20
_REASONS = {"superseded": RevocationReason.SUPERSEDED}


class Caretaker:
    """Started after everything else, ended before the writer."""

    def __init__(
        self,
        settings: Settings,
        gate: Gate,
        clock: Clock,
        guard: ClockGuard,
        certificates: Certificates,
        *,
        reserve: Reserve | None = None,
        writer_full: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._reserve = reserve
        self._writer_full = writer_full
        self._gate = gate
        self._clock = clock
        self._guard = guard
        self._certificates = certificates
        self._writing = threading.Lock()
        self._jobs: tuple[Periodic, ...] = (
            Periodic("clock-guard", CLOCK_S, self.keep_time),
            Periodic("witness", WITNESS_S, self.bear_witness),
            Periodic("housekeeping", HOUSEKEEPING_S, self.housekeep),
            Periodic("disk-guard", DISK_S, self.guard_disk),
            Periodic("certificates", CERTIFICATES_S, certificates.keep),
        )

    def start(self) -> None:
        """Begin."""
        for job in self._jobs:
            job.start()

    async def stop(self) -> None:
        """End, and persist the budget clock."""
        for job in self._jobs:
            await job.stop()
        try:
            await self.bear_witness()
        except (StorageError, OSError) as error:
            log.warning("the clocks are not persisted: %s", error)

    async def keep_time(self) -> None:
        """Look at the clock and persist what is trusted of it."""
        suspect = self._guard.tick()
        trusted = None if suspect else self._clock.wall_ms()
        await self._gate.internal(HUB, KeepTime(trusted, suspect))

    async def bear_witness(self) -> None:
        """Persist the hub's own time, and write beside the database how far it is."""
        budget_ms = self._gate.budget.budget_ms()
        await self.keep_time()
        await asyncio.to_thread(self._note_running, budget_ms)

    def _note_running(self, budget_ms: int) -> None:
        with self._writing:  # the turn that a stop cut off may still be at it
            note_running(self._settings.paths.state, budget_ms)

    async def housekeep(self) -> None:
        """Expire and purge, in small bites behind everything else."""
        for _ in range(HOUSEKEEPING_ROUNDS):
            if await self._gate.internal(HUB, Housekeep()) == 0:
                return

    def free_bytes(self) -> int:
        """What is free where the state lives."""
        return shutil.disk_usage(self._settings.paths.state).free

    async def guard_disk(self) -> None:
        """Stop taking sales in before the disk is full, and go on when there is room again."""
        free = self.free_bytes()
        least = self._settings.storage.reserve_mb * MB
        if free < least or self._writer_full():
            if not self._gate.storage_full:
                log.error(
                    "only %d MB are free: nothing new is taken in",
                    free // MB,
                    extra=events.DISK_FULL(free_mb=free // MB),
                )
                self._gate.storage_full = True
            if self._reserve is not None and await asyncio.to_thread(self._reserve.release):
                log.warning("the reserve of %d MB is used from now on", least // MB)
            return
        # Space that the reserve gave back isn't room for sales: first it is put by again.
        if self._reserve is not None and not await asyncio.to_thread(
            self._reserve.hold, free - least
        ):
            return
        if self._gate.storage_full:
            log.warning(
                "%d MB are free again: selling goes on",
                free // MB,
                extra=events.DISK_ROOM(free_mb=free // MB),
            )
            self._gate.storage_full = False


async def _nobody(rolled_over: bool) -> None:
    """Nobody has to be told yet."""


class Certificates:
    """Issues and renews the hub's own certificates and the revocation list."""

    def __init__(
        self,
        settings: Settings,
        authority: Authority,
        rows: Rows,
        clock: Clock,
        names: Callable[[], tuple[list[str], list[str]]],
    ) -> None:
        self._settings = settings
        self.authority = authority
        self._rows = rows
        self._clock = clock
        self._names = names
        self._lock = asyncio.Lock()
        self.on_change: Callable[[bool], Awaitable[None]] = _nobody
        self.server_expires_at_ms: int | None = None
        self._listed: list[Revoked] = []

    async def keep(self) -> None:
        """Roll the CA over if due, renew the server's certificate, reissue the revocation list."""
        async with self._lock:
            revoked = self._revoked()
            names, addresses = self._names()
            now_ms = self._clock.wall_ms()
            authority = self.authority

            def work() -> tuple[bool, bool, int | None]:
                rolled = authority.roll_over_if_due(revoked, now_ms)
                renewed = authority.ensure_server(
                    self._settings.store.hub_name, names, addresses, now_ms
                )
                authority.issue_crl(revoked, now_ms)
                return rolled, renewed, authority.server_expires_at_ms()

            rolled, renewed, expires_at_ms = await asyncio.to_thread(work)
            self._listed = revoked
            self.server_expires_at_ms = expires_at_ms
            if renewed:
                log.info(
                    "the hub's certificate was issued anew", extra=events.CERTIFICATE_RENEWED()
                )
            await self.on_change(rolled)

    async def list_revoked(self) -> None:
        """Reissue the revocation list if devices were shut out or have other keys since."""
        async with self._lock:
            revoked = self._revoked()
            if revoked == self._listed:
                return
            now_ms = self._clock.wall_ms()
            await asyncio.to_thread(self.authority.issue_crl, revoked, now_ms)
            await self.on_change(False)
            self._listed = revoked

    def _revoked(self) -> list[Revoked]:
        return [
            Revoked(
                int(row.serial, 16),
                row.revoked_at_ms or 0,
                _REASONS.get(row.revoke_reason or "", RevocationReason.UNSPECIFIED),
            )
            for row in devicerows.revoked_certificates(self._rows, self._clock.wall_ms())
        ]
