"""Making support bundles: what is shown is what is downloaded."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from hub.config import Loaded
from hub.contract.pages.house import SupportPreview
from hub.contract.problems import Code, refuse
from hub.health import support
from hub.health.status import StatusSource
from hub.health.support import Parts
from hub.logs import Lines
from hub.service.caller import Caller
from hub.service.gate import Gate, ReadUnit
from hub.service.handlers.webaccess import NoteAccess
from hub.service.pages import support as support_rows
from hub.storage.errors import StorageError
from hub.storage.pages import support as rows_of
from hub.web import settingspage

log = logging.getLogger(__name__)

KEPT_MAX: Final = 2
KEPT_S: Final = 900.0
CHECK_KEPT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was made."""

    preview: SupportPreview
    made_s: float

    def zipped(self) -> bytes:
        """As a file."""
        return support.zipped(self.preview.files, self.preview.made_at_ms)


class SupportDesk:
    """Makes one bundle at a time, and keeps the last two for a quarter of an hour."""

    def __init__(
        self,
        gate: Gate,
        status: StatusSource,
        lines: Lines,
        loaded: Loaded | None,
        metrics: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._metrics = metrics
        self._gate = gate
        self._status = status
        self._lines = lines
        self._loaded = loaded
        self._kept: OrderedDict[str, Bundle] = OrderedDict()
        self._lock = asyncio.Lock()
        self._checked: tuple[float, str] = (float("-inf"), "")

    async def make(self, caller: Caller, unit_of: Callable[..., ReadUnit]) -> Bundle:
        """A fresh bundle, with an entry in the audit log."""
        async with self._lock:
            rows = await self._gate.read(lambda rows: support_rows.read(unit_of(rows)))
            loaded, now_ms = self._loaded, self._gate.clock.wall_ms()
            parts = Parts(
                store=self._gate.shop.store,
                version=self._gate.shop.version,
                made_at_ms=now_ms,
                rows=rows,
                settings=settingspage.page(loaded) if loaded else None,
                status=await self._status.status(),
                lines=[entry for _, entry in self._lines.newest()],
                integrity=await self._integrity(),
                metrics=(await self._metrics()).decode(),
                secrets=loaded.secrets() if loaded else (),
            )
            files = await asyncio.to_thread(support.files, parts)
            preview = SupportPreview(
                bundle_id=self._gate.ids.uuid7(),
                made_at_ms=now_ms,
                file_name=support.file_name(parts.store, now_ms),
                total_bytes=sum(one.bytes for one in files),
                files=files,
                left_out=support.LEFT_OUT,
            )
            return await self._keep(caller, preview)

    def find(self, bundle_id: str) -> Bundle:
        """One that was made.  Errors: ``not-found`` when it is too old."""
        self._forget()
        found = self._kept.get(bundle_id)
        if found is None:
            raise refuse(Code.NOT_FOUND, "This bundle isn't kept any more: make another one.")
        return found

    async def note(self, caller: Caller, action: str, bundle_id: str) -> None:
        """Write into the audit log who made or took a bundle; a full disk doesn't keep help
        away."""
        try:
            await self._gate.internal(caller, NoteAccess(action, bundle_id))
        except StorageError as error:
            log.warning("%s: %s %s can't be written down: %s", caller.key, action, bundle_id, error)

    async def _keep(self, caller: Caller, preview: SupportPreview) -> Bundle:
        bundle = Bundle(preview, self._gate.clock.monotonic_s())
        self._kept[preview.bundle_id] = bundle
        self._forget()
        await self.note(caller, "support.made", preview.bundle_id)
        return bundle

    def _forget(self) -> None:
        now_s = self._gate.clock.monotonic_s()
        for bundle_id, bundle in tuple(self._kept.items()):
            if now_s - bundle.made_s > KEPT_S:
                del self._kept[bundle_id]
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)

    async def _integrity(self) -> str:
        """What the quick check says, at most a minute old; it has the readers' time."""
        now_s = self._gate.clock.monotonic_s()
        if now_s - self._checked[0] > CHECK_KEPT_S:
            self._checked = (now_s, await self._check())
        return self._checked[1]

    async def _check(self) -> str:
        try:
            found: list[str] = await self._gate.read(rows_of.integrity)
        except TimeoutError:
            return "Not known: the check takes longer than a page may read."
        except StorageError as error:
            return f"Not known: {error}"
        return support.integrity_text(found)
