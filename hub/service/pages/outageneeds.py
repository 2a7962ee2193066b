"""What an outage left for people to do that isn't about goods, and what became of its payments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hub.contract.pages.history import OutageNeed, OutagePayments
from hub.domain.payments.states import EXPOSED, PaymentState
from hub.service.gate import ReadUnit
from hub.service.pages import paymentmeter
from hub.service.pages import payments as page
from hub.storage.pages import payments as rows_of

S = PaymentState
_CAME: Final = frozenset({S.AUTHORISED, S.CAPTURED, S.SETTLED})
_FAILED: Final = frozenset({S.DECLINED, S.EXPIRED, S.RECOVERY, S.RECOVERED, S.WRITTEN_OFF})


def carded(unit: ReadUnit, from_ms: int, to_ms: int) -> OutagePayments | None:
    """What became of the payments that were accepted offline then; None: there were none."""
    sums = rows_of.stored_between(unit.rows, from_ms, to_ms)
    if not sums:
        return None
    known = {PaymentState(state): one for state, one in sums.items()}

    def of(states: frozenset[PaymentState]) -> tuple[int, int]:
        found = [one for state, one in known.items() if state in states]
        return sum(one.payments for one in found), sum(one.minor for one in found)

    every, came = of(frozenset(S)), of(_CAME)
    failed, waits = of(_FAILED), of(EXPOSED - {S.DECLINED})
    return OutagePayments(
        currency=unit.shop.currency,
        stored=every[0],
        stored_minor=every[1],
        forwarded=came[0],
        forwarded_minor=came[1],
        declined=failed[0],
        declined_minor=failed[1],
        waiting=waits[0],
        waiting_minor=waits[1],
        given_back=every[0] - came[0] - failed[0] - waits[0],
    )


def asked(unit: ReadUnit) -> tuple[int, ...]:
    """When the payments were begun that need a person now (UTC ms)."""
    at = paymentmeter.moment(unit.rows, unit.shop, unit.now_ms, unit.budget_ms)
    return tuple(head.row.begun_at_ms for head, _ in page.people(at))


def payments(begun_at_ms: Sequence[int], from_ms: int, until_ms: int) -> OutageNeed | None:
    """Payments of the time that need a person now."""
    count = sum(from_ms <= at_ms < until_ms for at_ms in begun_at_ms)
    if not count:
        return None
    return OutageNeed(
        key="payments",
        title="Card payments to decide about",
        text=f"{many(count, 'card payment')} of this time {'needs' if count == 1 else 'need'}"
        " somebody: declined, not known, or without a sale.",
        next_step="Open Payments: each says what is wrong and what to do.",
        link="#/payments",
        count=count,
    )


def clock(doubt: str) -> OutageNeed | None:
    """The wall clock isn't trusted."""
    if not doubt:
        return None
    return OutageNeed(
        key="clock",
        title="The clock is in doubt",
        text=f"The box's clock may be wrong ({doubt}).",
        next_step="Compare it with another clock, and confirm it on the overview if it is right.",
        link="#/overview",
        count=1,
    )


def fence(put_up: str) -> OutageNeed | None:
    """The hub may not write for the shop, or not yet."""
    if not put_up:
        return None
    what = (
        "Another box has taken this hub's place."
        if put_up == "superseded"
        else "This hub was put back from a copy, and the cloud hasn't taken it in yet."
    )
    return OutageNeed(
        key="fence",
        title="This box is not the shop's hub" if put_up == "superseded" else "Put back",
        text=what,
        next_step="Call central IT.",
        link="#/overview",
        count=1,
    )


def many(count: int, noun: str) -> str:
    """``1 event``, ``2 events``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
