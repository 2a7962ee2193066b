"""``store-hub outbox``: what waits for the cloud; retry and park events."""

from __future__ import annotations

import json
from typing import Any

import click

from hub.cli.adminclient import ask_hub
from hub.cli.common import config_option, fail, json_option, print_json, print_table
from hub.cli.reading import open_rows

SHOWN = 50


@click.group(short_help="What waits for the cloud; retry and park events.")
def command() -> None:
    """Look at the events for the cloud. Reading works while the hub is stopped, too."""


@command.command("status")
@json_option
@config_option
def status(as_json: bool) -> None:
    """Show how far each stream is written and acked."""
    from hub.storage import outbox

    with open_rows() as rows:
        heads = outbox.heads(rows)
        oldest_ms = outbox.oldest_waiting_ms(rows)
        parked = outbox.count_parked(rows)
    if as_json:
        print_json(
            {
                "waiting": sum(lane.waiting for lane in heads),
                "oldest_waiting_at_ms": oldest_ms,
                "parked": parked,
                "streams": [
                    {
                        "source": lane.source_uri,
                        "stream": lane.stream,
                        "head_seq": lane.head_seq,
                        "acked_seq": lane.acked_seq,
                        "waiting": lane.waiting,
                    }
                    for lane in heads
                ],
            }
        )
        return
    print_table(
        ("source", "stream", "written", "acked", "waiting"),
        [
            (lane.source_uri, lane.stream, lane.head_seq, lane.acked_seq, lane.waiting)
            for lane in heads
        ],
        empty="Nothing was ever written for the cloud.",
    )
    if oldest_ms is not None:
        click.echo(f"The oldest waits since {_time(oldest_ms)}.")
    if parked:
        click.echo(f"{parked} are parked: `store-hub outbox list --parked`.")


@command.command("list")
@click.option("--parked", is_flag=True, help="Parked events instead of waiting ones.")
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 1000))
@json_option
@config_option
def listed(parked: bool, limit: int, as_json: bool) -> None:
    """List events that wait for the cloud, in the order they go."""
    rows = _parked(limit) if parked else _waiting(limit)
    if as_json:
        print_json(rows)
        return
    columns = ("id", "stream", "seq", "type", "aggregate", "at", *(("reason",) if parked else ()))
    print_table(
        columns,
        [[row[name] for name in columns] for row in rows],
        empty="No event is parked." if parked else "No event waits.",
    )


def _waiting(limit: int) -> list[dict[str, Any]]:
    from hub.storage import outbox

    found: list[dict[str, Any]] = []
    with open_rows() as rows:
        heads = outbox.heads(rows)
        for lane in sorted(heads, key=lambda one: (outbox.STREAMS.index(one.stream), one.source)):
            if lane.waiting and len(found) < limit:
                found += [
                    {
                        "id": row.id,
                        "stream": row.stream,
                        "seq": row.seq,
                        "type": row.type,
                        "aggregate": row.aggregate,
                        "at": _time(row.at_ms),
                        "event_id": row.event_id,
                        "source": row.source_uri,
                    }
                    for row in outbox.batch(rows, lane, lane.acked_seq, limit - len(found))
                ]
    return found


def _parked(limit: int) -> list[dict[str, Any]]:
    from hub.storage import outbox

    with open_rows() as rows:
        return [
            {
                "id": row.outbox_id,
                "stream": row.stream,
                "seq": row.seq,
                "type": row.type,
                "aggregate": row.aggregate,
                "at": _time(row.at_ms),
                "event_id": row.event_id,
                "reason": row.reason,
                "parked_at": _time(row.parked_at_ms),
            }
            for row in outbox.parked(rows, limit=limit)
        ]


@command.command("show")
@click.argument("number", type=click.IntRange(1), metavar="ID")
@json_option
@config_option
def show(number: int, as_json: bool) -> None:
    """Show one event as it goes to the cloud; of a parked one, what was set aside."""
    from hub.storage import outbox

    with open_rows() as rows:
        row = outbox.get(rows, number)
        parked = outbox.parked_row(rows, number)
    if row is None:
        fail(f"there is no event {number}", next_step="`store-hub outbox list` shows what waits")
    shown: dict[str, Any] = {
        "id": row.id,
        "source": row.source_uri,
        "stream": row.stream,
        "seq": row.seq,
        "event_id": row.event_id,
        "type": row.type,
        "aggregate": row.aggregate,
        "at": _time(row.at_ms),
        "data": json.loads(row.data),
    }
    if parked is not None:
        shown["parked"] = {
            "event_id": parked.event_id,
            "type": parked.type,
            "reason": parked.reason,
            "parked_at": _time(parked.parked_at_ms),
            "resent_at": _time(parked.resent_at_ms) if parked.resent_at_ms else None,
            "data": json.loads(parked.data),
        }
    print_json(shown)


@command.command("retry")
@click.argument("number", type=click.IntRange(1), metavar="ID")
@json_option
@config_option
def retry(number: int, as_json: bool) -> None:
    """Send a parked event again, with all that waits behind it, as new events that name the old
    ones. The hub has to run."""
    ask_hub("outbox", "retry", {"outbox_id": number})
    if as_json:
        print_json({"ok": True})
    else:
        click.echo("They are on their way again; `store-hub outbox list --parked` shows the rest.")


@command.command("give-up")
@click.argument("number", type=click.IntRange(1), metavar="ID")
@click.option("--reason", required=True, help="Why; it goes into the audit log.")
@json_option
@config_option
def give_up(number: int, reason: str, as_json: bool) -> None:
    """Throw a parked event away for good; only telemetry, never what is about money, goods or
    orders. The hub has to run."""
    ask_hub("outbox", "give-up", {"outbox_id": number, "reason": reason})
    if as_json:
        print_json({"ok": True})
    else:
        click.echo("It is given up.")


@command.command("park")
@click.argument("number", type=click.IntRange(1), metavar="ID")
@click.option("--reason", required=True, help="Why; it goes into the audit log and to the cloud.")
@json_option
@config_option
def park(number: int, reason: str, as_json: bool) -> None:
    """Set a waiting event aside; the later ones of its aggregate wait behind it. The hub has to
    run."""
    ask_hub("outbox", "park", {"outbox_id": number, "reason": reason})
    if as_json:
        print_json({"ok": True})
    else:
        click.echo(f"Parked. `store-hub outbox retry {number}` sends it again.")


def _time(at_ms: int) -> str:
    from hub.contract.oms_envelope import rfc3339

    return rfc3339(at_ms)
