"""Reading the hub's database from the command line; works while the hub runs and while it
doesn't."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli.common import fail, load_settings

if TYPE_CHECKING:
    from hub.config import Settings
    from hub.service.gate import ReadUnit
    from hub.storage.readers import LoopReader


def state_and_database() -> tuple[Settings, Path]:
    """The settings and the path of an existing database."""
    settings = load_settings().settings
    path = settings.paths.state / "hub.db"
    if not path.exists():
        fail(
            f"there is no database at {path}",
            next_step="start the hub once (store-hub run), or point paths.state to its directory",
        )
    return settings, path


@contextmanager
def open_rows() -> Iterator[LoopReader]:
    """A read-only connection to the hub's database."""
    from hub.storage import sqlite
    from hub.storage.errors import StorageError
    from hub.storage.readers import LoopReader

    _, path = state_and_database()
    try:
        reader = LoopReader(path)
    except (sqlite.Error, StorageError) as error:
        fail(f"{path} can't be read: {error}", next_step="run as the user that owns it")
    with reader:
        try:
            yield reader
        except (sqlite.Error, StorageError) as error:
            fail(
                f"{path} can't be read: {error}",
                next_step="is it a Store Hub's database of this version? `store-hub version`",
            )


def read_unit(rows: LoopReader) -> ReadUnit:
    """What queries' handlers work with, of the shop that the settings name."""
    from hub.app.shopfacts import shop_of
    from hub.clock import SystemClock
    from hub.service.books import Books
    from hub.service.caller import HUB
    from hub.service.gate import ReadUnit
    from hub.storage import hubrow

    shop = shop_of(load_settings().settings)
    budget_ms = hubrow.get(rows).budget_ms
    return ReadUnit(rows, HUB, shop, Books(shop.currency), SystemClock().wall_ms(), budget_ms)
