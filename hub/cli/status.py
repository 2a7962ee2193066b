"""``store-hub status``: the verdict, and each problem with its next step."""

from __future__ import annotations

from typing import Any

import click

from hub.cli.common import config_option, json_option, print_json

_COLOURS = {"critical": "red", "warning": "yellow", "notice": "cyan", "ok": "green"}
_WORTH_SAYING_MS = 60_000


@click.command()
@click.option("--all", "everything", is_flag=True, help="Show also the checks that are content.")
@json_option
@config_option
def command(everything: bool, as_json: bool) -> None:
    """Show how the hub is: the verdict first, then what needs somebody, the worst first.

    Exit code 0 when nothing does, 1 when something does, 2 when selling suffers.
    """
    from hub.cli.adminclient import hub_status

    status = hub_status()
    health = status["health"]
    if as_json:
        print_json(status)
    else:
        _print(status, health, everything=everything)
    raise SystemExit({"critical": 2, "warning": 1}.get(health["verdict"], 0))


def _print(status: dict[str, Any], health: dict[str, Any], *, everything: bool) -> None:
    from hub.health.words import ago

    now_ms = status["time_ms"]
    _line(health["verdict"], health["headline"])
    score = health["readiness"]["score"]
    click.echo(f"  {status['store_name']} ({status['store']}), readiness {score} of 100")
    for one in health["findings"]:
        if one["level"] in ("ok", "unknown"):
            if everything:
                _line(one["level"], f"{one['title']}: {one['summary']}")
            continue
        click.echo("")
        since_ms = one.get("since_ms")
        span_ms = now_ms - since_ms if since_ms is not None else 0
        since = f" (for {ago(span_ms)})" if span_ms >= _WORTH_SAYING_MS else ""
        _line(one["level"], f"{one['summary']}{since}")
        click.echo(f"  Means: {one['means']}")
        click.echo(f"  Next step: {one['next_step']}")
        if "action" in one:
            click.echo(f"  Or: store-hub mend {one['action']}")
        for label, text in one["detail"].items() if everything else ():
            click.echo(_plain(f"  {label}: {text}"))


def _line(level: str, text: str) -> None:
    click.echo(f"{click.style(level.upper(), fg=_COLOURS.get(level), bold=True)}  {_plain(text)}")


def _plain(text: str) -> str:
    """What devices and the cloud say may hold anything; a line stays one line."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
