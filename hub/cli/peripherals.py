"""``store-hub peripherals``: what hangs on this box: list, find, try, add and remove."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common import config_option, fail, json_option, print_json, print_table

_HELP = """\
Printers, cash drawers, scanners, scales, displays and card terminals that hang on this box.

They are set up in the settings' file ([[peripherals]]), on the page, or here; what the file says
comes first. All but `drivers` ask the running hub.

\b
First steps:
  store-hub peripherals find
  store-hub peripherals add printer-counter escpos-printer tcp://192.0.2.7:9100
  store-hub peripherals test printer-counter
  store-hub peripherals add drawer-1 printer-drawer --via printer-counter --serves till-01
"""
FIND_S = 8
TRY_S = 15


@click.group(help=_HELP)
def command() -> None:
    """Only a group."""


@command.command("list")
@config_option
@json_option
def list_all(*, as_json: bool) -> None:
    """List all peripherals and how they are.

    A phase of `claiming` means that it is being looked for, `lost` that it was there and is gone,
    `refused` that what is set about it can't be meant so; the last column says why. `page` under
    "set in" means the page or this command.
    """
    found = _listed()
    if as_json:
        print_json(found)
        return
    print_table(
        ("peripheral", "driver", "where", "serves", "set in", "phase", "what is the matter"),
        [
            (
                one["id"],
                one["driver"],
                one.get("address") or (f"via {one['via']}" if one.get("via") else ""),
                ", ".join(one.get("serves", ())) or "all tills",
                one["source"],
                one["phase"],
                _matter(one),
            )
            for one in found
        ],
        empty="Nothing is set up: `store-hub peripherals find` looks for what is there.",
    )


@command.command()
@click.option("--seconds", type=click.IntRange(1, 20), default=FIND_S, show_default=True)
@config_option
@json_option
def find(*, seconds: int, as_json: bool) -> None:
    """Look for peripherals at this box and for printers in the shop's network."""
    from hub.cli.adminclient import ask_hub

    found: list[dict[str, Any]] = ask_hub("peripheral", "find", {"timeout_s": seconds})["found"]
    if as_json:
        print_json(found)
        return
    print_table(
        ("what", "driver", "address", "found by", "set up as"),
        [
            (one["title"], one["driver"], one["address"], one["detail"], one.get("known_as", ""))
            for one in found
        ],
        empty="Nothing was found. Network printers that don't announce themselves are added by"
        " their address: `store-hub peripherals add ID escpos-printer tcp://ADDRESS:9100`.",
    )


@command.command()
@json_option
def drivers(*, as_json: bool) -> None:
    """List what can be driven, with the addresses and options of each.

    An option is given as `--option name=value`; after the semicolon stands what it is otherwise.
    """
    from devices.peripherals.catalogue import Catalogue
    from devices.peripherals.model import World
    from hub.clock import SystemClock, SystemRandomness

    views = Catalogue(World(SystemClock(), SystemRandomness())).views()
    if as_json:
        print_json([one.model_dump(mode="json") for one in views])
        return
    for one in views:
        click.echo(f"{one.key} ({one.kind}): {one.title}")
        for address in one.addresses:
            click.echo(f"    address  {address}")
        for name, text in one.options.items():
            click.echo(f"    {name}  {text}")


@command.command()
@click.argument("peripheral")
@click.option("--seconds", type=click.IntRange(1, 25), default=TRY_S, show_default=True)
@config_option
@json_option
def test(peripheral: str, *, seconds: int, as_json: bool) -> None:
    """Try PERIPHERAL (its id).

    A printer prints a test page, a drawer opens, a display shows its name, a scale weighs, a card
    terminal says how it is, and of a scanner the next code is awaited.
    """
    outcome = _tried(_one(peripheral), seconds)
    if as_json:
        print_json({"id": peripheral, "outcome": outcome})
    else:
        click.echo(outcome)


