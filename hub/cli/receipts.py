"""``store-hub receipts``: the signed codes on receipts."""

from __future__ import annotations

import click

from hub.cli.common import config_option, fail, json_option, load_settings, print_json

_KEY_HELP = "A public key of the shop that sold, as `receipts key` prints it; may be repeated."


@click.group(
    short_help="The signed codes of receipts: this shop's key, and whether one is genuine."
)
def command() -> None:
    """The square code on a receipt is signed by the shop that sold.

    Another shop checks it with that shop's public key, without asking anybody.
    """


@command.command("key")
@json_option
@config_option
def key(as_json: bool) -> None:
    """Print the public key that this shop's codes are checked with."""
    found = _own_key()
    if as_json:
        print_json({"store": load_settings().settings.store.id, "public_key": found})
    else:
        click.echo(found)


@command.command("check")
@click.argument("code")
@click.option("--key", "keys", multiple=True, metavar="KEY", help=f"{_KEY_HELP} Else: our own.")
@json_option
@config_option
def check(code: str, keys: tuple[str, ...], as_json: bool) -> None:
    """Say what the scanned CODE of a receipt states, if it is genuine.

    It proves the sale, not that nothing was brought back since.
    """
    from dataclasses import asdict

    from hub.documents.returncode import BadCode, verify

    publics = [_bytes_of(one) for one in keys or (_own_key(),)]
    try:
        found = verify(code, publics)
    except BadCode as error:
        fail(str(error))
    said = asdict(found)
    if as_json:
        print_json(said)
        return
    for name, value in said.items():
        click.echo(f"{name.replace('_', ' '):12} {value}")


def _own_key() -> str:
    from hub.clock import SystemRandomness
    from hub.documents.returncode import PURPOSE, key_text, public_key
    from hub.security.errors import SecurityError
    from hub.security.secrets_box import SecretsBox

    path = load_settings().settings.paths.state / "tls" / "box.key"
    try:
        if not path.is_file():
            fail(f"{path} isn't there: this hub has never run", next_step="start it once")
        box = SecretsBox.open(path, SystemRandomness())
    except SecurityError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{path} can't be read: {error}", next_step="run it as root or as the hub's user")
    return key_text(public_key(box.derive(PURPOSE)))


def _bytes_of(text: str) -> bytes:
    from hub.documents.returncode import key_of

    raw = key_of(text)
    if raw is None:
        fail(f"{text!r} is no public key", next_step="copy what `receipts key` prints in that shop")
    return raw
