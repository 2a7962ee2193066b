"""``store-hub outages``: when the shop was cut off, and the report about one such time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hub.cli.common import (
    config_option,
    fail,
    json_option,
    print_json,
    print_table,
)
from hub.cli.reading import open_rows, read_unit

if TYPE_CHECKING:
    from datetime import tzinfo

    from hub.contract.pages.history import OutageOnPage, OutageReport
    from hub.service.gate import ReadUnit
    from hub.storage.readers import LoopReader

PLACES = {
    "lan": "this box's network",
    "router": "the shop's router",
    "dns": "the look-up of names",
    "internet": "the internet",
    "oms": "the cloud itself",
    "hub-off": "the hub was off",
    "unknown": "not known",
}
SHOWN = 20


@click.command(
    "outages",
    short_help="When the shop was cut off, and what needs a person.",
    help="""List the times in which the cloud wasn't reached, the newest first; with ID the report
about one of them: what happened, and what needs a person now. The beginning of an id is enough;
`last` is the newest. Works while the hub is stopped, too.
""",
)
@click.argument("outage_id", metavar="[ID]", default="")
@click.option(
    "--limit",
    type=click.IntRange(1, 200),
    default=20,
    show_default=True,
    help="The newest outages.",
)
@json_option
@config_option
def command(outage_id: str, limit: int, as_json: bool) -> None:
    from hub.contract.pages.history import OutageQuery, OutagesQuery
    from hub.service.pages import outages

    with open_rows() as rows:
        unit = read_unit(rows)
        if outage_id:
            known = _whole_id(rows, outage_id)
            report = outages.one(unit, OutageQuery(outage_id=known))
            found = None
        else:
            found = outages.listed(unit, OutagesQuery(limit=limit)).outages
    if found is None:
        if as_json:
            print_json(report.model_dump(exclude_none=True))
        else:
            _print_report(report, unit.shop.zone, unit.now_ms)
    elif as_json:
        print_json([one.model_dump(exclude_none=True) for one in found])
    else:
        _print_list(found, unit)


def _whole_id(rows: LoopReader, text: str) -> str:
    from hub.storage import historyrows
    from hub.storage.pages import LAST

    known = historyrows.outages(rows, LAST, historyrows.OUTAGES_KEPT)
    fits = [one.outage_id for one in known if text == "last" or one.outage_id.startswith(text)]
    if not fits:
        fail(f"there is no outage {text}", next_step="`store-hub outages` lists them")
    if len(fits) > 1 and text != "last":
        fail(f"{len(fits)} outages begin with {text}", next_step="give more of the id")
    return fits[0]


def _print_list(found: tuple[OutageOnPage, ...], unit: ReadUnit) -> None:
    from hub.health.words import ago

    print_table(
        ("began", "lasted", "place", "sales", "needs", "id"),
        [
            (
                _instant(one.began_at_ms, unit.shop.zone),
                ago((one.ended_at_ms or unit.now_ms) - one.began_at_ms)
                + ("" if one.ended_at_ms else ", still"),
                PLACES[one.place] + (" (drill)" if one.drill else ""),
                one.sales,
                one.needs_person,
                one.outage_id,
            )
            for one in found
        ],
        empty="The shop wasn't cut off, as far as this hub knows.",
    )


def _print_report(report: OutageReport, zone: tzinfo, now_ms: int) -> None:
    from hub.domain.money import format_minor
    from hub.health.words import ago, many

    head, sales, waiting = report.outage, report.sales, report.waiting
    kind = "Drill" if head.drill else "Outage"
    lasted = ago((head.ended_at_ms or now_ms) - head.began_at_ms)
    until = f"to {_instant(head.ended_at_ms, zone)}" if head.ended_at_ms else "and still is"
    click.echo(f"{kind} from {_instant(head.began_at_ms, zone)} {until} ({lasted})")
    click.echo(f"Where the way ended: {PLACES[head.place]}.")
    click.echo()
    click.echo("What needs a person")
    for need in report.needs:
        click.echo(f"  ! {need.title}: {need.text}")
        click.echo(f"    Next step: {need.next_step}")
    if not report.needs:
        click.echo("  Nothing: nobody has to do anything.")
    click.echo()
    click.echo("The shop meanwhile")
    total = format_minor(sales.total_minor, sales.currency)
    click.echo(
        f"  {many(sales.count, 'sale')} for {total}; {many(sales.voids, 'void')},"
        f" {many(sales.returns, 'return')}"
    )
    click.echo(
        f"  {many(waiting.highest_depth, 'event')} waited at most; the cloud has {waiting.told},"
        f" waits for {waiting.still_waiting}, refused {waiting.parked}"
    )
    if (cards := report.payments) is not None:
        click.echo(
            f"  {many(cards.stored, 'card payment')} accepted offline for"
            f" {format_minor(cards.stored_minor, cards.currency)}: {cards.forwarded} approved"
            f" since, {cards.waiting} waiting, {cards.declined} declined or too late,"
            f" {cards.given_back} given back"
        )
    if report.caught_up_at_ms is not None:
        click.echo(f"  The cloud had everything at {_instant(report.caught_up_at_ms, zone)}")
    elif head.ended_at_ms is not None:
        click.echo("  The cloud doesn't have everything yet.")
    for device in report.devices_lost:
        name = _line(device.name)
        click.echo(f"  {name} ({device.device_id}) was lost {many(device.times, 'time')}")
    if report.happened:
        click.echo()
        click.echo("What happened, the newest first")
    for event in report.happened[:SHOWN]:
        click.echo(f"  {_instant(event.at_ms, zone)}  {_line(event.text)}")
    if (more := len(report.happened) - SHOWN) > 0:
        click.echo(f"  and {more} more: --json shows them")


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _instant(at_ms: int, zone: tzinfo) -> str:
    from hub.domain.dayparts import local_time

    return local_time(at_ms, zone).strftime("%Y-%m-%d %H:%M:%S")
