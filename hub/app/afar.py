"""What may be managed from afar, beside the link to the cloud: the drill that cuts it, and the
cloud's settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cloud_link.bundles import Bundle
from cloud_link.link import CloudLink
from hub.app.drill import DrillDesk
from hub.app.remote import RemoteSettings
from hub.clock import Clock
from hub.config import Loaded, Settings
from hub.service.caller import CLOUD
from hub.service.gate import Gate
from hub.web.loglevels import LogLevels
from hub.web.reads import Reads


@dataclass(frozen=True, slots=True)
class Own:
    """The box's own settings, where each came from, and the levels of its log."""

    settings: Settings
    loaded: Loaded | None
    levels: Callable[[], LogLevels]


async def bundle_of(reads: Reads) -> Bundle:
    """A fresh support bundle, as the page makes it."""
    return Bundle(*await reads.made_for(CLOUD))


class Afar:
    """Start it before the link: that begins with the cloud's settings, and cut off while a drill
    from before the start goes on."""

    def __init__(self, gate: Gate, link: CloudLink, own: Own, clock: Clock) -> None:
        self.drill = DrillDesk(gate, link, clock=clock)
        self.settings = RemoteSettings(
            gate,
            link,
            own.settings,
            own.loaded,
            set_level=lambda level, for_s: own.levels().set_all(level, for_s),
        )

    def notify(self, told: Sequence[object]) -> None:
        """What was told after a commit."""
        self.drill.notify(told)
        self.settings.notify(told)

    async def start(self) -> None:
        """Put in force what was set, and go on with a drill."""
        await self.settings.start()
        await self.drill.start()

    async def stop(self) -> None:
        """End both; the rows tell the next start."""
        await self.drill.stop()
        await self.settings.stop()
