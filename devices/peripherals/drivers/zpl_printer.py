"""Label printers that speak ZPL II: TCP 9100, USB and serial alike."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import ClassVar, Final

from devices.peripherals.escpos.session import USUAL, Pace
from devices.peripherals.model import (
    Capabilities,
    ConditionsAre,
    Connector,
    Ended,
    Gone,
    Identity,
    Misconfigured,
    Option,
    Outcome,
    POSPrinter,
    Told,
    Unreachable,
    Wire,
    World,
)
from devices.peripherals.transports.ieee1284 import introduced
from devices.peripherals.zpl.encoder import Unprintable, encode
from devices.peripherals.zpl.status import REQUEST, LabelStatus, take
from hub.documents.layout import Layout

log = logging.getLogger(__name__)

_BETWEEN_S: Final = 0.2
_CHUNK_BYTES: Final = 1024
_CANCEL_ALL: Final = b"~JA\r\n"


class ZplPrinter(POSPrinter):
    """Prints labels; a job is confirmed when none of it waits any more (``~HS``).

    A job that is given up is cancelled in the printer, too (``~JA``), before the connection ends.
    """

    key: ClassVar[str] = "zpl-printer"
    title: ClassVar[str] = "Label printer (ZPL)"
    option_help: ClassVar[Mapping[str, str]] = {
        "width_mm": "15 to 220: of the widest label; 58 when it isn't given",
        "status": "full or none: none for a printer that never answers; full when it isn't given",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
        *,
        pace: Pace = USUAL,
    ) -> None:
        super().__init__(connector, world, tell, options)
        width = self.options.get("width_mm", 58)
        if not isinstance(width, int) or isinstance(width, bool) or not 15 <= width <= 220:
            raise Misconfigured(f"width_mm is a number from 15 to 220, not {width!r}")
        status = self.options.get("status", "full")
        if status not in ("full", "none"):
            raise Misconfigured(f"status is full or none, not {status!r}")
        self._width_mm = width
        self._answers = status == "full"
        self._pace = pace
        self._wire: Wire | None = None
        self._buffer = bytearray()
        self._heard: asyncio.Queue[LabelStatus] = asyncio.Queue(maxsize=4)
        self._turn = asyncio.Lock()
        self._lost = asyncio.Event()
        self._why = ""
        self._torn = False
        """Whether half a format may wait in the printer, which the next one would be mixed with."""

    @property
    def capabilities(self) -> Capabilities:
        names = {"label", "barcode", "qr", "image"}
        return Capabilities(frozenset(names), self._width_mm, confirms=self._answers)

    # Living ---------------------------------------------------------------------------------

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        try:
            wire = await self.connector.open()
            self._buffer.clear()
            self._lost, self._why = asyncio.Event(), ""
            reading = asyncio.create_task(self._read(wire), name=f"{self.key} reads")
            try:
                self._wire = wire
                await self._greet()
                ready(introduced(wire))
                await self._watch()
            finally:
                self._wire = None
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                await wire.close()
        finally:
            self.tell(ConditionsAre(frozenset({"printer-offline"})))

    async def _greet(self) -> None:
        if not self._answers:
            self.tell(ConditionsAre(frozenset()))
        elif await self._ask() is None:
            raise Unreachable(
                f"{self.connector.address}: it doesn't answer ~HS: is it switched on and a ZPL"
                ' printer? One that never answers needs the option status = "none"'
            )

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.poll_s):
                    await self._lost.wait()
                raise Gone(self._why)
            if self._answers and not self._turn.locked():
                async with self._turn:
                    await self._ask_often()

    async def _read(self, wire: Wire) -> None:
        try:
            while True:
                self._buffer += await wire.read()
                while (status := take(self._buffer)) is not None:
                    if self._heard.full():
                        self._heard.get_nowait()
                    self._heard.put_nowait(status)
        except Gone as error:
            self._lose(str(error))

    def _lose(self, why: str) -> None:
        self._why = self._why or why
        self._lost.set()

    async def _write(self, data: bytes) -> None:
        wire = self._wire
        if wire is None or self._lost.is_set():
            raise Gone(self._why or "the label printer isn't connected")
        await wire.write(data)

    async def _ask(self) -> LabelStatus | None:
        """Its state now; None: no answer.  Errors: :class:`Gone`."""
        while not self._heard.empty():
            self._heard.get_nowait()
        await self._write(REQUEST)
        heard = asyncio.create_task(self._heard.get())
        lost = asyncio.create_task(self._lost.wait())
        try:
            await asyncio.wait(
                {heard, lost}, timeout=self._pace.answer_s, return_when=asyncio.FIRST_COMPLETED
            )
            if heard.done():
                self.tell(ConditionsAre(heard.result().conditions))
                return heard.result()
            if lost.done():
                raise Gone(self._why)
            return None
        finally:
            heard.cancel()
            lost.cancel()
            await asyncio.gather(heard, lost, return_exceptions=True)

    async def _ask_often(self) -> LabelStatus:
        for _ in range(self._pace.unanswered):
            if (status := await self._ask()) is not None:
                return status
        self._lose("the label printer has not answered for some time: is it switched on?")
        raise Gone(self._why)

    # Printing -------------------------------------------------------------------------------

    async def print(self, layout: Layout) -> Ended:
        async with self._turn:
            if self._wire is None or self._lost.is_set():
                return Ended(Outcome.NOT_BEGUN, "the label printer isn't connected")
            try:
                label = await asyncio.to_thread(encode, layout)
            except Unprintable as error:
                return Ended(Outcome.REFUSED, str(error))
            if label.missing:
                log.warning("No font has these: %s", "".join(sorted(label.missing))[:80])
            self._torn = self._torn or layout.after_torn
            return await self._send(label.zpl)

    async def _send(self, zpl: bytes) -> Ended:
        begun = False
        try:
            if self._torn:
                await self._write(_CANCEL_ALL)
                self._torn = False
            if self._answers:
                status = await self._ask_often()
                if status.stopped:
                    return Ended(Outcome.NOT_BEGUN, status.why)
                if status.waiting:
                    return Ended(Outcome.NOT_BEGUN, "the label printer is busy with another's job")
            begun = self._torn = True
            for at in range(0, len(zpl), _CHUNK_BYTES):
                await self._write(zpl[at : at + _CHUNK_BYTES])
            self._torn = False  # the printer has all of it
            if not self._answers:
                return Ended(Outcome.PRINTED)
            return await self._until_printed()
        except Gone as error:
            return Ended(Outcome.UNKNOWN if begun else Outcome.NOT_BEGUN, str(error))
        except asyncio.CancelledError:
            await asyncio.shield(self._give_up())
            raise

    async def _until_printed(self) -> Ended:
        """A format is printed whole: a stop in between only delays it."""
        while True:
            await asyncio.sleep(_BETWEEN_S)
            status = await self._ask_often()
            if not status.waiting and not status.stopped:
                return Ended(Outcome.PRINTED, confirmed=True)

    async def _give_up(self) -> None:
        with suppress(Gone, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._write(_CANCEL_ALL)
        self._lose("a label was given up while the printer was stopped")

    async def kick(self, connector_pin: int, pulse_ms: int) -> Ended:
        return Ended(Outcome.REFUSED, "a label printer has no drawer")


DRIVER = ZplPrinter
