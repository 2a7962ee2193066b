"""``store-hub catalog``: import data sets from files, search products."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.common import (
    config_option,
    fail,
    json_option,
    load_settings,
    print_json,
    print_table,
    progress,
)
from hub.cli.reading import open_rows

if TYPE_CHECKING:
    from rich.progress import TaskID

    from hub.service.importing import Imported

NAMES = ("catalog", "prices", "taxes", "staff", "policies")


@click.group(short_help="Import and search the catalogue.")
def command() -> None:
    """Products, prices, taxes, staff and policies of this hub."""


@command.command("import")
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@json_option
@config_option
def import_files(paths: tuple[Path, ...], as_json: bool) -> None:
    """Take data sets from JSON Lines files, for a shop without a cloud.

    PATH is a file named after its data set (catalog.jsonl, prices.jsonl, taxes.jsonl, staff.jsonl,
    policies.jsonl), or a directory of such files. Each file is a whole data set: it replaces the
    one in force in one step, or not at all if one row is wrong. The rows are those the OMS contract
    describes (contract/oms.openapi.yaml). The hub must be stopped; a hub with a cloud takes the
    cloud's data instead at its next sync.
    """
    files = list(_files(paths))
    settings = load_settings().settings
    from hub.app.founding import RestoreUnfinished, StateInUse, StateLock, WrongStore
    from hub.service.handlers.datasets import BadRow
    from hub.storage.errors import StorageError

    try:
        lock = StateLock(settings.paths.state)
    except StateInUse:
        fail(
            "the hub is running: its data sets come from its cloud",
            next_step="stop it for the import (systemctl stop store-hub)",
        )
    try:
        done = _import(settings, files, quiet=as_json)
    except (BadRow, WrongStore, RestoreUnfinished, StorageError, OSError, UnicodeError) as error:
        fail(f"{error}", next_step="correct the file; the data set in force is unchanged")
    finally:
        lock.release()
    if as_json:
        print_json([{"dataset": one.dataset, "rows": one.rows, "label": one.label} for one in done])
        return
    print_table(("dataset", "rows", "generation"), [(x.dataset, x.rows, x.label) for x in done])


def _files(paths: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """Data sets in the order selling needs them."""
    found: dict[str, Path] = {}
    for path in paths:
        inside = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
        for file in inside:
            name = file.name.partition(".")[0]
            if name in NAMES:
                found[name] = file
            elif not path.is_dir():
                fail(f"{file} is not named after a data set", next_step=f"use {', '.join(NAMES)}")
    if not found:
        fail("there is no data set to import", next_step=f"name files {', '.join(NAMES)} (.jsonl)")
    yield from ((name, found[name]) for name in NAMES if name in found)


def _import(settings: Any, files: list[tuple[str, Path]], *, quiet: bool) -> list[Imported]:
    from hub.app.founding import open_state
    from hub.app.shopfacts import shop_of
    from hub.clock import SystemClock, SystemIds, SystemRandomness
    from hub.service.importing import import_file
    from hub.storage import searchindex

    clock, randomness = SystemClock(), SystemRandomness()
    ids = SystemIds(clock, randomness)
    opened = open_state(settings, clock, randomness)
    try:
        with progress() as bar:
            done = []
            for name, file in files:
                task = bar.add_task(name, total=None, visible=not quiet)

                def shown(rows: int, task: TaskID = task) -> None:
                    bar.update(task, completed=rows)

                done.append(
                    import_file(
                        opened.conn,
                        shop_of(settings),
                        clock,
                        ids,
                        name,
                        file,
                        on_rows=shown,
                    )
                )
    finally:
        opened.conn.close()
    if any(one.dataset == "catalog" for one in done):
        searchindex.build(opened.database.with_name(searchindex.FILE_NAME), opened.database)
    return done


@command.command("search")
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 50))
@json_option
@config_option
def search(text: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Find products by the beginnings of words in name, category or SKU."""
    from hub.clock import SystemClock
    from hub.storage import catalogrows, searchindex

    with open_rows() as rows:
        hits = searchindex.search(rows, " ".join(text), limit)
        now_ms = SystemClock().wall_ms()
        found = []
        for hit in hits:
            product = catalogrows.by_sku(rows, hit.sku, now_ms)
            price = product.price_minor if product else None
            found.append((hit.sku, hit.name, hit.category, price))
    columns = ("sku", "name", "category", "price_minor")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in found])
        return
    print_table(columns, found, empty="Nothing found.")
