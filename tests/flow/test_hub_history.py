"""The history of a whole hub: what its link did is on the pages, also after a restart."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.flow.test_hub_pages import get, technician
from tests.support.hubbox import Box, open_box

pytestmark = pytest.mark.may_block  # the hub is a process of its own


async def changes_up_to(box: Box, up: bool, *, after: int = 0) -> list[dict[str, Any]]:
    """The link's changes, once there are more than ``after`` and the last is this one."""
    async with technician(box) as (http, _):

        async def found() -> Any:
            told = (await get(http, "/api/1/history/link?hours=1"))["changes"]
            return told if len(told) > after and told[-1]["up"] is up else None

        told: list[dict[str, Any]] = await box.until(found)
        return told


async def test_a_cut_and_a_restart_are_in_the_history_of_a_hub() -> None:
    async with open_box() as box:
        before = len(await changes_up_to(box, True))
        assert await box.rig.oms.stop()
        before = len(await changes_up_to(box, False, after=before))
        await box.rig.start_oms()
        before = len(await changes_up_to(box, True, after=before))
        await box.stop_hub()
        await box.start_hub()
        told = await changes_up_to(box, True, after=before)
        assert "hub-off" in [one.get("place") for one in told[before:]]
        assert all(a["at_ms"] <= b["at_ms"] for a, b in itertools.pairwise(told))
        listed = await box.cli_json("outages")
        async with technician(box) as (http, _):
            speed = await get(http, "/api/1/history/speed?hours=1")
            assert speed["points"], "the minute that the stop cut short is kept"
            assert len((await get(http, "/api/1/outages"))["outages"]) >= len(listed)
