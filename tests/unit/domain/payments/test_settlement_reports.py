"""Settlement reports of processors, and what their lines mean."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.errors import Invalid
from hub.domain.payments import reports
from hub.domain.payments.matching import (
    OWNERS,
    Booked,
    LineKind,
    Verdict,
    judge_payment,
    judge_refund,
    steps_of,
)
from hub.domain.payments.reports import ReportLine, read_report
from hub.domain.payments.states import PaymentState, advance

PAYMENT = "0199f3a2-7711-7e33-9d44-5f6a7b8c9d05"
AT_MS = 1_763_812_800_000


def test_a_report_as_csv_and_as_json_says_the_same() -> None:
    csv = (
        "kind,payment_id,psp_ref,amount,currency,at\r\n"
        f"payment,{PAYMENT},ref-1,12.34,EUR,2025-11-22T12:00:00Z\r\n"
        'fee,,"ref,2",-0.25,EUR,2025-11-22T12:00:00Z\r\n'
    )
    rows = [
        {
            "kind": "payment",
            "payment_id": PAYMENT,
            "psp_ref": "ref-1",
            "amount_minor": 1234,
            "currency": "EUR",
            "at_ms": AT_MS,
        },
        {
            "kind": "fee",
            "psp_ref": "ref,2",
            "amount_minor": -25,
            "currency": "EUR",
            "at_ms": AT_MS,
        },
    ]
    expected = (
        ReportLine(LineKind.PAYMENT, PAYMENT, "ref-1", 1234, "EUR", AT_MS),
        ReportLine(LineKind.FEE, "", "ref,2", 25, "EUR", AT_MS),
    )
    assert read_report(csv.encode()) == expected
    assert read_report(("\ufeff" + csv.replace(",", ";").replace("ref;2", "ref,2")).encode()) == (
        expected
    )
    assert read_report(json.dumps(rows).encode()) == expected
    assert read_report(json.dumps({"lines": rows}).encode()) == expected


def test_processors_own_names_for_the_columns_are_understood() -> None:
    csv = (
        "Type,Merchant Reference,Psp Reference,Gross,Currency,Creation Date\n"
        f"Settled,{PAYMENT.upper()},8516,1500,JPY,2025-11-22T13:00:00+01:00\n"
    )
    assert read_report(csv.encode()) == (
        ReportLine(LineKind.PAYMENT, PAYMENT, "8516", 1500, "JPY", AT_MS),
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no lines"),
        (b"kind,amount\n", "no lines"),
        (b"\xff\xfe1", "isn't UTF-8"),
        (b"[1]", "list of objects"),
        (b"{", "no JSON"),
        (b"[" * 200_000, "JSON"),
        (b'kind,amount,currency,at\n"pay', "no CSV|no kind"),
        (b"kind,amount,currency,at\nsale,1,EUR,2025-11-22T12:00:00Z", "line 1: no kind"),
        (b"kind,amount,currency,at\nfee,x,EUR,2025-11-22T12:00:00Z", "no amount"),
        (b"kind,amount,currency,at\nfee,1.005,EUR,2025-11-22T12:00:00Z", "no amount"),
        (b"kind,amount,currency,at\nfee,NaN,EUR,2025-11-22T12:00:00Z", "no amount"),
        (b"kind,amount,currency,at\nfee,1e30,EUR,2025-11-22T12:00:00Z", "no amount"),
        (b"kind,amount,currency,at\nfee,1,EURO,2025-11-22T12:00:00Z", "ISO 4217"),
        (b"kind,amount,currency,at\nfee,1,EUR,yesterday", "no instant"),
        (b"kind,amount,currency,at\nfee,1,EUR,2025-11-22T12:00:00", "no time zone"),
    ],
)
def test_what_can_not_be_read_is_refused_whole_and_says_why(content: bytes, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        read_report(content)


def test_at_most_the_first_five_wrong_lines_are_named() -> None:
    wrong = b"kind,amount,currency,at\n" + b"x,1,EUR,2025-11-22T12:00:00Z\n" * 9
    with pytest.raises(Invalid) as refused:
        read_report(wrong)
    assert refused.value.detail.count("no kind of line") == 5


def test_a_report_has_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b"fee,1,EUR,2025-11-22T12:00:00Z\n"
    monkeypatch.setattr(reports, "LINES_MAX", 2)
    with pytest.raises(Invalid, match="more than 2 lines"):
        read_report(b"kind,amount,currency,at\n" + line * 3)
    monkeypatch.setattr(reports, "REPORT_BYTES_MAX", 1 << 20)
    with pytest.raises(Invalid, match="larger than 1 MiB"):
        read_report(b" " * ((1 << 20) + 1))


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_it_is_it_is_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(Invalid):
        assert read_report(content)


@pytest.mark.parametrize("state", PaymentState)
def test_a_line_that_pays_out_leads_somewhere_from_every_state(state: PaymentState) -> None:
    verdict = judge_payment(Booked(state, 100, "EUR", settled_before=False), 100, "EUR")
    after = state
    for event in steps_of(state):
        after = advance(after, event)
    if verdict in (Verdict.MATCHED, Verdict.GIVEN_UP):
        unmoved = (PaymentState.REFUNDED, PaymentState.DECLINED)
        assert after is PaymentState.SETTLED or state in unmoved
    assert verdict in OWNERS


def test_what_does_not_fit_is_told_apart() -> None:
    booked = Booked(PaymentState.CAPTURED, 100, "EUR", settled_before=False)
    assert judge_payment(booked, 100, "EUR") is Verdict.MATCHED
    assert judge_payment(booked, 101, "EUR") is Verdict.AMOUNT_DIFFERS
    assert judge_payment(booked, 100, "USD") is Verdict.CURRENCY_DIFFERS
    assert judge_payment(None, 100, "EUR") is Verdict.UNKNOWN_PAYMENT
    paid = Booked(PaymentState.SETTLED, 100, "EUR", settled_before=True)
    assert judge_payment(paid, 100, "EUR") is Verdict.PAID_TWICE
    reversed_ = Booked(PaymentState.REVERSED, 100, "EUR", settled_before=False)
    assert judge_payment(reversed_, 100, "EUR") is Verdict.NOT_REVERSED
    assert judge_refund(None, 5) is Verdict.UNKNOWN_REFUND
    assert judge_refund(4, 5) is Verdict.REFUND_DIFFERS
    assert judge_refund(5, 5) is Verdict.MATCHED
