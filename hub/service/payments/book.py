"""The book of card payments: the one place that changes a payment's state.

Each step is written down, told to the cloud once under an id of its own, and told in the shop.
"""

from __future__ import annotations

from typing import Any, Final

from hub.contract.oms_payment_events import PAYMENT_FACTS, PaymentMoved
from hub.contract.problems import Code, Refusal, problem, refuse
from hub.domain.payments.states import (
    CONTACT_ALONE,
    EXPOSED,
    STORED_AWAY,
    TRANSITIONS,
    PaymentEvent,
    PaymentState,
    advance,
    can,
)
from hub.domain.payments.tokens import SealedToken
from hub.service.notices import PaymentChanged
from hub.service.payments import allotments, owing, retold, surcharges
from hub.service.unit import Unit
from hub.storage import hubrow, paymentrows, salerows, secretrows
from hub.storage.paymentrows import NewPayment, PaymentRow

S, E = PaymentState, PaymentEvent

DETAIL_MAX: Final = 200
ALL_BACK: Final = "all of it came back"
PAID_OUT: Final = "paid out"
"""By a line of a settlement report, whose reference follows."""
WAIT_MS: Final = 2000
REPORT_MS: Final = 10 * 60_000
"""So long a till may take to tell what its terminal said, and a terminal to be there."""

_TOLD: Final[dict[PaymentState, str]] = {
    S.FORWARDED: "forwarded",
    S.AUTHORISED: "authorised",
    S.CAPTURED: "captured",
    S.SETTLED: "settled",
    S.DECLINED: "declined",
    S.VOIDED: "voided",
    S.REVERSED: "reversed",
    S.REFUNDED: "refunded",
    S.UNKNOWN: "unknown",
    S.FORWARD_UNKNOWN: "unknown",
    S.RECOVERED: "recovered",
    S.WRITTEN_OFF: "written_off",
    S.EXPIRED: "expired",
    S.LOST: "lost",
}
"""What the cloud is told when a payment comes to be so."""
_CARD_FACTS: Final = (
    "psp_ref",
    "terminal_ref",
    "approval_code",
    "last4",
    "scheme",
    "decline_code",
)
_ENDED: Final = frozenset({S.REFUSED, S.ABANDONED})
_CLOSED: Final = frozenset({S.RECOVERED, S.WRITTEN_OFF})
_DOUBTED: Final = frozenset({S.UNKNOWN, S.MANUAL, S.LOST})


def known(unit: Unit, payment_id: str) -> PaymentRow:
    """A payment that was begun.  Errors: ``not-found``; ``busy`` in a hub that was put back, until
    it has heard of the cloud what it had told."""
    row = paymentrows.get(unit.tx, payment_id)
    if row is None:
        check_recovered(unit, payment_id)
        raise refuse(Code.NOT_FOUND, "The hub knows no such payment: start it first.")
    return row


def check_recovered(unit: Unit, subject: str) -> None:
    """Errors: ``busy`` while what isn't known here may come from the cloud yet."""
    if hubrow.source_and_fence(unit.tx)[1] != "restored":
        return
    raise Refusal(
        problem(
            Code.BUSY,
            "This hub was put back from a copy, and the cloud has yet to tell what the copy lacks."
            " Go on with other requests and repeat this one then.",
            retry_after_ms=WAIT_MS,
            context={"waits_for": subject},
        )
    )


def begin(unit: Unit, new: NewPayment, by: str, detail: str = "") -> PaymentRow:
    """Write a payment down before anybody is asked for it."""
    row = paymentrows.add(unit.tx, new, unit.tx.budget_ms + REPORT_MS)
    paymentrows.add_step(unit.tx, row._replace(state=""), "begun", S.INTENT, by, detail)
    changed(unit, row)
    return row


