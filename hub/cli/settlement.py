"""``store-hub settlement``: what the processor paid out, compared with the hub's book."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hub.cli.adminclient import ask_hub
from hub.cli.common import config_option, fail, json_option, print_json, print_table


@click.group(short_help="The processor's reports, compared with the hub's book.")
def command() -> None:
    """Take in the processor's settlement reports, and compare book, terminals and processor.

    A report is CSV with a header or JSON. It needs the columns kind (payment, refund, reversal,
    fee, chargeback), payment_id or psp_ref, amount or amount_minor, currency, and at (ISO 8601 with
    a zone) or at_ms; common names of processors for the same are understood, too.
    """


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--processor", default="processor", show_default=True, help="Whose report it is, e.g. adyen."
)
@json_option
@config_option
def import_(file: Path, processor: str, as_json: bool) -> None:
    """Take in a report. The hub has to run. The same report changes nothing.

    A line that pays a payment out proves that it was charged: payments that were in doubt are then
    known, and what the shop had given up goes back to the customer.
    """
    from hub.contract.settlement import LINES_PER_PART, PARTS_MAX
    from hub.domain.errors import Invalid
    from hub.domain.payments.reports import REPORT_BYTES_MAX, read_report

    if file.stat().st_size > REPORT_BYTES_MAX:
        fail(f"{file} is larger than {REPORT_BYTES_MAX >> 20} MiB", next_step="split it by days")
    try:
        lines = read_report(file.read_bytes())
    except Invalid as error:
        fail(error.detail, next_step="nothing was taken in: mend the file, then import it again")
    parts = [lines[at : at + LINES_PER_PART] for at in range(0, len(lines), LINES_PER_PART)]
    if len(parts) > PARTS_MAX:
        fail(f"{file} has {len(lines)} lines", next_step="split it by days")
    verdicts: dict[str, int] = {}
    again = 0
    with click.progressbar(parts, label="taking in", file=None, hidden=as_json) as bar:
        for part, some in enumerate(bar, start=1):
            done = ask_hub("settlement", "import", _body(file, processor, part, some))
            again += done["again"]
            for verdict, count in done["verdicts"].items():
                verdicts[verdict] = verdicts.get(verdict, 0) + count
    if as_json:
        print_json({"lines": len(lines), "verdicts": verdicts, "again": again == len(parts)})
        return
    if again == len(parts):
        click.echo("This report was there already: nothing has changed.")
    print_table(("verdict", "lines"), sorted(verdicts.items()), empty="No lines.")
    if verdicts.keys() - {"matched", "stand-alone"}:
        click.echo("`store-hub settlement report` says what the others mean and who looks at them.")


def _body(file: Path, processor: str, part: int, lines: Any) -> dict[str, Any]:
    return {
        "processor": processor,
        "name": file.name[:100],
        "part": part,
        "lines": [
            {
                "kind": str(line.kind),
                "payment_id": line.payment_id,
                "psp_ref": line.psp_ref,
                "amount_minor": line.amount_minor,
                "currency": line.currency,
                "at_ms": line.at_ms,
            }
            for line in lines
        ],
    }


@command.command("report")
@click.option(
    "--days", default=7, show_default=True, type=click.IntRange(1, 400), help="So many days back."
)
@click.option(
    "--unsettled-after-days",
    default=3,
    show_default=True,
    type=click.IntRange(1, 60),
    help="Captured money that no report has paid out for so long is a difference.",
)
@json_option
@config_option
def report(days: int, unsettled_after_days: int, as_json: bool) -> None:
    """Compare the hub's book, the terminals and the processor's reports; each difference with who
    looks into it. The hub has to run."""
    wanted = {"days": days, "unsettled_after_days": unsettled_after_days}
    done = ask_hub("settlement", "reconcile", wanted)
    if as_json:
        print_json(done)
        return
    from hub.domain.money import format_minor

    currency = done["currency"]
    print_table(
        ("state", "payments", "sum"),
        [
            (one["state"], one["count"], format_minor(one["amount_minor"], currency))
            for one in done["states"]
        ],
        empty="No card payment was ever taken.",
    )
    click.echo(f"The processor owes {format_minor(done['owed_minor'], currency)}.")
    if not done["files"]:
        click.echo("No report was ever imported: `store-hub settlement import FILE` takes one in.")
    print_table(
        ("owner", "difference", "what", "amount", "next step"),
        [
            (
                one["owner"],
                one["kind"],
                one["what"],
                format_minor(one["amount_minor"], currency) if one["amount_minor"] else "",
                one["next_step"],
            )
            for one in done["differences"]
        ],
        empty="The book, the terminals and the processor agree.",
    )
