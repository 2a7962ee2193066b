"""Scales over a wire: ready, weighing at rest, and every way in which that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from devices.peripherals.drivers.simulated_scale import SimulatedScale
from devices.peripherals.drivers.sma_scale import SmaScale
from devices.peripherals.drivers.toledo_scale import ToledoContinuousScale, ToledoScale
from devices.peripherals.model import (
    Gone,
    Identity,
    Misconfigured,
    PeripheralError,
    Scale,
    Told,
    Unfit,
    Unreachable,
    Weight,
    World,
)
from devices.peripherals.transports.memory import Exchange, MemoryWire
from hub.clock import SystemClock
from tests.fakes import SeededRandomness

WAIT_S = 30.0
QUICK = 1.0


class Peer:
    """The far end: answers each request with what ``say`` is now, or sends it all the time."""

    def __init__(self, ask: bytes, *, sends: bool = False) -> None:
        self.say = b""
        self.asked = b""
        self._ask = ask
        self._sends = sends
        self._wire: MemoryWire | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def arrive(self, wire: MemoryWire) -> None:
        self._wire = wire
        self._tasks.append(asyncio.create_task(self._run(wire)))

    def cut(self) -> None:
        assert self._wire is not None
        self._wire.cut()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, wire: MemoryWire) -> None:
        with suppress(Gone):
            while True:
                if self._sends:
                    await wire.write(self.say)
                    await asyncio.sleep(0.01)
                    continue
                got = await wire.read()
                self.asked += got
                if self._ask in got and self.say:
                    await wire.write(self.say)


@asynccontextmanager
async def served(
    kind: type[Scale],
    peer: Peer | None,
    tell: Callable[[Told], None] = lambda _: None,
    **options: Any,
) -> AsyncIterator[tuple[Scale, asyncio.Future[Identity], asyncio.Task[None]]]:
    exchange = Exchange()
    if peer is not None:
        exchange.plug_in("scale", peer.arrive)
    world = World(SystemClock(), SeededRandomness())
    scale = kind(exchange.connector("scale"), world, tell, options)
    ready: asyncio.Future[Identity] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(scale.serve(ready.set_result))
    try:
        yield scale, ready, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if peer is not None:
            await peer.close()


async def is_ready(ready: asyncio.Future[Identity], task: asyncio.Task[None]) -> Identity:
    async with asyncio.timeout(WAIT_S):
        ends: set[asyncio.Future[Any]] = {ready, task}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    return ready.result()


def toledo_frame(number: int, word_b: int = 0x10) -> bytes:
    return bytes([2, 0x25, 0x20 | word_b, 0x20]) + b"%6d%6d\r" % (number, 0)


KINDS: dict[type[Scale], tuple[Callable[[], Peer], dict[str, bytes]]] = {
    ToledoScale: (
        lambda: Peer(b"W"),
        {
            "weight": b"\x0201.250\r",
            "moving": b"\x02?A\r",
            "over": b"\x02?B\r",
            "under": b"\x02?D\r",
        },
    ),
    ToledoContinuousScale: (
        lambda: Peer(b"", sends=True),
        {
            "weight": toledo_frame(1250),
            "moving": toledo_frame(1250, 0x18),
            "over": toledo_frame(1250, 0x14),
            "under": toledo_frame(10, 0x12),
        },
    ),
    SmaScale: (
        lambda: Peer(b"\nW\r"),
        {
            "weight": b"\n 1G       1.250kg_\r",
            "moving": b"\n 1GM      1.250kg_\r",
            "over": b"\nO1G      15.250kg_\r",
            "under": b"\nU1G      -0.250kg_\r",
        },
    ),
}
OPTIONS: dict[type[Scale], dict[str, Any]] = {SmaScale: {"mode": "poll", "poll_ms": 100}}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_scale_at_rest_is_weighed_in_grams(kind: type[Scale]) -> None:
    make, says = KINDS[kind]
    peer = make()
    peer.say = says["weight"]
    async with served(kind, peer, **OPTIONS.get(kind, {})) as (scale, ready, task):
        await is_ready(ready, task)
        assert await scale.weigh(WAIT_S) == Weight(1250, stable=True)


@pytest.mark.parametrize(
    ("what", "word"), [("moving", "rest"), ("over", "take something off"), ("under", "zero")]
)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_cannot_be_sold_by_is_refused_with_what_to_do(
    kind: type[Scale], what: str, word: str
) -> None:
    make, says = KINDS[kind]
    peer = make()
    peer.say = says[what]
    async with served(kind, peer, **OPTIONS.get(kind, {})) as (scale, ready, task):
        await is_ready(ready, task)
        with pytest.raises(Unfit, match=word):
            await scale.weigh(QUICK)


@pytest.mark.parametrize("kind", KINDS)
async def test_who_waits_gets_the_weight_as_soon_as_the_scale_rests(kind: type[Scale]) -> None:
    make, says = KINDS[kind]
    peer = make()
    peer.say = says["moving"]
    async with served(kind, peer, **OPTIONS.get(kind, {})) as (scale, ready, task):
        await is_ready(ready, task)
        weighing = asyncio.create_task(scale.weigh(WAIT_S))
        await asyncio.sleep(0.05)
        peer.say = says["weight"]
        assert (await weighing).grams == 1250


@pytest.mark.parametrize("kind", KINDS)
async def test_a_scale_whose_cable_is_pulled_is_gone_for_who_waits_too(kind: type[Scale]) -> None:
    make, says = KINDS[kind]
    peer = make()
    peer.say = says["moving"]
    async with served(kind, peer, **OPTIONS.get(kind, {})) as (scale, ready, task):
        await is_ready(ready, task)
        weighing = asyncio.create_task(scale.weigh(WAIT_S))
        await asyncio.sleep(0)
        peer.cut()
        with pytest.raises(Gone):
            await weighing
        with pytest.raises(Gone):
            await task


@pytest.mark.parametrize("kind", KINDS)
async def test_a_scale_that_says_nothing_is_not_ready_and_says_what_to_check(
    kind: type[Scale],
) -> None:
    peer = KINDS[kind][0]()
    async with served(kind, peer, **OPTIONS.get(kind, {})) as (_, ready, task):
        with pytest.raises(Unreachable, match="switch it on"):
            await is_ready(ready, task)


async def test_another_device_in_its_place_is_unfit() -> None:
    peer = Peer(b"W")
    peer.say = b"\x02hello\r"
    async with served(ToledoScale, peer) as (_, ready, task):
        with pytest.raises(Unfit, match="8217"):
            await is_ready(ready, task)


async def test_a_weight_is_told_when_it_changes_and_only_then() -> None:
    told: list[Told] = []
    peer = Peer(b"W")
    peer.say = b"\x0200.000\r"
    async with served(ToledoScale, peer, told.append, poll_ms=100) as (scale, ready, task):
        await is_ready(ready, task)
        await scale.weigh(WAIT_S)
        peer.say = b"\x0200.500\r"
        while len(told) < 2:
            await asyncio.sleep(0.01)
        await scale.weigh(WAIT_S)
    assert told == [Weight(0, True, zero=True), Weight(500, True)]


async def test_one_flipped_digit_is_not_sold_by() -> None:
    """Most drivers of serial lines check no parity: a single reading may be wrong."""
    answers = iter([b"\x0201.250\r", b"\x0209.250\r"] + [b"\x0201.250\r"] * 1000)

    class Flipping(Peer):
        @property
        def say(self) -> bytes:
            return next(answers)

        @say.setter
        def say(self, value: bytes) -> None: ...

    async with served(ToledoScale, Flipping(b"W"), poll_ms=5000) as (scale, ready, task):
        await is_ready(ready, task)
        assert (await scale.weigh(WAIT_S)).grams == 1250


async def test_an_sma_scale_that_repeats_is_asked_once_and_told_to_stop_at_the_end() -> None:
    peer = Peer(b"\n")
    peer.say = b"\n 1G       0.500kg_\r"
    async with served(SmaScale, peer) as (scale, ready, task):
        await is_ready(ready, task)
        peer.say = b"\n 1G       0.750kg_\r" * 8
        assert (await scale.weigh(WAIT_S)).grams == 750
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.01)
        assert peer.asked.endswith(b"\x1b")
        assert b"\nR\r" in peer.asked


async def test_the_simulated_twin_weighs_what_is_put_on_it() -> None:
    async with served(SimulatedScale, None, grams=300) as (scale, ready, task):
        assert isinstance(scale, SimulatedScale)
        await is_ready(ready, task)
        assert (await scale.weigh(WAIT_S)).grams == 300
        scale.put(20_000)
        with pytest.raises(Unfit, match="take something off"):
            await scale.weigh(0.05)
        scale.pull()
        with pytest.raises(Gone):
            await task
        with pytest.raises(Gone):
            await scale.weigh(0.05)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ToledoScale, {"unit": "g"}),
        (ToledoScale, {"poll_ms": 1}),
        (ToledoContinuousScale, {"checksum": "yes"}),
        (SmaScale, {"mode": "never"}),
        (SmaScale, {"colour": "red"}),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_at_once(
    kind: type[Scale], options: dict[str, Any]
) -> None:
    world = World(SystemClock(), SeededRandomness())
    with pytest.raises(Misconfigured):
        kind(Exchange().connector("scale"), world, lambda _: None, options)
    assert issubclass(Misconfigured, PeripheralError)
