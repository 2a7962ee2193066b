"""A forwarder on virtual time, with a gate and a processor that a test decides about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from cloud_link.payments.forwarder import Forwarder, Tempo
from cloud_link.payments.processor import Effect
from hub.domain.payments.tokens import SealedToken
from hub.domain.payments.work import WorkKind
from hub.service.caller import Caller
from hub.service.payments.commands import EndWork, Leased, LeaseWork, ProcessorSaid
from tests.fakes import START_WALL_MS, SeededRandomness
from tests.simulation.kernel import VirtualLoop

SEALED = SealedToken("key-1", b"", b"")


class LoopClock:
    """Both clocks are the loop's."""

    def wall_ms(self) -> int:
        return START_WALL_MS + int(asyncio.get_running_loop().time() * 1000)

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()


def run_virtual(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Play it to its end on virtual time."""
    loop = VirtualLoop(Random(7))
    try:
        loop.run_until_complete(play())
        assert loop.faults == []
    finally:
        loop.forget()
        loop.close()


def leased(number: int = 1, kind: WorkKind = WorkKind.CHARGE, **changed: Any) -> Leased:
    work = Leased(
        kind=kind,
        payment_id=f"p{number}",
        fence=1,
        key=f"p{number}",
        amount_minor=500,
        currency="EUR",
        terminal_id="t1",
        psp_ref="",
        terminal_ref="",
        first_sent_at_ms=None,
        token=SEALED,
    )
    return replace(work, **changed)


@dataclass
class FakeGate:
    """Hands out ``due`` once each, and remembers what came of it."""

    due: list[Leased] = field(default_factory=list)
    ended: list[tuple[Leased, ProcessorSaid]] = field(default_factory=list)
    leases: list[LeaseWork] = field(default_factory=list)
    busy: int = 0
    again: bool = False
    """What was not sent is due at once."""

    async def internal(self, _caller: Caller, command: Any) -> Any:
        await asyncio.sleep(0.001)
        match command:
            case LeaseWork():
                self.leases.append(command)
                found, self.due = self.due[: command.limit], self.due[command.limit :]
                return tuple(found)
            case EndWork():
                if self.busy:
                    self.busy -= 1
                    raise RuntimeError("the database is busy")
                assert isinstance(command.said, ProcessorSaid)
                self.ended.append((command.work, command.said))
                if self.again and command.said.outcome in ("not-sent", "unknown"):
                    self.due.append(command.work)
                return True
        raise AssertionError(command)

    def outcomes(self) -> list[str]:
        return [said.outcome for _, said in self.ended]


Answer = Callable[[str, Effect], Awaitable[ProcessorSaid]]


class FakeProcessor:
    """Takes a second for each call; ``answer`` says what comes of it."""

    name = "fake"
    timeout_s = 20.0

    def __init__(self, answer: Answer | None = None, takes_s: float = 1.0) -> None:
        self._answer = answer
        self._takes_s = takes_s
        self.calls: list[tuple[str, Effect]] = []
        self.now: dict[str, int] = {}
        self.most = 0
        self.overlapping = False
        self.closed = False

    async def _asked(self, what: str, effect: Effect) -> ProcessorSaid:
        self.calls.append((what, effect))
        self.now[effect.payment_id] = self.now.get(effect.payment_id, 0) + 1
        self.overlapping |= self.now[effect.payment_id] > 1
        self.most = max(self.most, sum(self.now.values()))
        try:
            await asyncio.sleep(self._takes_s)
            if self._answer is not None:
                return await self._answer(what, effect)
            good: dict[str, Any] = {
                "charge": "approved",
                "look_up": "not-found",
                "capture": "captured",
                "reverse": "reversed",
                "refund": "refunded",
                "look_up_refund": "not-found",
            }
            return ProcessorSaid(good[what], psp_ref=f"ref-{effect.payment_id}")
        finally:
            self.now[effect.payment_id] -= 1

    async def charge(self, effect: Effect) -> ProcessorSaid:
        return await self._asked("charge", effect)

    async def look_up(self, effect: Effect) -> ProcessorSaid:
        return await self._asked("look_up", effect)

    async def capture(self, effect: Effect) -> ProcessorSaid:
        return await self._asked("capture", effect)

    async def reverse(self, effect: Effect) -> ProcessorSaid:
        return await self._asked("reverse", effect)

    async def refund(self, effect: Effect) -> ProcessorSaid:
        return await self._asked("refund", effect)

    async def look_up_refund(self, effect: Effect) -> ProcessorSaid:
        return await self._asked("look_up_refund", effect)

    async def close(self) -> None:
        self.closed = True

    def asked(self) -> list[str]:
        return [what for what, _ in self.calls]


def opened(payment_id: str, _sealed: SealedToken) -> bytes:
    return f"token of {payment_id}".encode()


def forwarder_of(gate: FakeGate, processor: FakeProcessor, **how: Any) -> Forwarder:
    unseal = how.pop("unseal", opened)
    return Forwarder(gate, processor, unseal, Tempo(LoopClock(), SeededRandomness(3)), **how)


def now_s() -> float:
    return asyncio.get_running_loop().time()
