"""The gate without threads: the writer, the readers and the PINs run when they are asked."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hub.contract.base import Command
from hub.contract.problems import Code, refuse
from hub.contract.staff import DecideApproval, SignIn
from hub.service.caller import Caller
from hub.service.gate import Gate, Handlers
from hub.service.handlers import collect, staff
from hub.service.handlers.staff import VerifiedDecision, VerifiedSignIn
from hub.storage.readers import LoopReader
from hub.storage.rows import Tx
from hub.storage.writer import Job, WriterCore
from tests.fakes import FakeClock

T = TypeVar("T")
PIN = "2468"
"""Everybody's, in tests."""


class FakeInstants:
    """The writer's times from a fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def wall_ms(self) -> int:
        return self._clock.wall_ms()

    def budget_ms(self) -> int:
        return round(self._clock.monotonic_s() * 1000)


class Now:
    """An awaitable that is done already."""

    def __init__(self, value: Any, error: Exception | None) -> None:
        self._value = value
        self._error = error

    def __await__(self) -> Generator[Any, None, Any]:
        yield from ()
        if self._error is not None:
            raise self._error
        return self._value


class WriterNow:
    """The writer without its thread: a job is committed before ``submit`` returns."""

    def __init__(self, core: WriterCore) -> None:
        self.core = core
        self.notices: list[object] = []

    def submit(
        self,
        work: Callable[[Tx], Any],
        *,
        refused: Callable[[Tx, Exception], Any] | None = None,
        background: bool = False,
    ) -> Now:
        self.core.offer(Job(work, None, refused), background=background)
        (outcome,) = self.core.run_once()
        self.notices.extend(outcome.notices)
        return Now(outcome.value, outcome.error)


class ReadNow:
    """Slow reads without threads."""

    def __init__(self, rows: LoopReader) -> None:
        self._rows = rows

    async def read(self, query: Callable[[Any], T]) -> T:
        return query(self._rows)


class PlainDesk:
    """Counts and forgives PIN tries as the real desk does, and compares against :data:`PIN`."""

    async def _verify(self, gate: Gate, caller: Caller, staff_id: str, pin: str) -> None:
        stored = await gate.internal(caller, staff.BeginTry(staff_id, caller.id))
        right = stored is not None and pin == PIN
        await gate.internal(caller, staff.EndTry(staff_id, caller.id, right))
        if not right:
            raise refuse(Code.UNAUTHENTICATED, "Staff id or PIN is wrong: try again.")

    async def sign_in(self, gate: Gate, caller: Caller, command: SignIn) -> Command:
        await self._verify(gate, caller, command.staff_id, command.pin.get_secret_value())
        return VerifiedSignIn(staff_id=command.staff_id)

    async def decide(self, gate: Gate, caller: Caller, command: DecideApproval) -> Command:
        await self._verify(gate, caller, command.staff_id, command.pin.get_secret_value())
        return VerifiedDecision(
            approval_id=command.approval_id, approve=command.approve, staff_id=command.staff_id
        )


def handlers_of(desk: Any) -> Handlers:
    """The hub's own handlers; ``desk`` looks at PINs."""
    return collect(desk)


def now(awaitable: Any) -> Any:
    """The value of something that never has to wait."""

    async def run() -> Any:
        return await awaitable

    coroutine = run()
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("it had to wait: use an event loop for this test")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as a device gets it."""

    text: str
    body: dict[str, Any] = field(repr=False)

    @property
    def ok(self) -> bool:
        return bool(self.body["ok"])

    @property
    def seq(self) -> int:
        return int(self.body["seq"])

    @property
    def result(self) -> dict[str, Any]:
        assert self.ok, self.text
        found: dict[str, Any] = self.body["result"]
        return found

    @property
    def problem(self) -> dict[str, Any]:
        assert not self.ok, self.text
        found: dict[str, Any] = self.body["problem"]
        return found

    @property
    def code(self) -> str:
        """``ok``, or the problem's code."""
        return "ok" if self.ok else str(self.body["problem"]["code"])
