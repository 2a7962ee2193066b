"""``store-hub log``: how much the running hub logs."""

from __future__ import annotations

import click

from hub.cli.adminclient import ask_hub
from hub.cli.common import config_option, json_option, print_json

LEVELS = ("debug", "info", "warning", "error", "critical")


@click.group(short_help="Log more, or less, for a while.")
def command() -> None:
    """The log itself: `journalctl -u store-hub`, or the page of logs."""


@command.command("level")
@click.argument("level", type=click.Choice(LEVELS))
@click.option("--logger", default="", help="Only this one and those below it, like hub.mqtt.")
@click.option(
    "--minutes",
    type=click.IntRange(1, 1440),
    default=30,
    show_default=True,
    help="Then the settings' level is in force again.",
)
@json_option
@config_option
def level(level: str, logger: str, minutes: int, as_json: bool) -> None:
    """Log from LEVEL on for a while. The hub has to run."""
    ask_hub("log", "level", {"level": level, "logger": logger, "for_s": minutes * 60})
    if as_json:
        print_json({"logger": logger, "level": level, "minutes": minutes})
    else:
        click.echo(f"{logger or 'Everything'} is logged from {level} on for {minutes} minutes.")
