"""Payments with gift cards and store credit: begun, asked of their issuer, or taken from what it
has set aside here.

They are payments as any other in the same book.  A hold is asked for once; whatever it came to, the
payment's id finds it from then on, so that the card's number is needed no longer.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Final

from hub.contract.payments import StartPayment, ValueTender
from hub.contract.problems import Code, refuse
from hub.domain import cards
from hub.domain.errors import CardDataRefused
from hub.domain.payments.states import PaymentEvent, PaymentState
from hub.domain.payments.work import LOOK_UP_MAX_MS, LOOK_UPS_MIN, Hand, Work, WorkKind
from hub.service.payments import allotments, book, outcomes, refunds
from hub.service.payments.commands import Leased, LeaseWork, ProcessorSaid
from hub.service.unit import Unit
from hub.storage import paymentrows, secretrows, valuerows
from hub.storage.paymentrows import PaymentRow

S, E = PaymentState, PaymentEvent

ISSUER: Final = "issuer"
"""Who says so; in a payment also in place of a terminal."""
INTENT_MS: Final = 60_000
"""So long a customer waits for the issuer to be asked at all."""
ASK_AGAIN_MS: Final = 5_000
REFUSED_MAX: Final = 10
REFUSED_MS: Final = 3_600_000
"""So many cards in an hour may be refused at a till: beyond, somebody tries out numbers."""
NOT_KNOWN: Final = 2
"""The ``attempt`` of a payment that the issuer has once said it knows nothing of: its request may
still have been on the way."""
NOT_A_GIFT_CARD: Final = (
    "The field value.token holds what looks like a payment card's number: take that card with its"
    " terminal."
)
HERE: Final = "from what is set aside for this shop"
_SPENDABLE: Final = frozenset({"insufficient-value", "unknown-card"})
"""Refused for what is set aside here, perhaps, or for what the issuer hasn't heard of yet."""


# Beginning ----------------------------------------------------------------------------------------


def check(unit: Unit, command: StartPayment, asked: ValueTender) -> bool:
    """Whether the issuer is to be asked; else what is set aside here is enough.

    Errors: ``card-data-refused``; ``conflict`` for whoever tries out numbers, and offline beyond
    what is set aside (repeating it wouldn't help, so it isn't ``unavailable``).
    """
    token = asked.token.get_secret_value()
    if cards.find_in_token(token) is not None:
        raise CardDataRefused(NOT_A_GIFT_CARD)
    if not refunds.has_issuer(unit) or unit.shop.payments.vault is None:
        raise refuse(
            Code.CONFLICT,
            "This hub has no cloud that keeps gift cards (or can't keep secrets): take another"
            " tender.",
        )
    _check_tries(unit)
    if unit.shop.payments.issuer_ready():
        return True
    left_minor = 0
    if _may_be_offline(unit, command):
        token_ref = allotments.fingerprint(unit, token)
        left_minor = allotments.left_minor(unit, token_ref, asked.kind)
    if left_minor < command.amount_minor:
        if not left_minor and _may_be_offline(unit, command):
            missed = unit.shop.payments.misses.setdefault(unit.caller.id, deque(maxlen=REFUSED_MAX))
            missed.append(unit.tx.budget_ms)
        raise refuse(
            Code.CONFLICT,
            "The cloud can't be asked about this card just now, and"
            + (f" only {left_minor} of it is" if left_minor else " nothing of it is")
            + " set aside for this shop: take another tender for the rest, or wait for the line.",
            left_minor=left_minor,
        )
    return False


def _check_tries(unit: Unit) -> None:
    """Whoever tries out numbers is stopped: with the issuer, several at once, and without a line
    (those are counted in memory: a refusal writes nothing)."""
    since_ms = unit.now_ms - REFUSED_MS
    tries = valuerows.tries_lately(unit.tx, unit.caller.id, since_ms)
    missed = unit.shop.payments.misses.get(unit.caller.id, ())
    tries += sum(at_ms > unit.tx.budget_ms - REFUSED_MS for at_ms in missed)
    if tries >= REFUSED_MAX:
        raise refuse(
            Code.CONFLICT,
            f"{REFUSED_MAX} cards were refused at this till within an hour: take another tender,"
            " and have a manager look at it.",
        )


