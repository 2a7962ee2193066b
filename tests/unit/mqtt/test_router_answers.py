"""A request is answered as soon as its answer is there, once, whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

from hub.clock import SystemClock
from hub.contract.topics import Topics
from hub.mqtt.router import Router
from hub.mqtt.session import MessageTooLarge
from hub.service.answers import failure_json, from_storage
from hub.storage.errors import QueueFull

TOPICS = Topics("367")
YES = '{"ok":true,"seq":0,"result":{}}'


class Door:
    """A router before a gate that begins with what it is given."""

    storage_full = False

    def __init__(self) -> None:
        self.reply: Any = YES
        self.bytes_max = 1000
        self.said: list[dict[str, Any]] = []
        self.router = Router(cast(Any, self), TOPICS, SystemClock(), self._publish)
        self.router.paired = frozenset({"till-1"})

    def begin(self, _request: object) -> Any:
        return self.reply

    def failure(self, _request: object, error: Exception) -> str:
        assert isinstance(error, QueueFull)
        return failure_json(from_storage(error))

    def _publish(self, topic: str, payload: bytes, **options: Any) -> None:
        assert topic == TOPICS.reply("till-1")
        if len(payload) > self.bytes_max:
            raise MessageTooLarge("too large")
        self.said.append(json.loads(payload) | {"to": options["correlation"]})

    def ask(self, correlation: bytes) -> None:
        properties = SimpleNamespace(
            retain=False, correlation=correlation, expiry_s=None, idk="k" * 16, record=None
        )
        self.router.on_message(
            TOPICS.request("till-1", "sale", "commit"), b"{}", cast(Any, properties)
        )


async def test_what_is_known_at_once_is_answered_before_the_next_message_is_read() -> None:
    door = Door()
    door.ask(b"1")
    assert [one["to"] for one in door.said] == [b"1"]
    assert door.router.answered == 1


async def test_a_change_is_answered_when_it_is_done_and_not_before() -> None:
    door = Door()
    door.reply = asyncio.get_running_loop().create_future()
    door.ask(b"2")
    await asyncio.sleep(0)
    assert not door.said
    door.reply.set_result(YES)
    await door.router.stop()
    assert [(one["ok"], one["to"]) for one in door.said] == [(True, b"2")]


async def test_a_change_that_fails_is_answered_with_its_failure() -> None:
    door = Door()
    door.reply = asyncio.get_running_loop().create_future()
    door.ask(b"3")
    door.reply.set_exception(QueueFull("1000 jobs are waiting"))
    await door.router.stop()
    (answer,) = door.said
    assert (answer["problem"]["code"], answer["to"]) == ("busy", b"3")


async def test_a_change_that_is_given_up_has_no_answer_and_gives_its_place_back() -> None:
    door = Door()
    door.reply = asyncio.get_running_loop().create_future()
    door.ask(b"4")
    door.reply.cancel()
    await door.router.stop()
    assert not door.said
    door.reply = YES
    door.ask(b"5")
    assert [one["to"] for one in door.said] == [b"5"]


async def test_an_answer_that_is_too_large_with_its_record_goes_without_it() -> None:
    door = Door()
    door.reply = f'{YES[:-1]},"record":"{"r" * 2000}"}}'
    door.ask(b"6")
    assert door.said == [{"ok": True, "seq": 0, "result": {}, "to": b"6"}]


async def test_an_answer_that_is_too_large_anyhow_is_a_refusal() -> None:
    door = Door()
    door.reply = f'{{"ok":true,"seq":0,"result":{{"text":"{"x" * 2000}"}}}}'
    door.ask(b"8")
    (answer,) = door.said
    assert answer["problem"]["code"] == "too-large"
