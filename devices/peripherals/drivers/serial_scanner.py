"""A scanner on a serial line, or on a USB cable that looks like one (CDC ACM)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from devices.peripherals.model import (
    Connector,
    Identity,
    Misconfigured,
    Option,
    Scanner,
    Told,
    World,
)
from devices.peripherals.scanning.framing import (
    GAP_S,
    MAX_CODE_BYTES,
    Encoding,
    Framer,
    Framing,
    Suffix,
)
from devices.peripherals.scanning.reading import choice, collect, number, text

_PREFIX_BYTES_MAX = 16


class SerialScanner(Scanner):
    """Tells each code that comes over the line."""

    key = "serial-scanner"
    title = "Scanner on a serial line"
    option_help = {
        "suffix": "what it sends after a code: cr, lf, crlf, tab or none; crlf (takes cr and lf)",
        "encoding": "auto (UTF-8, else Latin-1), utf-8 or latin-1; auto",
        "prefix_hex": "bytes that it sends before a code, as hexadecimal digits; none",
        "gap_ms": "with suffix none: the silence that ends a code, 10 to 1000 ms; 50",
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
        self._framing = framing_of(self.options)

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        wire = await self.connector.open()
        try:
            ready(Identity())
            await collect(wire, self.world.clock, Framer(self._framing, self.tell))
        finally:
            await wire.close()


def framing_of(options: Mapping[str, Option]) -> Framing:
    """The framing that the options say.  Errors: :class:`Misconfigured`."""
    prefix_hex = text(options, "prefix_hex")
    try:
        prefix = bytes.fromhex(prefix_hex)
    except ValueError:
        prefix = bytes(_PREFIX_BYTES_MAX + 1)
    if len(prefix) > _PREFIX_BYTES_MAX:
        raise Misconfigured(
            f"The option prefix_hex is up to {_PREFIX_BYTES_MAX} bytes as pairs of hexadecimal"
            f" digits, such as 02, not {prefix_hex!r}."
        )
    return Framing(
        suffix=choice(options, "suffix", Suffix, Suffix.CRLF),
        encoding=choice(options, "encoding", Encoding, Encoding.AUTO),
        prefix=prefix,
        gap_s=number(options, "gap_ms", 10, 1000, round(GAP_S * 1000)) / 1000,
        max_bytes=number(options, "max_bytes", 8, MAX_CODE_BYTES, MAX_CODE_BYTES),
    )


DRIVER = SerialScanner
