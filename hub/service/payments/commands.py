"""What the hub's own machinery asks of the payment book: begin, end, lease, learn, expire.

Each is harmless when repeated: an attempt or a fence that isn't the current one changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.tokens import SealedToken
from hub.domain.payments.work import Hand, WorkKind
from hub.service.internal import InternalCommand

TerminalOutcome = Literal["approved", "approved-offline", "refused", "not-done", "unknown"]
ProcessorOutcome = Literal[
    "approved",  # authorised, not captured yet
    "captured",
    "declined",
    "acked",  # taken over, without an outcome yet
    "reversed",
    "refunded",
    "not-found",
    "sent",  # a payment link
    "unknown",  # it may have been done
    "not-sent",  # proof that nothing left
]


@dataclass(frozen=True, slots=True)
class TerminalSaid:
    """What a terminal answered.  ``token``: with it the hub keeps the payment and presents it,
    without one the terminal does.  ``card_ref`` names the card without telling it (keyed hash).
    ``tip_minor``, ``surcharge_minor``: added at the terminal, on top of what it was asked for."""

    outcome: TerminalOutcome
    reason: str = ""
    last4: str = ""
    scheme: str = ""
    approval_code: str = ""
    psp_ref: str = ""
    terminal_ref: str = ""
    card_ref: str = ""
    captured: bool = False
    tip_minor: int = 0
    surcharge_minor: int = 0
    token: SealedToken | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ProcessorSaid:
    """What a processor answered.  ``approved_minor``: what the card was charged in all, with what
    its terminal had put on top, where that is told; of it ``surcharge_minor``, as far as the
    processor knows.  ``not_before_ms``: it asks for so much patience.  ``reached``:
    whether it said anything at all; a line that is away says nothing of a payment.  ``url`` and
    ``expires_at_ms``: of a payment link."""

    outcome: ProcessorOutcome
    reason: str = ""
    psp_ref: str = ""
    approval_code: str = ""
    code: DeclineCode = DeclineCode.OTHER
    not_before_ms: int = 0
    reached: bool = True
    url: str = ""
    expires_at_ms: int | None = None
    word: str = ""
    """An issuer's own code of a refusal."""
    balance_minor: int | None = None
    """What is left on a gift card, where the issuer tells it."""
    approved_minor: int | None = None
    surcharge_minor: int = 0


# At the terminal ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BeginAtTerminal(InternalCommand):
    """A terminal is about to be asked.  The value: :class:`AtTerminal`, or None when the payment
    isn't an intent any more or the terminal has another one in hand."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class AtTerminal:
    """What to ask a terminal for."""

    payment_id: str
    sale_id: str
    terminal_id: str
    attempt: int
    amount_minor: int
    currency: str
    offline_allowed: bool


@dataclass(frozen=True, slots=True)
class EndAtTerminal(InternalCommand):
    """What the terminal said to that attempt.  The value: the payment's state now."""

    payment_id: str
    attempt: int
    said: TerminalSaid


# Work: the processor's and the terminals' ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeaseWork(InternalCommand):
    """Take what is due for this hand, most urgent first.  The value: ``tuple[Leased, ...]``.

    Nobody else gets it before ``lease_ms`` are over; its fence is the only one that counts.
    ``terminals``: of which terminals (their hand only)."""

    hand: Hand
    limit: int = 10
    lease_ms: int = 120_000
    terminals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leased:
    """One thing to do.  ``key`` is the idempotency key of this very effect, the same at each
    repeat; ``refund_id`` is given for refunds of a part; ``account`` and its epoch of what was
    taken from an allotment.  Of a payment link ``token`` is the sealed contact, ``reason`` why the
    payment is owed."""

    kind: WorkKind
    payment_id: str
    fence: int
    key: str
    amount_minor: int
    currency: str
    terminal_id: str
    psp_ref: str
    terminal_ref: str
    first_sent_at_ms: int | None
    refund_id: str = ""
    reason: str = ""
    token: SealedToken | None = field(default=None, repr=False)
    account: str = ""
    account_epoch: int = 0


@dataclass(frozen=True, slots=True)
class EndWork(InternalCommand):
    """What came of leased work.  The value: False when the fence isn't the current one (any more):
    nothing has changed then, but an approval is taken in as learned."""

    work: Leased
    said: ProcessorSaid | TerminalSaid


@dataclass(frozen=True, slots=True)
class LearnOutcome(InternalCommand):
    """An outcome that comes by itself: a command of the cloud, a webhook, a settlement line.  The
    value: False when the payment isn't known or that changes nothing."""

    payment_id: str
    said: ProcessorSaid
    by: str


@dataclass(frozen=True, slots=True)
class NoteTerminal(InternalCommand):
    """What a terminal says that it keeps and hasn't forwarded (None: it can't say)."""

    terminal_id: str
    stored_count: int | None
    stored_minor: int | None


# Time and restarts --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecoverPayments(InternalCommand):
    """The hub has started: what was at a terminal or on its way is in doubt; what was never sent is
    abandoned; leases are over.  The value: how many are in doubt.

    ``newest``: the number of the last payment of the former life, for tills may begin others before
    this is asked; None: all are of it."""

    newest: int | None = None


@dataclass(frozen=True, slots=True)
class ExpirePayments(InternalCommand):
    """Do what time asks for: deadlines, doubts that nobody could clear, tills that never reported.
    A bounded number a call; the value: how many."""
