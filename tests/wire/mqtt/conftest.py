"""The shop whose broker these tests talk to."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.wire.mqtt.broker_peer import WAIT_S
from tests.wire.mqtt.broker_shop import Shop, make_shop


@pytest.fixture(autouse=True)
def _a_broker_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that wants the bound says so; every other one only waits on a busy machine."""
    monkeypatch.setattr("hub.mqtt.supervisor._START_TIMEOUT_S", WAIT_S)
    monkeypatch.setattr("hub.mqtt.supervisor._STOP_TIMEOUT_S", WAIT_S)
    monkeypatch.setattr("hub.mqtt.leftover._TERM_WAIT_S", WAIT_S)
    monkeypatch.setattr("hub.mqtt.session._CONNECT_TIMEOUT_S", WAIT_S)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """A running broker with two password devices and two certificate devices, and the hub on it."""
    it = make_shop(
        tmp_path, [("till-1", "pw-1"), ("till-2", "pw-2"), ("tablet-1", None), ("tablet-2", None)]
    )
    try:
        await it.start()
        await it.connect()
        yield it
    finally:
        await it.stop()
        shutil.rmtree(it.plan.run_dir, ignore_errors=True)


@pytest.fixture
def shop_on_paper(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose broker was not started."""
    it = make_shop(tmp_path, [("till-1", "pw-1")])
    run_dir = it.plan.run_dir
    yield it
    shutil.rmtree(run_dir, ignore_errors=True)
