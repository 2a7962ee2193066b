"""Messages between machines: lost, late, twice, out of order, or one way only."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulation.kernel.loop import OWNER

if TYPE_CHECKING:
    from tests.simulation.kernel.machine import Process
    from tests.simulation.kernel.world import World


class Lost(Exception):
    """No answer came: the request or its answer was lost, or the other side is down."""


@dataclass(slots=True)
class Link:
    """One direction between two machines.  Probabilities are per message; a delay is drawn
    uniformly from ``delay_s``, and messages keep their order unless ``reorder``."""

    up: bool = True
    loss: float = 0.0
    duplicate: float = 0.0
    delay_s: tuple[float, float] = (0.001, 0.005)
    reorder: bool = False
    last_s: float = 0.0


class Network:
    """Links are made on first use, and are changed in place."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random("network")
        self._links: dict[tuple[str, str], Link] = {}

    def link(self, source: str, target: str) -> Link:
        """The direction from ``source`` to ``target``."""
        return self._links.setdefault((source, target), Link())

    def heal(self) -> None:
        """Make every link a good one."""
        for link in self._links.values():
            link.up, link.loss, link.duplicate, link.reorder = True, 0.0, 0.0, False
            link.delay_s = (0.001, 0.005)

    def send(self, source: Process, target: str, message: Any) -> None:
        """Send and forget; what is lost, nobody hears of."""
        if not source.alive:
            return
        for delay_s in self._passages(source.name, target):
            self._world.loop.call_later(
                delay_s, self._deliver, source.name, target, message, context=self._world.context
            )

    async def call(self, source: Process, target: str, request: Any, timeout_s: float) -> Any:
        """Ask ``serve`` of the other side.  Errors: :class:`Lost`; what ``serve`` raises."""
        loop = self._world.loop
        answered: asyncio.Future[Any] = loop.create_future()
        for delay_s in self._passages(source.name, target):
            loop.call_later(
                delay_s, self._ask, source, target, request, answered, context=self._world.context
            )
        try:
            async with asyncio.timeout(timeout_s):
                return await answered
        except TimeoutError:
            self._world.count("call lost")
            raise Lost(f"no answer from {target} within {timeout_s:g} s") from None

    def _passages(self, source: str, target: str) -> list[float]:
        """The delays with which a message comes through: none, one or two."""
        link, world = self.link(source, target), self._world
        if not link.up:
            world.count("cut one way" if self.link(target, source).up else "cut")
            return []
        if link.loss and self._random.random() < link.loss:
            world.count("message lost")
            return []
        delays = [self._random.uniform(*link.delay_s)]
        if link.duplicate and self._random.random() < link.duplicate:
            world.count("message twice")
            delays.append(self._random.uniform(*link.delay_s) * 3)
        now_s = world.loop.time()
        if link.reorder:
            if now_s + delays[0] < link.last_s:
                world.count("message overtakes")
        else:
            delays[0] = max(delays[0], link.last_s - now_s + 1e-6)
        link.last_s = max(link.last_s, now_s + delays[0])
        return delays

    def _deliver(self, source: str, target: str, message: Any) -> None:
        process = self._world.machine(target).process
        if process is not None and process.alive and process.receive is not None:
            process.soon(process.receive, source, message)

    def _ask(
        self, source: Process, target: str, request: Any, answered: asyncio.Future[Any]
    ) -> None:
        process = self._world.machine(target).process
        if process is None or not process.alive or process.serve is None:
            if self._random.random() < 0.5:  # refused at once, or silence
                self._answer(source, target, answered, None, Lost(f"{target} refuses"))
            return
        process.spawn(self._served(source, process, request, answered))

    async def _served(
        self, source: Process, server: Process, request: Any, answered: asyncio.Future[Any]
    ) -> None:
        assert server.serve is not None
        error: Exception | None = None
        try:
            value = await server.serve(source.name, request)
        except Exception as caught:
            value, error = None, caught
        self._answer(source, server.name, answered, value, error)

    def _answer(
        self,
        source: Process,
        server: str,
        answered: asyncio.Future[Any],
        value: Any,
        error: Exception | None,
    ) -> None:
        passages = self._passages(server, source.name)
        if not passages:
            self._world.count("answer lost")
        for delay_s in passages[:1]:
            self._world.loop.call_later(
                delay_s, _resolve, source, answered, value, error, context=self._world.context
            )


def _resolve(
    source: Process, answered: asyncio.Future[Any], value: Any, error: Exception | None
) -> None:
    if answered.done() or not source.alive:
        return
    if error is not None:
        answered.set_exception(error)
    else:
        answered.set_result(value)


def current() -> Process | None:
    """The process whose code is running."""
    return OWNER.get()  # type: ignore[return-value]
