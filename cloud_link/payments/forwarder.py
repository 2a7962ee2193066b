"""Presents what the hub keeps to the processor: leases, opens the token, asks, tells the outcome.

The database says what is due and decides what an outcome means; this loop only paces.  It is woken
by notices and looks by itself now and then.  Whatever ends it in the middle of something leaves a
lease behind, whose end makes that a doubt, which is looked up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from cloud_link.pacing import Sleep, first_of
from cloud_link.payments.carrying import carry_out
from hub.clock import Clock, Randomness
from hub.crashpoints import crashpoint
from hub.domain.payments.tokens import SealedToken
from hub.domain.payments.work import Hand, WorkKind
from hub.domain.schedule import Breaker, BreakerState, backoff_s
from hub.service.caller import HUB, Caller
from hub.service.internal import InternalCommand
from hub.service.notices import PaymentChanged
from hub.service.payments.commands import EndWork, Leased, LeaseWork, ProcessorSaid

log = logging.getLogger(__name__)

PARALLEL: Final = 4
LOOK_S: Final = 20.0
"""Without a notice it is looked so often whether something has become due."""
TELL_S: Final = 60.0
TELL_TRIES: Final = 8
"""So often and so long an outcome is told to a busy database; then the lease's end makes it a
doubt, and the look-up finds it again."""
TURN_S: Final = 15.0
"""So long a thing waits until another one of the same payment has ended."""
PAUSE_S: Final = 0.2
"""Between two looks that found nothing: a checkout tells of several changes at once."""
STOP_S: Final = 3.0
KEY_PATIENCE_MS: Final = 10 * 60_000
"""A token that can't be opened now is tried again then; the payment waits, nothing is lost."""
UNSENT: Final = frozenset({"unknown", "not-sent"})
_SEALED: Final = frozenset({WorkKind.CHARGE, WorkKind.LINK})
"""Work that needs what the vault has sealed."""

Unseal = Callable[[str, SealedToken], bytes]
Carry = Callable[[Any, Leased, bytes | None], Coroutine[Any, Any, ProcessorSaid]]
"""How a leased thing is carried out by the adapter of this hand."""


class Ask(Protocol):
    """The gate, as far as it is needed."""

    async def internal(self, caller: Caller, command: InternalCommand) -> Any:
        """A command of the hub's own machinery."""


@dataclass(frozen=True, slots=True)
class Tempo:
    """Time, randomness and sleeping, passed in."""

    clock: Clock
    randomness: Randomness
    sleep: Sleep = asyncio.sleep


@dataclass(frozen=True, slots=True)
class ForwarderStatus:
    """For pages and checks.  ``state``: ``running``, ``waiting`` (no way to the processor),
    ``held`` (cut on purpose), ``resting`` (the processor doesn't answer) or ``stopped``.
    ``problem``: what a person has to mend, or empty.  ``told``: outcomes by their names."""

    processor: str
    state: str
    in_flight: int
    last_answer_at_ms: int | None
    problem: str
    told: dict[str, int]


class Party(Protocol):
    """Whom the work is brought to: its name, how long it takes at most, how its connections go."""

    name: str
    timeout_s: float

    async def close(self) -> None:
        """Let connections go."""


