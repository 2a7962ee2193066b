"""``store-hub sales``: list and show sales."""

from __future__ import annotations

import click

from hub.cli.common import config_option, fail, json_option, print_json, print_table
from hub.cli.reading import open_rows


@click.group(short_help="List and show sales.")
def command() -> None:
    """Look at sales."""


@command.command("list")
@click.option("--limit", default=20, show_default=True, help="The newest sales.")
@json_option
@config_option
def list_(limit: int, as_json: bool) -> None:
    """List the latest sales, the newest first."""
    from hub.domain.money import format_minor
    from hub.storage import salerows

    with open_rows() as rows:
        found = salerows.latest(rows, before=None, limit=max(1, min(limit, 1000)))
    if as_json:
        names = ("sale_id", "receipt_no", "state", "device_id", "business_day", "total_minor")
        print_json([{name: getattr(sale, name) for name in names} for sale in found])
        return
    print_table(
        ("receipt", "day", "till", "total", "state", "sale id"),
        [
            (
                sale.receipt_no,
                sale.business_day,
                sale.device_id,
                format_minor(sale.total_minor, sale.currency),
                sale.state,
                sale.sale_id,
            )
            for sale in found
        ],
        empty="no sales yet",
    )


@command.command("show")
@click.argument("sale_id")
@json_option
@config_option
def show(sale_id: str, as_json: bool) -> None:
    """Show one sale with its lines and tenders."""
    from hub.domain.money import format_minor
    from hub.domain.quantity import format_qty
    from hub.service.handlers.salequeries import sale_view
    from hub.storage import salerows

    with open_rows() as rows:
        sale = salerows.get(rows, sale_id)
        if sale is None:
            fail(f"there is no sale {sale_id}", next_step="`store-hub sales list` shows the ids")
        view = sale_view(rows, sale)
    if as_json:
        print_json(view.model_dump())
        return
    money = view.currency
    click.echo(f"{view.receipt_no}  {view.business_day}  {view.device_id}  {view.state}")
    print_table(
        ("line", "sku", "name", "qty", "price", "discount", "net"),
        [
            (
                line.line_no,
                line.sku,
                line.name,
                format_qty(line.qty, line.scale),
                format_minor(line.unit_price_minor, money),
                format_minor(line.discount_minor, money) if line.discount_minor else "",
                format_minor(line.net_minor, money),
            )
            for line in view.lines
        ],
    )
    for tender in view.tenders:
        click.echo(f"{tender.kind}: {format_minor(tender.amount_minor, money)}")
    click.echo(
        f"total {format_minor(view.total_minor, money)}, tax"
        f" {format_minor(view.tax_minor, money)}, change {format_minor(view.change_minor, money)}"
    )
