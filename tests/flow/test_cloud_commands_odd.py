"""A command of the cloud that can't be read holds nothing up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.contract.oms import Command
from hub.service.caller import CLOUD
from hub.service.handlers.cloud import ApplyCommands, apply_commands
from hub.storage import hubrow
from tests.support.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    made = Shop(tmp_path)
    made.product("tea", 499, stock=20)
    yield made
    made.close()


def nested(depth: int) -> Any:
    return {"a": nested(depth - 1)} if depth else 1


def command(number: int, kind: str, data: Any) -> Command:
    unique = f"0198b0c0-0000-7000-8000-00000000000{number}"
    return Command(cursor=f"c{number}", id=unique, type=kind, data=data, issued_at_ms=1)


@pytest.mark.parametrize("kind", ["config.changed", "count.requested", "not_known.here"])
def test_a_command_nested_too_deep_fails_alone(shop: Shop, kind: str) -> None:
    odd = command(1, kind, nested(100))
    good = command(2, "count.requested", {"sku": "tea"})
    page = ApplyCommands((odd, good), "c2")
    applied = shop.tx(lambda tx: apply_commands(shop.gate._unit(tx, CLOUD), page))
    assert applied.counts == {"failed": 1, "done": 1}
    assert hubrow.get(shop.rows).commands_cursor == "c2"
    (failed,) = shop.audited("cloud.command_failed")
    assert failed["type"] == kind
