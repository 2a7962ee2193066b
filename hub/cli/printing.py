"""``store-hub print``: what is printed, what became of it, and what people say about it."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.adminclient import ask_hub
from hub.cli.common import config_option, fail, json_option, print_json, print_table
from hub.cli.reading import open_rows
from hub.contract.printing import LABEL_COPIES_MAX, LABELS_AT_ONCE_MAX, LABELS_MAX

SHOWN = 50
ANSWERS = ("printed", "again", "forget")
NEEDLE_MIN = 6


@click.group(short_help="Print jobs: what waits, and what a person is asked about.")
def command() -> None:
    """Look at print jobs, and say what became of one that nobody knows of. Reading works while the
    hub is stopped, too.

    A job is named by its id, or by any end of it of at least 6 characters that no other open or
    recent job has.
    """


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="The latest ones as well, newest first.")
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 200))
@json_option
@config_option
def listed(everything: bool, limit: int, as_json: bool) -> None:
    """List jobs that wait, are being printed, or are in doubt."""
    from hub.service.handlers.reprints import view
    from hub.storage import printrows

    with open_rows() as rows:
        found = (
            printrows.latest(rows, before=None, limit=limit)
            if everything
            else printrows.open_ones(rows, limit)
        )
    if as_json:
        print_json([view(row).model_dump() for row in found])
        return
    print_table(
        ("job", "what", "till", "printer", "state", "since", "why"),
        [
            (
                row.job_id[-12:],
                f"{row.kind} {row.title}" + (f", copy {row.copy}" if row.copy else ""),
                row.device_id,
                row.printer_id or row.wanted,
                row.state,
                _time(row.ended_at_ms or row.began_at_ms or row.made_at_ms),
                row.reason,
            )
            for row in found
        ],
        empty="Nothing was ever printed." if everything else "Nothing waits to be printed.",
    )
    if any(row.state == "ambiguous" for row in found):
        click.echo(
            "Nobody knows whether the ambiguous ones are on paper: look, and say"
            " `store-hub print settle JOB printed|again|forget`."
        )


@command.command("settle")
@click.argument("job")
@click.argument("answer", type=click.Choice(ANSWERS))
@json_option
@config_option
def settle(job: str, answer: str, as_json: bool) -> None:
    """Say what became of an ambiguous job: it is on paper (printed), print it AGAIN as a copy, or
    FORGET it. The hub has to run."""
    done = ask_hub("print", "settle", {"job_id": _job_id(job), "answer": answer})
    if as_json:
        print_json(done)
    elif answer == "again":
        click.echo("It is printed again, marked as a copy.")
    else:
        click.echo("It is written down.")


@command.command("cancel")
@click.argument("job")
@json_option
@config_option
def cancel(job: str, as_json: bool) -> None:
    """Don't print a job that still waits. The hub has to run."""
    done = ask_hub("print", "cancel", {"job_id": _job_id(job)})
    if as_json:
        print_json(done)
    else:
        click.echo("It won't be printed.")


@command.command("again")
@click.argument("job")
@click.option("--printer", help="Another printer than its till's own.")
@json_option
@config_option
def again(job: str, printer: str | None, as_json: bool) -> None:
    """Print a job that has ended once more, marked as a copy and counted. The hub has to run."""
    wanted = {"job_id": _job_id(job)} | ({"printer_id": printer} if printer else {})
    done = ask_hub("print", "reprint", wanted)
    if as_json:
        print_json(done)
    else:
        click.echo("A copy is on its way; `store-hub print list` shows how far it is.")


@command.command("label")
@click.argument("codes", metavar="CODE...", nargs=-1, required=True)
@click.option(
    "--copies",
    default=1,
    show_default=True,
    type=click.IntRange(1, LABEL_COPIES_MAX),
    help="So many of each.",
)
@click.option("--printer", help="Another printer than the usual one.")
@json_option
@config_option
def label(codes: tuple[str, ...], copies: int, printer: str | None, as_json: bool) -> None:
    """Print labels for the shelf: each CODE is a barcode or a SKU.

    They say the prices that are in force. A code that no product has stops all of them. The hub has
    to run.
    """
    if len(codes) > LABELS_MAX or len(codes) * copies > LABELS_AT_ONCE_MAX:
        fail(
            f"{len(codes)} codes with {copies} labels each are too many at once",
            next_step=f"at most {LABELS_MAX} codes and {LABELS_AT_ONCE_MAX} labels: ask in parts",
        )
    labels = [{"code": code, "copies": copies} for code in codes]
    wanted = {"labels": labels} | ({"printer_id": printer} if printer else {})
    done = ask_hub("print", "label", wanted)
    if as_json:
        print_json(done)
        return
    for one in done["labels"]:
        click.echo(f"{one['sku']}  {one['name']}  x {len(one['job_ids'])}")
    click.echo("They are on their way; `store-hub print list` shows how far they are.")


def _job_id(named: str) -> str:
    """The whole id of a job that is named by the end of its id."""
    from hub.storage import printrows

    with open_rows() as rows:
        if printrows.get(rows, named) is not None:
            return named
        known: dict[str, Any] = dict.fromkeys(
            row.job_id
            for row in (
                *printrows.open_ones(rows, 1000),
                *printrows.latest(rows, before=None, limit=1000),
            )
        )
    found = [one for one in known if len(named) >= NEEDLE_MIN and one.endswith(named)]
    if len(found) != 1:
        fail(
            f"{len(found)} jobs end in {named!r}" if found else f"there is no print job {named!r}",
            next_step="`store-hub print list --all` names them",
        )
    return found[0]


def _time(at_ms: int) -> str:
    from hub.contract.oms_envelope import rfc3339

    return rfc3339(at_ms)
