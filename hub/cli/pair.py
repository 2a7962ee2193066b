"""``store-hub pair``: open pairing, or make a code for the status page."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common import config_option, fail, json_option, print_json

KINDS = ("till", "kiosk", "scanner", "printer", "display", "service")


@click.command()
@click.option("--kind", type=click.Choice(KINDS), default="till", show_default=True)
@click.option("--name", default="", help="What people call the device.")
@click.option("--rekey", metavar="DEVICE", help="Give this paired device a new key instead.")
@click.option(
    "--cut-off", is_flag=True, help="With --rekey: the old key is dead from now on, not only then."
)
@click.option(
    "--technician", is_flag=True, help="Make a one-time code for signing in to the status page."
)
@config_option
@json_option
def command(
    *, kind: str, name: str, rekey: str | None, cut_off: bool, technician: bool, as_json: bool
) -> None:
    """Open pairing: print a one-time code and its QR.

    The device scans the QR, or is given the hub's address and the code. A code works once, for ten
    minutes; five wrong codes from anywhere void it.
    """
    from hub.cli.adminclient import ask_hub

    if technician:
        if rekey or name:
            fail("--technician makes a code for people; leave out --name and --rekey")
        opened = ask_hub("technician", "open")
        if as_json:
            print_json(opened)
        else:
            _show_technician(opened)
        return
    if cut_off and not rekey:
        fail("--cut-off needs --rekey DEVICE", next_step="`store-hub devices list` shows them")
    body: dict[str, Any] = {"kind": kind, "name": name}
    if rekey:
        body |= {"rekey_device_id": rekey, "cut_off": cut_off}
    opened = ask_hub("pairing", "open", body)
    opened.pop("qr_svg", None)
    if as_json:
        print_json(opened)
    else:
        _show_pairing(opened, rekey or f"a {kind}")


def _show_pairing(opened: dict[str, Any], what: str) -> None:
    click.echo(terminal_qr(opened["qr"]))
    click.echo(f"Pairing is open for {what}, {opened['expires_in_s'] // 60} minutes, once.\n")
    click.echo(f"  code     {opened['code']}")
    click.echo(f"  hub      {opened['url']}")
    click.echo(f"  in full  {opened['qr']}\n")
    click.echo("Scan the QR with the device, or type the hub's address and the code into it.")


def _show_technician(opened: dict[str, Any]) -> None:
    click.echo(f"Technician's code  {opened['code']}")
    click.echo(f"Status page        {opened['url']}\n")
    click.echo("It signs in once, within 24 hours; five wrong tries void it.")


def terminal_qr(text: str) -> str:
    """The QR as half-block characters, light on dark as phones expect it in a terminal."""
    import io

    import segno

    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue()
