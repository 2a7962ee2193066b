"""Papers of online orders: pick list, packing slip, hand-over slip."""

from __future__ import annotations

from collections.abc import Sequence

from hub.contract.documents import (
    HandOverFacts,
    Item,
    OrderFacts,
    PackingSlipFacts,
    PickListFacts,
    PlacedItem,
)
from hub.documents.compose.sales import identity
from hub.documents.compose.sheet import Sheet
from hub.documents.layout import BOLD, PLAIN, Align, Cell, Layout, Row, Rule, Space, Text
from hub.documents.templates import Paper, Template

_BOX = "[ ]"


def pick_list(facts: PickListFacts, template: Template, paper: Paper) -> Layout:
    """What to fetch, a box to tick for each, the place first."""
    sheet = Sheet(facts, template, paper)
    sheet.head_inside(sheet.w.pick_list)
    way = sheet.w.by_parcel if facts.ship else sheet.w.for_collection
    sheet.banner(way)
    sheet.add(Space())
    sheet.heading(_number(facts))
    due = sheet.f.moment(facts.due_at_ms) if facts.due_at_ms else ""
    sheet.pairs((sheet.w.due, due), (sheet.w.customer, facts.customer), (sheet.w.note, facts.note))
    sheet.add(Rule(heavy=True))
    for line in facts.lines:
        _to_pick(sheet, line)
    sheet.code(_number(facts))
    return sheet.finish(f"{sheet.w.pick_list} {_number(facts)}")


def _to_pick(sheet: Sheet, line: PlacedItem) -> None:
    wanted = sheet.f.quantity(line.qty, line.scale, line.uom)
    if line.picked_qty is not None:
        wanted = f"{sheet.f.quantity(line.picked_qty, line.scale)} / {wanted}"
    texts = [line.name if line.place else "", *_numbers(sheet, line), *identity(sheet, line)]
    texts.append(line.note)
    rows = [Row((Cell(_BOX), Cell(line.place or line.name, weight=1), sheet.figure(wanted)), BOLD)]
    rows += [Row((Cell(""), Cell(text, weight=1), Cell(""))) for text in texts if text]
    sheet.table(rows)
    sheet.add(Rule())


def _numbers(sheet: Sheet, line: Item) -> list[str]:
    sku = sheet.labelled(sheet.w.sku, line.sku)
    gtin = sheet.labelled(sheet.w.gtin, line.gtin or "")
    return [text for text in (sku, gtin) if text]


def packing_slip(facts: PackingSlipFacts, template: Template, paper: Paper) -> Layout:
    """What lies in the parcel, and to whom it goes."""
    sheet = Sheet(facts, template, paper)
    sheet.head(sheet.w.packing_slip)
    sheet.add(Text(sheet.w.ship_to, Align.START, BOLD))
    for n, line in enumerate(facts.address):
        sheet.add(Text(line, Align.START, BOLD if n == 0 else PLAIN))
    sheet.add(Space())
    sheet.pairs(
        (sheet.w.order, _number(facts)),
        (sheet.w.date, sheet.f.date_of(facts.at_ms) if facts.at_ms else ""),
        (sheet.w.parcel, f"{facts.parcel} / {facts.parcels}"),
        (sheet.w.carrier, facts.carrier),
        (sheet.w.tracking, facts.tracking_no),
    )
    _goods(sheet, facts.lines)
    _note(sheet, facts.note)
    sheet.foot()
    sheet.code(facts.tracking_no or _number(facts))
    return sheet.finish(f"{sheet.w.packing_slip} {_number(facts)}")


def hand_over(facts: HandOverFacts, template: Template, paper: Paper) -> Layout:
    """What a customer takes with them, to sign for."""
    sheet = Sheet(facts, template, paper)
    sheet.head(sheet.w.hand_over)
    sheet.heading(_number(facts))
    sheet.pairs(
        (sheet.w.customer, facts.customer),
        (sheet.w.date, sheet.f.moment(facts.at_ms) if facts.at_ms else ""),
        (sheet.w.place, facts.place),
        (sheet.w.served_by, facts.staff),
    )
    _goods(sheet, facts.lines)
    _note(sheet, facts.note)
    proof = {"code": sheet.w.proof_code, "id": sheet.w.proof_id}.get(facts.proof, facts.proof)
    if proof:
        sheet.add(Space(), Text(proof, Align.START, BOLD))
    sheet.add(Space(), Text(sheet.w.received))
    sheet.signature(sheet.w.customer_signature)
    sheet.foot()
    sheet.code(_number(facts))
    return sheet.finish(f"{sheet.w.hand_over} {_number(facts)}")


def _number(facts: OrderFacts) -> str:
    return facts.order_no or facts.order_id


def _note(sheet: Sheet, note: str) -> None:
    if note:
        sheet.add(Space(), Text(note, Align.START, BOLD))


def _goods(sheet: Sheet, lines: Sequence[Item]) -> None:
    sheet.add(Rule())
    rows: list[Row] = []
    for line in lines:
        quantity = sheet.f.quantity(line.qty, line.scale, line.uom)
        rows.append(Row((sheet.figure(quantity), Cell(line.name, weight=1)), BOLD))
        below = [*([sheet.labelled(sheet.w.sku, line.sku)] if line.sku else [])]
        below += identity(sheet, line)
        rows += [Row((Cell(""), Cell(text, weight=1))) for text in below]
    if rows:
        sheet.table(rows)
    sheet.add(Rule())