def _may_be_offline(unit: Unit, command: StartPayment) -> bool:
    """Whether it may be taken from an allotment, by the till's word and the settings."""
    return command.offline == "accept" and unit.shop.payments.offline


def begin(unit: Unit, row: PaymentRow, command: StartPayment, *, ask: bool) -> PaymentRow:
    """The payment is written: it waits for the issuer, or takes what is set aside.  ``ask``: what
    :func:`check` has said, in the same transaction (a line comes and goes at any moment)."""
    asked = command.value
    assert asked is not None
    vault = unit.shop.payments.vault
    assert vault is not None
    token = asked.token.get_secret_value()
    row = paymentrows.change(
        unit.tx,
        row,
        token_ref=allotments.fingerprint(unit, token),
        last4=token[-4:] if token[-4:].isdecimal() else "",
        offline_allowed=int(_may_be_offline(unit, command)),
        due_budget_ms=unit.tx.budget_ms + INTENT_MS,
    )
    if not ask:
        row = book.move(unit, row, E.SENT, unit.caller.key)
        spent = _spent_here(unit, row)
        assert spent is not None, "it was looked at before, in this transaction"
        return spent
    secret = {"token": token, "kind": asked.kind}
    if asked.pin is not None:
        secret["pin"] = asked.pin.get_secret_value()
    sealed = vault.seal(row.payment_id, json.dumps(secret).encode())
    secretrows.put(unit.tx, row.id, sealed)
    return row


def _spent_here(unit: Unit, row: PaymentRow) -> PaymentRow | None:
    """The payment taken from the card's allotment; None where that doesn't reach."""
    if row.void_asked or not row.offline_allowed:
        return None
    account = allotments.take(unit, row)
    if account is None:
        return None
    facts: dict[str, Any] = {"account": account.account, "account_epoch": account.epoch}
    facts |= {"last4": row.last4 or account.last4, "forwards": 0, "sent_at_ms": None}
    facts |= outcomes.done(unit, row)
    return book.move(unit, row, E.APPROVED, ISSUER, HERE, **facts)


def is_of_card(unit: Unit, row: PaymentRow, asked: ValueTender | None) -> bool:
    """Whether a payment that is known was begun with this very card, as far as that is known: a
    request's hash leaves out what is secret."""
    if asked is None or not row.token_ref or unit.shop.payments.vault is None:
        return True
    return row.token_ref == allotments.fingerprint(unit, asked.token.get_secret_value())


# Handing out --------------------------------------------------------------------------------------


def lease_one(unit: Unit, row: PaymentRow, work: Work, command: LeaseWork) -> Leased | None:
    """One thing for the issuer to do.  What is asked for isn't asked for again."""
    assert work.hand is Hand.ISSUER
    token = secretrows.get(unit.tx, row.id) if work.kind is WorkKind.CHARGE else None
    if work.kind is WorkKind.CHARGE and token is None:  # of a copy
        book.move(unit, row, E.CANCELLED, ISSUER, "its card isn't known any more")
        return None
    first_sent_at_ms = row.sent_at_ms
    until_ms = unit.tx.budget_ms + command.lease_ms
    facts: dict[str, Any] = {"fence": row.fence + 1, "lease_budget_ms": until_ms}
    if work.kind in (WorkKind.CHARGE, WorkKind.CAPTURE) and row.sent_at_ms is None:
        facts |= {"sent_at_ms": unit.now_ms, "sent_budget_ms": unit.tx.budget_ms}
    if work.kind is WorkKind.CAPTURE:
        facts["forwards"] = row.forwards + 1
    if work.kind is WorkKind.CHARGE:
        facts |= {"attempt": 1, "due_budget_ms": until_ms}
        row = book.move(unit, row, E.SENT, ISSUER, **facts)
    else:
        row = paymentrows.change(unit.tx, row, **facts)
    return Leased(
        kind=work.kind,
        payment_id=row.payment_id,
        fence=row.fence,
        key=row.payment_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        terminal_id=row.terminal_id,
        psp_ref=row.psp_ref,
        terminal_ref="",
        first_sent_at_ms=first_sent_at_ms,
        token=token,
        account=row.account,
        account_epoch=row.account_epoch,
    )


