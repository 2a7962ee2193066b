"""``store-hub audit``: the audit log and its verification."""

from __future__ import annotations

import click

from hub.cli.common import config_option, fail, json_option, print_json, print_table
from hub.cli.reading import open_rows


@click.group(short_help="Read the audit log and verify its chain.")
def command() -> None:
    """The audit log: who did what. Each entry's hash covers the entry and all before it."""


@command.command("verify")
@click.option(
    "--head",
    metavar="SEQ:HASH",
    help="A head kept elsewhere (the cloud gets one a day); shows a log rewritten as a whole.",
)
@json_option
@config_option
def verify(head: str | None, as_json: bool) -> None:
    """Recompute the whole chain. Exit code 1 if it is broken."""
    from dataclasses import asdict

    from hub.service.auditlog import verify as verify_log

    kept = _head(head) if head else None
    with open_rows() as rows:
        verdict = verify_log(rows, kept)
    if as_json:
        print_json(asdict(verdict) | {"whole": verdict.broken_seq is None})
    elif verdict.broken_seq is None:
        click.echo(f"The audit log is whole: {verdict.entries} entries, head {verdict.head_hash}")
    else:
        click.echo(f"The audit log is broken at entry {verdict.broken_seq}.")
    if verdict.broken_seq is not None:
        raise SystemExit(1)


@command.command("list")
@click.option("--limit", default=50, show_default=True, help="The newest entries.")
@json_option
@config_option
def list_(limit: int, as_json: bool) -> None:
    """List the latest entries, the newest last."""
    from hub.storage import audit

    with open_rows() as rows:
        last, _ = audit.head(rows)
        found = list(audit.walk(rows, after=max(0, last - max(1, limit))))
    names = ("seq", "at_ms", "caller", "staff_id", "action", "subject", "data")
    if as_json:
        print_json([{name: getattr(row, name) for name in names} for row in found])
        return
    print_table(names, [[getattr(row, name) for name in names] for row in found], empty="empty")


def _head(text: str) -> tuple[int, bytes]:
    number, _, digest = text.partition(":")
    try:
        return int(number), bytes.fromhex(digest)
    except ValueError:
        fail(f"{text!r} is no head", next_step="give it as SEQ:HASH, for example 120:9f3c…")
