"""What is counted while the shop sells: plain integers, nothing that could wait or grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from hub.clock import Clock
from hub.contract.problems import Code
from hub.contract.registry import OPERATIONS
from hub.domain.payments.states import PaymentState
from hub.service.answers import outcome_of
from hub.service.gate import Request
from hub.service.notices import PaymentChanged, SaleMade

REQUEST_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
COMMIT_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
UNKNOWN: Final = "unknown"
FACT: Final = "fact"
OUT_MAX: Final = 10_000
"""So many payments on their way are followed; of more the outcome isn't counted."""
_OUT: Final = frozenset(
    {PaymentState.FORWARDING, PaymentState.FORWARD_UNKNOWN, PaymentState.FORWARDED}
)
CAME_BACK: Final = (
    *(PaymentState.AUTHORISED, PaymentState.DECLINED, PaymentState.FORWARDED),
    *(PaymentState.FORWARD_UNKNOWN, PaymentState.STORED, PaymentState.VOID_PENDING),
    *(PaymentState.VOIDED, PaymentState.MANUAL, PaymentState.LOST),
)
"""What can become of a payment that was on its way to the processor."""
_OUTCOMES: Final = frozenset({"ok", *(code.value for code in Code)})
_NAMES: Final = {address: "/".join(address) for address in OPERATIONS}


class Spans:
    """How long something took: one counter for each bucket, and the sum."""

    __slots__ = ("bounds_s", "counts", "sum_s")

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0

    def add(self, span_s: float) -> None:
        """Count one."""
        at = 0
        for bound_s in self.bounds_s:
            if span_s <= bound_s:
                break
            at += 1
        self.counts[at] += 1
        self.sum_s += span_s

    def cumulated(self) -> list[tuple[str, float]]:
        """Buckets as Prometheus wants them: upper bound, and how many were not above it."""
        counts, total = tuple(self.counts), 0
        found = []
        for bound, count in zip((*map(str, self.bounds_s), "+Inf"), counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found


class Tally:
    """Counters since the start.  ``answered`` and ``notify`` are called on the loop, the two about
    commits in the writer's thread; whoever reads may see a number a moment too small.

    Operations and outcomes that the contract doesn't know share one name, so nobody outside makes
    this grow.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.requests: dict[tuple[str, str, str], int] = {}
        self.durations: dict[str, Spans] = {}
        self.commits = Spans(COMMIT_BOUNDS_S)
        self.committed = 0
        self.sales_written = 0
        self.paid = dict.fromkeys(map(str, PaymentState), 0)
        self.forwards = dict.fromkeys(map(str, CAME_BACK), 0)
        self._out: set[str] = set()
        self.on_commit: Callable[[float, float], None] | None = None
        """Told when a transaction began and ended, in the writer's thread."""

    def answered(
        self, caller: str, kind: str, what: tuple[str, str], outcome: str, span_s: float
    ) -> None:
        """A request (or a device's ``fact``) was answered; other kinds aren't counted."""
        if kind == "request":
            operation = _NAMES.get(what, UNKNOWN)
        elif kind == FACT:
            operation = FACT
        else:
            return
        key = (caller, operation, outcome if outcome in _OUTCOMES else UNKNOWN)
        self.requests[key] = self.requests.get(key, 0) + 1
        spans = self.durations.get(operation)
        if spans is None:
            spans = self.durations[operation] = Spans(REQUEST_BOUNDS_S)
        spans.add(span_s)

    def of_gate(self, request: Request, answer: str, span_s: float) -> None:
        """A request of a page or a command line was answered."""
        what = (request.service, request.operation)
        self.answered(request.caller.kind.value, "request", what, outcome_of(answer), span_s)

    def of_device(self, kind: str, what: tuple[str, str], outcome: str, span_s: float) -> None:
        """A message of a device was answered."""
        self.answered("device", kind, what, outcome, span_s)

    def notify(self, told: Sequence[object]) -> None:
        """Take what committed requests left to be told."""
        for notice in told:
            if isinstance(notice, SaleMade):
                self.sales_written += 1
            elif isinstance(notice, PaymentChanged):
                self._payment(notice.payment_id, notice.state)

    def _payment(self, payment_id: str, state: str) -> None:
        if state not in self.paid:
            return
        self.paid[state] += 1
        if payment_id in self._out and state in self.forwards:
            self.forwards[state] += 1
        if state not in _OUT:
            self._out.discard(payment_id)
        elif len(self._out) < OUT_MAX:
            self._out.add(payment_id)

    def now_s(self) -> float:
        """When a transaction begins."""
        return self._clock.monotonic_s()

    def wrote(self, jobs: int, began_s: float) -> None:
        """A transaction that began then is on disk."""
        ended_s = self._clock.monotonic_s()
        self.commits.add(ended_s - began_s)
        self.committed += jobs
        if self.on_commit is not None:
            self.on_commit(began_s, ended_s)
