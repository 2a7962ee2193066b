"""Card payments as they may lie in a shop's database: in any state, with the steps that led there.

Written row by row, without the handlers: what shows payments is tried with any of them."""

from __future__ import annotations

from typing import Any, Final

from hub.domain.payments.states import PaymentEvent as E
from hub.domain.payments.states import PaymentState, advance
from hub.storage import paymentrows
from hub.storage.paymentrows import NewPayment, PaymentRow
from hub.storage.rows import Tx

WAYS: Final[dict[PaymentState, tuple[E, ...]]] = {
    PaymentState.INTENT: (),
    PaymentState.AT_TERMINAL: (E.SENT,),
    PaymentState.UNKNOWN: (E.SENT, E.IN_DOUBT),
    PaymentState.REFUSED: (E.SENT, E.REFUSED),
    PaymentState.ABANDONED: (E.CANCELLED,),
    PaymentState.STORED: (E.SENT, E.APPROVED_OFFLINE),
    PaymentState.VOID_PENDING: (E.SENT, E.APPROVED_OFFLINE, E.VOID_DEFERRED),
    PaymentState.VOIDED: (E.SENT, E.APPROVED_OFFLINE, E.VOID_ASKED),
    PaymentState.FORWARDING: (E.SENT, E.APPROVED_OFFLINE, E.LEASED),
    PaymentState.FORWARD_UNKNOWN: (E.SENT, E.APPROVED_OFFLINE, E.LEASED, E.IN_DOUBT),
    PaymentState.FORWARDED: (E.SENT, E.APPROVED_OFFLINE, E.LEASED, E.ACKED),
    PaymentState.AUTHORISED: (E.SENT, E.APPROVED),
    PaymentState.CAPTURED: (E.SENT, E.APPROVED, E.CAPTURED),
    PaymentState.SETTLED: (E.SENT, E.APPROVED, E.CAPTURED, E.SETTLED),
    PaymentState.REVERSED: (E.SENT, E.APPROVED, E.REVERSED),
    PaymentState.REFUNDED: (E.SENT, E.APPROVED, E.CAPTURED, E.REFUNDED),
    PaymentState.DECLINED: (E.SENT, E.APPROVED_OFFLINE, E.LEASED, E.DECLINED),
    PaymentState.RETRY_WAIT: (E.SENT, E.APPROVED_OFFLINE, E.LEASED, E.DECLINED, E.RETRY),
    PaymentState.EXPIRED: (E.SENT, E.APPROVED_OFFLINE, E.DEADLINE),
    PaymentState.LOST: (E.SENT, E.APPROVED_OFFLINE, E.DEVICE_LOST),
    PaymentState.MANUAL: (E.SENT, E.IN_DOUBT, E.OUT_OF_REACH),
    PaymentState.RECOVERY: (E.SENT, E.APPROVED_OFFLINE, E.LEASED, E.DECLINED, E.GIVE_UP),
    PaymentState.RECOVERED: (
        *(E.SENT, E.APPROVED_OFFLINE, E.LEASED, E.DECLINED, E.GIVE_UP),
        E.PAID_OTHERWISE,
    ),
    PaymentState.WRITTEN_OFF: (
        *(E.SENT, E.APPROVED_OFFLINE, E.LEASED, E.DECLINED, E.GIVE_UP),
        E.WRITE_OFF,
    ),
}
"""How each state is come to."""
_BY: Final = {
    E.LEASED: "processor",
    E.ACKED: "processor",
    E.DECLINED: "processor",
    E.CAPTURED: "processor",
    E.SETTLED: "processor",
    E.REVERSED: "processor",
    E.REFUNDED: "processor",
    E.DEADLINE: "hub",
    E.OUT_OF_REACH: "hub",
    E.PAID_OTHERWISE: "web:manager",
    E.WRITE_OFF: "web:manager",
}
_DETAIL: Final = {
    E.APPROVED_OFFLINE: "no answer from the processor",
    E.IN_DOUBT: "the terminal didn't answer within 90 s",
    E.DECLINED: "insufficient-funds",
    E.OUT_OF_REACH: "the terminal couldn't be asked for 15 minutes",
}


def payment_id(number: int) -> str:
    """Of the payment with that number here."""
    return f"0199f3a2-7e90-7b1d-8a4f-{number:012x}"


def add_payment(
    tx: Tx,
    number: int,
    state: PaymentState,
    *,
    amount_minor: int = 2499,
    sale_id: str = "",
    custody: str = "hub",
    driven_by: str = "hub",
    terminal_id: str = "terminal-1",
    device_id: str = "till-1",
    offline_allowed: bool = True,
    age_ms: int = 0,
    **facts: Any,
) -> PaymentRow:
    """One in that state, begun ``age_ms`` ago, with all its steps; ``facts`` are columns."""
    row = paymentrows.add(
        tx,
        NewPayment(
            payment_id=payment_id(number),
            hash=b"test",
            sale_id=sale_id or payment_id(900_000 + number),
            basket_id="",
            device_id=device_id,
            staff_id=None,
            terminal_id=terminal_id,
            driven_by=driven_by,
            custody=custody,
            amount_minor=amount_minor,
            currency="EUR",
            offline_allowed=offline_allowed,
        ),
    )
    for event in WAYS[state]:
        after = advance(PaymentState(row.state), event)
        row = _step(tx, row, event, after)
    row = paymentrows.change(tx, row, **facts) if facts else row
    return _aged(tx, row, age_ms)


def _step(tx: Tx, row: PaymentRow, event: E, after: PaymentState) -> PaymentRow:
    by = _BY.get(event, row.terminal_id)
    paymentrows.add_step(tx, row, event, after, by, _DETAIL.get(event, ""))
    known: dict[str, Any] = {"state": str(after)}
    if event is E.APPROVED_OFFLINE:
        known |= {
            "offline_seq": paymentrows.next_offline_seq(tx, row.terminal_id),
            "stored_at_ms": tx.now_ms,
            "stored_budget_ms": tx.budget_ms,
        }
    if event in (E.APPROVED, E.APPROVED_OFFLINE):
        known |= {"last4": "4242", "scheme": "visa", "approval_code": "812733"}
    if event is E.LEASED:
        known |= {"sent_at_ms": tx.now_ms, "sent_budget_ms": tx.budget_ms, "forwards": 1}
    if event is E.DECLINED:
        known |= {"decline_code": "insufficient-funds", "declines": row.declines + 1}
    if event in (E.APPROVED, E.ACKED, E.DECLINED):
        known["psp_ref"] = f"pi_{row.id:08d}"
    return paymentrows.change(tx, row, **known)


def _aged(tx: Tx, row: PaymentRow, age_ms: int) -> PaymentRow:
    """The steps lie seconds apart, the first one ``age_ms`` ago."""
    tx.run(
        "UPDATE payments SET begun_at_ms = begun_at_ms - ?1,"
        " begun_budget_ms = begun_budget_ms - ?1,"
        " stored_at_ms = stored_at_ms - ?1, stored_budget_ms = stored_budget_ms - ?1,"
        " sent_at_ms = sent_at_ms - ?1, sent_budget_ms = sent_budget_ms - ?1,"
        " changed_at_ms = changed_at_ms - ?1 WHERE id = ?2",
        age_ms,
        row.id,
    )
    tx.run(
        "UPDATE payment_steps SET at_ms = at_ms - ? + n * 4000 WHERE payment = ?", age_ms, row.id
    )
    aged = paymentrows.numbered(tx, row.id)
    assert aged is not None
    return aged