def move(
    unit: Unit,
    row: PaymentRow,
    event: PaymentEvent,
    by: str,
    detail: str = "",
    *,
    token: SealedToken | None = None,
    **facts: Any,
) -> PaymentRow:
    """Take a payment one step on; the row as it is then.

    ``by``: who says so.  ``facts``: columns to write along.  ``token``: what the hub keeps of it
    from now on.  Errors: ``conflict`` when the state table has no such step.
    """
    after = advance(PaymentState(row.state), event)
    detail = detail[:DETAIL_MAX]
    if after is S.STORED and row.stored_at_ms is None:
        facts["offline_seq"] = paymentrows.next_offline_seq(unit.tx, row.terminal_id)
        told_late = row.state != S.AT_TERMINAL  # its day has begun when the card was taken
        facts["stored_at_ms"] = row.begun_at_ms if told_late else unit.tx.now_ms
        facts["stored_budget_ms"] = row.begun_budget_ms if told_late else unit.tx.budget_ms
        facts.setdefault("mirrored", int(token is None or not unit.shop.payments.mirror))
    if after in CONTACT_ALONE and row.state in STORED_AWAY:
        facts.setdefault("mirrored", 0)  # a copy that is anywhere has more than its contact
    if after is S.AT_TERMINAL:
        facts.setdefault("due_budget_ms", unit.tx.budget_ms + REPORT_MS)
    if after is S.UNKNOWN:
        facts.setdefault("doubt_budget_ms", unit.tx.budget_ms)
    step = paymentrows.add_step(unit.tx, row, event, after, by, detail)
    before, row = row, paymentrows.change(unit.tx, row, **(facts | {"state": str(after)}))
    if token is not None:
        secretrows.put(unit.tx, row.id, token)
    elif _needs_token(before) and not _needs_token(row):
        secretrows.shred(unit.tx, row.id)
    owing.settle(unit, row)
    if after is S.REVERSED:
        allotments.let_go(unit, row)
    fact = _fact_of(PaymentState(before.state), event, after)
    if fact is not None:
        _tell_cloud(unit, row, fact, step, detail)
    changed(unit, row)
    return forgive(unit, row, by)


def forgive(unit: Unit, row: PaymentRow, by: str) -> PaymentRow:
    """Nobody owes what was paid for goods that have all come back."""
    if row.state != S.RECOVERY or owing.owed_minor(unit.tx, row) > 0:
        return row
    return move(unit, row, E.VOID_ASKED, by, ALL_BACK, void_asked=1, reason=ALL_BACK)


def _needs_token(row: PaymentRow) -> bool:
    """Of an issuer's only until it is asked: then its payment's id is enough."""
    return row.state in ((S.INTENT, S.AT_TERMINAL) if row.is_value else STORED_AWAY)


def withdraw(unit: Unit, row: PaymentRow, by: str, reason: str) -> PaymentRow:
    """The shop doesn't want it: what wasn't sent ends, what is stored is voided, and what may have
    been taken goes back as soon as that is known.  A repeat changes nothing."""
    state = PaymentState(row.state)
    if state is S.INTENT:
        return move(unit, row, E.CANCELLED, by, reason, reason=reason[:DETAIL_MAX])
    if state in _ENDED or state in (S.VOIDED, S.REVERSED, S.REFUNDED):
        return row
    if not row.void_asked:
        paymentrows.add_step(unit.tx, row, E.VOID_ASKED, row.state, by, reason[:DETAIL_MAX])
        row = paymentrows.change(
            unit.tx,
            row,
            void_asked=1,
            reason=reason[:DETAIL_MAX],
            due_budget_ms=_sooner(row, unit.tx.budget_ms),
        )
        owing.settle(unit, row)
        changed(unit, row)
    return void_if_stored(unit, row, by)


def void_if_stored(unit: Unit, row: PaymentRow, by: str) -> PaymentRow:
    """What is to be voided and has brought no money: over, when nobody else has it; else it is
    settled with whoever does."""
    if not row.void_asked:
        return row
    if row.state == S.AUTHORISED and row.account and not row.forwards:
        return move(unit, row, E.REVERSED, by, row.reason)  # the issuer has never heard of it
    if row.state == S.STORED and row.custody == "hub" and not row.forwards:
        return move(unit, row, E.VOID_ASKED, by, row.reason)
    if can(PaymentState(row.state), E.VOID_DEFERRED):
        return move(unit, row, E.VOID_DEFERRED, by, row.reason, due_budget_ms=unit.tx.budget_ms)
    if row.state in (S.DECLINED, S.RECOVERY):
        return move(unit, row, E.VOID_ASKED, by, row.reason)  # nobody owes it any more
    return row


def given_back(
    unit: Unit, row: PaymentRow, by: str, refunded_minor: int, detail: str
) -> PaymentRow:
    """A part of a payment was given back: ``refunded_minor`` altogether, less than all of it."""
    step = paymentrows.add_step(unit.tx, row, E.REFUNDED, row.state, by, detail[:DETAIL_MAX])
    row = paymentrows.change(unit.tx, row, refunded_minor=refunded_minor)
    _tell_cloud(unit, row, "refunded", step, detail)
    changed(unit, row)
    return row


