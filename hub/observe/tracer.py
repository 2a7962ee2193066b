"""Traces: how a request went from its device through the gate and the commit to its answer, and
when the cloud had its event.

A request is judged when it has been answered: what failed or was slow is always kept, of the others
a share.  Whether one belongs to the share follows from its trace id alone, so that all who know the
id decide alike.  A request that isn't kept costs a comparison or two, and without a tracer nothing.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from hub.clock import Clock, Randomness
from hub.contract.problems import Code
from hub.contract.registry import OPERATIONS
from hub.events import Value
from hub.logs import RateBound
from hub.observe.spans import Place, Span, SpanKind, is_plain, trace_id_of
from hub.service.answers import outcome_of, seq_of
from hub.service.gate import Request
from hub.service.outgoing import Sent

EVENTS_MAX: Final = 10_000
"""Traced requests whose event the cloud doesn't have yet; beyond, the oldest is forgotten: its
event is sent as ever, only its trace ends with the answer."""
COMMITS_MAX: Final = 256
LINKS_MAX: Final = 32
_SHARE_BITS: Final = 48
_OUTCOMES: Final = frozenset({"ok", *(code.value for code in Code)})
UNKNOWN: Final = "unknown"


class Stages(NamedTuple):
    """Monotonic instants of a request: taken in; read and queued, or answered; decided, which of a
    change is after its commit.  Of one that was refused at the door there is only the first."""

    began_s: float
    gated_s: float = 0.0
    decided_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Policy:
    """Which requests are kept."""

    ratio: float
    slow_s: float
    max_per_s: int


class _Awaited(NamedTuple):
    """A request whose event goes to the cloud."""

    place: Place
    answered_s: float


class Tracer:
    """``take`` is given the spans that are kept; it must not wait.  All but ``wrote`` is called on
    the loop."""

    def __init__(
        self,
        clock: Clock,
        randomness: Randomness,
        policy: Policy,
        take: Callable[[Span], None],
        *,
        cloud: bool,
    ) -> None:
        self._clock = clock
        self._randomness = randomness
        self._policy = policy
        self._take = take
        self._cloud = cloud
        self._share = round(policy.ratio * (1 << _SHARE_BITS))
        self._bound = RateBound(policy.max_per_s, clock)
        self._commits: deque[tuple[float, float]] = deque(maxlen=COMMITS_MAX)
        self._awaited: OrderedDict[int, _Awaited] = OrderedDict()
        self.forgotten = 0
        self.changes = 0
        """Goes up with whatever changes what :meth:`awaited` tells."""

    @property
    def bounded(self) -> int:
        """Requests and batches that were to be kept and weren't: more than a second's share."""
        return self._bound.dropped

    def now_s(self) -> float:
        """The instant that spans count from."""
        return self._clock.monotonic_s()

    def wrote(self, began_s: float, ended_s: float) -> None:
        """A transaction is on disk.  Called in the writer's thread."""
        self._commits.append((began_s, ended_s))

    # Requests ------------------------------------------------------------------------------------

    def answered(self, request: Request, answer: str, stages: Stages) -> None:
        """A request of a device was answered just now."""
        ended_s = self.now_s()
        outcome = _known(outcome_of(answer), _OUTCOMES)
        caller, key = request.caller.key, request.key
        severe = outcome != "ok" or ended_s - stages.began_s >= self._policy.slow_s
        trace_id = trace_id_of(caller, key) if key is not None else self._random(16)
        if not (severe or self._chosen(trace_id)) or not self._bound.admits(severe=severe):
            return
        seq = seq_of(answer)
        operation = OPERATIONS.get((request.service, request.operation))
        name = UNKNOWN if operation is None else f"{request.service}/{request.operation}"
        attributes: dict[str, Value] = {
            "messaging.system": "mqtt",
            "device": request.caller.id,
            "outcome": outcome,
            "seq": seq,
            "messaging.message.body.size": len(request.body),
            "correlation": key if key is not None and is_plain(key) else None,
        }
        spans = _Spans(self, trace_id, ended_s)
        root = spans.add(name, "server", stages.began_s, ended_s, attributes, failure=outcome)
        writes = operation is not None and not operation.is_query
        self._stages(spans, root, stages, ended_s, writes=writes)
        if seq is not None and self._cloud:
            self._await(seq, _Awaited(root, ended_s))

    def of_gate(self, request: Request, answer: str, span_s: float) -> None:
        """A request of a page or a command line was answered just now; its inside isn't known."""
        if request.caller.kind.value != "device":
            self.answered(request, answer, Stages(self.now_s() - span_s))

    def _stages(
        self, spans: _Spans, root: Place, stages: Stages, ended_s: float, *, writes: bool
    ) -> None:
        began_s, gated_s, decided_s = stages
        if not gated_s:
            return
        spans.add("gate", "internal", began_s, gated_s, {}, parent=root)
        if not decided_s:  # answered on the spot
            decided_s = gated_s
        else:
            name = "commit" if writes else "read"
            middle = spans.add(name, "internal", gated_s, decided_s, {}, parent=root)
            written = self._written(gated_s, decided_s) if writes else None
            if written is not None:
                spans.add("transaction", "internal", *written, {}, parent=middle)
        spans.add("reply", "internal", decided_s, ended_s, {}, parent=root)

    def _written(self, gated_s: float, decided_s: float) -> tuple[float, float] | None:
        """The transaction that a change was part of: the first that began when it was queued; its
        writer may be quicker than the look at the clock."""
        found = None
        for began_s, ended_s in reversed(tuple(self._commits)):
            if ended_s <= gated_s:
                break
            if ended_s > decided_s:
                continue
            if began_s < gated_s:
                found = found or (began_s, ended_s)
                break
            found = (began_s, ended_s)
        return found

    def _chosen(self, trace_id: str) -> bool:
        return int(trace_id[-_SHARE_BITS // 4 :], 16) < self._share

    def _await(self, seq: int, awaited: _Awaited) -> None:
        """A repeat's answer has the number of the first one's."""
        self._awaited.setdefault(seq, awaited)
        self.changes += 1
        while len(self._awaited) > EVENTS_MAX:
            self._awaited.popitem(last=False)
            self.forgotten += 1

    def awaited(self) -> list[list[str | int]]:
        """What :meth:`recall` of the next run is to be given: the requests whose event waits."""
        now_s, now_ms = self.now_s(), self._clock.wall_ms()
        return [
            [seq, *one.place, now_ms - round((now_s - one.answered_s) * 1000)]
            for seq, one in self._awaited.items()
        ]

    def recall(self, awaited: object) -> None:
        """Take over what the last run left; what isn't of that shape is left out."""
        now_s, now_ms = self.now_s(), self._clock.wall_ms()
        for row in awaited if isinstance(awaited, list) else ():
            match row:
                case [int(seq), str(trace_id), str(span_id), int(at_ms)]:
                    answered_s = now_s - max(0, now_ms - at_ms) / 1000
                    self._await(seq, _Awaited(Place(trace_id, span_id), answered_s))
                case _:
                    continue

    # Events --------------------------------------------------------------------------------------

    def sent(self, batch: Sequence[Sent], began_s: float, failure: str = "") -> None:
        """A batch was sent to the cloud, and answered just now: it has these events, or failed by
        ``failure``, a code."""
        ended_s = self.now_s()
        slow = ended_s - began_s >= self._policy.slow_s
        known = [one for one in batch if one.outbox_id in self._awaited]
        self.changes += len(known)
        spans = _Spans(self, self._random(16), ended_s)
        severe = bool(failure) or slow
        if not (severe or known or self._chosen(spans.trace_id)):
            return
        if not self._bound.admits(severe=severe or bool(known)):
            for one in () if failure else known:
                del self._awaited[one.outbox_id]
            return
        links = [self._awaited[one.outbox_id].place for one in known[:LINKS_MAX]]
        made = spans.add(
            "POST /events",
            "client",
            began_s,
            ended_s,
            {"events": len(batch), "streams": ",".join(sorted({one.lane[1] for one in batch}))},
            failure=failure or "ok",
            links=links,
        )
        if not failure:
            self._arrived(known, made, began_s, ended_s)

    def _arrived(self, known: Iterable[Sent], batch: Place, began_s: float, ended_s: float) -> None:
        """In the trace of each request: how long its event waited, and when the cloud had it."""
        for one in known:
            place, answered_s = self._awaited.pop(one.outbox_id)
            attributes: dict[str, Value] = {
                "cloudevents.event_id": one.event_id,
                "cloudevents.event_type": one.type,
                "stream": one.lane[1],
                "seq": one.outbox_id,
            }
            spans = _Spans(self, place.trace_id, ended_s)
            outbox = spans.add("outbox", "producer", answered_s, ended_s, attributes, parent=place)
            spans.add("send", "client", began_s, ended_s, {}, parent=outbox, links=[batch])

    def _random(self, count: int) -> str:
        return self._randomness.token_bytes(count).hex()


class _Spans:
    """Spans of one trace, told at one moment: instants of one clock become those of the other."""

    def __init__(self, tracer: Tracer, trace_id: str, now_s: float) -> None:
        self.trace_id = trace_id
        self._tracer = tracer
        self._now_s = now_s
        self._now_ns = tracer._clock.wall_ms() * 1_000_000

    def add(
        self,
        name: str,
        kind: SpanKind,
        began_s: float,
        ended_s: float,
        attributes: Mapping[str, Value],
        *,
        parent: Place | None = None,
        failure: str = "ok",
        links: Sequence[Place] = (),
    ) -> Place:
        place = Place(self.trace_id, self._tracer._random(8))
        self._tracer._take(
            Span(
                place,
                name,
                kind,
                self._ns(began_s),
                self._ns(ended_s),
                attributes,
                parent.span_id if parent is not None else "",
                tuple(links),
                "" if failure == "ok" else failure,
            )
        )
        return place

    def _ns(self, at_s: float) -> int:
        return self._now_ns - round((self._now_s - at_s) * 1e9)


def _known(word: str, words: frozenset[str]) -> str:
    return word if word in words else UNKNOWN
