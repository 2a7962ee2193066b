"""The root command and the one table of its subcommands."""

from __future__ import annotations

import gc
import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from hub.cli.common import GlobalOptions

GARBAGE_AFTER = 100_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A subcommand: its name, the module that defines ``command``, its line in ``--help``."""

    name: str
    module: str
    help: str


COMMANDS = (
    Entry("run", "run", "Run the hub until it is told to stop."),
    Entry("status", "status", "How the hub is, and what needs somebody."),
    Entry("mend", "mend", "Have the hub mend itself."),
    Entry("config", "config", "Check, show and explain the settings."),
    Entry("pair", "pair", "Open pairing: a one-time code and its QR."),
    Entry("devices", "devices", "List, rename and revoke devices."),
    Entry("peripherals", "peripherals", "Printers, drawers, scanners, scales, displays."),
    Entry("catalog", "catalog", "Import and search the catalogue."),
    Entry("stock", "stock", "Levels, the ledger and its verification."),
    Entry("sales", "sales", "List and show sales."),
    Entry("orders", "orders", "Online orders: what is open, what is missing."),
    Entry("payments", "payments", "Card payments: what is at risk, what needs a person."),
    Entry("print", "printing", "Print jobs: what waits, and what a person is asked about."),
    Entry("receipts", "receipts", "Check the signed codes of receipts; this shop's key."),
    Entry("settlement", "settlement", "The processor's reports, compared with the book."),
    Entry("outbox", "outbox", "What waits for the cloud; retry and park events."),
    Entry("cloud", "cloud", "The state of the link to the cloud."),
    Entry("outages", "outages", "When the shop was cut off, and what needs a person."),
    Entry("audit", "audit", "Verify the audit log's chain."),
    Entry("drill", "drill", "Cut the cloud off for a while, on purpose."),
    Entry("log", "log", "Log more, or less, for a while."),
    Entry("support", "support", "Make a support bundle: one file, no secrets, no people."),
    Entry("backup", "backup", "Copy the stopped hub's state."),
    Entry("restore", "restore", "Put a copy back; the hub starts fenced."),
    Entry("standby", "standby", "Hold the database of the shop's box, a second behind."),
    Entry("escrow", "escrow", "Put the hub's keys by, sealed."),
    Entry("oms-check", "oms_check", "Check a cloud OMS against the contract."),
    Entry("sandbox-oms", "sandbox_oms", "Run the sandbox OMS."),
    Entry("contract", "contract", "Print and check the contract files."),
    Entry("version", "version", "Versions of the hub and of what it stands on."),
)

_HELP = """\
Store Hub keeps one shop selling correctly, whatever the internet does.

Settings come from --config (or $STORE_HUB_CONFIG, or /etc/store-hub/config.toml), then
systemd credentials, then STORE_HUB__SECTION__FIELD variables, then --set.

\b
First steps:
  store-hub config example > config.toml
  store-hub --config config.toml config check
  store-hub --config config.toml run
"""


class LazyGroup(click.Group):
    """A group whose commands are modules of ``hub.cli``, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [entry.name for entry in COMMANDS if _exists(entry)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in COMMANDS:
            if entry.name == cmd_name and _exists(entry):
                return _load(entry)
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # click's own asks every command for its help, which would import them all.
        rows = [(entry.name, entry.help) for entry in COMMANDS if _exists(entry)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        names = self.list_commands(ctx)
        if name and not name.startswith("-") and name not in names:
            from difflib import get_close_matches

            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`store-hub --help` lists them all."
            raise click.UsageError(f"there is no command {name!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)


def _exists(entry: Entry) -> bool:
    return importlib.util.find_spec(f"hub.cli.{entry.module}") is not None


def _load(entry: Entry) -> click.Command:
    command: Any = importlib.import_module(f"hub.cli.{entry.module}").command
    assert isinstance(command, click.Command), f"hub.cli.{entry.module}.command is no command"
    return command


@click.group(cls=LazyGroup, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The settings file.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.FIELD=VALUE",
    help="Set one value over all other sources; may be repeated.",
)
@click.pass_context
def root(ctx: click.Context, config_file: Path | None, overrides: tuple[str, ...]) -> None:
    ctx.obj = GlobalOptions(config_file, overrides)


def main() -> None:
    """The ``store-hub`` program."""
    # What is loaded stays: to look through it again and again was a tenth of the hub's start.
    gc.set_threshold(GARBAGE_AFTER)
    root(prog_name="store-hub")
