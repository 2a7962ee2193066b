"""The bench on which devices are tried."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devices.kit import calls, session
from tests.wire.kit.store_bench import Bench, Broker, FakeHub, TestAuthority


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A running broker and hub; pauses are shorter than in a shop."""
    monkeypatch.setattr(calls, "ATTEMPT_S", 0.5)
    monkeypatch.setattr(session, "_PAUSE_CAP_S", 0.5)
    authority = TestAuthority(tmp_path / "tls")
    broker = Broker(tmp_path, authority)
    hub = FakeHub(broker.plain_port)
    await broker.start()
    try:
        await hub.start()
        it = Bench(tmp_path, authority, broker, hub)
        await asyncio.to_thread(it.device)
        yield it
    finally:
        await hub.stop()
        await broker.kill()
