"""Doubt about the wall clock: what raises it, what ends it, and how far it is off."""

from __future__ import annotations

from hub.service.notices import ClockTrusted, HubChanged
from hub.service.timekeeping import ClockGuard
from tests.fakes import FakeClock


def guard_of(clock: FakeClock, suspect: str = "") -> ClockGuard:
    return ClockGuard(clock, trusted_wall_ms=clock.wall_ms(), suspect=suspect)


def test_a_technicians_word_lasts_beyond_the_next_look() -> None:
    clock = FakeClock()
    guard = guard_of(clock)
    clock.jump_wall(600)
    assert "jumped by 600 s" in guard.tick()
    guard.notify([HubChanged()])
    assert guard.tick()
    guard.notify([HubChanged(), ClockTrusted()])
    assert guard.tick() == ""


def test_how_far_it_is_off_the_clouds_follows_when_it_is_set() -> None:
    clock = FakeClock()
    guard = guard_of(clock)
    guard.compare(clock.wall_ms() - 600_000)
    assert guard.off_ms == 600_000
    assert "600 s off the cloud's" in guard.suspect
    clock.advance(10)
    clock.jump_wall(-600)
    guard.tick()
    assert guard.off_ms == 0
    guard.compare(clock.wall_ms())
    assert guard.tick() == ""


def test_a_jump_that_the_cloud_has_compared_already_is_not_found_a_second_time() -> None:
    clock = FakeClock()
    guard = guard_of(clock)
    right_ms = clock.wall_ms()
    clock.jump_wall(600)
    assert "600 s off the cloud's" in guard.compare(right_ms)
    assert "600 s off the cloud's" in guard.tick()
    assert guard.off_ms == 600_000
    clock.jump_wall(-600)
    assert guard.compare(right_ms) == ""
    assert guard.tick() == ""
    assert guard.off_ms == 0


def test_a_clock_that_is_set_and_confirmed_at_once_is_as_far_off_the_clouds_as_it_is() -> None:
    clock = FakeClock()
    guard = guard_of(clock)
    guard.compare(clock.wall_ms())
    clock.jump_wall(600)
    assert guard.tick()
    assert guard.off_ms == 600_000
    clock.jump_wall(-600)
    guard.trust()
    assert (guard.tick(), guard.off_ms) == ("", 0)


def test_a_clock_that_was_set_right_is_believed_when_the_cloud_next_answers() -> None:
    """The session outlives an outage: no HELLO comes to end the doubt."""
    clock = FakeClock()
    guard = guard_of(clock)
    true_ms = clock.wall_ms()
    clock.jump_wall(600)
    assert guard.tick()
    assert guard.agree(true_ms), "it is still wrong"
    clock.jump_wall(-600)
    assert guard.tick()
    assert guard.agree(true_ms) == ""
    assert guard.off_ms == 0
    assert guard.tick() == ""


def test_what_an_answer_says_of_the_time_raises_no_doubt() -> None:
    clock = FakeClock()
    guard = guard_of(clock)
    assert guard.agree(clock.wall_ms() - 900_000) == "", "a technician said that it is right"
    assert guard.off_ms is None
