"""``store-hub config``: check, show and explain the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.common import (
    config_option,
    global_options,
    json_option,
    load_settings,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from devices.peripherals.model import Peripheral
    from hub.config import Loaded, Problem


@click.group(help="Check, show and explain the settings.")
def command() -> None:
    """Only a group."""


@command.command()
@click.argument(
    "file", required=False, type=click.Path(dir_okay=False, allow_dash=False, path_type=Path)
)
@config_option
@json_option
def check(file: Path | None, *, as_json: bool) -> None:
    """Check FILE (or the settings file in use) and explain every problem.

    Exits with 1 when there is one. The environment, credentials and --set count too, as they
    would for `store-hub run`, which starts in spite of a peripheral that can't be driven.
    """
    from hub.config import ConfigError, load

    options = global_options()
    try:
        loaded = load(file or options.config_file, overrides=options.overrides)
        if problems := _not_drivable(loaded):
            raise ConfigError(problems)
    except ConfigError as error:
        if as_json:
            print_json({"ok": False, "problems": [one.to_json() for one in error.problems]})
        else:
            click.echo("\n\n".join(str(one) for one in error.problems))
            count = len(error.problems)
            click.echo(f"\n{count} problem{'s' if count > 1 else ''}. Nothing was changed.")
        raise click.exceptions.Exit(1) from None
    if as_json:
        print_json({"ok": True, "problems": []})
    else:
        store = loaded.settings.store
        click.echo(f"{loaded.file}: good. Store {store.id} ({store.name}), {store.currency}.")


def _not_drivable(loaded: Loaded) -> tuple[Problem, ...]:
    """What no driver takes of [[peripherals]]: driver, address, options."""
    from devices.peripherals.catalogue import Catalogue
    from devices.peripherals.lending import NotAsked
    from devices.peripherals.model import Entry, PeripheralError, World
    from hub.clock import SystemClock, SystemRandomness
    from hub.config import Problem

    async def ask(*_: object) -> dict[str, object]:
        raise NotAsked("nobody is asked here")

    catalogue = Catalogue(World(SystemClock(), SystemRandomness()), ask=ask)
    made: dict[str, Peripheral | None] = {}
    problems = []
    for one in sorted(loaded.settings.peripherals, key=lambda one: bool(one.via)):
        via = one.via or ""
        entry = Entry(one.id, one.driver, one.address, via=via, options=dict(one.options))
        try:
            made[one.id] = catalogue.make(entry, lambda _told: None, made.get)
        except PeripheralError as error:
            problems.append(
                Problem(
                    where=str(loaded.file),
                    key=f"peripherals.{one.id}",
                    message=f"the peripheral {one.id} can't be driven: {error}",
                    next_step=f'correct the section [[peripherals]] with id = "{one.id}"',
                )
            )
    return tuple(problems)


@command.command()
@config_option
@json_option
def show(*, as_json: bool) -> None:
    """Show every setting in force and where it came from; secrets are masked."""
    from hub.config.fields import toml_text

    loaded = load_settings()
    rows, attached = loaded.rows(), loaded.peripheral_rows()
    if as_json:
        from pydantic_core import to_jsonable_python

        print_json(
            {
                setting.key: {
                    "value": to_jsonable_python(loaded.value(setting)),
                    "from": str(origin),
                }
                for setting, _, origin in rows
            }
            | {
                f"peripherals.{name}.{field}": {"value": value, "from": str(loaded.file)}
                for name, field, value in to_jsonable_python(attached)
            }
        )
    else:
        print_table(
            ("setting", "value", "from"),
            [
                *((setting.key, shown, str(origin)) for setting, shown, origin in rows),
                *(
                    (f"peripherals.{name}.{field}", toml_text(value), str(loaded.file))
                    for name, field, value in attached
                ),
            ],
        )


@command.command()
def example() -> None:
    """Print a complete settings file with every default and its meaning."""
    from hub.config.example import example_toml

    click.echo(example_toml(), nl=False)
