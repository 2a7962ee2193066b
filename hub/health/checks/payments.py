"""Whether card payments get where they belong, how much is at risk, and what needs a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hub.contract.local import PaymentsStatus
from hub.health.check import Check, Finding, fine
from hub.health.facts import HOUR_MS, MINUTE_MS, Facts
from hub.health.words import many

WAITS_MS: Final = 15 * MINUTE_MS
"""A processor that can be reached has presented it by then."""
SOON_MS: Final = 4 * HOUR_MS
"""Somebody has to do something now, or it expires."""

_WAYS: Final[Mapping[str, str]] = {
    "waiting": ": there is no connection",
    "resting": ": it doesn't answer",
    "held": ": the cloud is cut off on purpose",
}
_NEEDS: Final[Mapping[str, tuple[str, str]]] = {
    "twice": ("{n} may have been charged twice", "give one back"),
    "paid-twice": ("{n} {was} paid by a link, too", "see to the link's money"),
    "given-twice": ("{n} went back to the customer twice", "see to one of them"),
    "manual": ("nobody knows whether {n} {was} made", "decide"),
    "lost": ("{n} {was} kept by a terminal that is gone", "decide"),
    "no-answer": ("the processor never said what became of {n}", "decide"),
    "give-back": ("{n} {has} to be given back by hand", "give back"),
    "no-sale": ("{n} {was} approved without a sale", "finish or give up"),
    "nobody-presents": ("nobody presents {n}", "set up a processor"),
    "surcharge": ("{n} had a surcharge that isn't allowed", "see to the terminal"),
    "receivable": ("{n} {was} declined or came too late", "collect"),
}
"""By what is wrong, the gravest first."""


def look(facts: Facts) -> Finding:
    """Critical when money is about to be lost; a warning when somebody has to decide, or nothing
    more is accepted offline; a notice when the caps or the deadline come near."""
    now = facts.status.payments
    for found in _FINDERS:
        if (finding := found(facts, now)) is not None:
            return finding
    if now.exposed:
        return fine("Card payments are on their way, within the caps.", **_detail(now))
    return fine("Every card payment is where it belongs.")


def _unreadable(_facts: Facts, now: PaymentsStatus) -> Finding | None:
    if not now.problem or now.keyless or not now.vault:
        return None  # the check of the keys says it
    return Finding(
        "critical",
        f"A stored card payment can't be presented: {now.problem}.",
        "Selling goes on. It expires a day after it was made; then the shop is owed the money.",
        "Put the key for payments back from the escrow, and start the hub again.",
        detail=_detail(now),
    )


def _expiring(facts: Facts, now: PaymentsStatus) -> Finding | None:
    left_ms = now.next_expiry_in_ms
    if left_ms is None or left_ms >= SOON_MS:
        return None
    return Finding(
        "critical",
        f"A stored card payment expires in {_hours(left_ms)}.",
        "What expires isn't charged any more: the shop is owed the money.",
        _reach(facts),
        detail=_detail(now),
    )


def _people(_facts: Facts, now: PaymentsStatus) -> Finding | None:
    known = [(key, now.needs[key]) for key in _NEEDS if now.needs.get(key)]
    if not known:
        return None
    parts = [_part(_NEEDS[key][0], count) for key, count in known]
    text = "; ".join(parts)
    return Finding(
        "warning",
        f"{text[0].upper()}{text[1:]}.",
        "Selling goes on; the shop may lack this money, or a customer may have paid for nothing.",
        "Open Payments: each says what is wrong and what to do, "
        + ", ".join(_NEEDS[key][1] for key, _ in known)
        + ".",
        since_ms=now.since_ms,
        detail=_detail(now) | {key: str(count) for key, count in known},
    )


def _barred(facts: Facts, now: PaymentsStatus) -> Finding | None:
    cut_off = facts.status.cloud.state in {"down", "connecting"}
    if now.meter == "full" and now.exposed:
        return Finding(
            "warning",
            f"No more cards are accepted offline: {_full(now)}.",
            "Cards that the processor can be asked about still work; others need another tender.",
            _reach(facts),
            detail=_detail(now),
        )
    if "clock-suspect" in now.bars and (cut_off or now.exposed):
        return Finding(
            "notice",
            "No cards are accepted offline while the clock is in doubt.",
            "Cards that the processor can be asked about still work.",
            "Compare the box's clock with your watch and confirm it on the overview.",
            detail=_detail(now),
        )
    return None


def _waiting(facts: Facts, now: PaymentsStatus) -> Finding | None:
    since_ms = now.waiting_since_ms
    if not now.waiting or since_ms is None or facts.now_ms - since_ms < WAITS_MS:
        return None
    return Finding(
        "warning" if now.oldest_age_ms >= now.warn_age_ms > 0 else "notice",
        f"{many(now.waiting, 'card payment')} can't be brought to the processor"
        f"{_WAYS.get(now.way, '')}.",
        "Selling goes on. The hub keeps them and tries again by itself.",
        _reach(facts),
        since_ms=since_ms,
        detail=_detail(now),
    )


def _near(facts: Facts, now: PaymentsStatus) -> Finding | None:
    if now.meter != "near":
        return None
    old = now.oldest_age_ms >= now.warn_age_ms > 0
    what = (
        f"The oldest card payment at risk has waited for {_hours(now.oldest_age_ms)}."
        if old
        else f"{_percent(now)} % of what the shop may risk on cards is used."
    )
    return Finding(
        "warning" if old else "notice",
        what,
        "Cards are still accepted offline; soon they won't be.",
        _reach(facts),
        detail=_detail(now),
    )


_FINDERS: Final[tuple[Callable[[Facts, PaymentsStatus], Finding | None], ...]] = (
    *(_unreadable, _expiring, _people, _barred, _waiting, _near),
)


def _reach(facts: Facts) -> str:
    if facts.status.cloud.state in {"down", "connecting"}:
        return "Bring the connection back: see the way to the cloud on the overview."
    if facts.status.payments.processor:
        return "See under Payments what the processor says, and whether its key is still valid."
    return "Look whether the card terminals are on and connected: they forward by themselves."


def _full(now: PaymentsStatus) -> str:
    if "too-old" in now.bars:
        return f"the oldest has waited for {_hours(now.oldest_age_ms)}"
    return f"{_percent(now)} % of what the shop may risk is used"


def _part(text: str, count: int) -> str:
    one = count == 1
    return text.format(
        n=many(count, "card payment"), was="was" if one else "were", has="has" if one else "have"
    )


def _hours(ms: int) -> str:
    if ms < 2 * HOUR_MS:
        return many(ms // MINUTE_MS, "minute")
    return many(ms // HOUR_MS, "hour")


def _percent(now: PaymentsStatus) -> int:
    return now.exposure_minor * 100 // now.cap_minor if now.cap_minor else 100


def _detail(now: PaymentsStatus) -> dict[str, str]:
    return {
        "at risk": str(now.exposed),
        "share of the cap": f"{_percent(now)} %" if now.cap_minor else "0 %",
        "waiting": str(now.waiting),
    }


CHECK = Check(
    "payments",
    "Card payments",
    "How much is at risk on cards, whether payments reach the processor, and whether somebody has"
    " to decide about one.",
    6,
    look,
)
