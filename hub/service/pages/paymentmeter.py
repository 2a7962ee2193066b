"""What the shop risks on cards just now: the figures of the page, the status and the check."""

from __future__ import annotations

from dataclasses import dataclass, field

from hub.contract.pages.payments import ExposureOnPage, TerminalExposure
from hub.service.payments.views import Teller
from hub.service.shop import Shop
from hub.storage.pages import payments as rows_of
from hub.storage.rows import Rows


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at the database of a shop."""

    rows: Rows
    shop: Shop
    now_ms: int
    tells: Teller = field(compare=False)

    @property
    def processor(self) -> bool:
        """Whether the hub presents payments itself."""
        return self.shop.payments.processor


def moment(rows: Rows, shop: Shop, now_ms: int, budget_ms: int) -> Moment:
    """Now."""
    return Moment(rows, shop, now_ms, Teller(rows, shop.payments, now_ms, budget_ms))


def exposure(at: Moment) -> ExposureOnPage:
    """The meter as a whole; ``bars`` are those of the shop, not of one terminal or amount."""
    known = at.tells.exposure(None, at.shop.currency)
    return ExposureOnPage(
        **known.model_dump(),
        terminals=tuple(
            TerminalExposure(
                terminal_id=one.terminal_id, name=one.name, count=one.payments, minor=one.minor
            )
            for one in rows_of.shares(at.rows)
        ),
    )
