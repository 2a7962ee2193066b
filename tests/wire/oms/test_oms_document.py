"""The sandbox OMS keeps what its published document says, request by request."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fuzz.cloud_door import opened_cloud
from tests.fuzz.explorer import Seen, explore


@pytest.mark.may_block  # the server is a process of its own; this loop only waits
@pytest.mark.may_leak  # schemathesis keeps its threads
async def test_the_oms_answers_as_its_document_says(tmp_path: Path) -> None:
    seen = Seen()
    async with opened_cloud(tmp_path, slice(0, 1)) as door:

        def run() -> None:
            for _ in explore(door, seen, seed=1, examples=3, phases=("examples", "fuzzing")):
                pass

        await asyncio.to_thread(run)
    assert not seen.broken, "\n\n".join(map(str, seen.broken[:5]))
    assert {200, 401, 409, 422} <= seen.statuses.keys()
