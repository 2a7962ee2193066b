"""One device can't take the places of the others at the router."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.clock import SystemClock
from hub.contract.topics import Topics
from hub.mqtt import router as routing
from hub.mqtt.router import IN_FLIGHT_PER_DEVICE, Router

TOPICS = Topics("367")


class Held:
    """A gate whose answers wait until they are let go."""

    storage_full = False

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.asked = 0

    def begin(self, _request: object) -> Awaitable[str]:
        self.asked += 1
        return self._answer()

    async def _answer(self) -> str:
        await self.let_go.wait()
        return '{"ok":true,"result":{}}'


class Door:
    """A router before such a gate, and what it said to whom."""

    def __init__(self) -> None:
        self.gate = Held()
        self.said: dict[str, list[dict[str, Any]]] = {}
        self.router = Router(cast(Any, self.gate), TOPICS, SystemClock(), self._publish)
        self.router.paired = frozenset({"till-1", "till-2"})

    def _publish(self, topic: str, payload: bytes, **_options: Any) -> None:
        self.said.setdefault(topic, []).append(json.loads(payload))

    def ask(self, device: str, body: bytes = b"{}", correlation: bytes | None = b"1") -> None:
        properties = SimpleNamespace(
            retain=False, correlation=correlation, expiry_s=None, idk="k" * 16, record=None
        )
        topic = TOPICS.request(device, "stock", "levels")
        self.router.on_message(topic, body, cast(Any, properties))

    def busy(self, device: str) -> list[dict[str, Any]]:
        replies = self.said.get(TOPICS.reply(device), [])
        return [one for one in replies if not one["ok"] and one["problem"]["code"] == "busy"]

    async def end(self) -> None:
        self.gate.let_go.set()
        await self.router.stop()


async def test_a_device_beyond_its_share_is_busy_while_the_others_are_served() -> None:
    door = Door()
    for _ in range(IN_FLIGHT_PER_DEVICE + 5):
        door.ask("till-1")
    door.ask("till-2")
    await asyncio.sleep(0)
    assert len(door.busy("till-1")) == 5
    assert door.busy("till-1")[0]["problem"]["retry_after_ms"] > 0
    assert not door.busy("till-2")
    assert door.gate.asked == IN_FLIGHT_PER_DEVICE + 1
    await door.end()


async def test_a_device_gets_its_share_back_as_it_is_answered() -> None:
    door = Door()
    for _ in range(IN_FLIGHT_PER_DEVICE + 1):
        door.ask("till-1")
    await door.end()
    door.ask("till-1")
    await asyncio.sleep(0)
    assert len(door.busy("till-1")) == 1
    assert door.gate.asked == IN_FLIGHT_PER_DEVICE + 1
    await door.end()


async def test_an_older_device_knows_which_request_was_refused() -> None:
    door = Door()
    for number in range(IN_FLIGHT_PER_DEVICE + 1):
        door.ask("till-1", b'{"correlation":"c%d"}' % number, correlation=None)
    (busy,) = door.busy("till-1")
    assert busy["correlation"] == f"c{IN_FLIGHT_PER_DEVICE}"
    await door.end()


async def test_all_devices_together_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "IN_FLIGHT_MAX", 3)
    door = Door()
    for device in ("till-1", "till-1", "till-2", "till-2"):
        door.ask(device)
    assert not door.busy("till-1")
    assert len(door.busy("till-2")) == 1
    await door.end()
