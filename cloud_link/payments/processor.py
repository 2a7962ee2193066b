"""What every processor's adapter is: small, without state, judged by one conformance suite.

An adapter never decides whether something is repeated.  It says what it knows: ``not-sent`` only
with proof that nothing left this box, ``unknown`` whenever the request may have been carried out,
and ``reached=False`` when no answer came: a processor that is asked and can't tell is another thing
than a line that is away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from hub.service.payments.commands import ProcessorSaid


@dataclass(frozen=True, slots=True)
class Effect:
    """What is asked for.  ``payment_id`` finds it again; ``key`` is the idempotency key of this
    effect, and of a look-up that of the charge it asks after; amounts in minor units; ``token`` in
    plain only for the length of the call.  ``first_sent_at_ms``: when this payment was first
    presented (UTC), for processors that are searched by time.  ``account`` and its epoch: of what
    was spent from an issuer's allotment."""

    payment_id: str
    key: str
    amount_minor: int
    currency: str
    psp_ref: str = ""
    token: bytes | None = field(default=None, repr=False)
    first_sent_at_ms: int | None = None
    account: str = ""
    account_epoch: int = 0


class Processor(Protocol):
    """All methods answer within ``timeout_s`` and raise nothing."""

    name: str
    timeout_s: float

    async def charge(self, effect: Effect) -> ProcessorSaid:
        """Authorise: approved, captured (where it can't be told apart), declined, acked, unknown or
        not-sent."""

    async def look_up(self, effect: Effect) -> ProcessorSaid:
        """What became of ``payment_id``: approved, captured, declined, acked, reversed, refunded,
        not-found; unknown when nobody could be asked.  A decline of an earlier charge, with another
        key, is not what became of this one: not-found."""

    async def capture(self, effect: Effect) -> ProcessorSaid:
        """Take what was authorised: captured, declined, not-found, unknown or not-sent."""

    async def reverse(self, effect: Effect) -> ProcessorSaid:
        """Let an authorisation go: reversed; captured when it is too late for that."""

    async def refund(self, effect: Effect) -> ProcessorSaid:
        """Give ``amount_minor`` of captured money back under ``key``: refunded, acked, declined,
        unknown or not-sent."""

    async def look_up_refund(self, effect: Effect) -> ProcessorSaid:
        """What became of the refund ``key``: refunded, acked, declined, not-found or unknown."""

    async def close(self) -> None:
        """Let connections go."""
