"""What is counted of card payments: every change by its state, and what came of those presented."""

from __future__ import annotations

from hub.domain.payments.states import PaymentState as S
from hub.observe.tally import OUT_MAX, Tally
from hub.service.notices import PaymentChanged
from tests.fakes import FakeClock


def told(tally: Tally, payment: str, *states: S) -> None:
    tally.notify([PaymentChanged(payment, "sale", "till-1", "terminal-1", one) for one in states])


def test_only_what_was_on_its_way_counts_as_an_outcome_of_presenting() -> None:
    tally = Tally(FakeClock())
    told(tally, "online", S.INTENT, S.AT_TERMINAL, S.AUTHORISED, S.CAPTURED)
    told(tally, "stored", S.STORED, S.FORWARDING, S.AUTHORISED, S.CAPTURED)
    told(tally, "doubted", S.STORED, S.FORWARDING, S.FORWARD_UNKNOWN, S.AUTHORISED)
    told(tally, "declined", S.FORWARDING, S.DECLINED, S.RETRY_WAIT, S.FORWARDING, S.DECLINED)
    assert tally.paid["authorised"] == 3
    assert tally.paid["declined"] == 2
    assert {state: n for state, n in tally.forwards.items() if n} == {
        "authorised": 2,
        "declined": 2,
        "forward_unknown": 1,
    }


def test_states_that_are_not_known_and_payments_beyond_the_bound_make_nothing_grow() -> None:
    tally = Tally(FakeClock())
    before = (tally.paid.keys(), tally.forwards.keys())
    tally.notify([PaymentChanged("x", "sale", "till-1", "terminal-1", "invented")])
    for number in range(OUT_MAX + 5):
        told(tally, f"p{number}", S.FORWARDING)
    assert len(tally._out) == OUT_MAX
    assert (tally.paid.keys(), tally.forwards.keys()) == before
