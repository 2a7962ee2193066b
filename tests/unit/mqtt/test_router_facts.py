"""Facts at the router."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.clock import SystemClock
from hub.contract.topics import Topics
from hub.mqtt.router import Router


async def test_facts_are_told_to_wait_while_the_disk_is_nearly_full() -> None:
    said: list[dict[str, Any]] = []
    answered = asyncio.Event()

    def publish(_topic: str, payload: bytes, **_options: Any) -> None:
        said.append(json.loads(payload))
        answered.set()

    gate = SimpleNamespace(storage_full=True)  # no way to the writer at all
    topics = Topics("367")
    router = Router(cast(Any, gate), topics, SystemClock(), publish)
    router.paired = frozenset({"till-1"})
    journal_id = "0190a0a0-0000-7000-8000-000000000001"
    fact = {"journal_id": journal_id, "evt_seq": 1, "occurred_at_ms": 1, "data": {}}
    properties = cast(Any, SimpleNamespace(retain=False, correlation=None))
    router.on_message(topics.fact("till-1", "scan"), json.dumps(fact).encode(), properties)
    await asyncio.wait_for(answered.wait(), 60)
    assert said[0]["problem"]["code"] == "storage-full"
    assert said[0]["problem"]["retryable"]
    await router.stop()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_a_fact_with_a_number_that_json_does_not_know_is_refused(number: str) -> None:
    said: list[dict[str, Any]] = []
    answered = asyncio.Event()

    def publish(_topic: str, payload: bytes, **_options: Any) -> None:
        said.append(json.loads(payload))
        answered.set()

    gate = SimpleNamespace(storage_full=False, internal=None)  # the writer is not asked
    topics = Topics("367")
    router = Router(cast(Any, gate), topics, SystemClock(), publish)
    router.paired = frozenset({"till-1"})
    fact = (
        '{"journal_id":"0190a0a0-0000-7000-8000-000000000001","evt_seq":1,"occurred_at_ms":1,'
        f'"data":{{"scale":[{number}]}}}}'
    )
    properties = cast(Any, SimpleNamespace(retain=False, correlation=None))
    router.on_message(topics.fact("till-1", "scan"), fact.encode(), properties)
    await asyncio.wait_for(answered.wait(), 30)
    assert said[0]["problem"]["code"] == "validation"
    await router.stop()
