"""``store-hub mend``: what the hub can do to mend itself."""

from __future__ import annotations

import click

from hub.cli.common import config_option, json_option, print_json, print_table


@click.command()
@click.argument("key", required=False)
@json_option
@config_option
def command(key: str | None, as_json: bool) -> None:
    """Have the hub do KEY, for example outbox.retry; without KEY, list what there is.

    The audit log says who had it done.
    """
    from hub.cli.adminclient import asked

    if key is not None:
        done = asked(lambda client: client.act(key))
        if as_json:
            print_json(done)
        else:
            click.echo(done["text"])
        return
    actions = asked(lambda client: client.actions())["actions"]
    if as_json:
        print_json(actions)
        return
    print_table(
        ("key", "what it does", "now"),
        [(one["key"], one["what"], one["why_not"] or "possible") for one in actions],
    )
