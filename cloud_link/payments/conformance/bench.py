"""What the checks work with: an adapter, cards, and words for what is expected."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from cloud_link.payments.processor import Effect, Processor
from hub.clock import Clock, Ids
from hub.domain.payments.declines import DeclineCode
from hub.service.payments.commands import ProcessorSaid


class Failed(Exception):
    """The adapter did something else than it has to."""


class Skipped(Exception):
    """The other side can't show this; the text says why."""


@dataclass(frozen=True, slots=True)
class Cards:
    """Tokens as terminals would give them.  ``declined``: what each declined one is declined with.
    ``late``: one whose outcome comes later, if there is such a one."""

    good: bytes
    declined: Mapping[bytes, DeclineCode] = field(default_factory=dict)
    late: bytes | None = None


Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bench:
    """``keys``: whether the other side knows idempotency keys.  ``elsewhere(url)``: the same
    adapter for another address, to lose its answers; None: it can't be had."""

    processor: Processor
    cards: Cards
    ids: Ids
    clock: Clock
    sleep: Sleep
    currency: str = "EUR"
    keys: bool = True
    url: str = ""
    elsewhere: Callable[[str], Awaitable[Processor]] | None = None

    def effect(self, amount_minor: int = 1999, token: bytes | None = None) -> Effect:
        """A charge of a new payment."""
        payment_id = self.ids.uuid7()
        return Effect(
            payment_id=payment_id,
            key=f"{payment_id}.1",
            amount_minor=amount_minor,
            currency=self.currency,
            token=self.cards.good if token is None else token,
            first_sent_at_ms=self.clock.wall_ms(),
        )

    async def approved(self, amount_minor: int = 1999) -> Effect:
        """A payment that is approved; the effect with its reference, and without the token."""
        effect = self.effect(amount_minor)
        said = await self.processor.charge(effect)
        expect(said, "approved", "a charge of a good card")
        return replace(effect, psp_ref=said.psp_ref, token=None)

    async def captured(self, amount_minor: int = 1999) -> Effect:
        """A payment that is captured."""
        effect = await self.approved(amount_minor)
        expect(await self.processor.capture(keyed(effect, "capture")), "captured", "a capture")
        return effect


def keyed(effect: Effect, name: str, amount_minor: int | None = None) -> Effect:
    """Another effect of the same payment."""
    amount = effect.amount_minor if amount_minor is None else amount_minor
    key = f"{effect.payment_id}.{name}"
    return replace(effect, key=key, amount_minor=amount, token=None)


def expect(said: ProcessorSaid, outcome: str, what: str) -> ProcessorSaid:
    """What was said, if it is that."""
    return expect_one_of(said, {outcome}, what)


def expect_one_of(said: ProcessorSaid, outcomes: set[str], what: str) -> ProcessorSaid:
    """What was said, if it is one of those."""
    wanted = " or ".join(sorted(outcomes))
    need(said.outcome in outcomes, f"{what}: expected {wanted}, got {said.outcome} ({said.reason})")
    return said


def need(fact: bool, otherwise: str) -> None:
    """Raises :class:`Failed` with ``otherwise`` unless ``fact``."""
    if not fact:
        raise Failed(otherwise)
