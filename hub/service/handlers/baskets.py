"""Baskets kept at the hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from hub.contract.base import MAX_LINES, Command, Outgoing
from hub.contract.basket import (
    AbandonBasket,
    AddLine,
    BasketCommand,
    BasketLine,
    Baskets,
    BasketView,
    ChangeLine,
    DiscountLine,
    GetBasket,
    ListBaskets,
    OpenBasket,
    OverridePrice,
    RemoveLine,
    ResumeBasket,
    SuspendBasket,
)
from hub.contract.problems import Code, refuse
from hub.contract.staff import ApprovalSubject
from hub.domain.basket import (
    BasketEvent,
    BasketHead,
    BasketState,
    advance,
    check_price,
    line_amounts,
)
from hub.domain.dayparts import local_time
from hub.domain.staff import Permission
from hub.domain.stock import claim, counter_sellable
from hub.service import deviations, permits, pricing
from hub.service.gate import Handler, Reader, ReadUnit
from hub.service.items import Item, price
from hub.service.ledger import Ledger
from hub.service.notices import BasketChanged
from hub.service.payments import claims
from hub.service.unit import Unit
from hub.storage import basketrows, stockrows
from hub.storage.basketrows import BasketLineRow, BasketRow
from hub.storage.rows import Rows

MAX_LIVE_PER_DEVICE = 20
MAX_LISTED = 100


def open_basket(unit: Unit, command: OpenBasket) -> BasketView:
    """Open an empty basket."""
    permits.need(unit, Permission.SALE_SELL)
    if basketrows.get(unit.tx, command.basket_id) is not None:
        raise refuse(Code.CONFLICT, "This basket id is taken: make a fresh one.")
    if basketrows.count_live(unit.tx, unit.caller.id) >= MAX_LIVE_PER_DEVICE:
        raise refuse(
            Code.CONFLICT,
            f"This device has {MAX_LIVE_PER_DEVICE} baskets: finish or abandon one first.",
        )
    basketrows.add(unit.tx, command.basket_id, unit.caller.id, unit.staff_id)
    return view(unit.tx, _basket(unit.tx, command.basket_id), unit.shop.currency)


def add_line(unit: Unit, command: AddLine) -> BasketView:
    """Add a product, price and tax frozen."""
    basket = begin(unit, command, BasketEvent.CHANGE)
    permits.need(unit, Permission.SALE_SELL)
    lines = basketrows.lines(unit.tx, basket.id)
    if len(lines) >= MAX_LINES:
        raise refuse(Code.CONFLICT, f"A basket has at most {MAX_LINES} lines: sell this one first.")
    rules = unit.books.code_rules(unit.tx)
    found = pricing.find(unit.tx, command.code, unit.now_ms, rules)
    pricing.check_expiry(found, local_time(unit.now_ms, unit.shop.zone).date())
    price_minor = pricing.sellable_price(found.product)
    if command.unit_price_minor is not None:
        check_price(command.unit_price_minor, price_minor, f"price of {found.product.sku}")
    measured = pricing.measure(found, command.qty, price_minor)
    product = found.product
    line = BasketLineRow(
        line_no=max((line.line_no for line in lines), default=0) + 1,
        sku=product.sku,
        gtin=found.gtin,
        name=product.name,
        qty=measured.qty,
        uom=product.uom,
        scale=product.scale,
        list_price_minor=price_minor,
        unit_price_minor=price_minor,
        discount_minor=measured.discount_minor,
        tax_code=product.tax_code,
        tax=unit.books.taxes.taxes(unit.tx).stamp({product.tax_code}),
        generation=product.generation,
        reason="label price" if measured.discount_minor else None,
    )
    if line.line_no > MAX_LINES:
        raise refuse(Code.CONFLICT, "This basket had too many lines: sell it or begin another one.")
    line_amounts(item_of(line).as_line())
    basketrows.add_line(unit.tx, basket.id, line)
    return _finish(unit, basket)


def change_line(unit: Unit, command: ChangeLine) -> BasketView:
    """Set a quantity."""
    basket = begin(unit, command, BasketEvent.CHANGE)
    permits.need(unit, Permission.SALE_SELL)
    before = _line(unit, basket, command.line_no)
    line = replace(before, qty=command.qty)
    if line.qty < before.qty:
        permits.need(unit, Permission.SALE_VOID_LINE)
        unit.note(
            "basket.qty_reduced",
            basket.basket_id,
            {"line": line.line_no, "sku": line.sku, "from": before.qty, "to": line.qty},
        )
    deviations.permit_again(unit, item_of(before), item_of(line))
    basketrows.save_line(unit.tx, basket.id, line)
    return _finish(unit, basket)


def remove_line(unit: Unit, command: RemoveLine) -> BasketView:
    """Take a line out."""
    basket = begin(unit, command, BasketEvent.CHANGE)
    permits.need(unit, Permission.SALE_VOID_LINE)
    line = _line(unit, basket, command.line_no)
    basketrows.remove_line(unit.tx, basket.id, command.line_no)
    unit.note(
        "basket.line_removed",
        basket.basket_id,
        {"line": line.line_no, "sku": line.sku, "qty": line.qty},
    )
    return _finish(unit, basket)


def discount_line(unit: Unit, command: DiscountLine) -> BasketView:
    """Take an amount off a line."""
    basket = begin(unit, command, BasketEvent.CHANGE)
    line = _line(unit, basket, command.line_no)
    changed = replace(line, discount_minor=command.discount_minor, reason=command.reason)
    told = {"discount_minor": command.discount_minor}
    permit = deviations.permit_discount
    return _deviate(unit, basket, changed, permit, command.approval_id, "basket.discount", told)


def override_price(unit: Unit, command: OverridePrice) -> BasketView:
    """Sell a line at another price."""
    basket = begin(unit, command, BasketEvent.CHANGE)
    line = _line(unit, basket, command.line_no)
    changed = replace(line, unit_price_minor=command.unit_price_minor, reason=command.reason)
    told = {"from_minor": line.list_price_minor, "to_minor": command.unit_price_minor}
    permit = deviations.permit_override
    action = "basket.price_override"
    return _deviate(unit, basket, changed, permit, command.approval_id, action, told)


def _deviate(
    unit: Unit,
    basket: BasketRow,
    changed: BasketLineRow,
    permit: Callable[..., str | None],
    approval_id: str | None,
    action: str,
    told: dict[str, int],
) -> BasketView:
    """Keep a line that differs from the book of prices, if that is allowed, and note who did so."""
    subject = ApprovalSubject(basket_id=basket.basket_id, line_no=changed.line_no, sku=changed.sku)
    approver = permit(unit, item_of(changed), approval_id, subject)
    basketrows.save_line(unit.tx, basket.id, changed)
    line = {"line": changed.line_no, "sku": changed.sku}
    why = {"reason": changed.reason, "approved_by": approver}
    unit.note(action, basket.basket_id, {**line, **told, **why})
    return _finish(unit, basket)


def suspend_basket(unit: Unit, command: SuspendBasket) -> BasketView:
    """Park a basket for any till."""
    basket = begin(unit, command, BasketEvent.SUSPEND)
    basketrows.save_head(unit.tx, replace(basket, label=command.label))
    return _moved(unit, basket.basket_id)


def resume_basket(unit: Unit, command: ResumeBasket) -> BasketView:
    """Take a suspended basket over and check its stock again."""
    permits.need(unit, Permission.SALE_SELL)
    basket = begin(unit, command, BasketEvent.RESUME)
    _finish(unit, replace(basket, staff_id=unit.staff_id))
    return _moved(unit, basket.basket_id)


def abandon_basket(unit: Unit, command: AbandonBasket) -> BasketView:
    """Give a basket up."""
    basket = begin(unit, command, BasketEvent.ABANDON)
    release_holds(unit, Ledger.of(unit, "basket"), basket.id)
    basketrows.save_head(unit.tx, basket)
    unit.note("basket.abandoned", basket.basket_id, {"reason": command.reason})
    return _moved(unit, basket.basket_id)


def begin(unit: Unit, command: BasketCommand, event: BasketEvent) -> BasketRow:
    """The basket after ``event`` (not written yet).  Errors: ``not-found``, ``conflict``."""
    basket = _basket(unit.tx, command.basket_id)
    head = BasketHead(basket.owner, basket.version, BasketState(basket.state))
    after = advance(head, event, unit.caller.id, command.version)
    claims.fence(unit, basket.basket_id, event)
    return replace(basket, owner=after.owner, version=after.version, state=after.state.value)


def release_holds(unit: Unit, ledger: Ledger, basket: int) -> dict[str, int]:
    """Give a basket's holds back; what was held, by SKU."""
    held: dict[str, int] = {}
    for sku, (sku_id, qty) in stockrows.holds_of_basket(unit.tx, basket).items():
        stockrows.set_hold(unit.tx, basket, sku_id, 0, 0)
        ledger.claim(sku, claim(ledger.level(sku).levels, "held", -qty))
        held[sku] = qty
    return held


