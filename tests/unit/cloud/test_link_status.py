"""What the link says of itself, whatever is done to the wall clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from cloud_link.errors import Transient
from cloud_link.link import CloudLink, World
from hub.clock import SystemIds
from hub.config.models import Cloud
from tests.fakes import FakeClock, SeededRandomness

DAY_S = 86_400


class NoRows:
    """A database with nothing in it."""

    def one(self, _sql: str, *_params: Any) -> None:
        """No row."""

    def all(self, _sql: str, *_params: Any) -> list[Any]:
        return []


def test_a_clock_set_back_does_not_make_an_outage_shorter() -> None:
    clock, randomness = FakeClock(), SeededRandomness(1)
    gate = cast(Any, SimpleNamespace(rows=NoRows()))
    world = World(clock, SystemIds(clock, randomness), randomness)
    link = CloudLink(Cloud.model_validate({}), gate, world, machine_hash="00")
    link._answered(Transient("nobody there"))
    clock.advance(3_600)
    clock.jump_wall(-DAY_S)
    status = link.status()
    assert status.state == "down"
    assert clock.wall_ms() - status.since_ms == 3_600_000
