"""``store-hub stock``: levels, a product's ledger, and the verification of the whole ledger."""

from __future__ import annotations

import click

from hub.cli.common import config_option, fail, json_option, print_json, print_table
from hub.cli.reading import open_rows

LEDGER_SHOWN = 50


@click.group(short_help="Levels, the ledger and its verification.")
def command() -> None:
    """Look at the shop's stock. Quantities are in base units (grams for goods sold by kg at scale
    3)."""


@command.command("level")
@click.argument("skus", nargs=-1, required=True, metavar="SKU...")
@json_option
@config_option
def level(skus: tuple[str, ...], as_json: bool) -> None:
    """Show the levels of products: what is there, claimed and free."""
    from hub.service.handlers.catalog import level_of

    with open_rows() as rows:
        found = [level_of(rows, sku) for sku in skus]
    if as_json:
        print_json([one.model_dump() for one in found])
        return
    columns = ("sku", "sellable", "reserved", "held", "allotted", "safety", "available")
    print_table(columns, [[getattr(one, column) for column in columns] for one in found])


@command.command("ledger")
@click.argument("sku")
@click.option("--limit", default=LEDGER_SHOWN, show_default=True, help="The newest movements.")
@json_option
@config_option
def ledger(sku: str, limit: int, as_json: bool) -> None:
    """Show a product's movements, the newest first."""
    from itertools import islice

    from hub.storage import stockrows

    with open_rows() as rows:
        product = stockrows.level(rows, sku)
        if product is None:
            fail(f"{sku} never moved here", next_step="`store-hub catalog search TEXT` finds SKUs")
        found = list(islice(stockrows.product_ledger(rows, product.last_seq), max(1, limit)))
    columns = ("seq", "qty", "src", "dst", "type", "ref_type", "ref_id", "ref_line")
    if as_json:
        print_json([{column: getattr(one, column) for column in columns} for one in found])
        return
    print_table(columns, [[getattr(one, column) for column in columns] for one in found])


@command.command("verify")
@json_option
@config_option
def verify(as_json: bool) -> None:
    """Recompute the ledger's hash chain and every level from it. Exit code 1 if anything is
    wrong."""
    from dataclasses import asdict

    from hub.cli.common import console
    from hub.service.ledger import verify as verify_ledger

    with open_rows() as rows, console(stderr=True).status("reading the whole ledger"):
        verdict = verify_ledger(rows)
    if as_json:
        print_json(asdict(verdict) | {"whole": verdict.whole})
    else:
        click.echo(f"{verdict.movements} movements, {verdict.products} products")
        if verdict.broken_seq is not None:
            click.echo(f"The chain is broken at movement {verdict.broken_seq}.")
        if verdict.differing_skus:
            click.echo(f"Levels differ from the ledger: {', '.join(verdict.differing_skus)}")
        if verdict.whole:
            click.echo("The ledger is whole, and every level is its sum.")
    if not verdict.whole:
        raise SystemExit(1)
