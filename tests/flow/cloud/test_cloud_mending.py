"""Trying the cloud now, without the rest of a pause."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.storage.rows import Rows
from tests.flow.cloud.cloudshop import FastClock, HubSide, Oms, hub_side

LONG_S = 5.0


async def test_a_link_that_waits_for_its_next_try_tries_at_once_when_asked(
    tmp_path: Path, oms: Oms, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, waiting = asyncio.Event(), asyncio.Event()
    plain = FastClock.sleep

    async def sleep(clock: FastClock, seconds: float) -> None:
        """While the cloud is away, whoever waits for long waits for ever."""
        if away.is_set() and seconds > LONG_S:
            waiting.set()
            await asyncio.Event().wait()
        await plain(clock, seconds)

    monkeypatch.setattr(FastClock, "sleep", sleep)
    patient = oms.settings().model_copy(update={"retry_base_s": 60, "retry_max_s": 3600})
    async with hub_side(tmp_path / "hub", patient) as hub:
        await hub.synced()
        goods = await hub.stock_up()
        await hub.drained()
        await oms.misbehave(down=True)
        away.set()
        await hub.sell(*goods[0])
        await hub.until(lambda: hub.link.status().state == "down" and waiting.is_set())
        await oms.misbehave()
        await hub.link.retry()
        await hub.until(lambda: hub.link.up)
        await hub.drained()
        assert len(await oms.sales()) == 1


async def test_a_link_that_is_up_only_sends_what_waits(hub: HubSide, oms: Oms) -> None:
    goods = await hub.stock_up()
    await hub.sell(*goods[0])
    session = hub.link.parts and hub.link.parts.client.session
    await hub.link.retry()
    await hub.drained()
    assert hub.link.parts is not None
    assert hub.link.parts.client.session is session
    assert len(await oms.sales()) == 1


async def test_a_link_that_was_stopped_stays_stopped(hub: HubSide) -> None:
    trying = asyncio.create_task(hub.link.retry())
    await hub.link.stop()
    await trying
    await hub.link.retry()
    assert not [one for one in asyncio.all_tasks() if one.get_name() == "cloud-link"]
    await hub.link.start()
    await hub.until(lambda: hub.link.up)


async def test_a_link_that_is_tried_while_the_readers_are_busy_goes_on(
    hub: HubSide, oms: Oms, monkeypatch: pytest.MonkeyPatch
) -> None:
    await oms.misbehave(down=True)
    goods = await hub.stock_up()
    await hub.sell(*goods[0])
    await hub.until(lambda: hub.link.status().state == "down")
    plain, busy = hub.gate.read, [True]

    async def read(query: Callable[[Rows], Any]) -> Any:
        if busy and busy.pop():
            raise TimeoutError
        return await plain(query)

    monkeypatch.setattr(hub.gate, "read", read)
    with contextlib.suppress(TimeoutError):
        await hub.link.retry()
    await oms.misbehave()
    await hub.until(lambda: hub.link.up)
    await hub.drained()


async def test_two_that_try_at_once_leave_one_link(hub: HubSide, oms: Oms) -> None:
    await oms.misbehave(down=True)
    goods = await hub.stock_up()
    await hub.sell(*goods[0])
    await hub.until(lambda: hub.link.status().state == "down")
    await asyncio.gather(hub.link.retry(), hub.link.retry())
    assert len([one for one in asyncio.all_tasks() if one.get_name() == "cloud-link"]) == 1
    await oms.misbehave()
    await hub.until(lambda: hub.link.up)