def mirror_again(unit: Unit, row: PaymentRow) -> None:
    """What is sealed of it has changed: a copy that the second keeper has is made anew."""
    kept = row.state in CONTACT_ALONE or secretrows.get(unit.tx, row.id) is not None
    if unit.shop.payments.mirror and kept:
        changed(unit, paymentrows.change(unit.tx, row, mirrored=0))


def raised(unit: Unit, row: PaymentRow, by: str, detail: str, **facts: Any) -> PaymentRow:
    """More was taken than was known when it was told: ``facts`` as they are."""
    step = paymentrows.add_step(unit.tx, row, E.APPROVED, row.state, by, detail)
    row = paymentrows.change(unit.tx, row, **facts)
    _tell_cloud(unit, row, _TOLD[PaymentState(row.state)], step, detail)
    changed(unit, row)
    return row


def changed(unit: Unit, row: PaymentRow) -> None:
    """Have it told in the shop how a payment stands, and that something may be to be done."""
    unit.tell(
        PaymentChanged(
            row.payment_id, row.sale_id, row.device_id, row.terminal_id, row.state, row.kind
        )
    )


def retake(unit: Unit, fact: PaymentMoved) -> None:
    """Write a payment again as it was told, in a hub that was restored from an older copy.

    What may have gone on since is in doubt and looked up; what went on at once, without a word to
    the cloud, does so again.  Errors: ``ValueError`` for a state that this version doesn't know.
    """
    state = _gone_on(PaymentState(fact.state), fact.custody, fact.kind)
    row = paymentrows.get(unit.tx, fact.payment_id) or _told_again(unit, fact)
    before = PaymentState(row.state)
    paymentrows.put_step(unit.tx, row, fact.step, str(state), "recovery", fact.reason[:DETAIL_MAX])
    facts: dict[str, Any] = {
        name: value
        for name in (*_CARD_FACTS, "account", "account_epoch")
        if (value := getattr(fact, name))
    }
    if fact.offline_seq is not None and row.offline_seq is None:
        taken = paymentrows.raise_offline_seq(unit.tx, row.terminal_id, fact.offline_seq)
        facts["offline_seq"] = fact.offline_seq if taken else None
        facts["stored_at_ms"] = fact.occurred_at_ms
        facts["stored_budget_ms"] = unit.tx.budget_ms
    facts |= _added(unit, row, fact)
    if state is S.AUTHORISED and not can(before, E.APPROVED) and can(before, E.LATE_APPROVAL):
        facts["void_asked"] = 1
    if state is S.STORED:  # by its terminal: there is no token that could be kept twice
        facts["mirrored"] = 1
    elif state in CONTACT_ALONE:
        facts["mirrored"] = 0
    if fact.account:  # the issuer may have heard of it since
        facts["forwards"] = max(1, row.forwards)
    if salerows.sale_of_payment(unit.tx, row.payment_id) == row.sale_id:
        facts["in_sale"] = 1
    row = paymentrows.change(
        unit.tx,
        row,
        state=str(state),
        custody=fact.custody,
        refunded_minor=max(row.refunded_minor, fact.refunded_minor),
        due_budget_ms=unit.tx.budget_ms,
        doubt_budget_ms=unit.tx.budget_ms,
        **facts,
    )
    if state not in STORED_AWAY:
        secretrows.shred(unit.tx, row.id)
    owing.taken_back(unit, row, fact.reason)
    retold.end_named(unit, row, fact.reason)
    owing.settle(unit, row)
    changed(unit, row)
    forgive(unit, row, "recovery")


def _gone_on(told: PaymentState, custody: str, kind: str) -> PaymentState:
    """Where a payment of which that was the last that was told may be by now.  What an issuer has
    declined isn't presented again."""
    match told:
        case S.STORED | S.DECLINED if custody == "hub" and kind == "card":
            return S.FORWARD_UNKNOWN
        case S.DECLINED | S.EXPIRED:
            return S.RECOVERY
        case _:
            return told


