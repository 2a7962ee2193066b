"""A peripheral is claimed, lost and claimed again, whatever its driver does."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from devices.peripherals.keeper import PAUSE_MAX_S, POKE_PAUSE_S, STEADY_S, Keeper, Kept, Trouble
from devices.peripherals.model import Gone, Identity, PeripheralError, Phase, Unfit, Unreachable
from tests.simulation.kernel.loop import VirtualLoop
from tests.unit.peripherals.drivers_at_will import DriverAtWill

ENDS: dict[str, tuple[BaseException | None, Trouble]] = {
    "unreachable": (Unreachable("switch it on"), Trouble.UNREACHABLE),
    "gone": (Gone("plug it in"), Trouble.GONE),
    "unfit": (Unfit("it is a scale"), Trouble.UNFIT),
    "peripheral": (PeripheralError("odd"), Trouble.FAULT),
    "broken": (ZeroDivisionError("a driver's own fault"), Trouble.FAULT),
    "cancelled": (asyncio.CancelledError(), Trouble.FAULT),
    "returned": (None, Trouble.GONE),
}
EDGES = {
    (Phase.CLAIMING, Phase.CLAIMING),
    (Phase.CLAIMING, Phase.READY),
    (Phase.READY, Phase.READY),
    (Phase.READY, Phase.LOST),
    (Phase.LOST, Phase.LOST),
    (Phase.LOST, Phase.READY),
}
IDENTITY = Identity("Acme", "T1")


class AnyLife(RuleBasedStateMachine):
    """Everything that may happen to a keeper, in any order, on virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop(Random(1))
        self.driver = DriverAtWill(self.loop)
        self.told: list[tuple[Kept, float, int]] = []
        self.keeper = Keeper("printer-1", self.driver, self._hear)
        self.before = self.keeper.state
        self.running = False
        self.is_ready = False
        self.ended_at_s = 0.0
        self.poked_since_end = False

    def _hear(self, state: Kept) -> None:
        # The keeper catches what is raised here: judged afterwards.
        clock = self.keeper.peripheral.world.clock
        self.told.append((state, clock.monotonic_s(), clock.wall_ms()))
        if len(self.told) % 3 == 0:
            raise ValueError("whoever is told may break, too")

    def _judge(self) -> None:
        for state, now_s, now_ms in self.told:
            assert (self.before.phase, state.phase) in EDGES
            if state.phase is self.before.phase:
                assert state.since_s == self.before.since_s
            else:
                assert (state.since_s, state.since_at_ms) == (now_s, now_ms)
            assert (state.trouble is Trouble.NONE) == (state.phase is Phase.READY)
            assert bool(state.reason) == (state.phase is not Phase.READY)
            self.before = state
        self.told.clear()

    def _do(self, work: Callable[[], object], seconds: float = 0.0) -> None:
        async def done() -> None:
            result = work()
            if asyncio.iscoroutine(result):
                await result
            if seconds:
                await asyncio.sleep(seconds)
            for _ in range(20):
                await asyncio.sleep(0)

        self.loop.run_until_complete(done())
        self._judge()

    @precondition(lambda self: not self.running)
    @rule()
    def start(self) -> None:
        self.running = True
        self.ended_at_s = 0.0
        self._do(self.keeper.start)
        assert self.keeper.state.phase is Phase.CLAIMING
        assert self.keeper.state.since_s == self.keeper.peripheral.world.clock.monotonic_s()
        self.before = self.keeper.state
        assert self.driver.serving == 1

    @precondition(lambda self: self.driver.serving)
    @rule()
    def it_answers(self) -> None:
        self._do(lambda: self.driver.ready(IDENTITY))
        self.is_ready = True

    @precondition(lambda self: self.driver.serving)
    @rule(how=st.sampled_from(sorted(ENDS)))
    def it_ends(self, how: str) -> None:
        error, trouble = ENDS[how]
        end = self.driver.end
        assert end is not None

        def finish() -> None:
            if isinstance(error, asyncio.CancelledError):
                end.cancel()
            elif error is not None:
                end.set_exception(error)
            else:
                end.set_result(None)

        self._do(finish)
        was_ready, self.is_ready = self.is_ready, False
        self.ended_at_s = self.loop.time()
        self.poked_since_end = False
        assert self.keeper.state.trouble is trouble
        if was_ready:
            assert self.keeper.state.phase is Phase.LOST

    @rule()
    def poke(self) -> None:
        self._do(self.keeper.poke)
        self.poked_since_end = True

    @precondition(lambda self: self.running and not self.driver.serving)
    @rule()
    def a_poke_and_a_moment_later_it_is_tried(self) -> None:
        self._do(self.keeper.poke, POKE_PAUSE_S + 0.001)
        assert self.driver.serving == 1

    @precondition(lambda self: self.running and not self.driver.serving)
    @rule()
    def the_longest_pause_is_over(self) -> None:
        self._do(lambda: None, PAUSE_MAX_S + 0.001)
        assert self.driver.serving == 1

    @rule(seconds=st.floats(0.01, 2 * STEADY_S))
    def time_passes(self, seconds: float) -> None:
        self._do(lambda: None, seconds)

    @precondition(lambda self: self.running)
    @rule(deaf=st.integers(0, 3))
    def stop(self, deaf: int) -> None:
        self.driver.deaf_to_cancellations = deaf if self.driver.serving else 0
        self._do(self.keeper.stop)
        self._do(self.keeper.stop)
        self.running = self.is_ready = False
        late = self.driver.ready
        self._do(lambda: late(IDENTITY))

    @invariant()
    def it_is_served_once_at_a_time_and_only_while_it_is_kept(self) -> None:
        assert self.driver.serving in ({0, 1} if self.running else {0})

    @invariant()
    def it_is_ready_when_the_driver_said_so(self) -> None:
        assert self.keeper.ready == self.is_ready
        assert (self.keeper.state.phase is Phase.READY) == self.is_ready

    @invariant()
    def tries_keep_their_distance(self) -> None:
        began = self.driver.began_s
        assert all(later - earlier >= 0 for earlier, later in itertools.pairwise(began))
        if self.driver.serving and self.ended_at_s and began[-1] > self.ended_at_s:
            pause_s = began[-1] - self.ended_at_s
            assert pause_s >= POKE_PAUSE_S - 0.001 or self.poked_since_end

    def teardown(self) -> None:
        if self.running:
            self._do(self.keeper.stop)
        assert not [task for task in asyncio.all_tasks(self.loop) if not task.done()]
        self.loop.forget()
        self.loop.close()


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(max_examples=60, stateful_step_count=40)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def kept(seed: int = 0) -> tuple[DriverAtWill, Keeper]:
    driver = DriverAtWill(asyncio.get_running_loop(), seed)
    return driver, Keeper("printer-1", driver)


