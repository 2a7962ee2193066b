"""Somebody asks for a restart of the broker while the hub is being stopped."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.app.messaging import Messaging
from hub.contract.problems import Code, Refusal
from hub.mqtt.supervisor import BrokerState


class Broker:
    """Counts; a stop takes until it is let go."""

    def __init__(self) -> None:
        self.status = SimpleNamespace(state=BrokerState.BACKOFF)
        self.starts = 0
        self.stopping = asyncio.Event()
        self.let_go = asyncio.Event()

    def start(self) -> None:
        self.starts += 1

    async def stop(self) -> None:
        self.stopping.set()
        await self.let_go.wait()


async def test_a_broker_is_not_started_any_more_once_the_hub_stops() -> None:
    broker = Broker()
    broker.let_go.set()
    messaging = cast(Any, SimpleNamespace(broker=broker, stopping=True))
    with pytest.raises(Refusal) as refused:
        await Messaging.restart_broker(messaging, "somebody asked for it")
    assert refused.value.problem.code is Code.UNAVAILABLE
    assert broker.starts == 0


async def test_a_restart_that_a_stop_overtakes_starts_nothing() -> None:
    broker = Broker()
    messaging = cast(Any, SimpleNamespace(broker=broker, stopping=False))
    asked = asyncio.create_task(Messaging.restart_broker(messaging, "somebody asked for it"))
    await broker.stopping.wait()
    messaging.stopping = True
    broker.let_go.set()
    with pytest.raises(Refusal):
        await asked
    assert broker.starts == 0
