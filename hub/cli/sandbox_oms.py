"""``store-hub sandbox-oms``."""

from __future__ import annotations

import click


@click.command(
    "sandbox-oms",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    short_help="Run the sandbox OMS.",
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run a small OMS that honours the contract, for trying things out and for tests."""
    from cloud_link.sandbox.__main__ import main

    raise SystemExit(main(list(arguments)))
