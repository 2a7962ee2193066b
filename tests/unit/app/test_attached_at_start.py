"""A hub starts, and looks after its peripherals as soon as it can, whatever its disk says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.app import peripherals
from hub.app.messaging import Messaging
from hub.app.peripherals import Peripherals
from hub.clock import SystemRandomness
from hub.config import Settings
from hub.contract.topics import Topics
from hub.mqtt.session import SessionDown
from hub.service.caller import Caller
from hub.service.handlers.peripherals import KeepPeripherals
from hub.service.internal import InternalCommand
from hub.storage.errors import NotStored
from tests.support.shop import STORE, Shop

SETTINGS = Settings.model_validate(
    {
        "store": {"id": STORE, "timezone": "Europe/Berlin", "currency": "EUR", "name": "Corner"},
        "peripherals": ({"id": "printer-1", "driver": "simulated-printer"},),
    }
)


def nobody_there(*_what: Any, **_options: Any) -> None:
    raise SessionDown("no broker")


async def test_a_disk_that_takes_nothing_at_the_start_only_delays_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peripherals, "RETRY_S", 0.01)
    shop = Shop(tmp_path, furnish=False)
    internal, refusals = shop.gate.internal, [NotStored("full"), NotStored("full")]

    async def hesitant(caller: Caller, command: InternalCommand) -> Any:
        if isinstance(command, KeepPeripherals) and refusals:
            raise refusals.pop()
        return await internal(caller, command)

    monkeypatch.setattr(shop.gate, "internal", hesitant)
    messaging = SimpleNamespace(topics=Topics(STORE), publish=nobody_there)
    attached = Peripherals(SETTINGS, shop.gate, cast(Messaging, messaging), SystemRandomness())
    attached.desk.ears = None  # what is told of them needs no broker here
    await attached.start(lambda: "https://hub.example/")
    try:
        async with asyncio.timeout(30):
            while not shop.all("SELECT 1 FROM devices WHERE device_id = 'printer-1'"):
                await asyncio.sleep(0.01)
        assert refusals == []
    finally:
        await attached.stop()
        shop.close()
