"""Counting: what is counted, and that nobody outside makes it grow."""

from __future__ import annotations

from hub.contract.problems import Code
from hub.contract.registry import OPERATIONS
from hub.observe.tally import REQUEST_BOUNDS_S, Spans, Tally
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from hub.service.notices import OutboxGrew, SaleMade
from tests.fakes import FakeClock

SELL = next(iter(OPERATIONS))


def test_a_span_falls_into_the_first_bucket_that_holds_it() -> None:
    spans = Spans((0.1, 1.0))
    for span_s in (0.05, 0.1, 0.5, 7.0):
        spans.add(span_s)
    assert spans.cumulated() == [("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert spans.sum_s == 0.05 + 0.1 + 0.5 + 7.0


def test_requests_are_counted_by_door_operation_and_outcome(fake_clock: FakeClock) -> None:
    tally = Tally(fake_clock)
    tally.of_device("request", SELL, "ok", 0.003)
    tally.of_device("request", SELL, Code.BUSY.value, 0.2)
    tally.of_device("fact", ("drawer", ""), "ok", 0.003)
    tally.of_device("state", ("ready", ""), "ok", 0.003)
    asked = Request(Caller(CallerKind.CLI, "uid-0"), *SELL, b"{}")
    tally.of_gate(asked, '{"ok":true,"seq":1,"result":{}}', 0.01)
    name = "/".join(SELL)
    assert tally.requests == {
        ("device", name, "ok"): 1,
        ("device", name, "busy"): 1,
        ("device", "fact", "ok"): 1,
        ("cli", name, "ok"): 1,
    }
    assert sum(tally.durations[name].counts) == 3


def test_what_the_contract_does_not_know_shares_one_name(fake_clock: FakeClock) -> None:
    tally = Tally(fake_clock)
    for number in range(5000):
        tally.of_device("request", (f"s{number}", "x"), f"outcome-{number}", 0.1)
    assert tally.requests == {("device", "unknown", "unknown"): 5000}
    assert list(tally.durations) == ["unknown"]
    assert len(tally.durations["unknown"].counts) == len(REQUEST_BOUNDS_S) + 1


def test_sales_and_transactions_are_counted_once_they_are_on_disk(fake_clock: FakeClock) -> None:
    tally = Tally(fake_clock)
    tally.notify([SaleMade(), OutboxGrew("sales"), SaleMade()])
    began_s = tally.now_s()
    fake_clock.advance(0.03)
    tally.wrote(7, began_s)
    assert tally.sales_written == 2
    assert tally.committed == 7
    assert dict(tally.commits.cumulated())["0.025"] == 0
    assert dict(tally.commits.cumulated())["0.05"] == 1
