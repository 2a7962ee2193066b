"""A basket: what its lines cost, how it is paid, and who may change it.

The shop's rules: a line freezes price and tax code when it is added; a discount is an amount off
the line and never makes it negative; change is given from cash only; cash rounding applies to the
cash part only and is its own line; a basket has one owner (till) and a version, and every change
is compare-and-set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from hub.domain.errors import Conflict, Invalid, PriceChanged
from hub.domain.money import Rounding, check_money, divide, round_cash
from hub.domain.quantity import check_positive_qty, line_gross_minor
from hub.domain.tax import PPM, TaxableLine, TaxPolicy, TaxRate, TaxResult, compute


@dataclass(frozen=True, slots=True)
class Line:
    """A frozen line.  ``list_price_minor`` is the hub's price of one whole unit, an override
    replaces it; ``discount_minor`` is taken off the whole line."""

    sku: str
    qty: int
    scale: int
    list_price_minor: int
    tax_code: str
    override_price_minor: int | None = None
    discount_minor: int = 0

    @property
    def unit_price_minor(self) -> int:
        """The price that counts."""
        if self.override_price_minor is None:
            return self.list_price_minor
        return self.override_price_minor


@dataclass(frozen=True, slots=True)
class LineAmounts:
    """``net_minor = gross_minor - discount_minor ≥ 0``; ``override_minor`` is what the override
    takes off the line against its list price (negative if it adds)."""

    gross_minor: int
    discount_minor: int
    net_minor: int
    override_minor: int


@dataclass(frozen=True, slots=True)
class Totals:
    """A basket's sums; ``total_minor`` is what the customer owes before cash rounding."""

    lines: tuple[LineAmounts, ...]
    gross_minor: int
    discount_minor: int
    net_minor: int
    tax: TaxResult
    total_minor: int


def line_amounts(line: Line, rounding: Rounding = Rounding.HALF_UP) -> LineAmounts:
    """What one line costs.  Quantity > 0, prices and discount ≥ 0, discount ≤ gross."""
    check_positive_qty(line.qty)
    if line.list_price_minor < 0 or line.unit_price_minor < 0 or line.discount_minor < 0:
        raise Invalid(
            "Prices and discounts can't be negative: take goods back with a return instead.",
            context={"sku": line.sku},
        )
    gross = line_gross_minor(line.unit_price_minor, line.qty, line.scale, rounding)
    listed = line_gross_minor(line.list_price_minor, line.qty, line.scale, rounding)
    if line.discount_minor > gross:
        raise Invalid(
            f"A discount of {line.discount_minor} is more than the line's {gross} minor units: "
            "lower it to the line total at most.",
            context={"sku": line.sku, "gross_minor": gross, "discount_minor": line.discount_minor},
        )
    net = gross - line.discount_minor
    return LineAmounts(gross, line.discount_minor, net, listed - gross)


def totals(
    lines: Sequence[Line],
    policy: TaxPolicy,
    rates: Mapping[str, TaxRate],
    rounding: Rounding = Rounding.HALF_UP,
) -> Totals:
    """All lines with their tax.  ``rounding`` is for line totals, the policy's for tax."""
    amounts = tuple(line_amounts(line, rounding) for line in lines)
    taxable = [
        TaxableLine(amount.net_minor, line.tax_code)
        for line, amount in zip(lines, amounts, strict=True)
    ]
    tax = compute(taxable, policy, rates)
    return Totals(
        lines=amounts,
        gross_minor=check_money(sum(amount.gross_minor for amount in amounts), "total"),
        discount_minor=sum(amount.discount_minor for amount in amounts),
        net_minor=sum(amount.net_minor for amount in amounts),
        tax=tax,
        total_minor=tax.due_minor,
    )


def percent_off_minor(gross_minor: int, share_ppm: int, rounding: Rounding) -> int:
    """The amount of a percentage discount: 10% is 100_000 ppm.  0 ≤ share ≤ 100%."""
    if not 0 <= share_ppm <= PPM:
        raise Invalid("A discount is from 0% to 100%: correct it.")
    return divide(gross_minor * share_ppm, PPM, rounding)


