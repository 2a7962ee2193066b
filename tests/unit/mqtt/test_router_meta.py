"""What a device says of itself counts for what it asks right after."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from hub.clock import SystemClock
from hub.contract.base import CONTRACT_VERSION
from hub.contract.topics import Topics
from hub.mqtt.router import Router

TOPICS = Topics("367")
YES = '{"ok":true,"seq":0,"result":{}}'


class Wire:
    """A router between a till and a gate that says yes to everything at once."""

    storage_full = False

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.router = Router(cast(Any, self), TOPICS, SystemClock(), self._publish)
        self.router.paired = frozenset({"till-1"})

    def begin(self, _request: object) -> str:
        return YES

    async def internal(self, _caller: object, _command: object) -> None:
        return None

    def _publish(self, _topic: str, payload: bytes, **_options: Any) -> None:
        self.said.append(json.loads(payload))

    def meta(self, oldest: int, newest: int) -> None:
        text = {"kind": "till", "model": "m", "firmware": "1", "contract": [oldest, newest]}
        self._hear(TOPICS.meta("till-1"), json.dumps(text).encode())

    def ask(self) -> dict[str, Any]:
        self._hear(TOPICS.request("till-1", "sale", "commit"), b"{}")
        return self.said[-1]

    def _hear(self, topic: str, payload: bytes) -> None:
        properties = SimpleNamespace(
            retain=False, correlation=b"1", expiry_s=None, idk="k" * 16, record=None
        )
        self.router.on_message(topic, payload, cast(Any, properties))


async def test_a_device_of_another_contract_is_refused_from_its_next_message_on() -> None:
    wire = Wire()
    wire.meta(CONTRACT_VERSION + 1, CONTRACT_VERSION + 1)
    assert wire.ask()["problem"]["code"] == "unsupported-contract"
    await wire.router.stop()


async def test_a_device_that_was_updated_is_understood_from_its_next_message_on() -> None:
    wire = Wire()
    wire.meta(CONTRACT_VERSION + 1, CONTRACT_VERSION + 1)
    await wire.router.stop()
    wire.meta(CONTRACT_VERSION, CONTRACT_VERSION + 1)
    assert wire.ask()["ok"]
    await wire.router.stop()
