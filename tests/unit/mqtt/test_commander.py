"""What the hub asks of a device: one answer to each command, from that device only."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from hub.contract.topics import Topics
from hub.mqtt import commander
from hub.mqtt.commander import Commander, Declined, NoAnswer, NotSent
from hub.mqtt.session import SessionDown
from tests.fakes import FakeClock, seeded_ids_of

TOPICS = Topics("367")


class Air:
    """The way to devices; ``down`` refuses everything."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.down = False
        self.commander = Commander(TOPICS, seeded_ids_of(FakeClock(), 1), self._publish)

    def _publish(self, topic: str, payload: bytes, **options: Any) -> None:
        if self.down:
            raise SessionDown("no broker")
        self.sent.append({"topic": topic, **json.loads(payload), **options})

    async def ask(self, device: str = "till-01", timeout_s: float = 30.0) -> dict[str, Any]:
        return await self.commander.command(device, "print", {"text": "hello"}, timeout_s)

    def answer(self, device: str = "till-01", **reply: Any) -> None:
        said = {"ok": True, "correlation": self.sent[-1]["command_id"], **reply}
        self.commander.take_reply(device, json.dumps(said).encode())


async def asked(air: Air, **how: Any) -> asyncio.Task[dict[str, Any]]:
    task = asyncio.create_task(air.ask(**how))
    before = len(air.sent)
    while len(air.sent) == before:
        await asyncio.sleep(0)
    return task


async def test_the_device_s_answer_is_the_result_of_its_command() -> None:
    air = Air()
    task = await asked(air)
    (message,) = air.sent
    assert message["topic"] == TOPICS.command("till-01", "print")
    assert (message["device_id"], message["data"]) == ("till-01", {"text": "hello"})
    assert (message["qos"], message["expiry_s"]) == (1, 30)
    air.answer(result={"outcome": "printed"})
    assert await task == {"outcome": "printed"}


async def test_a_stranger_s_answer_an_unknown_one_and_nonsense_count_nothing() -> None:
    air = Air()
    task = await asked(air)
    air.answer("till-02", result={"outcome": "forged"})
    air.answer(correlation="0198b0c0-0000-7000-8000-000000000001", result={})
    air.commander.take_reply("till-01", b"\xff{")
    air.answer(ok=False)
    await asyncio.sleep(0)
    assert not task.done()
    air.answer(result={"outcome": "printed"})
    air.answer(result={"outcome": "twice"})
    assert await task == {"outcome": "printed"}


async def test_a_no_of_the_device_is_told_in_its_own_words() -> None:
    air = Air()
    task = await asked(air)
    said = {"type": "t", "title": "No", "status": 404, "detail": "No printer.", "code": "not-found"}
    air.answer(ok=False, problem={**said, "retryable": False})
    with pytest.raises(Declined, match="No printer"):
        await task


async def test_a_command_is_sent_again_until_it_is_answered_under_the_same_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commander, "AGAIN_S", 0.01)
    air = Air()
    task = await asked(air)
    while len(air.sent) < 3:
        await asyncio.sleep(0.01)
    air.answer(result={})
    assert await task == {}
    assert len({one["command_id"] for one in air.sent}) == 1


async def test_without_a_session_nothing_is_sent_and_without_an_answer_nobody_knows() -> None:
    air = Air()
    air.down = True
    with pytest.raises(NotSent, match="no broker"):
        await air.ask()
    air.down = False
    with pytest.raises(NoAnswer, match="switched on"):
        await air.ask(timeout_s=0.01)


async def test_commands_under_way_are_bounded_for_each_device_and_for_all() -> None:
    air = Air()
    tasks = [await asked(air) for _ in range(commander.PER_DEVICE_MAX)]
    with pytest.raises(NotSent, match="enough to do"):
        await air.ask()
    other = await asked(air, device="till-02")
    for task in (*tasks, other):
        task.cancel()
    await asyncio.gather(*tasks, other, return_exceptions=True)
    last = await asked(air)
    air.answer()
    assert await last == {}


async def test_card_data_in_a_device_s_answer_goes_no_further(
    caplog: pytest.LogCaptureFixture,
) -> None:
    air = Air()
    task = await asked(air)
    number = "4111 1111 1111 1111"
    said = {"type": "t", "title": "No", "status": 404, "detail": number, "code": "not-found"}
    air.answer(result={"outcome": "refused", "reason": f"no {number}"})
    air.answer(ok=False, problem={**said, "retryable": False})
    await asyncio.sleep(0)
    assert not task.done()
    assert "card data" in caplog.text
    assert number not in caplog.text
    air.answer(result={"outcome": "printed"})
    assert await task == {"outcome": "printed"}
