"""The one table of a card payment's states.

Nothing changes a payment's state but :func:`advance`.  A payment is *open* while nobody knows
whether the shop has its money, *standing* while the money is there or is being fetched, and
*final* when nothing more is going to happen by itself.  A final one still takes a late approval:
money that came in after all is never kept quietly.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.domain.errors import Conflict


class PaymentState(StrEnum):
    """Where a payment is."""

    INTENT = "intent"
    AT_TERMINAL = "at_terminal"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    ABANDONED = "abandoned"
    STORED = "stored"
    VOID_PENDING = "void_pending"
    VOIDED = "voided"
    FORWARDING = "forwarding"
    FORWARD_UNKNOWN = "forward_unknown"
    FORWARDED = "forwarded"
    AUTHORISED = "authorised"
    CAPTURED = "captured"
    SETTLED = "settled"
    REVERSED = "reversed"
    REFUNDED = "refunded"
    DECLINED = "declined"
    RETRY_WAIT = "retry_wait"
    EXPIRED = "expired"
    LOST = "lost"
    MANUAL = "manual"
    RECOVERY = "recovery"
    RECOVERED = "recovered"
    WRITTEN_OFF = "written_off"


class PaymentEvent(StrEnum):
    """What happens to a payment."""

    SENT = "sent"
    CANCELLED = "cancelled"
    APPROVED = "approved"
    """By the processor: online at the terminal, as forwarded, looked up, told later."""
    APPROVED_OFFLINE = "approved_offline"
    REFUSED = "refused"
    """At the terminal: nothing was taken."""
    IN_DOUBT = "in_doubt"
    """No answer, or the hub died: nobody knows whether it was done."""
    NEVER_DONE = "never_done"
    """Proof that it was never carried out."""
    OUT_OF_REACH = "out_of_reach"
    """Nobody can be asked in time: a person has to say."""
    VOID_ASKED = "void_asked"
    VOID_DEFERRED = "void_deferred"
    """Void asked of what may have been sent: it is settled with whoever has it."""
    LEASED = "leased"
    LET_GO = "let_go"
    """A lease ended with proof that nothing was sent."""
    LET_GO_VOID = "let_go_void"
    ACKED = "acked"
    """Taken over by the processor, without an outcome yet."""
    DECLINED = "declined"
    RETRY = "retry"
    GIVE_UP = "give_up"
    CAPTURED = "captured"
    SETTLED = "settled"
    REVERSED = "reversed"
    REFUNDED = "refunded"
    """Given back whole."""
    DEADLINE = "deadline"
    DEVICE_LOST = "device_lost"
    PAID_OTHERWISE = "paid_otherwise"
    WRITE_OFF = "write_off"
    LATE_APPROVAL = "late_approval"
    """The processor has taken money for what the shop had given up: it goes back by itself."""


_S, _E = PaymentState, PaymentEvent

TRANSITIONS: Final[dict[tuple[PaymentState, PaymentEvent], PaymentState]] = {
    # At the terminal.
    (_S.INTENT, _E.SENT): _S.AT_TERMINAL,
    (_S.INTENT, _E.CANCELLED): _S.ABANDONED,
    (_S.AT_TERMINAL, _E.APPROVED): _S.AUTHORISED,
    (_S.AT_TERMINAL, _E.APPROVED_OFFLINE): _S.STORED,
    (_S.AT_TERMINAL, _E.REFUSED): _S.REFUSED,
    (_S.AT_TERMINAL, _E.NEVER_DONE): _S.ABANDONED,
    (_S.AT_TERMINAL, _E.IN_DOUBT): _S.UNKNOWN,
    (_S.UNKNOWN, _E.APPROVED): _S.AUTHORISED,
    (_S.UNKNOWN, _E.APPROVED_OFFLINE): _S.STORED,
    (_S.UNKNOWN, _E.REFUSED): _S.REFUSED,
    (_S.UNKNOWN, _E.NEVER_DONE): _S.ABANDONED,
    (_S.UNKNOWN, _E.OUT_OF_REACH): _S.MANUAL,
    # Stored, and on its way to the processor.
    (_S.STORED, _E.VOID_ASKED): _S.VOIDED,
    (_S.STORED, _E.VOID_DEFERRED): _S.VOID_PENDING,
    (_S.RETRY_WAIT, _E.VOID_DEFERRED): _S.VOID_PENDING,
    (_S.STORED, _E.LEASED): _S.FORWARDING,
    (_S.RETRY_WAIT, _E.LEASED): _S.FORWARDING,
    (_S.VOID_PENDING, _E.LEASED): _S.FORWARDING,
    (_S.VOID_PENDING, _E.VOID_ASKED): _S.VOIDED,
    (_S.FORWARDING, _E.LET_GO): _S.STORED,
    (_S.FORWARDING, _E.LET_GO_VOID): _S.VOID_PENDING,
    (_S.FORWARDING, _E.NEVER_DONE): _S.VOIDED,
    (_S.FORWARDING, _E.ACKED): _S.FORWARDED,
    (_S.FORWARDING, _E.APPROVED): _S.AUTHORISED,
    (_S.FORWARDING, _E.DECLINED): _S.DECLINED,
    (_S.FORWARDING, _E.IN_DOUBT): _S.FORWARD_UNKNOWN,
    (_S.FORWARD_UNKNOWN, _E.LEASED): _S.FORWARDING,
    (_S.FORWARD_UNKNOWN, _E.ACKED): _S.FORWARDED,
    (_S.FORWARD_UNKNOWN, _E.APPROVED): _S.AUTHORISED,
    (_S.FORWARD_UNKNOWN, _E.DECLINED): _S.DECLINED,
    (_S.FORWARD_UNKNOWN, _E.OUT_OF_REACH): _S.MANUAL,
    (_S.FORWARDED, _E.APPROVED): _S.AUTHORISED,
    (_S.FORWARDED, _E.DECLINED): _S.DECLINED,
    (_S.DECLINED, _E.RETRY): _S.RETRY_WAIT,
    (_S.DECLINED, _E.GIVE_UP): _S.RECOVERY,
    (_S.DECLINED, _E.VOID_ASKED): _S.VOIDED,
    (_S.RETRY_WAIT, _E.APPROVED): _S.AUTHORISED,
    (_S.STORED, _E.DEADLINE): _S.EXPIRED,
    (_S.RETRY_WAIT, _E.DEADLINE): _S.EXPIRED,
    (_S.EXPIRED, _E.GIVE_UP): _S.RECOVERY,
    # What a terminal that keeps its payments itself tells of them.
    (_S.STORED, _E.APPROVED): _S.AUTHORISED,
    (_S.STORED, _E.DECLINED): _S.DECLINED,
    (_S.STORED, _E.DEVICE_LOST): _S.LOST,
    (_S.VOID_PENDING, _E.APPROVED): _S.AUTHORISED,
    (_S.VOID_PENDING, _E.DECLINED): _S.VOIDED,
    (_S.VOID_PENDING, _E.DEVICE_LOST): _S.LOST,
    (_S.VOID_PENDING, _E.OUT_OF_REACH): _S.MANUAL,
    # Nobody knows: a look-up, the cloud, the settlement or two people say.
    (_S.LOST, _E.APPROVED): _S.AUTHORISED,
    (_S.LOST, _E.DECLINED): _S.DECLINED,
    (_S.LOST, _E.NEVER_DONE): _S.ABANDONED,
    (_S.LOST, _E.GIVE_UP): _S.RECOVERY,
    (_S.MANUAL, _E.APPROVED): _S.AUTHORISED,
    (_S.MANUAL, _E.APPROVED_OFFLINE): _S.STORED,
    (_S.MANUAL, _E.DECLINED): _S.DECLINED,
    (_S.MANUAL, _E.REFUSED): _S.REFUSED,
    (_S.MANUAL, _E.NEVER_DONE): _S.ABANDONED,
    (_S.MANUAL, _E.GIVE_UP): _S.RECOVERY,
    # Money.
    (_S.AUTHORISED, _E.CAPTURED): _S.CAPTURED,
    (_S.AUTHORISED, _E.DECLINED): _S.DECLINED,
    (_S.AUTHORISED, _E.REVERSED): _S.REVERSED,
    (_S.CAPTURED, _E.SETTLED): _S.SETTLED,
    (_S.CAPTURED, _E.REFUNDED): _S.REFUNDED,
    (_S.SETTLED, _E.REFUNDED): _S.REFUNDED,
    # Receivables.
    (_S.RECOVERY, _E.APPROVED): _S.AUTHORISED,
    (_S.RECOVERY, _E.PAID_OTHERWISE): _S.RECOVERED,
    (_S.RECOVERY, _E.WRITE_OFF): _S.WRITTEN_OFF,
    (_S.RECOVERY, _E.VOID_ASKED): _S.VOIDED,
    # Given up, and approved after all.
    (_S.ABANDONED, _E.LATE_APPROVAL): _S.AUTHORISED,
    (_S.REFUSED, _E.LATE_APPROVAL): _S.AUTHORISED,
    (_S.ABANDONED, _E.APPROVED_OFFLINE): _S.STORED,
    (_S.REFUSED, _E.APPROVED_OFFLINE): _S.STORED,
    (_S.VOIDED, _E.LATE_APPROVAL): _S.AUTHORISED,
    (_S.EXPIRED, _E.LATE_APPROVAL): _S.AUTHORISED,
    (_S.RECOVERED, _E.LATE_APPROVAL): _S.AUTHORISED,
    (_S.WRITTEN_OFF, _E.LATE_APPROVAL): _S.AUTHORISED,
}
"""Everything else is a ``conflict``.  After ``LATE_APPROVAL``, and what was ended and turns out to
be stored, the payment is to be voided."""

EXPOSED: Final = frozenset(
    {
        _S.INTENT,
        _S.AT_TERMINAL,
        _S.UNKNOWN,
        _S.STORED,
        _S.VOID_PENDING,
        _S.FORWARDING,
        _S.FORWARD_UNKNOWN,
        _S.FORWARDED,
        _S.DECLINED,
        _S.RETRY_WAIT,
        _S.LOST,
        _S.MANUAL,
    }
)
"""The shop may have given goods for money that never comes."""
FENCING: Final = frozenset({_S.INTENT, _S.AT_TERMINAL, _S.UNKNOWN})
"""The outcome at the terminal isn't known: the basket is frozen."""
TENDERABLE: Final = frozenset({_S.AUTHORISED, _S.CAPTURED, _S.SETTLED, _S.STORED})
"""A sale may be paid with it (unless it is to be voided)."""
STORED_AWAY: Final = frozenset(
    {
        _S.STORED,
        _S.VOID_PENDING,
        _S.FORWARDING,
        _S.FORWARD_UNKNOWN,
        _S.FORWARDED,
        _S.DECLINED,
        _S.RETRY_WAIT,
    }
)
"""A payment in the hub's custody whose token is still needed: a soft decline is presented again."""
MAY_BE_OWED: Final = frozenset(
    {
        _S.INTENT,
        _S.AT_TERMINAL,
        _S.UNKNOWN,
        _S.STORED,
        _S.FORWARDING,
        _S.FORWARD_UNKNOWN,
        _S.FORWARDED,
        _S.AUTHORISED,
        _S.DECLINED,
        _S.RETRY_WAIT,
        _S.EXPIRED,
        _S.LOST,
        _S.MANUAL,
        _S.RECOVERY,
    }
)
"""It may still end as a receivable, unless it is to be voided: the customer's contact is kept."""
CONTACT_ALONE: Final = MAY_BE_OWED - STORED_AWAY - {_S.INTENT, _S.AT_TERMINAL, _S.UNKNOWN}
"""No token is needed any more, and somebody may have to be asked for the money: of what the second
keeper had, the contact is kept."""
FINAL: Final = frozenset(
    {
        _S.REFUSED,
        _S.ABANDONED,
        _S.VOIDED,
        _S.SETTLED,
        _S.REVERSED,
        _S.REFUNDED,
        _S.RECOVERED,
        _S.WRITTEN_OFF,
    }
)


def can(state: PaymentState, event: PaymentEvent) -> bool:
    """Whether the event means anything to a payment in this state."""
    return (state, event) in TRANSITIONS


def advance(state: PaymentState, event: PaymentEvent) -> PaymentState:
    """The state after ``event``.  Errors: ``conflict`` when the table has no such step."""
    after = TRANSITIONS.get((state, event))
    if after is None:
        raise Conflict(
            f"A payment that is {state} can't become {event}: read it again.",
            context={"state": str(state), "event": str(event)},
        )
    return after
