"""Lines that aren't sold at their listed price: who may do that, and how far."""

from __future__ import annotations

from hub.contract.staff import ApprovalSubject
from hub.domain.basket import line_amounts, reduction_ppm
from hub.domain.staff import Asked, Permission
from hub.service import permits
from hub.service.items import Item
from hub.service.unit import Unit


def permit_discount(
    unit: Unit, item: Item, approval_id: str | None, subject: ApprovalSubject
) -> str | None:
    """May this discount be given?  Who approved it, if anybody."""
    asked = _asked_discount(item)
    return permits.need(
        unit, Permission.SALE_DISCOUNT, asked, approval_id=approval_id, subject=subject
    )


def _asked_discount(item: Item) -> Asked:
    amounts = line_amounts(item.as_line())
    return Asked(amounts.discount_minor, reduction_ppm(amounts.gross_minor, amounts.discount_minor))


def permit_override(
    unit: Unit, item: Item, approval_id: str | None, subject: ApprovalSubject
) -> str | None:
    """May this price be charged?  A higher price counts with its difference, too."""
    asked = _asked_override(item)
    return permits.need(
        unit, Permission.PRICE_OVERRIDE, asked, approval_id=approval_id, subject=subject
    )


def _asked_override(item: Item) -> Asked:
    amounts = line_amounts(item.as_line())
    off_minor = abs(amounts.override_minor)
    return Asked(off_minor, reduction_ppm(amounts.gross_minor + amounts.override_minor, off_minor))


def permit_again(unit: Unit, before: Item, after: Item) -> None:
    """Another quantity mustn't make a permitted discount or price into more than was permitted."""
    for permission, asked_of in (
        (Permission.SALE_DISCOUNT, _asked_discount),
        (Permission.PRICE_OVERRIDE, _asked_override),
    ):
        had, asked = asked_of(before), asked_of(after)
        if asked.amount_minor > had.amount_minor or asked.share_ppm > had.share_ppm:
            permits.need(unit, permission, asked)
