"""The one table of all doors that take bytes; a parser that isn't here isn't tried."""

from __future__ import annotations

from tests.fuzz import (
    bridge_targets,
    cloud_room,
    cloud_targets,
    engine,
    file_targets,
    line_targets,
    plain_targets,
    sandbox_targets,
    shop_targets,
)
from tests.fuzz.engine import Target


def all_targets() -> tuple[Target, ...]:
    """Every target, each with a name of its own."""
    found = (
        *plain_targets.targets(),
        *file_targets.targets(),
        *line_targets.targets(),
        *shop_targets.targets(),
        *cloud_targets.targets(),
        *sandbox_targets.targets(),
        *bridge_targets.targets(),
    )
    assert len({one.name for one in found}) == len(found)
    return found


def close() -> None:
    """End what the targets share: shops, servers, the loop, files."""
    shop_targets.fresh()
    cloud_room.fresh()
    file_targets.fresh()
    sandbox_targets.stop()
    bridge_targets.stop()
    engine.close()
