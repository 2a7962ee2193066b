"""Clouds and hubs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flow.cloud.cloudshop import HubSide, Oms, hub_side, oms_process


@pytest.fixture
async def oms(tmp_path: Path) -> AsyncIterator[Oms]:
    """A sandbox OMS with the demo shop."""
    async with oms_process(tmp_path / "oms") as running:
        yield running


@pytest.fixture
async def hub(tmp_path: Path, oms: Oms) -> AsyncIterator[HubSide]:
    """A hub that is synced with it."""
    async with hub_side(tmp_path / "hub", oms.settings()) as side:
        await side.synced()
        yield side