def reduction_ppm(listed_minor: int, reduction_minor: int) -> int:
    """Which part of ``listed_minor`` a reduction is, rounded up, for a permission's maximum.

    Nothing off is 0; something off nothing counts as 100%.
    """
    if reduction_minor <= 0:
        return 0
    if listed_minor <= 0:
        return PPM
    return -(-reduction_minor * PPM // listed_minor)


def check_price(given_minor: int, expected_minor: int, what: str) -> None:
    """Refuse what the customer was told if it isn't the hub's word (``price-changed``)."""
    if given_minor != expected_minor:
        raise PriceChanged(
            f"The {what} is {expected_minor} minor units, not {given_minor}: tell the customer and"
            " send the new amount.",
            expected_minor=expected_minor,
            given_minor=given_minor,
        )


class TenderKind(StrEnum):
    """How a part of the total is paid.  Only cash can give change."""

    CASH = "cash"
    CARD = "card"
    GIFT_CARD = "gift_card"
    STORE_CREDIT = "store_credit"
    LOYALTY = "loyalty"


@dataclass(frozen=True, slots=True)
class Tender:
    """An amount handed over, ≥ 0 (0 only for cash whose rounding leaves nothing to pay)."""

    kind: TenderKind
    amount_minor: int


@dataclass(frozen=True, slots=True)
class CashRounding:
    """The smallest coin, in minor units; 1 means that every amount can be paid."""

    step_minor: int = 1
    rounding: Rounding = Rounding.HALF_UP


NO_CASH_ROUNDING: Final = CashRounding()


@dataclass(frozen=True, slots=True)
class Settlement:
    """How the tenders meet the total.

    ``sum(tenders) = total + rounding_minor + change_minor``; ``rounding_minor`` (either sign) is
    the cash rounding line, ``cash_minor`` what stays in the drawer.
    """

    change_minor: int
    rounding_minor: int
    cash_minor: int
    other_minor: int


def settle(
    total_minor: int, tenders: Sequence[Tender], cash_rounding: CashRounding = NO_CASH_ROUNDING
) -> Settlement:
    """Pay ``total_minor`` (≥ 0).  Too little, too much without cash, or needless cash → refused."""
    cash, other, pays_cash = _split(total_minor, tenders)
    open_minor = total_minor - other
    if open_minor < 0:
        raise Invalid(
            f"Tenders other than cash are {-open_minor} minor units above the total: lower them; "
            "change is given from cash only.",
            context={"over_minor": -open_minor},
        )
    if not pays_cash:
        if open_minor:
            raise _under(open_minor)
        return Settlement(0, 0, 0, other)
    if open_minor == 0 and cash > 0:
        raise Invalid("Nothing is left to pay in cash: take the cash tender out.")
    due = round_cash(open_minor, cash_rounding.step_minor, cash_rounding.rounding)
    if cash < due:
        raise _under(due - cash)
    return Settlement(cash - due, due - open_minor, due, other)


def settle_refund(
    refund_minor: int, payouts: Sequence[Tender], cash_rounding: CashRounding = NO_CASH_ROUNDING
) -> Settlement:
    """Give ``refund_minor`` (≥ 0) back; amounts are positive.  The payouts must meet it exactly.

    ``cash_minor`` leaves the drawer; ``rounding_minor`` is what cash rounding adds to the refund.
    """
    cash, other, pays_cash = _split(refund_minor, payouts)
    open_minor = refund_minor - other
    due = open_minor
    if pays_cash and open_minor >= 0:
        due = round_cash(open_minor, cash_rounding.step_minor, cash_rounding.rounding)
    if open_minor < 0 or cash != due:
        raise Invalid(
            f"The payouts make {cash + other}, the refund is {refund_minor} minor units: correct"
            " them so that they are equal (cash is rounded to the smallest coin).",
            context={"refund_minor": refund_minor, "given_minor": cash + other},
        )
    return Settlement(0, due - open_minor, cash, other)


def _split(total_minor: int, tenders: Sequence[Tender]) -> tuple[int, int, bool]:
    check_money(total_minor, "total")
    if total_minor < 0:
        raise Invalid("A total below 0 is a refund: use a return instead.")
    cash = other = 0
    pays_cash = False
    for tender in tenders:
        check_money(tender.amount_minor, "tender")
        if tender.kind is TenderKind.CASH and tender.amount_minor >= 0:
            cash += tender.amount_minor
            pays_cash = True
        elif tender.kind is not TenderKind.CASH and tender.amount_minor > 0:
            other += tender.amount_minor
        else:
            raise Invalid(
                f"A {tender.kind} tender of {tender.amount_minor} is impossible: give an amount"
                " above 0 or take the tender out.",
                context={"kind": str(tender.kind)},
            )
    return cash, other, pays_cash


def _under(missing_minor: int) -> Invalid:
    return Invalid(
        f"The tenders are {missing_minor} minor units short: add a tender for the rest.",
        context={"missing_minor": missing_minor},
    )


class BasketState(StrEnum):
    """``open`` and ``suspended`` can still change; the others are final."""

    OPEN = "open"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    ABANDONED = "abandoned"


class BasketEvent(StrEnum):
    """What is asked of a basket."""

    CHANGE = "change"
    SUSPEND = "suspend"
    RESUME = "resume"
    CLOSE = "close"
    ABANDON = "abandon"


BASKET_TRANSITIONS: Final[dict[tuple[BasketState, BasketEvent], BasketState]] = {
    (BasketState.OPEN, BasketEvent.CHANGE): BasketState.OPEN,
    (BasketState.OPEN, BasketEvent.SUSPEND): BasketState.SUSPENDED,
    (BasketState.OPEN, BasketEvent.CLOSE): BasketState.CLOSED,
    (BasketState.OPEN, BasketEvent.ABANDON): BasketState.ABANDONED,
    (BasketState.SUSPENDED, BasketEvent.RESUME): BasketState.OPEN,
    (BasketState.SUSPENDED, BasketEvent.ABANDON): BasketState.ABANDONED,
}
"""Everything else is ``conflict``.  A suspended basket is abandoned (voided) at Z."""


@dataclass(frozen=True, slots=True)
class BasketHead:
    """Who has a basket.  ``version`` goes up by one with every change."""

    owner: str
    version: int
    state: BasketState = BasketState.OPEN


def check_owner_and_version(head: BasketHead, device_id: str, version: int) -> None:
    """Refuse unless ``device_id`` owns the basket and has seen its latest version."""
    if head.owner != device_id:
        raise Conflict(
            f"{head.owner} has this basket now: suspend it there, then resume it here.",
            context={"owner": head.owner, "version": head.version, "state": str(head.state)},
        )
    _check_version(head, version)


def advance(head: BasketHead, event: BasketEvent, device_id: str, version: int) -> BasketHead:
    """The head after ``event`` by ``device_id``, which has seen ``version``.

    Resuming makes the device the owner, whoever owned the basket before; of two tills that resume
    at once the second finds another version and is told who was first.  Anybody may abandon a
    suspended basket; everything else is for the owner.
    """
    state = BASKET_TRANSITIONS.get((head.state, event))
    if state is None:
        raise Conflict(
            f"A basket that is {head.state} can't {event}: {_remedy(head)}",
            context={"owner": head.owner, "version": head.version, "state": str(head.state)},
        )
    if head.state is BasketState.SUSPENDED:
        _check_version(head, version)
    else:
        check_owner_and_version(head, device_id, version)
    owner = device_id if event is BasketEvent.RESUME else head.owner
    return replace(head, owner=owner, version=head.version + 1, state=state)


def _check_version(head: BasketHead, version: int) -> None:
    if head.version != version:
        raise Conflict(
            f"This basket is at version {head.version}, not {version}: read it again, then repeat.",
            context={"owner": head.owner, "version": head.version, "state": str(head.state)},
        )


def _remedy(head: BasketHead) -> str:
    match head.state:
        case BasketState.OPEN:
            return f"{head.owner} has it; suspend it there first."
        case BasketState.SUSPENDED:
            return "resume it first."
        case BasketState.CLOSED:
            return "it was sold; open another one."
        case BasketState.ABANDONED:
            return "it was given up; open another one."
