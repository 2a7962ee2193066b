"""``store-hub devices``: list, rename and revoke."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from hub.cli.common import config_option, json_option, print_json, print_table


@click.group(help="List, rename and revoke devices.")
def command() -> None:
    """Only a group."""


@command.command("list")
@config_option
@json_option
def list_devices(*, as_json: bool) -> None:
    """List all devices, revoked ones last."""
    from hub.cli.adminclient import ask_hub

    found: list[dict[str, Any]] = ask_hub("device", "list")["devices"]
    if as_json:
        print_json(found)
        return
    print_table(
        ("device", "name", "state", "proves itself by", "last seen", "certificate ends", "staff"),
        [
            (
                one["device_id"],
                one["name"],
                one["presence"] if one["status"] == "paired" else one["status"],
                "certificate" if one["auth"] == "mtls" else one["auth"],
                _minute(one.get("last_seen_at_ms")),
                _minute(one.get("certificate_expires_at_ms"))[:10],
                one.get("signed_in", ""),
            )
            for one in found
        ],
        empty="No device is paired yet: `store-hub pair` opens pairing.",
    )


@command.command()
@click.argument("device")
@click.argument("name")
@config_option
@json_option
def rename(device: str, name: str, *, as_json: bool) -> None:
    """Give DEVICE (its id) another display NAME."""
    from hub.cli.adminclient import ask_hub

    ask_hub("device", "rename", {"device_id": device, "name": name})
    _done(f"{device} is called {name} now.", as_json=as_json, device_id=device, name=name)


@command.command()
@click.argument("device")
@click.option("--reason", required=True, help="Why; it goes into the audit log.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@config_option
@json_option
def revoke(device: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Shut DEVICE (its id) out for good; a live connection is cut within seconds."""
    from hub.cli.adminclient import ask_hub

    if not yes and not as_json:
        click.confirm(f"Revoke {device} for good?", abort=True)
    ask_hub("device", "revoke", {"device_id": device, "reason": reason})
    _done(f"{device} is revoked.", as_json=as_json, device_id=device, status="revoked")


def _done(text: str, *, as_json: bool, **facts: str) -> None:
    if as_json:
        print_json(facts)
    else:
        click.echo(text)


def _minute(at_ms: int | None) -> str:
    if at_ms is None:
        return ""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
