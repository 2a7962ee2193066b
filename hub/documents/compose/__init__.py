"""From facts to a layout: one file for each family of documents."""

from __future__ import annotations

from typing import assert_never

from hub.contract.documents import (
    AnyFacts,
    GiftFacts,
    HandOverFacts,
    PackingSlipFacts,
    PickListFacts,
    ReturnFacts,
    SaleFacts,
    ShelfLabelFacts,
    StatusTicketFacts,
    TestPageFacts,
    VoidFacts,
    XReportFacts,
    ZReportFacts,
)
from hub.documents.compose import orders, reports, sales, shelf, tickets
from hub.documents.layout import Layout
from hub.documents.templates import Paper, Template


def compose(facts: AnyFacts, template: Template, paper: Paper) -> Layout:  # noqa: PLR0911
    """The document as this shop prints it on this paper.  Total: any facts compose."""
    match facts:
        case SaleFacts():
            return sales.sale(facts, template, paper)
        case ReturnFacts():
            return sales.goods_back(facts, template, paper)
        case GiftFacts():
            return sales.gift(facts, template, paper)
        case VoidFacts():
            return sales.void(facts, template, paper)
        case XReportFacts() | ZReportFacts():
            return reports.report(facts, template, paper)
        case PickListFacts():
            return orders.pick_list(facts, template, paper)
        case PackingSlipFacts():
            return orders.packing_slip(facts, template, paper)
        case HandOverFacts():
            return orders.hand_over(facts, template, paper)
        case ShelfLabelFacts():
            return shelf.label(facts, template, paper)
        case StatusTicketFacts():
            return tickets.status(facts, template, paper)
        case TestPageFacts():
            return tickets.test_page(facts, template, paper)
        case _:
            assert_never(facts)
