"""``store-hub standby``."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.common import config_option, fail, load_settings


@click.command("standby", short_help="Hold the database of the shop's box, a second behind.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/var/lib/store-hub-standby"),
    show_default=True,
    help="Where hub.db is kept; former.db is the one from before the last start.",
)
@click.option(
    "--series",
    type=click.IntRange(0, 99),
    help="Which of the replica's numbered series; default: the newest box's.",
)
@config_option
def command(directory: Path, series: int | None) -> None:
    """Follow the replica of the shop's box (replica.url) until it is ended: for a second box.

    When the shop's box fails, end this, and make this one the shop's hub:

    \b
      store-hub restore --from-database /var/lib/store-hub-standby/hub.db --escrow FILE
    """
    import os

    from hub.app.replica import ReplicaRefused, at_url
    from hub.app.standby import prepare

    settings = load_settings().settings
    try:
        replica = at_url(settings, None)
        following = prepare(replica, directory, series)
    except ReplicaRefused as error:
        fail(str(error))
    except OSError as error:
        fail(f"{directory} can't be used: {error}", next_step="run it as its owner")
    click.echo(f"following series {following.contents.series} of {replica.url}")
    os.execve(following.arguments[0], following.arguments, following.environment)  # noqa: S606