class Forwarder:
    """``ready``: whether there is a way to the processor; ``held``: whether that is cut on purpose
    (then what is in flight is cut, too).  Tell it by :meth:`look` when either has changed.
    ``hand``: whose work it leases; ``carry``: how that is carried out by ``processor``."""

    def __init__(
        self,
        gate: Ask,
        processor: Party,
        unseal: Unseal,
        tempo: Tempo,
        *,
        ready: Callable[[], bool] = lambda: True,
        held: Callable[[], bool] = lambda: False,
        parallel: int = PARALLEL,
        hand: Hand = Hand.PROCESSOR,
        carry: Carry = carry_out,
    ) -> None:
        self._gate = gate
        self._processor = processor
        self._hand = hand
        self._carry = carry
        self._unseal = unseal
        self._tempo = tempo
        self._ready = ready
        self._held = held
        self._parallel = parallel
        self._hand = hand
        self._work_s = 2 * processor.timeout_s + 5.0  # a look-up and what it allows
        self.lease_ms = int((self._work_s + TELL_S + TURN_S + 5.0) * 1000)
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._flying: dict[asyncio.Task[None], str] = {}
        self._calls: dict[asyncio.Future[ProcessorSaid], None] = {}  # in order, unlike a set
        self._queues: dict[str, asyncio.Lock] = {}
        self._breaker = Breaker()
        self._failures = 0
        self._rest_until_s = 0.0
        self._stopping = False
        self._problem = ""
        self._problem_until_s = 0.0
        self._last_answer_at_ms: int | None = None
        self._told: Counter[str] = Counter()

    # Life ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin; returns at once."""
        assert self._task is None
        self._stopping = False
        self._task = asyncio.create_task(self._run(), name="forwarder")

    async def stop(self) -> None:
        """Lease nothing more, let what is in flight end for a moment, cut the rest."""
        self._stopping = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for cut in (False, True):
            if cut:
                self._cut()
            await self._landed(STOP_S)
        left = list(self._flying)
        for one in left:
            one.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._processor.close()

    def notify(self, notices: Iterable[object]) -> None:
        """What was told after a commit."""
        if any(isinstance(one, PaymentChanged) and self._may_concern(one) for one in notices):
            self._woken.set()

    def _may_concern(self, changed: PaymentChanged) -> bool:
        """What is owed may be of either kind; the rest is the issuer's or the processor's."""
        is_value = changed.kind != "card"
        return self._hand is Hand.LINKS or is_value is (self._hand is Hand.ISSUER)

    def look(self) -> None:
        """Something has changed about the way to the processor: go on, or cut what is in flight."""
        if self._held():
            self._cut()
        self._woken.set()

    def retry(self) -> None:
        """Try now what waits, without the rest of a pause."""
        self._rest_until_s = 0.0
        self._breaker = replace(self._breaker, retry_at_s=0.0)
        self._woken.set()

    def status(self) -> ForwarderStatus:
        """How it stands."""
        over = self._tempo.clock.monotonic_s() >= self._problem_until_s
        return ForwarderStatus(
            self._processor.name,
            self._state(),
            len(self._flying),
            self._last_answer_at_ms,
            "" if over else self._problem,
            dict(self._told),
        )

    def _state(self) -> str:
        if self._task is None:
            return "stopped"
        if self._held():
            return "held"
        if not self._ready():
            return "waiting"
        return "running" if self._breaker.state is BreakerState.CLOSED else "resting"

    # The loop ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                wait_s = await self._round()
            except Exception as error:
                log.warning("the payments that are due can't be taken up: %s", error)
                wait_s = self._rest()
            await first_of(self._woken, wait_s, self._tempo.sleep)

    async def _round(self) -> float:
        """Take up what is due, as far as there is room; how long to wait then."""
        now_s = self._tempo.clock.monotonic_s()
        free = self._parallel - len(self._flying)
        if self._stopping or self._held() or not self._ready() or free <= 0:
            return LOOK_S
        if now_s < self._rest_until_s:
            return max(0.05, self._rest_until_s - now_s)
        breaker, allowed = self._breaker.ask(now_s)
        if not allowed:
            return max(0.05, self._breaker.retry_at_s - now_s)
        if breaker.state is not BreakerState.CLOSED:
            free = 1  # the probe
        lease = LeaseWork(self._hand, limit=free, lease_ms=self.lease_ms)
        found: tuple[Leased, ...] = await self._gate.internal(HUB, lease)
        if found:
            self._breaker = breaker
        for work in found:
            self._fly(work)
        if not found:
            await self._tempo.sleep(PAUSE_S)
        return LOOK_S

    def _fly(self, work: Leased) -> None:
        task = asyncio.create_task(
            self._one(work, self._tempo.clock.monotonic_s()), name="forwarding"
        )
        self._flying[task] = work.payment_id
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[None]) -> None:
        payment_id = self._flying.pop(task)
        if payment_id not in self._flying.values():
            self._queues.pop(payment_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("forwarding failed; the lease's end makes it a doubt", exc_info=error)
        self._woken.set()

    async def _landed(self, within_s: float) -> None:
        if self._flying:
            waiting: list[asyncio.Future[Any]] = [*self._flying]
            sleeping = asyncio.ensure_future(self._tempo.sleep(within_s))
            try:
                await first_done(asyncio.gather(*waiting, return_exceptions=True), sleeping)
            finally:
                sleeping.cancel()
                await asyncio.gather(sleeping, return_exceptions=True)

    def _cut(self) -> None:
        for call in tuple(self._calls):
            call.cancel()

    # One thing -----------------------------------------------------------------------------------

    async def _one(self, work: Leased, leased_at_s: float) -> None:
        """Never two attempts of one payment at once: the second waits, or is let go."""
        lock = self._queues.setdefault(work.payment_id, asyncio.Lock())
        async with lock:
            waited_s = self._tempo.clock.monotonic_s() - leased_at_s
            if waited_s > TURN_S or self._stopping or self._held():
                said = ProcessorSaid("not-sent", "it had to wait for its turn")
            else:
                said = await self._said(work)
            await self._tell(work, said)

    async def _said(self, work: Leased) -> ProcessorSaid:
        token = None
        if work.kind in _SEALED:
            token = self._opened(work)
            if token is None:
                why = "its token can't be opened: the hub's log and status say why"
                return ProcessorSaid("not-sent", why, not_before_ms=KEY_PATIENCE_MS)
        crashpoint("forwarder.leased")
        said = await self._bounded(self._carry(self._processor, work, token))
        crashpoint("forwarder.answered")
        self._count(said)
        return said

    def _opened(self, work: Leased) -> bytes | None:
        if work.token is None:
            self._note_problem(f"payment {work.payment_id} has no token")
            log.error("%s of payment %s has no token", work.kind, work.payment_id)
            return None
        try:
            token = self._unseal(work.payment_id, work.token)
        except Exception as error:
            why = f"a token sealed under key {work.token.key_id} can't be opened: {error}"
            self._note_problem(why)
            log.error("the token of payment %s can't be opened: %s", work.payment_id, error)
            return None
        self._problem = ""
        return token

    def _note_problem(self, text: str) -> None:
        """Told until it is over, or hasn't come again for so long that the payment must be gone."""
        self._problem = text
        self._problem_until_s = self._tempo.clock.monotonic_s() + 3 * KEY_PATIENCE_MS / 1000

    async def _bounded(self, call: Coroutine[Any, Any, ProcessorSaid]) -> ProcessorSaid:
        """The adapter's answer; ``unknown`` when it is cut off, late, or breaks its promise."""
        calling = asyncio.ensure_future(call)
        sleeping = asyncio.ensure_future(self._tempo.sleep(self._work_s))
        self._calls[calling] = None
        try:
            await first_done(calling, sleeping)
            if not calling.done():
                calling.cancel()
            return await calling
        except asyncio.CancelledError:
            if not calling.cancelled():  # we are being ended ourselves
                calling.cancel()
                raise
            return ProcessorSaid("unknown", "cut off, or no answer in time", reached=False)
        except Exception as error:
            log.exception("the adapter for %s failed", self._processor.name)
            return ProcessorSaid("unknown", f"the adapter failed: {type(error).__name__}")
        finally:
            self._calls.pop(calling, None)
            sleeping.cancel()
            await asyncio.gather(sleeping, return_exceptions=True)

    def _count(self, said: ProcessorSaid) -> None:
        self._told[said.outcome] += 1
        if said.outcome not in UNSENT:
            self._failures = 0
            self._breaker = self._breaker.succeeded()
            self._last_answer_at_ms = self._tempo.clock.wall_ms()
            return
        floor_s = said.not_before_ms / 1000
        cooldown_s = backoff_s(self._breaker.trips + 1, self._tempo.randomness.uniform, floor_s)
        self._breaker = self._breaker.failed(self._tempo.clock.monotonic_s(), cooldown_s)
        self._rest(floor_s)

    def _rest(self, floor_s: float = 0.0) -> float:
        """Lease nothing for a while after a failure; for how long."""
        wait_s = backoff_s(self._failures, self._tempo.randomness.uniform, floor_s)
        self._failures += 1
        until_s = self._tempo.clock.monotonic_s() + wait_s
        self._rest_until_s = max(self._rest_until_s, until_s)
        return max(0.05, wait_s)

    async def _tell(self, work: Leased, said: ProcessorSaid) -> None:
        """Have the outcome written, also by a database that is busy just now."""
        until_s = self._tempo.clock.monotonic_s() + TELL_S
        for attempt in range(TELL_TRIES):
            try:
                if not await self._gate.internal(HUB, EndWork(work, said)):
                    log.warning(
                        "the outcome %s of payment %s came after its lease",
                        said.outcome,
                        work.payment_id,
                    )
                crashpoint("forwarder.told")
                return
            except Exception as error:
                wait_s = backoff_s(attempt, self._tempo.randomness.uniform)
                if self._tempo.clock.monotonic_s() + wait_s >= until_s:
                    break
                log.warning("an outcome isn't written yet (try %d): %s", attempt + 1, error)
                await self._tempo.sleep(wait_s)
        log.error(
            "the outcome %s of payment %s couldn't be written: it will be looked up",
            said.outcome,
            work.payment_id,
        )


async def first_done(*ones: Awaitable[Any]) -> None:
    """Wait until one of them has ended, however it did."""
    futures = [asyncio.ensure_future(one) for one in ones]
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