@command.command()
@click.argument("peripheral")
@click.argument("driver")
@click.argument("address", default="")
@click.option("--name", default="", help="What people call it.")
@click.option("--serves", multiple=True, metavar="TILL", help="A till it belongs to; repeat it.")
@click.option("--via", help="The printer that it hangs on.")
@click.option("--fallback", help="The printer that prints when this one can't.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Repeat it.")
@config_option
@json_option
def add(peripheral: str, driver: str, address: str, *, as_json: bool, **given: Any) -> None:
    """Set up PERIPHERAL (an id of your choice), or change it: give all of it again.

    DRIVER is one of `store-hub peripherals drivers`, ADDRESS where it is; `find` shows both for
    what is there.
    """
    from hub.cli.adminclient import ask_hub

    _named(peripheral)
    body = {
        "id": peripheral,
        "driver": driver,
        "address": address,
        "name": given["name"],
        "serves": list(given["serves"]),
        "via": given["via"],
        "fallback": given["fallback"],
        "options": dict(_option(text) for text in given["options"]),
    }
    ask_hub("peripheral", "configure", body)
    if as_json:
        print_json(body)
    else:
        click.echo(f"{peripheral} is set up. `store-hub peripherals test {peripheral}` tries it.")


@command.command()
@click.argument("peripheral")
@click.option("--yes", is_flag=True, help="Don't ask.")
@config_option
@json_option
def remove(peripheral: str, *, yes: bool, as_json: bool) -> None:
    """Drive PERIPHERAL (its id) no longer, and forget what is set about it."""
    from hub.cli.adminclient import ask_hub

    if not yes and not as_json:
        click.confirm(f"Remove {peripheral}?", abort=True)
    ask_hub("peripheral", "remove", {"id": peripheral})
    if as_json:
        print_json({"id": peripheral, "removed": True})
    else:
        click.echo(f"{peripheral} is removed.")


def _listed() -> list[dict[str, Any]]:
    from hub.cli.adminclient import ask_hub

    found: list[dict[str, Any]] = ask_hub("peripheral", "list")["peripherals"]
    return found


def _one(peripheral: str) -> dict[str, Any]:
    from difflib import get_close_matches

    known = {one["id"]: one for one in _listed()}
    if peripheral not in known:
        near = get_close_matches(peripheral, known, n=1)
        fail(
            f"there is no peripheral {peripheral!r}",
            next_step=f"did you mean {near[0]}?" if near else "`store-hub peripherals list`",
        )
    return known[peripheral]


def _named(peripheral: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from hub.contract.base import DeviceId

    try:
        TypeAdapter(DeviceId).validate_python(peripheral)
    except ValidationError:
        fail(
            f"{peripheral!r} can't be an id: it has 3 to 40 of a-z, 0-9 and '-'",
            next_step="call it for instance printer-counter; --name gives it any name",
        )


def _matter(one: dict[str, Any]) -> str:
    """Why it isn't ready, or what it says itself."""
    waits = f"waits for {one['via']}" if one.get("via") and one["phase"] != "ready" else ""
    return one.get("reason") or ", ".join(one.get("conditions", ())) or waits


def _tried(one: dict[str, Any], seconds: int) -> str:
    from hub.cli.adminclient import ask_hub

    name = one["id"]
    if one["phase"] != "ready":
        fail(
            f"{name} isn't ready: {_matter(one) or 'it is being looked for'}",
            next_step="put that right; `store-hub peripherals list` looks again",
        )
    match one["kind"]:
        case "printer":
            job = ask_hub("print", "test", {"printer_id": name})
            stopped = {*one.get("conditions", ())} - {"printer-paper-near-end"}
            if told := ", ".join(sorted(stopped)):
                return f"A test page waits (job {job['job_id']}): the printer says {told}."
            return f"A test page is on its way (job {job['job_id']}): look at the paper."
        case "drawer":
            if not one.get("serves"):
                fail(
                    f"{name} serves all tills",
                    next_step="open it at one: sign in there and press its no-sale key",
                )
            reason = {"reason": "tried by a technician", "device_id": one["serves"][0]}
            ask_hub("drawer", "open", reason)
            return f"The drawer of {one['serves'][0]} is told to open: look at it."
        case _:
            outcome: str = ask_hub("peripheral", "try", {"id": name, "timeout_s": seconds})[
                "outcome"
            ]
            return outcome


def _option(text: str) -> tuple[str, str | int | bool]:
    name, equals, value = text.partition("=")
    if not equals:
        fail(f"{text!r} is not NAME=VALUE", next_step="write it like --option width_mm=58")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, int(value)
    except ValueError:
        return name, value
