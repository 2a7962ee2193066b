"""The probes of a running hub, put together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hub.app.parts import Running
from hub.health.facts import ClockSource
from hub.health.prober import Probe, Prober, in_thread
from hub.health.probes import backup, certificates, clock, machine
from hub.health.probes.disk import DiskProbe
from hub.health.probes.way import Way
from hub.service.timekeeping import ClockGuard

LOOK_S = 5.0
"""How often it is seen what is due."""
WAY = "way"


def make_prober(running: Running, guard: ClockGuard, root: Path = Path("/")) -> Prober:
    """Files are read in threads; the way to the cloud is looked at while it isn't reached, at most
    each minute."""
    settings, wall = running.settings, running.gate.clock
    state = settings.paths.state
    disk = DiskProbe(state, wall, root)

    def clock_source() -> ClockSource:
        return replace(clock.measure(root), off_cloud_ms=guard.off_ms)

    probes = [
        Probe("disk", 60.0, in_thread(disk.measure)),
        Probe("clock", 30.0, in_thread(clock_source)),
        Probe("machine", 15.0, in_thread(lambda: machine.measure(root))),
        Probe(
            "certificates",
            600.0,
            in_thread(lambda: certificates.measure(running.certificates.authority)),
        ),
        Probe("backup", 60.0, in_thread(lambda: backup.measure(state))),
    ]
    if settings.cloud.url is not None:
        probes.append(_way(running, Way(settings.cloud.url, wall, root=root)))
    return Prober(wall, probes)


def _way(running: Running, way: Way) -> Probe:
    """While the cloud is reached, only its addresses are remembered."""
    remembered = False

    async def look() -> Any:
        nonlocal remembered
        if running.cloud.status().state != "up":
            return await way.look()
        if not remembered:
            await way.remember()
            remembered = True
        return ()

    return Probe(WAY, 60.0, look)