def _hold_all(unit: Unit, basket: int, lines: list[BasketLineRow]) -> None:
    """Hold what the lines ask for, as far as it is free; the time starts anew."""
    ledger = Ledger.of(unit, "basket")
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.sku] += line.qty
    expires = unit.tx.budget_ms + unit.shop.hold_ttl_ms
    had = stockrows.holds_of_basket(unit.tx, basket)
    for sku in dict.fromkeys([*wanted, *had]):
        own = had[sku][1] if sku in had else 0
        if wanted[sku] == own:
            continue
        row = ledger.level(sku)
        qty = min(wanted[sku], counter_sellable(row.levels, own))
        if qty != own:
            ledger.claim(sku, claim(row.levels, "held", qty - own))
            stockrows.set_hold(unit.tx, basket, row.sku_id, qty, expires)
    stockrows.prolong_holds(unit.tx, basket, expires)
    ledger.finish()


def _finish(unit: Unit, basket: BasketRow) -> BasketView:
    _hold_all(unit, basket.id, basketrows.lines(unit.tx, basket.id))
    basketrows.save_head(unit.tx, basket)
    return view(unit.tx, basket, unit.shop.currency)


def _moved(unit: Unit, basket_id: str) -> BasketView:
    basket = _basket(unit.tx, basket_id)
    unit.tell(BasketChanged(basket_id, basket.state, basket.owner))
    return view(unit.tx, basket, unit.shop.currency)


