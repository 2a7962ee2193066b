"""``store-hub cloud``: the state of the link to the cloud."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common import config_option, json_option, print_json, print_table
from hub.cli.reading import open_rows, state_and_database


@click.group(short_help="The state of the link to the cloud.")
def command() -> None:
    """Look at the link to the cloud OMS."""


@command.command("status")
@json_option
@config_option
def status(as_json: bool) -> None:
    """Show who this hub is to the cloud, what waits, which data is in force, and where stock
    differs. Works while the hub is stopped, too; the live state is then left out."""
    from hub.storage import datasetrows, driftrows, hubrow, outbox

    with open_rows() as rows:
        hub = hubrow.get(rows)
        datasets = datasetrows.listed(rows)
        drift = driftrows.drift(rows, 50)
        found: dict[str, Any] = {
            "live": _live(),
            "store": hub.store,
            "hub_id": hub.hub_id,
            "incarnation": hub.label,
            "epoch": hub.epoch,
            "fence": hub.fence or None,
            "oms_incarnation": hub.oms_incarnation or None,
            "waiting": sum(outbox.depth(rows).values()),
            "oldest_waiting_at_ms": outbox.oldest_waiting_ms(rows),
            "parked": outbox.count_parked(rows),
            "datasets": {
                row.dataset: {
                    "generation": row.label or None,
                    "rows": row.rows,
                    "changes": row.changes,
                    "staging": row.staging_label or None,
                    "swapped_at_ms": row.swapped_at_ms,
                }
                for row in datasets
            },
            "drift": driftrows.count(rows),
            "drift_sample": [{"sku": row.sku, "hub": row.hub, "oms": row.oms} for row in drift],
        }
    if as_json:
        print_json(found)
        return
    _print(found)


def _live() -> dict[str, Any] | None:
    """What the running hub says of its link; None when it doesn't run or can't be asked."""
    from hub.cli.adminclient import AdminClient, AdminRefused

    settings, _ = state_and_database()
    try:
        answer = AdminClient(settings.paths.run).status()
    except (OSError, AdminRefused):
        return None
    cloud = answer.get("cloud") if isinstance(answer, dict) else None
    return cloud if isinstance(cloud, dict) else None


def _print(found: dict[str, Any]) -> None:
    live = found["live"]
    link = "the hub isn't running, or it isn't yours to ask"
    if live is not None:
        link = " - ".join(part for part in (live["state"], live.get("detail")) if part)
        if live.get("importing"):
            link += f" (importing {live['importing']})"
    fences = {
        "restored": "restored: fenced until the cloud has answered and what was lost is back",
        "superseded": "superseded: another box has taken this hub's place, nothing is taken in",
    }
    print_table(
        ("", ""),
        [
            ("link", link),
            ("store", found["store"]),
            ("hub", f"{found['hub_id']}, incarnation {found['incarnation']}"),
            ("epoch", str(found["epoch"])),
            ("fence", fences.get(found["fence"] or "", "none")),
            ("events waiting", str(found["waiting"])),
            ("events parked", str(found["parked"])),
            ("stock drift", f"{found['drift']} products differ from the cloud's stock"),
        ],
    )
    click.echo("")
    print_table(
        ("dataset", "generation", "rows", "changes", "staging"),
        [
            (name, row["generation"], row["rows"], row["changes"], row["staging"])
            for name, row in found["datasets"].items()
        ],
        empty="No data has come from the cloud yet.",
    )
    if found["drift_sample"]:
        click.echo("")
        print_table(
            ("sku", "hub", "cloud"),
            [
                (row["sku"], _levels(row["hub"]), _levels(row["oms"]))
                for row in found["drift_sample"]
            ],
        )


def _levels(levels: dict[str, int]) -> str:
    return ", ".join(f"{bucket} {qty}" for bucket, qty in sorted(levels.items())) or "none"
