"""What the status page is told by the running parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hub.contract.local import (
    BrokerStatus,
    CloudStatus,
    DiscoveryStatus,
    RecentError,
    StorageStatus,
)
from hub.discovery import Status, system_addresses
from hub.health.status import storage_status
from hub.logs import Recent

if TYPE_CHECKING:
    from hub.app.hub import Hub

ERRORS_SHOWN = 30
_DISCOVERY = {
    Status.STOPPED: "off",
    Status.WAITING: "waiting",
    Status.CLAIMING: "waiting",
    Status.ADVERTISING: "announced",
    Status.DEGRADED: "degraded",
}


class Parts:
    """Looks at a hub's parts; every call is quick."""

    def __init__(self, hub: Hub, recent: Recent) -> None:
        self._hub = hub
        self._recent = recent

    def host(self) -> str:
        """The address that devices are told: the first public name, else the first address of a
        network, else this machine alone."""
        public = self._hub.settings.web.public_names
        if public:
            return public[0]
        found = [one.ip for one in system_addresses() if not one.link_local]
        bind = self._hub.settings.web.bind
        if bind not in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not listened on
            return bind
        return next((ip for ip in found if ":" not in ip), found[0] if found else "127.0.0.1")

    def broker(self) -> BrokerStatus:
        """The broker and the hub's own connection to it."""
        return self._hub.messaging.status()

    def cloud(self) -> CloudStatus:
        """The link to the cloud."""
        return self._hub.cloud.status()

    def discovery(self) -> DiscoveryStatus:
        """How the hub is announced."""
        advertiser = self._hub.advertiser
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
        hub = self._hub
        return storage_status(
            hub.opened.database,
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
        return self._hub.certificates.server_expires_at_ms