def _basket(rows: Rows, basket_id: str) -> BasketRow:
    basket = basketrows.get(rows, basket_id)
    if basket is None:
        raise refuse(Code.NOT_FOUND, "There is no such basket: open one first.")
    return basket


def _line(unit: Unit, basket: BasketRow, line_no: int) -> BasketLineRow:
    for line in basketrows.lines(unit.tx, basket.id):
        if line.line_no == line_no:
            return line
    raise refuse(Code.NOT_FOUND, f"The basket has no line {line_no}: read it again.")


def item_of(line: BasketLineRow) -> Item:
    """A basket's line on its way to a sale."""
    return Item(
        line_no=line.line_no,
        sku=line.sku,
        gtin=line.gtin,
        name=line.name,
        qty=line.qty,
        uom=line.uom,
        scale=line.scale,
        list_price_minor=line.list_price_minor,
        unit_price_minor=line.unit_price_minor,
        discount_minor=line.discount_minor,
        tax_code=line.tax_code,
        tax=line.tax,
        generation=line.generation,
        reason=line.reason,
    )


def view(rows: Rows, basket: BasketRow, currency: str) -> BasketView:
    """A basket as devices see it."""
    lines = basketrows.lines(rows, basket.id)
    priced = price([item_of(line) for line in lines])
    held = {sku: qty for sku, (_, qty) in stockrows.holds_of_basket(rows, basket.id).items()}
    shown, warnings = [], []
    for entry in priced.lines:
        item = entry.item
        got = min(item.qty, held.get(item.sku, 0))
        held[item.sku] = held.get(item.sku, 0) - got
        if got < item.qty and basket.state in ("open", "suspended"):
            warnings.append(f"{item.sku}: {got} of {item.qty} are free here")
        shown.append(
            BasketLine(
                line_no=item.line_no,
                sku=item.sku,
                gtin=item.gtin,
                name=item.name,
                qty=item.qty,
                uom=item.uom,
                scale=item.scale,
                unit_price_minor=item.unit_price_minor,
                list_price_minor=item.list_price_minor,
                gross_minor=entry.amounts.gross_minor,
                discount_minor=entry.amounts.discount_minor,
                net_minor=entry.amounts.net_minor,
                tax_code=item.tax_code,
                reason=item.reason,
                held=got,
            )
        )
    return BasketView(
        basket_id=basket.basket_id,
        version=basket.version,
        state=basket.state,
        owner=basket.owner,
        staff_id=basket.staff_id,
        label=basket.label,
        lines=tuple(shown),
        total_minor=priced.total_minor,
        tax_minor=priced.tax_minor,
        currency=currency,
        warnings=tuple(warnings),
    )


def get_basket(unit: ReadUnit, query: GetBasket) -> Outgoing:
    """One basket."""
    return view(unit.rows, _basket(unit.rows, query.basket_id), unit.shop.currency)


def list_baskets(unit: ReadUnit, query: ListBaskets) -> Baskets:
    """Open and suspended baskets."""
    return Baskets(
        baskets=tuple(
            BasketView(
                basket_id=row.basket_id,
                version=row.version,
                state=row.state,
                owner=row.owner,
                staff_id=row.staff_id,
                label=row.label,
                currency=unit.shop.currency,
            )
            for row in basketrows.live(unit.rows, MAX_LISTED)
        )
    )


WRITES: dict[type[Command], Handler] = {
    OpenBasket: open_basket,
    AddLine: add_line,
    ChangeLine: change_line,
    RemoveLine: remove_line,
    DiscountLine: discount_line,
    OverridePrice: override_price,
    SuspendBasket: suspend_basket,
    ResumeBasket: resume_basket,
    AbandonBasket: abandon_basket,
}
READS: dict[type[Command], Reader] = {GetBasket: get_basket, ListBaskets: list_baskets}
