"""The probes of a running hub, put together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hub.app.parts import Running
from hub.config import Settings
from hub.health.facts import ClockSource, Disk, Limits
from hub.health.prober import Probe, Prober
from hub.health.probes import backup, certificates, clock, machine
from hub.health.probes.disk import DiskProbe
from hub.health.probes.way import Way
from hub.service.timekeeping import ClockGuard
from hub.storage import drillrows

LOOK_S = 5.0
"""How often it is seen what is due."""
WAY = "way"
REMEMBER_EVERY = 60
HANGING = Disk(sync_error="it doesn't answer")


def limits_of(settings: Settings) -> Limits:
    """What the settings say about room on the disk."""
    storage = settings.storage
    return Limits(storage.min_free_mb << 20, storage.reserve_mb << 20)


def make_prober(running: Running, guard: ClockGuard, root: Path = Path("/")) -> Prober:
    """Files are read in threads; the way to the cloud is looked at while it isn't reached, at most
    each minute."""
    settings, wall = running.settings, running.gate.clock
    state = settings.paths.state
    disk = DiskProbe(state, wall, root)

    def clock_source() -> ClockSource:
        return replace(clock.measure(root), off_cloud_ms=guard.off_ms)

    probes = [
        Probe("disk", 60.0, disk.measure, blocking=True, late=HANGING),
        Probe("clock", 30.0, clock_source, blocking=True),
        Probe("machine", 15.0, lambda: machine.measure(root), blocking=True),
        Probe(
            "certificates",
            600.0,
            lambda: certificates.measure(running.certificates.authority),
            blocking=True,
        ),
        Probe("backup", 60.0, lambda: backup.measure(state), blocking=True),
    ]
    if running.replicator is not None and settings.replica.url is not None:
        probes.append(Probe("replica", 5.0, running.replicator.look))
    if settings.cloud.url is not None:
        probes.append(_way(running, Way(settings.cloud.url, wall, root=root)))
    return Prober(wall, probes)


def _way(running: Running, way: Way) -> Probe:
    """While the cloud is reached, only its addresses are remembered, anew each hour."""
    looks = 0

    async def look() -> Any:
        nonlocal looks
        if drillrows.running(running.gate.rows) is not None:
            return ()  # cut on purpose: nothing leaves for the cloud
        if running.cloud.status().state != "up":
            return await way.look()
        if looks % REMEMBER_EVERY == 0 or not way.knows:
            await way.remember()
        looks += 1
        return ()

    return Probe(WAY, 60.0, look)
