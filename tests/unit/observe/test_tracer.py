"""Which requests are traced, what their spans say, and what never stands in one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hub.contract.problems import Code, problem
from hub.observe import tracer as tracing
from hub.observe.otlp import span_record, spans_body
from hub.observe.spans import Span, trace_id_of
from hub.observe.tracer import LINKS_MAX, Policy, Stages, Tracer
from hub.service.answers import failure_json
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from hub.service.outgoing import Sent
from tests.fakes import FakeClock, SeededRandomness, seeded_ids_of
from tests.support.canaries import CANARIES, PANS, seen_in

TILL = Caller(CallerKind.DEVICE, "till-01")
KEY = "0199f3a2-7e91-7c2e-9b5a-6d0e3f8a2b0d"
TRACE = "0199f3a27e917c2e9b5a6d0e3f8a2b0d"
OK = '{"ok":true,"seq":4711,"result":{}}'
BUSY = failure_json(problem(Code.BUSY, "Repeat shortly."))
SALE = Request(TILL, "sale", "commit", b"{}", KEY)
LANE = ("/stores/367/hubs/a/1", "sales")
EVENT = Sent(4711, "an-event", "com.storehub.sale.committed.v1", LANE, 9)


class Traced:
    """A tracer and the spans that it kept."""

    def __init__(self, clock: FakeClock, ratio: float = 0.0, max_per_s: int = 100) -> None:
        self.clock = clock
        self.spans: list[Span] = []
        policy = Policy(ratio, slow_s=1.0, max_per_s=max_per_s)
        self.tracer = Tracer(clock, SeededRandomness(), policy, self.spans.append, cloud=True)

    def ask(self, answer: str = OK, took_s: float = 0.1, request: Request = SALE) -> None:
        """A request whose gate, commit and reply take a third each."""
        began_s = self.clock.monotonic_s()
        self.clock.advance(took_s / 3)
        gated_s = self.clock.monotonic_s()
        self.clock.advance(took_s / 3)
        self.tracer.wrote(gated_s + took_s / 9, self.clock.monotonic_s())
        decided_s = self.clock.monotonic_s()
        self.clock.advance(took_s / 3)
        self.tracer.answered(request, answer, Stages(began_s, gated_s, decided_s))

    def named(self, name: str) -> Span:
        (found,) = [one for one in self.spans if one.name == name]
        return found


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def sales(clock: FakeClock) -> Iterator[Request]:
    ids = seeded_ids_of(clock)
    while True:
        clock.advance(0.001)
        yield replace(SALE, key=ids.uuid7())


def test_one_request_is_followed_from_its_device_to_the_cloud(clock: FakeClock) -> None:
    it = Traced(clock, ratio=1.0)
    it.ask(took_s=0.9)
    root = it.named("sale/commit")
    assert (root.place.trace_id, root.kind, root.parent_id) == (TRACE, "server", "")
    assert root.attributes["seq"] == 4711
    assert root.attributes["correlation"] == KEY
    assert root.ended_ns - root.began_ns == 900_000_000
    assert root.ended_ns == clock.wall_ms() * 1_000_000
    for name in ("gate", "commit", "reply"):
        assert it.named(name).parent_id == root.place.span_id
        assert it.named(name).ended_ns - it.named(name).began_ns == 300_000_000
    assert it.named("transaction").parent_id == it.named("commit").place.span_id
    assert it.named("transaction").ended_ns - it.named("transaction").began_ns == 200_000_000
    clock.advance(60)
    sent_s = clock.monotonic_s()
    clock.advance(0.2)
    it.tracer.sent([EVENT], sent_s)
    batch, waited, sent = it.named("POST /events"), it.named("outbox"), it.named("send")
    assert waited.place.trace_id == sent.place.trace_id == TRACE
    assert waited.parent_id == root.place.span_id
    assert waited.attributes["cloudevents.event_id"] == "an-event"
    assert waited.ended_ns - waited.began_ns == 60_200_000_000
    assert sent.links == (batch.place,)
    assert batch.links == (root.place,)
    assert batch.place.trace_id != TRACE
    assert len({one.place.span_id for one in it.spans}) == len(it.spans)


def test_failed_and_slow_requests_are_kept_whatever_the_share(clock: FakeClock) -> None:
    it = Traced(clock)
    it.ask()
    assert it.spans == []
    it.ask(took_s=1.5)
    assert it.named("sale/commit").failure == ""
    it.spans.clear()
    it.ask(BUSY)
    assert it.named("sale/commit").failure == "busy"
    it.spans.clear()
    it.tracer.answered(SALE, BUSY, Stages(clock.monotonic_s()))  # refused at the door
    assert [one.name for one in it.spans] == ["sale/commit"]


def test_the_share_is_chosen_by_the_trace_id_alone(clock: FakeClock) -> None:
    one, other = Traced(clock, ratio=0.2), Traced(clock, ratio=0.2)
    for request, _ in zip(sales(clock), range(2000), strict=False):
        one.ask(request=request)
        other.ask(request=request)
    kept = [span.place.trace_id for span in one.spans if span.kind == "server"]
    assert 300 < len(kept) < 500
    assert kept == [span.place.trace_id for span in other.spans if span.kind == "server"]


def test_more_than_a_seconds_share_is_counted_only(clock: FakeClock) -> None:
    it = Traced(clock, max_per_s=3)
    for _ in range(10):
        it.tracer.answered(SALE, BUSY, Stages(clock.monotonic_s()))
    assert len(it.spans) == 3
    assert it.tracer.bounded == 7
    clock.advance(1)
    it.tracer.answered(SALE, BUSY, Stages(clock.monotonic_s()))
    assert len(it.spans) == 4


def test_a_repeat_stands_in_the_trace_of_the_first(clock: FakeClock) -> None:
    it = Traced(clock, ratio=1.0)
    it.ask()
    it.ask()
    first, second = (one for one in it.spans if one.kind == "server")
    assert first.place.trace_id == second.place.trace_id
    it.tracer.sent([EVENT], clock.monotonic_s())
    assert it.named("outbox").parent_id == first.place.span_id


def test_a_batch_that_fails_is_kept_and_its_events_go_on_waiting(clock: FakeClock) -> None:
    it = Traced(clock, ratio=1.0)
    it.ask()
    it.tracer.sent([EVENT], clock.monotonic_s(), "Transient")
    assert it.named("POST /events").failure == "Transient"
    it.spans.clear()
    it.tracer.sent([EVENT], clock.monotonic_s())
    assert it.named("outbox").place.trace_id == TRACE
    it.spans.clear()
    it.tracer.sent([EVENT], clock.monotonic_s())
    assert [one.name for one in it.spans] == ["POST /events"]


def test_what_waits_for_the_cloud_has_a_bound(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "EVENTS_MAX", 5)
    it = Traced(clock, ratio=1.0)
    for seq in range(1, 9):
        it.ask(OK.replace("4711", str(seq)))
    assert it.tracer.forgotten == 3
    it.spans.clear()
    it.tracer.sent([EVENT._replace(outbox_id=seq) for seq in range(1, 9)], clock.monotonic_s())
    assert [one.attributes["seq"] for one in it.spans if one.name == "outbox"] == [4, 5, 6, 7, 8]


def test_a_batch_names_a_bounded_number_of_requests(clock: FakeClock) -> None:
    it = Traced(clock, ratio=1.0)
    for seq in range(1, LINKS_MAX + 9):
        it.ask(OK.replace("4711", str(seq)))
    batch = [EVENT._replace(outbox_id=seq) for seq in range(1, LINKS_MAX + 9)]
    it.tracer.sent(batch, clock.monotonic_s())
    assert len(it.named("POST /events").links) == LINKS_MAX
    assert it.tracer.awaited() == []


def test_the_next_run_goes_on_with_what_waited(clock: FakeClock) -> None:
    it = Traced(clock, ratio=1.0)
    it.ask()
    kept = json.loads(json.dumps(it.tracer.awaited()))
    later = FakeClock(clock.wall_ms() + 90_000, monotonic_s=3.0)
    again = Traced(later)
    again.tracer.recall([*kept, ["odd"], {}, None])
    again.tracer.recall(None)
    again.tracer.sent([EVENT], later.monotonic_s())
    assert again.named("outbox").place.trace_id == TRACE
    assert again.named("outbox").ended_ns - again.named("outbox").began_ns == 90_000_000_000


def test_the_transaction_is_the_one_that_began_after_the_request_was_queued(
    clock: FakeClock,
) -> None:
    it = Traced(clock, ratio=1.0)
    now_s = clock.monotonic_s()
    for began_s, ended_s in ((0.0, 0.2), (0.15, 0.4), (0.45, 0.6), (0.6, 0.7), (0.8, 0.95)):
        it.tracer.wrote(now_s + began_s, now_s + ended_s)
    clock.advance(0.9)
    it.tracer.answered(SALE, OK, Stages(now_s, now_s + 0.3, now_s + 0.7))
    began_ns = clock.wall_ms() * 1_000_000 - 900_000_000
    found = it.named("transaction")
    assert abs(found.began_ns - began_ns - 450_000_000) < 1000
    assert abs(found.ended_ns - began_ns - 600_000_000) < 1000


def test_a_query_has_no_transaction(clock: FakeClock) -> None:
    it = Traced(clock, ratio=1.0)
    it.ask(request=replace(SALE, service="device", operation="list"))
    assert {one.name for one in it.spans} == {"device/list", "gate", "read", "reply"}


def test_a_page_and_a_command_line_are_traced_without_their_inside(clock: FakeClock) -> None:
    it = Traced(clock, ratio=1.0)
    it.tracer.of_gate(replace(SALE, caller=Caller(CallerKind.CLI, "root")), OK, 0.2)
    assert [one.name for one in it.spans] == ["sale/commit"]
    it.tracer.of_gate(SALE, OK, 0.2)  # the router tells of devices
    assert len(it.spans) == 1


def test_no_card_number_gets_into_a_span_wherever_it_stood(clock: FakeClock) -> None:
    """Keys, operations, bodies and answers are a device's own words."""
    it = Traced(clock, ratio=1.0, max_per_s=10_000)
    hidden = [f"00000000-0000-7000-{pan[:4]}-{pan[4:16]}" for pan in PANS if len(pan) == 16]
    for canary in (*CANARIES, *hidden):
        for changed in (
            {"key": canary},
            {"service": canary},
            {"operation": canary},
            {"body": canary.encode()},
        ):
            it.ask(request=replace(SALE, **changed))
        it.ask(f'{{"ok":false,"{canary}":1}}')
        it.ask(canary)
    sent = spans_body([span_record(one) for one in it.spans], "367", "1")
    assert len(it.spans) > 100
    assert seen_in(sent) == ""


def test_a_key_that_is_no_uuid_gives_a_trace_of_its_own() -> None:
    made = trace_id_of("device/till-01", "receipt-000001")
    assert len(made) == 32
    assert made != trace_id_of("device/till-02", "receipt-000001")
    assert set(trace_id_of("x", "00000000-0000-0000-0000-000000000000")) != {"0"}


def test_a_key_that_is_no_text_is_traced_as_any_other_refusal(clock: FakeClock) -> None:
    traced = Traced(clock)
    page = Caller(CallerKind.WEB, "technician-1a2b3c4d")
    traced.tracer.of_gate(replace(SALE, caller=page, key="\udcff" * 8), BUSY, 0.1)
    (span,) = traced.spans
    assert span.attributes["correlation"] is None
    assert json.loads(spans_body([span_record(span)], "367", "1"))
