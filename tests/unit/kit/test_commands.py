"""A device does what the hub asks once, or not at all."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

from devices.kit import commands
from devices.kit.commands import Commands
from devices.kit.link import Message
from devices.kit.session import Session
from hub.contract.envelope import DeviceCommand
from hub.contract.topics import Topics
from tests.fakes import FakeClock, seeded_ids_of


class Wire:
    """What a session is to commands; ``answers`` are what was sent."""

    topics = Topics("367")
    identity = SimpleNamespace(device_id="till-01")

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []

    def publish(self, _topic: str, payload: bytes, **_options: Any) -> None:
        self.answers.append(json.loads(payload))


def asked(command: DeviceCommand) -> Message:
    payload = command.model_dump_json().encode()
    return cast(Message, SimpleNamespace(payload=payload))


async def test_what_was_answered_busy_is_not_done_when_it_comes_again() -> None:
    """The hub has taken the no for its end, and asks anew under another id."""
    wire, ids = Wire(), seeded_ids_of(FakeClock(), 1)
    done: list[str] = []
    go = asyncio.Event()

    async def work(data: dict[str, Any]) -> dict[str, Any]:
        await go.wait()
        done.append(data["name"])
        return {}

    found = Commands(cast(Session, wire))
    found.handle("print", work)
    names = [f"job-{number}" for number in range(commands._AT_ONCE + 1)]
    sent = [
        DeviceCommand(
            command_id=ids.uuid7(), device_id="till-01", operation="print", data={"name": name}
        )
        for name in names
    ]
    for one in sent:
        found.heard("print", asked(one))
    assert [one["problem"]["code"] for one in wire.answers] == ["busy"]
    go.set()
    async with asyncio.timeout(30):
        while len(wire.answers) < len(sent) or found._running:
            await asyncio.sleep(0)
    found.heard("print", asked(sent[-1]))
    async with asyncio.timeout(30):
        while len(wire.answers) <= len(sent):
            await asyncio.sleep(0)
    await found.close()
    assert done == names[:-1]
    assert wire.answers[-1]["problem"]["code"] == "busy"
