"""What customer displays of two lines have in common, whatever they speak.

They never answer.  Looped through a printer (``via``) what is for them stands between two ESC =
(select peripheral device).
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Protocol, runtime_checkable

from devices.peripherals.escpos.pages import Pages, UnknownPage, load, plain
from devices.peripherals.model import (
    Capabilities,
    ConditionsAre,
    Connector,
    Gone,
    Identity,
    LineDisplay,
    Misconfigured,
    Option,
    Peripheral,
    Told,
    Unfit,
    Wire,
    World,
)

CLEAR: Final = b"\x0c"
INITIALISE: Final = b"\x1b@"
_PAGES: Final = "CP437=0,CP850=2,CP860=3,CP863=4,CP865=5,CP1252=16,CP866=17,CP852=18,CP858=19"


@runtime_checkable
class PassesThrough(Protocol):
    """A printer that passes bytes on to the display behind it."""

    async def until(self, *, connected: bool) -> None:
        """Returns as soon as it is connected, or isn't."""

    async def pass_through(self, data: bytes) -> None:
        """Errors: :class:`Gone`."""


class TwoLines(LineDisplay):
    """What all of them have in common.  A letter that the display lacks is shown as ``?``."""

    option_help: ClassVar[Mapping[str, str]] = {
        "columns": "16 to 40: letters in a line; 20 when it isn't given",
        "code_pages": "the display's code pages as its manual numbers them, with commas, e.g."
        " CP437=0,CP858=19; those that Epson's have when it isn't given",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        columns = self.options.get("columns", 20)
        if not isinstance(columns, int) or isinstance(columns, bool) or not 16 <= columns <= 40:
            raise Misconfigured(f"columns is a number from 16 to 40, not {columns!r}")
        self.columns = columns
        only = self.options.get("code_pages", _PAGES)
        if not isinstance(only, str):
            raise Misconfigured(f"code_pages is a text, not {only!r}")
        self._only = only
        self._pages: Pages | None = None
        self._host: PassesThrough | None = None
        self._wire: Wire | None = None
        self._shown: tuple[str, ...] = ()
        self._turn = asyncio.Lock()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({"two-lines"}))

    def hang_on(self, host: Peripheral) -> None:
        """See :class:`devices.peripherals.model.HangsOn`."""
        if not isinstance(host, PassesThrough):
            raise Misconfigured(f"a display can't be looped through {type(host).__name__}")
        self._host = host

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        try:
            self._pages = await asyncio.to_thread(load, "generic", self._only)
        except UnknownPage as error:
            raise Unfit(str(error)) from error
        try:
            if self._host is not None:
                await self._behind(self._host, ready)
            else:
                await self._alone(ready)
        finally:
            self.tell(ConditionsAre(frozenset({"display-offline"})))

    async def _alone(self, ready: Callable[[Identity], None]) -> None:
        wire = await self.connector.open()
        try:
            self._wire = wire
            await self._begin(ready)
            while True:
                await wire.read()  # it has nothing to say: only the end is awaited
        finally:
            self._wire = None
            await wire.close()

    async def _behind(self, host: PassesThrough, ready: Callable[[Identity], None]) -> None:
        await host.until(connected=True)
        await self._begin(ready)
        await host.until(connected=False)
        raise Gone("the display's printer is gone")

    async def _begin(self, ready: Callable[[Identity], None]) -> None:
        await self._send(self.beginning())
        await self.show(self._shown)
        self.tell(ConditionsAre(frozenset()))
        ready(Identity())

    async def show(self, lines: tuple[str, ...]) -> None:
        self._shown = lines[: self.rows]
        whole = [*self._shown, "", ""][: self.rows]
        async with self._turn:
            await self._send(
                b"".join(self.line(n, self._letters(one)) for n, one in enumerate(whole))
            )

    async def _send(self, data: bytes) -> None:
        if self._host is not None:
            await self._host.pass_through(data)
        elif self._wire is not None:
            await self._wire.write(data)
        else:
            raise Gone("the display isn't connected")

    def _letters(self, text: str) -> bytes:
        """A line of exactly ``columns`` letters, with the code pages they need."""
        pages = self._pages
        if pages is None:
            raise Gone("the display isn't connected")
        clean = pages.typed(plain(text.replace("\n", " ").replace("\t", " ")))
        fitting = "".join(one if pages.hold(one) else "?" for one in clean)
        runs = pages.runs(fitting[: self.columns].ljust(self.columns), None)
        return b"".join(self.page(run.page.number) + run.data for run in runs)

    @abstractmethod
    def beginning(self) -> bytes:
        """What sets it up and clears it."""

    @abstractmethod
    def line(self, n: int, letters: bytes) -> bytes:
        """Line ``n``, 0 or 1, with ``columns`` letters."""

    @abstractmethod
    def page(self, number: int) -> bytes:
        """The command for a code page."""
