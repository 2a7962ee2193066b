"""What the shop risks on cards just now: the figures of the page, the status and the check."""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.contract.pages.payments import ExposureOnPage, TerminalExposure
from hub.domain.payments.exposure import age_ms
from hub.service.payments.views import Teller
from hub.service.shop import Shop
from hub.storage import hubrow
from hub.storage.pages import payments as rows_of
from hub.storage.rows import Rows


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at the database: what the shop is like, and by which clocks ages are told.
    ``trusted``: the wall clock isn't in doubt."""

    rows: Rows
    shop: Shop
    now_ms: int
    budget_ms: int
    trusted: bool
    tells: Teller = field(compare=False)

    @property
    def processor(self) -> bool:
        """Whether the hub presents payments itself."""
        return self.shop.payments.processor

    def age_ms(self, at_ms: int | None, budget_ms: int | None) -> int:
        """Since then; 0 for what never was."""
        if at_ms is None or budget_ms is None:
            return 0
        return age_ms(at_ms, budget_ms, self.now_ms, self.budget_ms, trusted=self.trusted)


def moment(rows: Rows, shop: Shop, now_ms: int, budget_ms: int) -> Moment:
    """Now."""
    trusted = not hubrow.get(rows).clock_suspect
    tells = Teller(rows, shop.payments, now_ms, budget_ms)
    return Moment(rows, shop, now_ms, budget_ms, trusted, tells)


def exposure(at: Moment) -> ExposureOnPage:
    """The meter as a whole; ``bars`` are those of the shop, not of one terminal or amount."""
    waits, shares = rows_of.stored(at.rows), rows_of.shares(at.rows)
    expiry_ms = None
    if waits.oldest_at_ms is not None:
        age = at.age_ms(waits.oldest_at_ms, waits.oldest_budget_ms)
        expiry_ms = max(0, at.shop.payments.caps.deadline_ms - age)
    known = at.tells.exposure(None, at.shop.currency).model_dump()
    known["next_expiry_in_ms"] = expiry_ms  # what is on its way doesn't expire
    return ExposureOnPage(
        **known,
        terminals=tuple(
            TerminalExposure(
                terminal_id=one.terminal_id, name=one.name, count=one.payments, minor=one.minor
            )
            for one in shares
        ),
    )
