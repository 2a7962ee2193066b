"""``store-hub orders``: the online orders that this shop serves."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from hub.cli.common import config_option, json_option, print_json, print_table
from hub.cli.reading import open_rows, read_unit

if TYPE_CHECKING:
    from hub.contract.orders import OrderHead, OrderLineView
    from hub.service.gate import ReadUnit

SHOWN = 50


@click.group(short_help="Online orders: what is open, what is missing.")
def command() -> None:
    """Look at the online orders that the cloud has given to this shop. Works while the hub is
    stopped, too. Whose an order is isn't shown here."""


@command.command("list")
@click.option(
    "--which",
    type=click.Choice(("open", "short", "all")),
    default="open",
    show_default=True,
    help="Open ones, those that lack goods, or those that ended as well.",
)
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 200))
@json_option
@config_option
def listed(which: str, limit: int, as_json: bool) -> None:
    """List orders: open ones first, the earliest promise first."""
    from hub.service.orders import views

    with open_rows() as rows:
        unit = read_unit(rows)
        found, _ = views.some(unit, which, None, limit)
    if as_json:
        print_json([one.model_dump(exclude_none=True) for one in found])
        return
    print_table(
        ("order", "kind", "state", "promised", "lines", "missing", "id"),
        [_row(one, unit) for one in found],
        empty="No such order.",
    )


@command.command("show")
@click.argument("order")
@json_option
@config_option
def show(order: str, as_json: bool) -> None:
    """Show one order, by its number or its id, with its lines and what happened to it."""
    from hub.contract.pages.orders import OrderQuery, OrdersQuery
    from hub.service.pages import orders

    with open_rows() as rows:
        unit = read_unit(rows)
        page = orders.listed(unit, OrdersQuery(q=order[:64], limit=2))
        exact = [one for one in page.orders if order in (one.order_id, one.number)]
        if len(exact) != 1:
            _say_why(order, len(page.orders))
        found = orders.one(unit, OrderQuery(order_id=exact[0].order_id))
    if as_json:
        print_json(found.model_dump(exclude_none=True))
        return
    head = found.order
    promised = _moment(head.promised_at_ms, unit) if head.promised_at_ms else "-"
    click.echo(f"{head.number} {head.part} ({head.kind}): {_state(head)}; promised for {promised}")
    print_table(
        ("line", "product", "ordered", "reserved", "missing", "given out"),
        [_line(line) for line in found.lines],
        empty="Its lines never came here.",
    )
    for step in found.steps:
        click.echo(f"{_moment(step.at_ms, unit)}  {step.what}  {step.detail}".rstrip())


def _say_why(order: str, found: int) -> None:
    from hub.cli.common import fail

    if found:
        fail(f"{order} is not the whole number of one order", next_step="give its whole id")
    fail(f"there is no order {order}", next_step="`store-hub orders list --which all` lists them")


def _row(one: OrderHead, unit: ReadUnit) -> list[object]:
    promised = _moment(one.promised_at_ms, unit) if one.promised_at_ms else "-"
    name = " ".join(filter(None, (one.number, one.part)))
    return [name, one.kind, _state(one), promised, one.lines, one.short_lines or "", one.order_id]


def _state(one: OrderHead) -> str:
    return f"{one.state}, late" if one.late else one.state


def _line(line: OrderLineView) -> list[object]:
    product = f"{line.sku} {line.name}".rstrip()
    return [
        *(line.line_no, product, line.qty, line.reserved_qty or ""),
        *(line.short_qty or "", line.gone_qty or ""),
    ]


def _moment(at_ms: int, unit: ReadUnit) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, tz=unit.shop.zone):%Y-%m-%d %H:%M}"
