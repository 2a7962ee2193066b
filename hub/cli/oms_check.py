"""``store-hub oms-check``."""

from __future__ import annotations

import click


@click.command(
    "oms-check",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    short_help="Check a cloud OMS against the contract.",
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run the contract's behavioural checks against any OMS, in a scratch store."""
    from cloud_link.check.__main__ import main

    raise SystemExit(main(list(arguments)))