def _added(unit: Unit, row: PaymentRow, fact: PaymentMoved) -> dict[str, Any]:
    """Tip and surcharge that the book doesn't have (yet)."""
    if fact.tip_minor <= row.tip_minor and fact.surcharge_minor <= row.surcharge_minor:
        return {}
    tip_minor = max(fact.tip_minor, row.tip_minor)
    surcharge_minor = max(fact.surcharge_minor, row.surcharge_minor)
    asked_minor = fact.amount_minor + tip_minor
    return {
        "amount_minor": asked_minor + surcharge_minor,
        "tip_minor": tip_minor,
        "surcharge_minor": surcharge_minor,
        "surcharge_unasked": int(surcharges.is_unasked(unit, surcharge_minor, asked_minor)),
    }


def _told_again(unit: Unit, fact: PaymentMoved) -> PaymentRow:
    new = NewPayment(
        payment_id=fact.payment_id,
        hash=b"",
        sale_id=fact.sale_id,
        basket_id="",
        device_id=fact.device_id,
        staff_id=None,
        terminal_id=fact.terminal_id,
        driven_by=fact.driven_by,
        custody=fact.custody,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        offline_allowed=fact.offline_seq is not None,
        kind=fact.kind,
    )
    return paymentrows.add(unit.tx, new)


def is_told(unit: Unit, fact: PaymentMoved) -> bool:
    """Whether a fact about a payment is in the book, or what the book has goes beyond it."""
    row = paymentrows.get(unit.tx, fact.payment_id)
    if row is None:
        return False
    more = fact.surcharge_minor > row.surcharge_minor or fact.tip_minor > row.tip_minor
    more = more or fact.refunded_minor > row.refunded_minor
    if row.state == fact.state or _has_step(unit, row, fact):
        return not more
    state = PaymentState(row.state)
    if fact.state in _CLOSED:
        return state not in EXPOSED | {S.RECOVERY, S.EXPIRED}
    near = {after for (before, _), after in TRANSITIONS.items() if before is state}
    far = {after for (before, _), after in TRANSITIONS.items() if before in near}
    return fact.state not in near | far


def _has_step(unit: Unit, row: PaymentRow, fact: PaymentMoved) -> bool:
    """Whether the book has this very step, wherever the payment has come since."""
    gone_on = _gone_on(PaymentState(fact.state), fact.custody, fact.kind)
    steps = paymentrows.steps(unit.tx, row.id)
    return any(one.n == fact.step and one.after in (fact.state, gone_on) for one in steps)


def _sooner(row: PaymentRow, budget_ms: int) -> int:
    """A terminal that is being asked has its time; whatever else is due now."""
    return row.due_budget_ms if row.state == S.AT_TERMINAL else budget_ms


def _fact_of(before: PaymentState, event: PaymentEvent, after: PaymentState) -> str | None:
    """What the cloud hears of a step.  That nothing was taken it hears where it knows of the
    payment."""
    if after is S.STORED:
        return "stored" if event is E.APPROVED_OFFLINE else None
    if after in _ENDED:
        return "voided" if before in _DOUBTED else None
    return _TOLD.get(after)


def _tell_cloud(unit: Unit, row: PaymentRow, fact: str, step: int, detail: str) -> None:
    data = {
        "payment_id": row.payment_id,
        "sale_id": row.sale_id,
        "device_id": row.device_id,
        "terminal_id": row.terminal_id,
        "driven_by": row.driven_by,
        "amount_minor": row.sale_minor,
        "tip_minor": row.tip_minor,
        "surcharge_minor": row.surcharge_minor,
        "currency": row.currency,
        "custody": row.custody,
        "state": row.state,
        "step": step,
        "occurred_at_ms": unit.now_ms,
        "offline_seq": row.offline_seq,
        "psp_ref": row.psp_ref,
        "terminal_ref": row.terminal_ref,
        "approval_code": row.approval_code,
        "last4": row.last4 or None,
        "scheme": row.scheme,
        "decline_code": row.decline_code,
        "refunded_minor": row.refunded_minor,
        "kind": row.kind,
        "account": row.account,
        "account_epoch": row.account_epoch,
        "reason": detail or row.reason,
    }
    try:
        unit.emit_aside(
            "payments", PAYMENT_FACTS[fact], row.payment_id, data, row.payment_id, str(step)
        )
    except Refusal as refusal:
        if refusal.problem.code is not Code.SUPERSEDED:
            raise
        # What a terminal says while another box has the shop is written down all the same.
        unit.note("payment.untold", row.payment_id, {"fact": fact, "state": row.state})
