"""Wires inside the process, for simulated twins and for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from devices.peripherals.model import Gone, Unreachable, Wire

CAPACITY_BYTES: Final = 65_536
PLACES_MAX: Final = 256


class _Pipe:
    """Bytes one way; at its capacity the writer waits."""

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.data = bytearray()
        self.ended = False
        self._moved = asyncio.Event()

    def moved(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    def end(self) -> None:
        self.ended = True
        self.moved()

    async def wait(self) -> None:
        await self._moved.wait()


class MemoryWire:
    """One end of a pair.  What was written before a close is still read at the other end."""

    def __init__(self, address: str, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._address = address
        self._in = incoming
        self._out = outgoing
        self.closed = False

    async def read(self, max_bytes: int = 4096) -> bytes:
        await asyncio.sleep(0)
        while not self.closed:
            if self._in.data:
                data = bytes(self._in.data[:max_bytes])
                del self._in.data[:max_bytes]
                self._in.moved()
                return data
            if self._in.ended:
                break
            await self._in.wait()
        raise self._gone()

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(0)
        rest = memoryview(data)
        while rest:
            if self.closed or self._out.ended:
                raise self._gone()
            room = self._out.capacity_bytes - len(self._out.data)
            if room > 0:
                self._out.data += rest[:room]
                rest = rest[room:]
                self._out.moved()
            else:
                await self._out.wait()

    async def close(self) -> None:
        self.cut()

    def cut(self) -> None:
        """Close it now, as when a cable is pulled out."""
        self.closed = True
        self._in.end()
        self._out.end()

    def _gone(self) -> Gone:
        return Gone(f"{self._address} is gone: {'it was closed here' if self.closed else 'ended'}")


def pair(
    address: str = "memory://test", capacity_bytes: int = CAPACITY_BYTES
) -> tuple[MemoryWire, MemoryWire]:
    """Two ends; each holds up to ``capacity_bytes`` for the other to read."""
    one, other = _Pipe(capacity_bytes), _Pipe(capacity_bytes)
    return MemoryWire(address, one, other), MemoryWire(address, other, one)


Arrival = Callable[[MemoryWire], None]


@dataclass
class Exchange:
    """The simulated peripherals of one process by name: ``memory://NAME``."""

    _places: dict[str, Arrival] = field(default_factory=dict)

    def plug_in(self, name: str, arrival: Arrival) -> None:
        """From now on ``arrival`` gets the far end of every wire that is opened to ``name``; a
        refusal is :class:`Unreachable` raised by it."""
        if name not in self._places and len(self._places) >= PLACES_MAX:
            raise RuntimeError(f"more than {PLACES_MAX} simulated peripherals; unplug some")
        self._places[name] = arrival

    def unplug(self, name: str) -> None:
        """Nobody can open it any more; what is open is the twin's to cut."""
        self._places.pop(name, None)

    def connector(self, name: str, address: str = "") -> MemoryConnector:
        """To whatever is plugged in there when it is opened."""
        return MemoryConnector(address or f"memory://{name}", name, self)

    def open(self, name: str, address: str) -> MemoryWire:
        """The near end.  Errors: :class:`Unreachable`."""
        arrival = self._places.get(name)
        if arrival is None:
            raise Unreachable(f"{address} is not plugged in: start its simulated twin")
        near, far = pair(address)
        arrival(far)
        return near


@dataclass(frozen=True, slots=True)
class MemoryConnector:
    """See :class:`Exchange`."""

    address: str
    name: str
    exchange: Exchange

    async def open(self) -> Wire:
        await asyncio.sleep(0)
        return self.exchange.open(self.name, self.address)
