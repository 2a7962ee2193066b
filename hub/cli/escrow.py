"""``store-hub escrow``, and how an escrow file is opened by other commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hub.cli.common import config_option, fail, json_option, load_settings, print_json

if TYPE_CHECKING:
    from hub.security.escrow import Escrow, Identity, Passphrase, Recipient

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
passphrase_option = click.option(
    "--passphrase-file",
    type=_FILE,
    help="Holds the passphrase in its first line; else it is asked for.",
)
identity_option = click.option(
    "--identity",
    type=_FILE,
    help="The private X25519 key (PEM) of the recipient that the file was sealed for.",
)


@click.group(short_help="Put the hub's keys by, sealed; look into such a file.")
def command() -> None:
    """The hub's keys, sealed for central IT.

    The replica holds the database alone. With this file and the replica a new box is made
    (`store-hub restore --from-replica`). Export again when the page says that the keys changed.

    \b
    A passphrase will do. A key of central IT's own is better, since nobody types it in a shop:
      openssl genpkey -algorithm X25519 -aes256 -out escrow-identity.pem
      openssl pkey -in escrow-identity.pem -pubout -out escrow-recipient.pem
    """


@command.command("export")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The new file."
)
@click.option("--recipient", type=_FILE, help="Seal for this public X25519 key (PEM).")
@passphrase_option
@json_option
@config_option
def export(out: Path, recipient: Path | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Seal the keys of this hub, running or not, into the new file OUT."""
    from hub.app.replica_keys import NoKeys, export_keys, note_export
    from hub.clock import SystemClock, SystemRandomness
    from hub.security.errors import SecurityError
    from hub.security.files import SECRET_MODE, write_atomic
    from hub.storage.errors import StorageError

    settings = load_settings().settings
    state = settings.paths.state
    if out.exists():
        fail(f"{out} is there already", next_step="give the name of a new file")
    if recipient is not None and passphrase_file is not None:
        fail("a file is sealed for a key or with a passphrase, not both", next_step="give one")
    try:
        to = _recipient(recipient) if recipient else _passphrase(passphrase_file, confirm=True)
        escrow, content = export_keys(state, to, SystemClock(), SystemRandomness())
        write_atomic(out, content, SECRET_MODE)
    except (NoKeys, SecurityError, StorageError) as error:
        fail(str(error))
    except (OSError, KeyboardInterrupt) as error:
        why = str(error) or "interrupted"
        if out.exists():
            fail(f"{out} is there, but may not be on disk: {why}", next_step="delete it, try again")
        fail(f"nothing was exported: {why}", next_step="run it as root or as the hub's user")
    try:
        note_export(state, escrow)
    except OSError as error:
        click.echo(f"The hub could not be told, and its page goes on asking: {error}", err=True)
    if as_json:
        print_json(_shown(escrow) | {"path": str(out)})
        return
    click.echo(f"The keys of store {escrow.store} are sealed in {out}: {len(escrow.files)} files.")
    click.echo("Keep it away from this box, and what opens it away from both.")


@command.command("show")
@click.argument("file", type=_FILE)
@passphrase_option
@identity_option
@json_option
def show(file: Path, passphrase_file: Path | None, identity: Path | None, as_json: bool) -> None:
    """Open FILE and say what is in it, to know that it can be opened; no key is shown."""
    escrow = open_file(file, passphrase_file, identity)
    if as_json:
        print_json(_shown(escrow))
        return
    click.echo(f"Keys of store {escrow.store}, hub {escrow.hub_id}: {len(escrow.files)} files.")
    for name, content in sorted(escrow.files.items()):
        click.echo(f"  {name}  {len(content)} bytes")


def open_file(file: Path, passphrase_file: Path | None, identity: Path | None) -> Escrow:
    """The keys in an escrow file; what opens it is asked for on a terminal if it isn't given."""
    from hub.security.errors import SecurityError
    from hub.security.escrow import FILE_BYTES_MAX, open_escrow, wants_passphrase

    try:
        with file.open("rb") as stream:
            content = stream.read(FILE_BYTES_MAX + 1)
        by: Passphrase | Identity
        if wants_passphrase(content):
            by = _passphrase(passphrase_file, confirm=False)
        elif identity is not None:
            by = _identity(identity)
        else:
            fail(f"{file} was sealed for a key", next_step="give its private key: --identity FILE")
        return open_escrow(content, by)
    except SecurityError as error:
        fail(f"{file}: {error}")
    except OSError as error:
        fail(f"{file} can't be read: {error.strerror}")


def _shown(escrow: Escrow) -> dict[str, object]:
    return {
        "store": escrow.store,
        "hub_id": escrow.hub_id,
        "made_at_ms": escrow.made_at_ms,
        "files": sorted(escrow.files),
    }


def _recipient(path: Path) -> Recipient:
    from hub.security.escrow import recipient_of

    return recipient_of(path.read_bytes())


def _identity(path: Path) -> Identity:
    from hub.security.escrow import identity_of

    pem = path.read_bytes()
    encrypted = b"ENCRYPTED" in pem
    password = click.prompt(f"Passphrase of {path}", hide_input=True) if encrypted else None
    return identity_of(pem, password.encode() if password is not None else None)


def _passphrase(path: Path | None, *, confirm: bool) -> Passphrase:
    from hub.security.escrow import Passphrase

    if path is None:
        text = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
        return Passphrase(str(text))
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        fail(f"{path} is no text in UTF-8", next_step="write the passphrase into its first line")
    if not lines or not lines[0]:
        fail(f"{path} is empty", next_step="write the passphrase into its first line")
    return Passphrase(lines[0])
