"""A card terminal of a virtual till's own, played: most cards are approved; without the processor
it approves alone where the hub lets it, and gives the hub a token to present later."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Final

from hub.contract.envelope import HubMode, HubState
from hub.contract.payments import CardFacts, ReportPayment

REFUSED: Final = 0.02
ALONE: Final = 0.03
"""Shares of cards: refused; approved alone although the line is up."""


class CardTerminal:
    """``hear`` the hub's state: while it is cut off from the cloud, the terminal is, too."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._cut_off = False

    def hear(self, state: HubState) -> None:
        """The hub says how it is."""
        self._cut_off = state.mode is HubMode.OFFLINE

    def take(self, payment_id: str, *, alone_allowed: bool) -> ReportPayment:
        """What comes of a card."""
        choice = self._rng.random()
        if choice < REFUSED or (self._cut_off and not alone_allowed):
            why = "no line to the bank" if choice >= REFUSED else "not enough funds"
            return ReportPayment(payment_id=payment_id, outcome="refused", reason=why)
        digest = hashlib.sha256(payment_id.encode()).hexdigest()
        card = CardFacts(
            last4=f"{int(digest[:8], 16) % 10_000:04d}",
            scheme=self._rng.choice(("visa", "mastercard", "girocard")),
            approval_code=digest[8:14].upper(),
        )
        if alone_allowed and (self._cut_off or choice < REFUSED + ALONE):
            return ReportPayment(
                payment_id=payment_id,
                outcome="approved-offline",
                card=card,
                token=f"tok_{digest[:24]}",
            )
        return ReportPayment(payment_id=payment_id, outcome="approved", card=card, captured=True)
