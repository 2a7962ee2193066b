"""A hub's HTTPS side on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.hubparts import HubParts, hub_parts


@pytest.fixture
async def hub(tmp_state: Path) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_state) as running:
        yield running
