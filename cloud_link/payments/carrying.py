"""Carrying out one leased thing: what has been sent before is looked up before it is sent again.

Processors forget idempotency keys, and some never knew them: only what they know of the payment
itself counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cloud_link.payments.processor import Effect, Processor
from hub.domain.payments.work import WorkKind
from hub.service.payments.commands import Leased, ProcessorSaid

_DONE: Final = frozenset({"approved", "captured", "acked", "reversed", "refunded"})
"""A payment that stands, or stood: it is never charged again."""


def effect_of(work: Leased, token: bytes | None = None) -> Effect:
    """What the adapter is asked for."""
    return Effect(
        payment_id=work.payment_id,
        key=work.key,
        amount_minor=work.amount_minor,
        currency=work.currency,
        psp_ref=work.psp_ref,
        token=token,
        first_sent_at_ms=work.first_sent_at_ms,
        account=work.account,
        account_epoch=work.account_epoch,
    )


async def carry_out(processor: Processor, work: Leased, token: bytes | None) -> ProcessorSaid:
    """Do ``work``.  At most two calls of the adapter: a look-up and what it allows."""
    effect = effect_of(work, token)
    match work.kind:
        case WorkKind.CHARGE:
            return await _charged(processor, work, effect)
        case WorkKind.LOOK_UP if work.refund_id:
            return await processor.look_up_refund(effect)
        case WorkKind.LOOK_UP:
            return await processor.look_up(effect)
        case WorkKind.CAPTURE:
            return await processor.capture(effect)
        case WorkKind.REVERSE:
            return await processor.reverse(effect)
        case WorkKind.REFUND:
            return await _refunded(processor, work, effect)
        case WorkKind.ASK | WorkKind.LINK | WorkKind.UNLINK:
            return ProcessorSaid("not-sent", "that is nothing for a processor")


async def _charged(processor: Processor, work: Leased, effect: Effect) -> ProcessorSaid:
    if work.first_sent_at_ms is not None:
        before = await processor.look_up(replace(effect, token=None))
        if before.outcome in _DONE:
            return before
        if before.outcome == "unknown":  # this time nothing was sent
            return replace(before, outcome="not-sent")
        if before.outcome == "declined":  # under this very key: the answer was lost
            return before
    return await processor.charge(effect)


async def _refunded(processor: Processor, work: Leased, effect: Effect) -> ProcessorSaid:
    """A refund isn't bound to a token: whoever repeats it gives the money back twice."""
    before = await processor.look_up_refund(effect)
    if before.outcome == "not-found":
        return await processor.refund(effect)
    if before.outcome == "unknown" and work.first_sent_at_ms is None:
        return replace(before, outcome="not-sent")
    return before
