"""Reads a scanner's wire into codes until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from devices.peripherals.model import Misconfigured, Option, Wire
from hub.clock import Clock

READ_BYTES: Final = 4096
_LAST_LOOK_S: Final = 0.001

Choice = TypeVar("Choice", bound=StrEnum)


class Collector(Protocol):
    """What takes a scanner's bytes: :class:`Framer` or :class:`Wedge`."""

    @property
    def quiet_at_s(self) -> float | None: ...

    def feed(self, data: bytes, now_s: float) -> None: ...

    def quiet(self) -> None: ...


async def collect(wire: Wire, clock: Clock, collector: Collector) -> None:
    """Until the wire ends.  Errors: :class:`Gone`."""
    while True:
        due_s = collector.quiet_at_s
        if due_s is None:
            data = await wire.read(READ_BYTES)
        else:
            late = await _within(wire, max(due_s - clock.monotonic_s(), _LAST_LOOK_S))
            if late is None and clock.monotonic_s() >= due_s:
                # A loop that was held up sees its timer and the bytes of long ago together.
                late = await _within(wire, _LAST_LOOK_S)
                if late is None:
                    collector.quiet()
            if late is None:
                continue
            data = late
        collector.feed(data, clock.monotonic_s())


async def _within(wire: Wire, seconds: float) -> bytes | None:
    try:
        async with asyncio.timeout(seconds):
            return await wire.read(READ_BYTES)
    except TimeoutError:
        return None


# Options -----------------------------------------------------------------------------------------


def choice(options: Mapping[str, Option], name: str, kind: type[Choice], default: Choice) -> Choice:
    """One of a few words.  Errors: :class:`Misconfigured`."""
    told = options.get(name, default)
    try:
        return kind(str(told).strip().lower())
    except ValueError:
        known = ", ".join(kind)
        raise Misconfigured(f"The option {name} is one of {known}, not {told!r}.") from None


def number(options: Mapping[str, Option], name: str, low: int, high: int, default: int) -> int:
    """A whole number within bounds.  Errors: :class:`Misconfigured`."""
    told = options.get(name, default)
    if isinstance(told, bool) or not isinstance(told, int) or not low <= told <= high:
        raise Misconfigured(f"The option {name} is a number from {low} to {high}, not {told!r}.")
    return told


def text(options: Mapping[str, Option], name: str, default: str = "") -> str:
    """Any text.  Errors: :class:`Misconfigured`."""
    told = options.get(name, default)
    if not isinstance(told, str):
        raise Misconfigured(f"The option {name} is a text, not {told!r}.")
    return told
