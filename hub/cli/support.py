"""``store-hub support``: one file for whoever helps from afar."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.common import config_option, fail, json_option, load_settings, print_json


@click.command(
    "support",
    short_help="Make a support bundle: one file, no secrets, no people.",
    help="""Make a support bundle: one .zip with status, health, settings, figures, devices, the
link to the cloud, the log's last lines and the result of checking the database.

Secrets are only shown as set or not; names of people, card data and what was sold to whom are
never in it. While the hub is stopped the bundle has neither status nor log: see
`journalctl -u store-hub`.
""",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write (default: store-hub-STORE-TIME.zip here).",
)
@json_option
@config_option
def command(out: Path | None, as_json: bool) -> None:
    from hub.cli.adminclient import AdminClient, AdminRefused, not_reached
    from hub.clock import SystemClock
    from hub.health import support

    loaded = load_settings()
    now_ms = SystemClock().wall_ms()
    target = out or Path(support.file_name(loaded.settings.store.id, now_ms))
    client = AdminClient(loaded.settings.paths.run)
    running = True
    try:
        raw = client.support_bundle()
    except AdminRefused as refused:
        fail(str(refused))
    except (FileNotFoundError, ConnectionRefusedError):
        running = False
        raw = _of_a_stopped_hub(now_ms)
    except OSError as error:
        not_reached(client, error)
    try:
        target.write_bytes(raw)
    except OSError as error:
        fail(f"{target} can't be written: {error.strerror}", next_step="name another with --out")
    if as_json:
        print_json({"file": str(target), "bytes": len(raw), "running": running})
    else:
        state = "" if running else "; the hub is stopped, so its log and status are missing"
        click.echo(f"{target}: {len(raw)} bytes{state}.")


def _of_a_stopped_hub(now_ms: int) -> bytes:
    from hub.app.shopfacts import shop_of
    from hub.cli.reading import open_rows
    from hub.health import support
    from hub.service.books import Books
    from hub.service.caller import HUB
    from hub.service.gate import ReadUnit
    from hub.service.pages import support as support_rows
    from hub.storage import hubrow
    from hub.storage.pages import support as rows_of
    from hub.web import settingspage

    loaded = load_settings()
    shop = shop_of(loaded.settings)
    with open_rows() as rows:
        budget_ms = hubrow.get(rows).budget_ms
        unit = ReadUnit(rows, HUB, shop, Books(shop.currency), now_ms, budget_ms)
        found = rows_of.integrity(rows)
        parts = support.Parts(
            store=shop.store,
            version=shop.version,
            made_at_ms=now_ms,
            rows=support_rows.read(unit),
            settings=settingspage.page(loaded),
            integrity=support.integrity_text(found),
            secrets=loaded.secrets(),
        )
    return support.zipped(support.files(parts), now_ms)
