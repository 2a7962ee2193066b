"""``store-hub backup``."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.common import config_option, fail, json_option, load_settings, print_json


@click.group(short_help="Copy the stopped hub's state.")
def command() -> None:
    """Copies of the hub's state: database, keys and certificates. Keep them as safe as the box."""


@command.command("make")
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@json_option
@config_option
def make(target: Path, as_json: bool) -> None:
    """Copy the stopped hub's state to the new directory TARGET."""
    from dataclasses import asdict

    from hub.app.backup import BackupRefused, make_backup
    from hub.app.founding import StateInUse
    from hub.clock import SystemClock
    from hub.storage.errors import DatabaseRefused

    settings = load_settings().settings
    try:
        info = make_backup(settings.paths.state, target, SystemClock())
    except (BackupRefused, StateInUse, DatabaseRefused) as error:
        fail(str(error))
    if as_json:
        print_json(asdict(info))
    else:
        click.echo(f"Store {info.store}: {len(info.files)} files copied to {target}.")


@command.command("verify")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@json_option
def verify(source: Path, as_json: bool) -> None:
    """Check that the copy in SOURCE is whole."""
    from dataclasses import asdict

    from hub.app.backup import BackupRefused, verify_backup

    try:
        info = verify_backup(source)
    except BackupRefused as error:
        fail(str(error))
    if as_json:
        print_json(asdict(info))
    else:
        click.echo(f"The copy of store {info.store} is whole: {len(info.files)} files.")
