"""``store-hub backup``."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.common import config_option, fail, json_option, load_settings, print_json

_NEXT = "free space, or run it as the hub's user: systemctl start store-hub-backup"
_directory_option = click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/var/lib/store-hub-backups"),
    show_default=True,
    envvar="STORE_HUB_BACKUPS",
    show_envvar=True,
    help="Where the copies are, each named by its time.",
)


@click.group(short_help="Copy the hub's state; list and check the copies.")
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
    from hub.health.probes.backup import note
    from hub.storage.errors import DatabaseRefused

    settings = load_settings().settings
    try:
        info = make_backup(settings.paths.state, target, SystemClock())
    except (BackupRefused, StateInUse, DatabaseRefused) as error:
        fail(str(error))
    except OSError as error:
        fail(f"no copy was made: {error}", next_step=_NEXT)
    note(settings.paths.state, info.made_at_ms, str(target))
    if as_json:
        print_json(asdict(info))
    else:
        click.echo(f"Store {info.store}: {len(info.files)} files copied to {target}.")


@command.command("now")
@_directory_option
@click.option(
    "--keep",
    type=click.IntRange(1, 1000),
    default=14,
    show_default=True,
    envvar="STORE_HUB_BACKUPS_KEPT",
    show_envvar=True,
    help="How many copies stay; older ones are deleted.",
)
@json_option
@config_option
def now(directory: Path, keep: int, as_json: bool) -> None:
    """Copy the state of this hub, running or not, check the copy, and delete the oldest ones."""
    from dataclasses import asdict

    from hub.app.backup import BackupRefused
    from hub.app.snapshots import take_snapshot
    from hub.clock import SystemClock
    from hub.storage.errors import StorageError

    settings = load_settings().settings
    before = _newest(directory)
    try:
        made = take_snapshot(settings.paths.state, directory, keep, SystemClock())
    except (BackupRefused, StorageError) as error:
        fail(str(error))
    except (OSError, KeyboardInterrupt) as error:
        why, newest = str(error) or "interrupted", _newest(directory)
        if newest is not None and newest != before:
            fail(f"{newest} was made and checked, but not all that follows was done: {why}")
        fail(f"no copy was made: {why}", next_step=_NEXT)
    if as_json:
        print_json(asdict(made.info) | {"path": str(made.path)})
    else:
        click.echo(f"Store {made.info.store} is copied and checked: {made.path}")


def _newest(directory: Path) -> Path | None:
    from hub.app.snapshots import list_snapshots

    try:
        found = list_snapshots(directory)
    except OSError:  # not silent: whoever makes a copy there runs into it, too
        return None
    return found[-1] if found else None


@command.command("list")
@_directory_option
@json_option
def list_(directory: Path, as_json: bool) -> None:
    """List the copies that `backup now` made, the newest last."""
    from hub.app.snapshots import list_snapshots

    found = [str(path) for path in list_snapshots(directory)]
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(found) or f"no copies in {directory}")


@command.command("verify")
@click.argument(
    "source", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@_directory_option
@json_option
def verify(source: Path | None, directory: Path, as_json: bool) -> None:
    """Check that the copy in SOURCE is whole, its database included; default: the newest one."""
    from dataclasses import asdict

    from hub.app.backup import BackupRefused
    from hub.app.snapshots import check_snapshot, list_snapshots
    from hub.storage.errors import StorageError

    if source is None:
        copies = list_snapshots(directory)
        if not copies:
            fail(f"there are no copies in {directory}", next_step="store-hub backup now")
        source = copies[-1]
    try:
        info = check_snapshot(source)
    except (BackupRefused, StorageError) as error:
        fail(str(error))
    if as_json:
        print_json(asdict(info))
    else:
        click.echo(f"The copy of store {info.store} in {source} is whole: {len(info.files)} files.")
