"""``store-hub restore``."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.common import config_option, fail, json_option, load_settings, print_json


@click.command("restore", short_help="Put a copy back; the hub starts fenced.")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
@config_option
def command(source: Path, yes: bool, as_json: bool) -> None:
    """Put the copy in SOURCE in the place of this hub's state.

    The state that is there now is kept beside it. The hub then starts fenced: it sells over the
    counter, and asks the cloud for a new epoch and for what it had already been told; devices
    offer again what the cloud doesn't have.
    """
    from dataclasses import asdict

    from hub.app.backup import BackupRefused, restore_backup, verify_backup
    from hub.app.founding import StateInUse
    from hub.clock import SystemClock, SystemRandomness
    from hub.storage.errors import DatabaseRefused

    settings = load_settings().settings
    state = settings.paths.state
    try:
        info = verify_backup(source)
        if info.store != settings.store.id:
            fail(
                f"the copy is of store {info.store}, the settings say {settings.store.id}",
                next_step="use this store's copy, or correct store.id",
            )
        if not yes and not as_json:
            click.confirm(
                f"Put the copy of store {info.store} in the place of {state}?", abort=True
            )
        info, aside = restore_backup(source, state, SystemClock(), SystemRandomness())
    except (BackupRefused, StateInUse, DatabaseRefused) as error:
        fail(str(error))
    if as_json:
        print_json(asdict(info) | {"former_state": str(aside) if aside else None})
        return
    click.echo(f"Store {info.store} is restored to {state}.")
    if aside is not None:
        click.echo(f"What was there is kept in {aside}; delete it when all is well.")
    click.echo("Start the hub (store-hub run): it is fenced until the cloud has answered.")
    click.echo("Devices that were paired after the copy was made have to be paired again.")