# What came of it ----------------------------------------------------------------------------------


def ended(unit: Unit, row: PaymentRow, kind: WorkKind, said: ProcessorSaid) -> PaymentRow:
    """The payment after the issuer's answer."""
    if said.balance_minor is not None:
        row = paymentrows.change(unit.tx, row, balance_minor=said.balance_minor)
    if row.state in (S.AT_TERMINAL, S.UNKNOWN) and kind in (WorkKind.CHARGE, WorkKind.LOOK_UP):
        return _asked(unit, row, said)
    if kind is WorkKind.CAPTURE and said.outcome == "not-sent" and row.forwards:
        row = paymentrows.change(unit.tx, row, forwards=row.forwards - 1)
    return outcomes.ended(unit, row, kind, said)


def _asked(unit: Unit, row: PaymentRow, said: ProcessorSaid) -> PaymentRow:
    match said.outcome:
        case "approved" | "captured":
            return outcomes.approved(unit, row, said, ISSUER)
        case "declined" | "reversed" | "refunded":
            return _refused(unit, row, said)
        case "not-sent" if row.state == S.AT_TERMINAL:
            spent = _spent_here(unit, row)
            return spent if spent is not None else _never_done(unit, row, said.reason)
        case "not-found" if row.state == S.UNKNOWN:
            return _not_found(unit, row, said)
        case _ if row.state == S.AT_TERMINAL:
            facts = outcomes.done(unit, row)
            return book.move(unit, row, E.IN_DOUBT, ISSUER, said.reason, **facts)
        case _:
            return _not_told(unit, row, said)


def _refused(unit: Unit, row: PaymentRow, said: ProcessorSaid) -> PaymentRow:
    spent = _spent_here(unit, row) if said.word in _SPENDABLE else None
    if spent is not None:
        return spent
    facts = outcomes.done(unit, row) | {"decline_code": said.word or "other"}
    reason = said.reason[: book.DETAIL_MAX]
    return book.move(unit, row, E.REFUSED, ISSUER, said.reason, reason=reason, **facts)


def _never_done(unit: Unit, row: PaymentRow, why: str) -> PaymentRow:
    facts = outcomes.done(unit, row) | {"reason": why[: book.DETAIL_MAX]}
    return book.move(unit, row, E.NEVER_DONE, ISSUER, why, **facts)


def _not_found(unit: Unit, row: PaymentRow, said: ProcessorSaid) -> PaymentRow:
    if row.attempt >= NOT_KNOWN:
        return _never_done(unit, row, "the issuer was never asked")
    facts = outcomes.done(unit, row) | {"attempt": NOT_KNOWN}
    facts["due_budget_ms"] = unit.tx.budget_ms + max(ASK_AGAIN_MS, said.not_before_ms)
    return paymentrows.change(unit.tx, row, **facts)


def _not_told(unit: Unit, row: PaymentRow, said: ProcessorSaid) -> PaymentRow:
    """It is asked as long as it can be; after two days of no answer people have to say."""
    row = outcomes.later(unit, row, said)
    row = paymentrows.change(unit.tx, row, attempt=1)
    since_ms = row.doubt_budget_ms or unit.tx.budget_ms
    if (
        not said.reached
        or row.lookups < LOOK_UPS_MIN
        or unit.tx.budget_ms - since_ms < LOOK_UP_MAX_MS
    ):
        return row
    why = "the issuer could not tell for two days"
    return book.move(unit, row, E.OUT_OF_REACH, ISSUER, why, reason=why)
