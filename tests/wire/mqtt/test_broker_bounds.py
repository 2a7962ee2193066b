"""Strangers who only hold connections take a listener's places, and nobody else's."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hub.mqtt.config import BrokerLimits
from tests.wire.mqtt.broker_shop import TOPICS, Shop

PLACES = 5


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the broker has closed this one."""
    try:
        async with asyncio.timeout(0.2):
            return await reader.read(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def test_silent_strangers_fill_one_listener_only_and_room_comes_back(
    shop_on_paper: Shop,
) -> None:
    shop = shop_on_paper
    shop.plan = replace(shop.plan, limits=BrokerLimits(password_connections=PLACES))
    shop.add("tablet-1")
    port = shop.plan.password_port
    held = []
    await shop.start()
    try:
        await shop.connect()
        for _ in range(3 * PLACES):
            held.append(await asyncio.open_connection("127.0.0.1", port))  # noqa: PERF401
        async with asyncio.timeout(60):
            while [await ended(reader) for reader, _ in held].count(False) > PLACES:
                continue
        async with shop.mtls_peer(shop.authority.issue_device("tablet-1")) as tablet:
            assert await tablet.connected == "Success"
            assert await tablet.publish(TOPICS.fact("tablet-1", "scan")) == "Success"
            assert (await shop.next())[0] == TOPICS.fact("tablet-1", "scan")
        for _, writer in held:
            writer.transport.abort()
        await _until_let_in(shop)
    finally:
        for _, writer in held:
            writer.transport.abort()
        await shop.stop()


async def _until_let_in(shop: Shop) -> None:
    async with asyncio.timeout(60):
        while True:
            async with shop.password_peer("till-1") as till:
                try:
                    async with asyncio.timeout(5):
                        if await till.connected == "Success":
                            return
                except TimeoutError:
                    continue