def on_virtual_time(work: Callable[[], Coroutine[None, None, None]]) -> None:
    loop = VirtualLoop(Random(1))
    try:
        loop.run_until_complete(work())
    finally:
        loop.forget()
        loop.close()


def fail(driver: DriverAtWill, error: BaseException) -> None:
    assert driver.end is not None
    driver.end.set_exception(error)


def test_pauses_double_to_half_a_minute_and_a_steady_connection_begins_anew() -> None:
    async def work() -> None:
        driver, keeper = kept()
        keeper.start()
        pauses: list[float] = []
        for _ in range(9):
            await settled()
            ended_s = driver.loop.time()
            fail(driver, Unreachable("switch it on"))
            await asyncio.sleep(PAUSE_MAX_S + 0.001)
            pauses.append(driver.began_s[-1] - ended_s)
        for nth, pause_s in enumerate(pauses):
            most_s = min(PAUSE_MAX_S, 2.0**nth)
            assert most_s / 2 <= pause_s <= most_s
        assert keeper.state.failures == 9

        driver.ready(IDENTITY)
        await asyncio.sleep(STEADY_S)
        fail(driver, Gone("unplugged"))
        await asyncio.sleep(1.001)
        assert driver.serving == 1
        assert keeper.state.failures == 0
        await keeper.stop()

    on_virtual_time(work)


def test_one_that_comes_and_goes_is_tried_less_and_less_often() -> None:
    async def work() -> None:
        driver, keeper = kept()
        keeper.start()
        for _ in range(8):
            await settled()
            driver.ready(IDENTITY)
            fail(driver, Gone("a loose contact"))
            await asyncio.sleep(PAUSE_MAX_S + 0.001)
        driver.ready(IDENTITY)
        fail(driver, Gone("a loose contact"))
        tries = len(driver.began_s)
        await asyncio.sleep(PAUSE_MAX_S / 2 - 0.001)
        assert len(driver.began_s) == tries
        await keeper.stop()

    on_virtual_time(work)


def test_a_poke_during_a_try_is_kept_for_the_pause_after_it() -> None:
    async def work() -> None:
        driver, keeper = kept()
        keeper.start()
        await settled()
        keeper.poke()
        fail(driver, Unreachable("switch it on"))
        await asyncio.sleep(POKE_PAUSE_S + 0.001)
        assert len(driver.began_s) == 2
        await keeper.stop()

    on_virtual_time(work)


def test_a_driver_that_swallows_its_end_is_left_behind_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        driver, keeper = kept()
        driver.deaf_to_cancellations = 1000
        keeper.start()
        await settled()
        driver.ready(IDENTITY)
        await keeper.stop()
        assert "doesn't end" in caplog.text
        assert keeper.state.phase is Phase.LOST
        driver.deaf_to_cancellations = 0
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await settled()

    on_virtual_time(work)


def test_what_a_driver_breaks_by_is_in_the_log_and_in_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        driver, keeper = kept()
        keeper.start()
        await settled()
        fail(driver, ZeroDivisionError("by nothing"))
        await settled()
        assert keeper.state.reason == "its driver failed: ZeroDivisionError: by nothing"
        await keeper.stop()

    on_virtual_time(work)
    assert "Traceback" in caplog.text


def test_the_same_failure_again_is_told_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        driver, keeper = kept()
        keeper.start()
        for _ in range(4):
            await settled()
            fail(driver, Unreachable("switch it on"))
            await asyncio.sleep(PAUSE_MAX_S + 0.001)
        await keeper.stop()

    on_virtual_time(work)
    assert caplog.text.count("switch it on") == 1


def test_a_poke_is_answered_once() -> None:
    async def work() -> None:
        driver, keeper = kept()
        keeper.start()
        for _ in range(6):
            await settled()
            fail(driver, Unreachable("switch it on"))
            await asyncio.sleep(PAUSE_MAX_S + 0.001)
        fail(driver, Unreachable("switch it on"))
        await settled()
        keeper.poke()
        for _ in range(2):
            await asyncio.sleep(POKE_PAUSE_S + 0.001)
            assert len(driver.began_s) == 8
            if driver.serving:
                fail(driver, Unreachable("switch it on"))
        await keeper.stop()

    on_virtual_time(work)
