"""A scanner that is a keyboard (a wedge), read from the kernel before it reaches a screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from devices.peripherals.model import (
    Connector,
    Identity,
    Misconfigured,
    Option,
    Scanner,
    Told,
    World,
)
from devices.peripherals.scanning.framing import MAX_CODE_BYTES, Framing, Suffix
from devices.peripherals.scanning.layouts import LAYOUTS
from devices.peripherals.scanning.reading import choice, collect, number, text
from devices.peripherals.scanning.wedge import GsKey, Typing, Wedge

_GAP_MS = 100


class End(StrEnum):
    """The key that ends a code; ``none``: silence does."""

    ENTER = "enter"
    TAB = "tab"
    NONE = "none"


_SUFFIXES = {End.ENTER: Suffix.CRLF, End.TAB: Suffix.TAB, End.NONE: Suffix.NONE}


class HidScanner(Scanner):
    """Tells each code that the scanner types."""

    key = "hid-scanner"
    title = "Scanner that is a keyboard"
    option_help = {
        "layout": f"the country that is set on the scanner: {', '.join(sorted(LAYOUTS))}; us",
        "suffix": "the key that ends a code: enter, tab or none; enter",
        "gs": "how it types GS: ctrl (Ctrl+]), f8, alt (Alt+029) or auto; auto",
        "gap_ms": f"with suffix none: the silence that ends a code, 20 to 2000 ms; {_GAP_MS}",
        "max_bytes": f"longest code, 8 to {MAX_CODE_BYTES} bytes; {MAX_CODE_BYTES}",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        super().__init__(connector, world, tell, options)
        layout = text(self.options, "layout", "us").strip().lower()
        if layout not in LAYOUTS:
            known = ", ".join(sorted(LAYOUTS))
            raise Misconfigured(
                f"The option layout is one of {known}, not {layout!r}: set the scanner to one of"
                " these countries, too."
            )
        self._typing = Typing(layout, choice(self.options, "gs", GsKey, GsKey.AUTO))
        self._framing = Framing(
            suffix=_SUFFIXES[choice(self.options, "suffix", End, End.ENTER)],
            gap_s=number(self.options, "gap_ms", 20, 2000, _GAP_MS) / 1000,
            max_bytes=number(self.options, "max_bytes", 8, MAX_CODE_BYTES, MAX_CODE_BYTES),
        )

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        wire = await self.connector.open()
        try:
            ready(Identity())
            wedge = Wedge(self._typing, self._framing, self.tell)
            await collect(wire, self.world.clock, wedge)
        finally:
            await wire.close()


DRIVER = HidScanner
