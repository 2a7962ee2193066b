"""What the status page is told by the running parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hub.app.caretaker import Certificates
from hub.app.messaging import Messaging
from hub.app.replica_child import Replicator
from hub.config import Settings
from hub.contract.local import (
    BrokerStatus,
    CloudStatus,
    DiscoveryStatus,
    RecentError,
    StorageStatus,
)
from hub.discovery import Advertiser, Status, system_addresses
from hub.health.status import storage_status
from hub.logs import Recent
from hub.service.gate import Gate
from hub.storage.writer_thread import WriterThread

ERRORS_SHOWN = 30
_DISCOVERY = {
    Status.STOPPED: "off",
    Status.WAITING: "waiting",
    Status.CLAIMING: "waiting",
    Status.ADVERTISING: "announced",
    Status.DEGRADED: "degraded",
}


class Cloud(Protocol):
    """The link to the cloud."""

    def status(self) -> CloudStatus:
        """How it stands."""

    def check_drift(self) -> None:
        """Compare stock with the cloud now."""

    async def retry(self) -> None:
        """Try now what waits."""


@dataclass(frozen=True, slots=True)
class Running:
    """The running parts that are looked at."""

    settings: Settings
    database: Path
    writer: WriterThread
    gate: Gate
    messaging: Messaging
    certificates: Certificates
    cloud: Cloud
    advertiser: Callable[[], Advertiser | None]
    replicator: Replicator | None = None


class Parts:
    """Looks at a hub's parts; every call is quick."""

    def __init__(self, running: Running, recent: Recent) -> None:
        self._running = running
        self._recent = recent

    def host(self) -> str:
        """The address that devices are told: the first public name, else the first address of a
        network, else this machine alone."""
        public = self._running.settings.web.public_names
        if public:
            return public[0]
        found = [one.ip for one in system_addresses() if not one.link_local]
        bind = self._running.settings.web.bind
        if bind not in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
            return bind
        return next((ip for ip in found if ":" not in ip), found[0] if found else "127.0.0.1")

    def broker(self) -> BrokerStatus:
        """The broker and the hub's own connection to it."""
        return self._running.messaging.status()

    def cloud(self) -> CloudStatus:
        """The link to the cloud."""
        return self._running.cloud.status()

    def discovery(self) -> DiscoveryStatus:
        """How the hub is announced."""
        advertiser = self._running.advertiser()
        if advertiser is None:
            return DiscoveryStatus(state="off", detail="discovery.enabled is false")
        state = advertiser.state
        return DiscoveryStatus(
            state=_DISCOVERY[state.status],
            detail=state.reason,
            name=state.instance,
            addresses=tuple(state.addresses),
        )

    def storage(self) -> StorageStatus:
        """The writer and the disk."""
        hub = self._running
        return storage_status(
            hub.database,
            queue_depth=hub.writer.depth,
            full=hub.writer.full or hub.gate.storage_full,
            alive=hub.writer.alive,
        )

    def errors(self) -> Sequence[RecentError]:
        """Recent warnings and errors, newest first."""
        return [
            RecentError(at_ms=one.at_ms, level=one.level, source=one.source, text=one.message)
            for one in self._recent.newest(ERRORS_SHOWN)
        ]

    def server_certificate_expires_at_ms(self) -> int | None:
        """When the hub's own certificate ends."""
        return self._running.certificates.server_expires_at_ms
