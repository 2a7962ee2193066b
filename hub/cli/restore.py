"""``store-hub restore``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.common import config_option, fail, json_option, load_settings, print_json
from hub.cli.escrow import identity_option, open_file, passphrase_option

if TYPE_CHECKING:
    from hub.app.backup import BackupInfo
    from hub.app.replica_restore import FromFile, FromReplica
    from hub.config import Settings
    from hub.security.escrow import Escrow

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SETTINGS = "the one in the settings"


@click.command("restore", short_help="Put a copy back; the hub starts fenced.")
@click.argument(
    "source", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--from-replica",
    "replica_url",
    is_flag=False,
    flag_value=_SETTINGS,
    metavar="[URL]",
    help="Fetch the database from this replica; without a URL from replica.url.",
)
@click.option(
    "--from-database", "database", type=_FILE, help="Take this database file (a warm standby's)."
)
@click.option("--escrow", type=_FILE, help="The hub's keys (`store-hub escrow export`).")
@passphrase_option
@identity_option
@click.option(
    "--series",
    type=click.IntRange(0, 99),
    help="Which of the replica's numbered series; default: the newest box's.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
@config_option
def command(
    source: Path | None,
    replica_url: str | None,
    database: Path | None,
    escrow: Path | None,
    passphrase_file: Path | None,
    identity: Path | None,
    series: int | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Put a hub's state in the place of this box's: the copy in the directory SOURCE, or the
    database of a replica with the keys of an escrow file.

    The state that is there now is kept beside it. The hub then starts fenced: it sells over the
    counter, and asks the cloud for a new epoch and for what it had already been told; devices
    offer again what the cloud doesn't have.

    \b
    A new box:
      store-hub restore --from-replica --escrow store-367.escrow
    """
    given = [one for one in (source, replica_url, database) if one is not None]
    if len(given) != 1:
        raise click.UsageError("give SOURCE, --from-replica or --from-database, one of them")
    settings = load_settings().settings
    _refuse_running(settings)
    ask = not yes and not as_json
    with _truthful(settings.paths.state):
        if source is not None:
            info, aside = _from_copy(settings, source, ask=ask)
        else:
            if escrow is None:
                fail(
                    "a replica holds the database only",
                    next_step="give the hub's keys: --escrow FILE (central IT keeps it)",
                )
            keys = open_file(escrow, passphrase_file, identity)
            origin = _origin(settings, replica_url, database, series)
            info, aside = _from_replica(settings, origin, keys, ask=ask)
    _report(settings, info, aside, as_json=as_json)


@contextlib.contextmanager
def _truthful(state: Path) -> Iterator[None]:
    """When it fails or is interrupted, look what became of the state, and say that."""
    before = _directory(state)
    try:
        yield
    except (OSError, KeyboardInterrupt) as error:
        why = str(error) if isinstance(error, OSError) else "interrupted"
        now = _directory(state)
        if now == before:
            fail(
                f"nothing was restored: {why}",
                next_step="look at the disk's free space, and run it as root or as the hub's user",
            )
        if now is None:
            fail(
                f"the restore was cut short: {why}. The former state is aside, beside {state}",
                next_step="run the same command again; the hub doesn't start before",
            )
        fail(
            f"{state} is restored, but not everything after that was done: {why}",
            next_step="start the hub; what was there before is kept beside it",
        )


def _directory(state: Path) -> tuple[int, int] | None:
    """Which directory it is, by another name or not; None: there is none with a hub in it."""
    try:
        found = state.stat()
        return (found.st_dev, found.st_ino) if (state / "hub.db").exists() else None
    except OSError:  # not silent: it says what is known then
        return None


def _refuse_running(settings: Settings) -> None:
    """Before anything is asked for or fetched."""
    from hub.app.founding import StateInUse, StateLock

    try:
        if settings.paths.state.is_dir():
            StateLock(settings.paths.state).release()
    except StateInUse as error:
        fail(str(error))
    except OSError as error:
        fail(
            f"{settings.paths.state} can't be used: {error.strerror}",
            next_step="run it as root or as the hub's user",
        )


def _from_copy(settings: Settings, source: Path, *, ask: bool) -> tuple[BackupInfo, Path | None]:
    from hub.app.backup import BackupRefused, restore_backup, verify_backup
    from hub.app.founding import StateInUse
    from hub.clock import SystemClock, SystemRandomness
    from hub.storage.errors import DatabaseRefused

    state = settings.paths.state
    try:
        info = verify_backup(source)
        if info.store != settings.store.id:
            fail(
                f"the copy is of store {info.store}, the settings say {settings.store.id}",
                next_step="use this store's copy, or correct store.id",
            )
        if ask:
            click.confirm(
                f"Put the copy of store {info.store} in the place of {state}?", abort=True
            )
        return restore_backup(source, state, SystemClock(), SystemRandomness())
    except (BackupRefused, StateInUse, DatabaseRefused) as error:
        fail(str(error))


def _origin(
    settings: Settings, url: str | None, database: Path | None, series: int | None
) -> FromReplica | FromFile:
    from pydantic import ValidationError

    from hub.app.replica import ReplicaRefused, at_url
    from hub.app.replica_restore import FromFile, FromReplica

    if database is not None:
        return FromFile(database)
    try:
        return FromReplica(at_url(settings, None if url == _SETTINGS else url), series)
    except ValidationError as error:
        first = error.errors()[0]
        fail(
            f"{url} is no replica that can be read: {first['msg']}",
            next_step="give the URL as it is in replica.url; its credentials are [replica]'s",
        )
    except ReplicaRefused as error:
        fail(str(error))


def _from_replica(
    settings: Settings, origin: FromReplica | FromFile, keys: Escrow, *, ask: bool
) -> tuple[BackupInfo, Path | None]:
    from hub.app.backup import BackupRefused
    from hub.app.founding import StateInUse
    from hub.app.replica import ReplicaRefused
    from hub.app.replica_restore import replace_box
    from hub.clock import SystemClock, SystemRandomness
    from hub.mqtt.leftover import BrokerStuck
    from hub.storage.errors import StorageError

    state, clock = settings.paths.state, SystemClock()
    if ask and (state / "hub.db").exists():
        click.confirm(f"Set the state in {state} aside and put the replica there?", abort=True)
    began_s = clock.monotonic_s()

    def tell(step: str) -> None:
        click.echo(f"{clock.monotonic_s() - began_s:6.1f} s  {step}", err=True)

    try:
        return replace_box(settings, origin, keys, clock, SystemRandomness(), tell)
    except (ReplicaRefused, BackupRefused, StateInUse, StorageError, BrokerStuck) as error:
        fail(str(error))


def _report(settings: Settings, info: BackupInfo, aside: Path | None, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json(asdict(info) | {"former_state": str(aside) if aside else None})
        return
    click.echo(f"Store {info.store} is restored to {settings.paths.state}.")
    if aside is not None:
        click.echo(f"What was there is kept in {aside}; delete it when all is well.")
    click.echo("Start the hub (store-hub run): it is fenced until the cloud has answered.")
    click.echo("Devices that were paired after the copy was made have to be paired again.")
