"""What is done at once by what hangs on the hub is bounded, and takes nobody's turn."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from hub.contract.base import Live, Nothing
from hub.contract.peripherals import ListPeripherals
from hub.contract.problems import Refusal
from hub.service import live
from hub.service.caller import HUB, Caller, CallerKind
from hub.service.live import AT_ONCE_MAX, PER_CALLER_MAX, LiveOperations, LiveUnit

NO_ROWS: Any = None


def made(handler: Any) -> LiveOperations:
    found = LiveOperations({ListPeripherals: handler})
    found.desk = cast(Any, object())
    return found


async def run(found: LiveOperations, caller: Caller = HUB) -> Any:
    return await found.run(NO_ROWS, caller, NO_ROWS, ListPeripherals())


def till(number: int) -> Caller:
    return Caller(CallerKind.DEVICE, f"till-{number}")


def code(error: pytest.ExceptionInfo[Refusal]) -> str:
    return str(error.value.problem.code)


async def at_once(_unit: LiveUnit, _command: Live) -> Nothing:
    return Nothing()


async def test_while_nothing_is_driven_who_needs_that_is_told_so() -> None:
    async def driving(unit: LiveUnit, _command: Live) -> Nothing:
        assert unit.desk is not None
        return Nothing()

    found = made(driving)
    assert await run(found) == Nothing()
    found.desk = None
    with pytest.raises(Refusal) as refused:
        await run(found)
    assert code(refused) == "unavailable"
    others = made(at_once)
    others.desk = None
    assert await run(others) == Nothing()


async def test_as_many_as_the_bound_wait_and_one_more_is_busy_until_one_has_ended() -> None:
    go = asyncio.Event()

    async def slow(_unit: LiveUnit, _command: Live) -> Nothing:
        await go.wait()
        return Nothing()

    found = made(slow)
    waiting = [asyncio.create_task(run(found, till(number))) for number in range(AT_ONCE_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as refused:
        await run(found)
    assert code(refused) == "busy"
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    more = asyncio.create_task(run(found))
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(*waiting[1:], more) == [Nothing()] * AT_ONCE_MAX


async def test_nobody_takes_the_places_of_the_others() -> None:
    go = asyncio.Event()

    async def slow(_unit: LiveUnit, _command: Live) -> Nothing:
        await go.wait()
        return Nothing()

    found = made(slow)
    waiting = [asyncio.create_task(run(found, till(1))) for _ in range(PER_CALLER_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal) as refused:
        await run(found, till(1))
    assert code(refused) == "busy"
    other = asyncio.create_task(run(found, till(2)))
    go.set()
    assert await asyncio.gather(*waiting, other) == [Nothing()] * (PER_CALLER_MAX + 1)
    assert await run(found, till(1)) == Nothing()


async def test_what_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONGEST_S", 0.01)

    async def never(_unit: LiveUnit, _command: Live) -> Nothing:
        await asyncio.Event().wait()
        return Nothing()

    with pytest.raises(Refusal) as refused:
        await run(made(never))
    assert code(refused) == "unavailable"
