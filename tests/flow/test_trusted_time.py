"""How far the trusted time is, over starts: a clock that ran ahead is not held against a right one
for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.contract.admin import TrustClock
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.house import trust_clock
from hub.service.internal import KeepTime
from hub.service.timekeeping import ClockGuard
from hub.storage import hubrow
from tests.support.shop import Shop

DAY_S = 86_400
SHELL = Caller(CallerKind.CLI, "uid-0")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


def started(shop: Shop) -> ClockGuard:
    hub = hubrow.get(shop.rows)
    return ClockGuard(shop.clock, trusted_wall_ms=hub.trusted_wall_ms, suspect=hub.clock_suspect)


def kept(shop: Shop, guard: ClockGuard) -> str:
    """As the caretaker does every few seconds."""
    suspect = guard.tick()
    shop.internal(KeepTime(None if suspect else shop.clock.wall_ms(), suspect))
    return suspect


def test_a_technician_s_word_outlasts_a_start_after_a_clock_that_ran_ahead(shop: Shop) -> None:
    guard = started(shop)
    shop.clock.jump_wall(DAY_S)  # while the hub was off, say: nobody noticed
    guard = started(shop)
    assert kept(shop, guard) == ""
    shop.clock.jump_wall(-DAY_S)
    assert "jumped" in kept(shop, guard)
    word = TrustClock(reason="compared with my watch")
    shop.tx(lambda tx: trust_clock(shop.gate._unit(tx, SHELL), word))
    guard.trust()
    assert kept(shop, guard) == ""
    assert started(shop).suspect == ""


def test_the_clouds_word_does_so_too(shop: Shop) -> None:
    shop.clock.jump_wall(DAY_S)
    kept(shop, started(shop))
    shop.clock.jump_wall(-DAY_S)
    guard = started(shop)
    assert "behind the last trusted instant" in kept(shop, guard)
    assert guard.compare(shop.clock.wall_ms()) == ""
    assert kept(shop, guard) == ""
    assert started(shop).suspect == ""


def test_a_clock_that_went_back_while_the_hub_was_off_is_doubted_as_ever(shop: Shop) -> None:
    kept(shop, started(shop))
    shop.clock.jump_wall(-60)
    guard = started(shop)
    assert "behind the last trusted instant" in kept(shop, guard)
    shop.clock.advance(10)
    assert kept(shop, guard)
    assert started(shop).suspect
