"""``store-hub drill``: the outage drill."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common import config_option, json_option, print_json


@click.command()
@click.option(
    "--minutes",
    type=click.IntRange(1, 60),
    default=10,
    show_default=True,
    help="How long the cloud is cut off.",
)
@click.option("--end", "ends", is_flag=True, help="End the drill that runs.")
@click.option(
    "--status", "asks", is_flag=True, help="Only tell what runs, or what the last showed."
)
@json_option
@config_option
def command(minutes: int, ends: bool, asks: bool, as_json: bool) -> None:
    """Cut the cloud off for some minutes, to see that the shop goes on.

    The link comes back by itself, also when the hub is started again meanwhile.
    """
    from hub.cli.adminclient import asked, hub_status
    from hub.cli.common import fail

    if ends and asks:
        fail("give --end or --status, not both")
    if not asks:
        key, chosen = ("drill.end", None) if ends else ("drill.start", minutes)
        done = asked(lambda client: client.act(key, chosen))
        if not as_json:
            click.echo(done["text"])
            return
    status = hub_status()
    if as_json:
        print_json({"drill": status.get("drill"), "last_drill": status.get("last_drill")})
        return
    for line in told(status):
        click.echo(line)


def told(status: dict[str, Any]) -> list[str]:
    """The drill in words."""
    if running := status.get("drill"):
        left_s = max(0, running["until_ms"] - status["time_ms"]) // 1000
        return [f"A drill runs, asked for by {running['asked_by']}; it ends in {left_s} s."]
    last = status.get("last_drill")
    if not last:
        return ["There has been no drill."]
    took_s = (last["ended_at_ms"] - last["began_at_ms"]) // 1000
    devices = f"{last['devices_began']} at its beginning, {last['devices_ended']} at its end"
    lines = [
        f"The last drill took {took_s} s (ended by: {last['how']}).",
        f"Sales in it: {last['sales']}, from {last['devices_selling']} devices.",
        f"Devices connected: {devices}.",
    ]
    if not last["settled"]:
        lines.append(f"{last['waiting']} events waited for the cloud; they are being sent.")
    elif last["caught_up_ms"] is None:
        lines.append("The cloud hasn't got everything within half an hour: look at the link.")
    else:
        lines.append(
            f"{last['waiting']} events waited; the cloud had all of them"
            f" {last['caught_up_ms'] // 1000} s later."
        )
    return lines
