"""What the issuer has set aside of one card's value for this shop, and who may spend it when.

The rule is that of the stock's allotment, the other way round: here the hub spends and the issuer
grants.  All figures are cumulative within an epoch, and merged by max: a message that is lost,
doubled or late only leaves one side with less than there is.  The issuer counts as spendable only
``granted - returned - spent`` as it knows them, so that what the shop may still spend, and what it
has spent and not told, is never anybody else's.  A hub put back from a copy doesn't know what it
has spent: it neither spends nor gives back before the issuer has granted in its present epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from hub.domain.errors import Conflict


class ValueKind(StrEnum):
    """Whose word the value is: sold as a card, or given for goods that came back."""

    GIFT_CARD = "gift_card"
    STORE_CREDIT = "store_credit"


@dataclass(frozen=True, slots=True)
class Allotment:
    """One card's value for this shop, in minor units, all ≥ 0 and within ``epoch``.

    ``granted``: what the issuer set aside; ``recalled``: what it wants back; ``returned``: what the
    hub has given back; ``spent``: what payments took that weren't let go again.
    """

    epoch: int = 0
    granted_minor: int = 0
    recalled_minor: int = 0
    returned_minor: int = 0
    spent_minor: int = 0

    @property
    def outstanding_minor(self) -> int:
        """What may still be spent or given back."""
        return self.granted_minor - self.returned_minor - self.spent_minor


def told(at: Allotment, epoch: int, granted_minor: int, recalled_minor: int) -> Allotment:
    """The issuer has granted and recalled so much by now; an older word changes nothing, a newer
    epoch begins anew."""
    if epoch < at.epoch:
        return at
    if epoch > at.epoch:
        at = Allotment(epoch)
    return replace(
        at,
        granted_minor=max(at.granted_minor, granted_minor),
        recalled_minor=max(at.recalled_minor, recalled_minor),
    )


def given_back(at: Allotment, present: int | None) -> Allotment:
    """As much of what is recalled goes back as isn't spent.  ``present``: the hub's own epoch;
    None while it doesn't know what it has lost."""
    if at.epoch != present:
        return at
    free_minor = max(0, at.granted_minor - at.spent_minor)
    returned_minor = min(at.recalled_minor, free_minor)
    return replace(at, returned_minor=max(at.returned_minor, returned_minor))


def may_spend(at: Allotment, amount_minor: int, present: int | None) -> bool:
    """Whether a payment of ``amount_minor`` > 0 fits without asking the issuer."""
    return at.epoch == present and 0 < amount_minor <= at.outstanding_minor


def spent(at: Allotment, amount_minor: int, present: int | None) -> Allotment:
    """A payment takes so much.  Errors: ``conflict`` when that isn't set aside."""
    if not may_spend(at, amount_minor, present):
        raise Conflict(
            "So much of this card isn't set aside for this shop: take another tender.",
            context={"left_minor": at.outstanding_minor if at.epoch == present else 0},
        )
    return replace(at, spent_minor=at.spent_minor + amount_minor)


def let_go(at: Allotment, amount_minor: int, epoch: int) -> Allotment:
    """A payment of ``epoch`` that the issuer never took, and never will, spends nothing any more.
    What is of an older epoch is the issuer's to sort out."""
    if at.epoch != epoch:
        return at
    return replace(at, spent_minor=max(0, at.spent_minor - amount_minor))
