"""What the hub does next about a payment, and who can do it.

A payment in the hub's custody is presented to the processor once its sale is written, or taken back
if it is given up.  What a terminal keeps itself is asked after.  Nothing is presented a second time
before a look-up says that the first time came to nothing: processors may forget idempotency keys
after 24 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.domain.payments.exposure import HOUR_MS
from hub.domain.payments.states import PaymentState as S

SAME_KEY_MS: Final = 20 * HOUR_MS
"""So long after the first try a charge may be repeated under its key, when the look-up found
nothing."""
LOOK_UP_MAX_MS: Final = 48 * HOUR_MS
"""A charge that was first tried so long ago is looked up no more when the processor can't tell: a
person is asked."""
LOOK_UPS_MIN: Final = 10
"""So often at least it has to be asked before: a line that was away for days is no answer."""
UNKNOWN_MAX_MS: Final = 15 * 60_000
"""So long a terminal is asked about a payment in doubt; then a person is."""
NOT_FOUND_TIMES: Final = 2
"""So often in a row a terminal has to know nothing of a payment until that counts."""


class WorkKind(StrEnum):
    """``charge`` presents a stored payment; ``look_up`` asks what became of one; ``capture`` takes
    what was authorised; ``reverse`` lets it go; ``refund`` gives captured money back; ``ask`` is a
    status query at the terminal; ``link`` has the customer asked for what is owed, and ``unlink``
    calls that back."""

    CHARGE = "charge"
    LOOK_UP = "look_up"
    CAPTURE = "capture"
    REVERSE = "reverse"
    REFUND = "refund"
    ASK = "ask"
    LINK = "link"
    UNLINK = "unlink"


class Hand(StrEnum):
    """Who can do it: the processor's connection, the terminal that the hub drives, the OMS that
    sends payment links, or whoever keeps the value of gift cards and store credit."""

    PROCESSOR = "processor"
    TERMINAL = "terminal"
    LINKS = "links"
    ISSUER = "issuer"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the decision looks at.  ``sent_age_ms``: since it was first presented."""

    state: S
    custody: str
    driven_by: str
    in_sale: bool
    void_asked: bool
    forwards: int = 0
    sent_age_ms: int = 0
    is_value: bool = False
    """Of an issuer, not of a card's bank."""


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to do."""

    kind: WorkKind
    hand: Hand


def next_work(at: Standing, *, processor: bool) -> Work | None:
    """What is to be done about a payment as it stands; None: nothing, or only people can.

    ``processor``: whether the hub has a connection to one that knows this shop's payments.
    """
    if at.is_value:
        kind = _of_issuer(at)
        return Work(kind, Hand.ISSUER) if kind is not None else None
    match at.state:
        case S.UNKNOWN:
            return _at_terminal(at, WorkKind.ASK)
        case S.STORED | S.VOID_PENDING | S.RETRY_WAIT if at.custody == "terminal":
            kind = WorkKind.REVERSE if at.void_asked else WorkKind.ASK
            return _at_terminal(at, kind)
        case S.STORED | S.RETRY_WAIT:
            ready = processor and at.in_sale and not at.void_asked
            return Work(WorkKind.CHARGE, Hand.PROCESSOR) if ready else None
        case S.VOID_PENDING | S.FORWARD_UNKNOWN | S.FORWARDED:
            return Work(WorkKind.LOOK_UP, Hand.PROCESSOR) if processor else None
        case S.AUTHORISED | S.CAPTURED | S.SETTLED:
            return _money(at, processor=processor)
        case _:
            return None


def may_repeat(at: Standing) -> bool:
    """Whether a charge in doubt that the processor doesn't know may be presented again under its
    key."""
    return at.sent_age_ms < SAME_KEY_MS


def _of_issuer(at: Standing) -> WorkKind | None:
    """There is one to ask for everything; a hold is asked for once and looked up ever after."""
    match at.state:
        case S.INTENT:
            return WorkKind.CHARGE
        case S.UNKNOWN:
            return WorkKind.LOOK_UP
        case S.AUTHORISED if at.void_asked:
            return WorkKind.REVERSE
        case S.AUTHORISED if at.in_sale:
            return WorkKind.CAPTURE
        case S.CAPTURED | S.SETTLED if at.void_asked:
            return WorkKind.REFUND
        case _:
            return None


def _money(at: Standing, *, processor: bool) -> Work | None:
    if at.void_asked:
        kind = WorkKind.REVERSE if at.state is S.AUTHORISED else WorkKind.REFUND
    elif at.state is S.AUTHORISED and at.in_sale:
        kind = WorkKind.CAPTURE
    else:
        return None
    if processor:
        return Work(kind, Hand.PROCESSOR)
    return None if kind is WorkKind.CAPTURE else _at_terminal(at, kind)


def _at_terminal(at: Standing, kind: WorkKind) -> Work | None:
    """A till's own terminal only the till can ask."""
    return Work(kind, Hand.TERMINAL) if at.driven_by == "hub" else None
