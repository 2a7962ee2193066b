"""What goes wrong in the pictures, each as the hub's own measurements tell it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from hub.contract.health import WayStep
from hub.contract.local import RecentError
from hub.health.facts import GIB, ClockSource, Disk
from hub.service.caller import HUB
from hub.service.handlers.drill import BeginDrill
from hub.service.internal import MarkPresence
from tests.hubparts import HubParts

Trouble = Callable[[HubParts], Awaitable[None]]

CUT_AT_THE_INTERNET: Final = (
    WayStep(place="lan", title="This box's network", state="ok"),
    WayStep(place="router", title="The shop's router", state="ok"),
    WayStep(place="dns", title="Looking up names", state="ok"),
    WayStep(
        place="internet",
        title="The internet",
        state="broken",
        text="No well-known server on the internet answers.",
    ),
    WayStep(place="oms", title="The cloud", state="unknown"),
)


async def internet_cut(hub: HubParts) -> None:
    """The router answers, the internet doesn't."""
    hub.parts.cloud_state = "down"
    hub.measured.value = replace(hub.measured.value, way=CUT_AT_THE_INTERNET)


async def clock_off(hub: HubParts) -> None:
    """Ten minutes ahead of the cloud's."""
    clock = ClockSource(synchronised=False, by="systemd-timesyncd", off_cloud_ms=600_000)
    hub.measured.value = replace(hub.measured.value, clock=clock)


async def disk_full(hub: HubParts) -> None:
    """97 % are used."""
    disk = Disk(total_bytes=100 * GIB, free_bytes=3 * GIB, sync_ms=4)
    hub.measured.value = replace(hub.measured.value, disk=disk)


async def till_lost(hub: HubParts) -> None:
    """One till is gone without a word."""
    await hub.gate.internal(HUB, MarkPresence("till-2", "lost", "s1"))


async def paper_out(hub: HubParts) -> None:
    """A till says over MQTT that its printer has no paper."""
    told = MarkPresence("till-1", "ready", "s1", ("printer-paper-empty",))
    await hub.gate.internal(HUB, told)


async def errors_logged(hub: HubParts) -> None:
    """The log has something to say."""
    now_ms = hub.gate.clock.wall_ms()
    hub.parts.recent = [
        RecentError(at_ms=now_ms - ago_s * 1000, level=level, source=source, text=text)
        for ago_s, level, source, text in (
            (40, "warning", "cloud_link.uplink", "The cloud doesn't answer; trying again in 8 s."),
            (600, "error", "cloud_link.session", "TLS handshake with oms.example failed."),
        )
    ]


async def drill(hub: HubParts) -> None:
    """Somebody cut the cloud off on purpose."""
    await hub.gate.internal(HUB, BeginDrill(10))
    hub.parts.cloud_state = "down"


async def broker_down(hub: HubParts) -> None:
    """Nobody can sell."""
    hub.parts.broker_state = "backoff"


AT_ONCE: Final = (internet_cut, clock_off, disk_full, paper_out, till_lost, errors_logged)
"""Together with the sale that the cloud didn't take: six things and more."""

ALONE: Final[Mapping[str, Trouble]] = {
    "internet-cut": internet_cut,
    "clock-off": clock_off,
    "disk-full": disk_full,
    "paper-out": paper_out,
    "till-lost": till_lost,
    "broker-down": broker_down,
    "drill": drill,
}
