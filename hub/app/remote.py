"""What the cloud has set, put in force: at the start, after each change, and when its time is
over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from hub.app.periodic import end_task
from hub.app.shopfacts import shop_of
from hub.config import Loaded, Settings, remote
from hub.config.models import Cloud
from hub.config.remote import RemoteValue
from hub.service.gate import Gate
from hub.service.handlers.remote import log_level, values_in_force
from hub.service.notices import RemoteSettingsChanged

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
SetLevel = Callable[[str, int], None]


class Link(Protocol):
    """The link to the cloud."""

    async def adopt(self, settings: Cloud) -> None:
        """Other limits and pauses from now on."""


class RemoteSettings:
    """``settings`` are the box's own; ``set_level`` sets the log's level for so many seconds, and
    with an empty level puts it back.  ``loaded`` shows the values in force with their origin."""

    def __init__(
        self,
        gate: Gate,
        link: Link,
        settings: Settings,
        loaded: Loaded | None,
        *,
        set_level: SetLevel = lambda _level, _for_s: None,
    ) -> None:
        self._gate = gate
        self._link = link
        self._settings = settings
        self._loaded = loaded
        self._set_level = set_level
        self._own = remote.own_keys(loaded)
        self._values: dict[str, RemoteValue] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Put in force what was set before."""
        await self._apply()
        self._task = asyncio.create_task(self._run(), name="remote-settings")

    async def stop(self) -> None:
        """The values stay as they are."""
        task, self._task = self._task, None
        await end_task(task)

    def notify(self, told: Sequence[object]) -> None:
        """What was told after a commit."""
        if any(isinstance(one, RemoteSettingsChanged) for one in told):
            self._changed.set()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):  # one's time may be over
                await asyncio.wait_for(self._changed.wait(), LOOK_S)
            self._changed.clear()
            try:
                await self._apply()
            except Exception as error:
                log.warning("the cloud's settings aren't in force yet: %s", error, exc_info=error)

    async def _apply(self) -> None:
        rows, budget_ms = self._gate.rows, self._gate.budget.budget_ms()
        values = values_in_force(rows, self._own, budget_ms)
        if self._gate.shop.own_settings == self._own and values == self._values:
            return
        before, was = self._values, self._values.get("log.level")
        settings = remote.overlaid(self._settings, values)
        now = self._gate.shop
        shop = shop_of(settings, now.has_drawer, payments=now.payments)
        self._gate.shop = replace(shop, own_settings=self._own, return_key=now.return_key)
        if self._loaded is not None:
            shown = self._loaded.remote
            shown.clear()
            shown.update({k: (one.value, remote.origin_of(one)) for k, one in values.items()})
        if values.get("log.level") != was and (level := log_level(rows, budget_ms)) is not None:
            self._set_level(*level)
        await self._link.adopt(settings.cloud)
        self._values = values  # last: what failed is tried again
        if values != before:
            log.info("settings of the cloud in force: %s", ", ".join(sorted(values)) or "none")
