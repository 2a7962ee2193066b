"""Labels for the shelf, with the prices that are in force."""

from __future__ import annotations

from typing import Final, NamedTuple

from hub.contract.base import Command
from hub.contract.documents import ShelfLabelFacts
from hub.contract.printing import LabelQueued, LabelsQueued, LabelWanted, PrintLabels
from hub.contract.problems import Code, Refusal, refuse
from hub.domain.cards import find_card_data
from hub.domain.errors import DomainError
from hub.domain.staff import NO_AMOUNT, Allowed, Permission, decide
from hub.service import permits, pricing, receipts
from hub.service.gate import Handler
from hub.service.pricing import Found
from hub.service.unit import Unit
from hub.storage import catalogrows, printrows

KIND: Final = "shelf-label"
WAITING_MAX: Final = 200
"""So many labels may wait: the rest of the queue is kept for receipts."""
TITLE_MAX: Final = 80
_PERMITTED: Final = (
    Permission.STOCK_COUNT,
    Permission.STOCK_RECEIVE,
    Permission.STOCK_ADJUST,
    Permission.HUB_MANAGE,
)
"""Who handles the goods handles their labels."""


class _Label(NamedTuple):
    facts: ShelfLabelFacts
    copies: int


def print_labels(unit: Unit, command: PrintLabels) -> LabelsQueued:
    """See :class:`PrintLabels`.  Errors: ``not-found`` for a code that no product has, ``conflict``
    for one that can't be sold or while too much waits; nothing is queued then."""
    _permit(unit)
    wanted = receipts.wanted_printer(unit, command.printer_id)
    _refuse_full(unit, sum(one.copies for one in command.labels))
    found = [(one, _find(unit, number, one)) for number, one in enumerate(command.labels)]
    gtins = catalogrows.gtins_of(unit.tx, [each.product.sku for _, each in found])
    labels = [
        _Label(_facts(unit, each, gtins.get(each.product.sku, [])), one.copies)
        for one, each in found
    ]
    queued = tuple(_queue(unit, label, wanted) for label in labels)
    unit.note(
        "print.labels",
        queued[0].job_ids[0],
        {"labels": {one.sku: len(one.job_ids) for one in queued}, "printer_id": wanted},
    )
    unit.cover_all()
    return LabelsQueued(labels=queued)


def _permit(unit: Unit) -> None:
    """The page's roles were looked at before."""
    if unit.caller.is_admin:
        return
    held = permits.grants(unit)
    if not any(isinstance(decide(one, held, NO_AMOUNT), Allowed) for one in _PERMITTED):
        names = ", ".join(_PERMITTED)
        raise refuse(
            Code.FORBIDDEN,
            f"Labels take one of {names}: sign in as someone who has it.",
            permission=Permission.STOCK_COUNT,
        )


def _refuse_full(unit: Unit, more: int) -> None:
    waiting = printrows.count_waiting(unit.tx, KIND)
    if waiting + more > WAITING_MAX or receipts.is_full(unit):
        raise refuse(
            Code.CONFLICT,
            f"{waiting} labels wait already, and no more than {WAITING_MAX} may: see to the label"
            " printer, or cancel some.",
        )


def _find(unit: Unit, number: int, wanted: LabelWanted) -> Found:
    """The product of a code, which has to have a price.  Errors name the code by its place, too."""
    shown = wanted.code if find_card_data(wanted.code) is None else "this code"
    try:
        found = pricing.find(unit.tx, wanted.code, unit.now_ms, unit.books.code_rules(unit.tx))
        pricing.sellable_price(found.product)
    except (Refusal, DomainError) as error:
        problem = error.problem if isinstance(error, Refusal) else error
        raise refuse(
            Code(problem.code),
            f"labels[{number}] ({shown}): {problem.detail} No label was queued.",
            field=f"labels.{number}.code",
        ) from None
    return found


def _facts(unit: Unit, found: Found, gtins: list[str]) -> ShelfLabelFacts:
    product = found.product
    price = catalogrows.price_in_force(unit.tx, product.sku, unit.now_ms)
    assert price is not None, "it was looked at before"
    gtin = found.gtin if found.gtin in gtins else next(iter(gtins), None)
    by_measure = product.scale > 0
    return ShelfLabelFacts(
        at_ms=unit.now_ms,
        training=unit.shop.training,
        shop=unit.shop.name,
        name=product.name,
        sku=product.sku,
        gtin=_as_printed(gtin) if gtin else None,
        uom=product.uom if by_measure else "",
        currency=unit.shop.currency,
        price_minor=price.price_minor,
        base_price_minor=price.price_minor if by_measure else None,
        base_uom=product.uom if by_measure else "",
        valid_from_ms=price.valid_from_ms,
        valid_until_ms=price.valid_to_ms or 0,
    )


def _as_printed(gtin14: str) -> str:
    """In as many digits as it has on the goods (GS1 General Specifications: 8, 12, 13 or 14)."""
    for zeros in (6, 2, 1):
        if gtin14.startswith("0" * zeros):
            return gtin14[zeros:]
    return gtin14


def _queue(unit: Unit, label: _Label, wanted: str) -> LabelQueued:
    facts = label.facts
    device_id = "" if unit.caller.is_admin else unit.caller.id
    job_ids = []
    for _ in range(label.copies):
        job = receipts.queue(
            unit,
            device_id,
            facts,
            facts.sku,
            facts.name[:TITLE_MAX],
            wanted=wanted,
            priority=receipts.PRIORITY_LABEL,
        )
        assert job is not None, "a label's facts are short"
        job_ids.append(job.job_id)
    return LabelQueued(
        sku=facts.sku, name=facts.name, price_minor=facts.price_minor, job_ids=tuple(job_ids)
    )


WRITES: dict[type[Command], Handler] = {PrintLabels: print_labels}
