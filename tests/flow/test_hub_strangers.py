"""A crowd that only holds connections to the broker goes, and nobody else notices it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

import pytest

from tests.support.hubbox import Box, open_box, sell

pytestmark = pytest.mark.xdist_group("hub-strangers")

CROWD = 100
CLOSED_WITHIN_S = 60.0  # Mosquitto itself takes 90 s
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01"


async def _gone(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while await reader.read(4096):
            pass


async def _crowd(
    box: Box, stack: contextlib.AsyncExitStack
) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    crowd = []
    for n in range(CROWD):
        port = (box.rig.ports.password, box.rig.ports.mtls)[n % 2]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(writer.transport.abort)
        if n % 4 > 1:
            writer.write(HALF_HELLO)
        crowd.append((reader, writer))
    return crowd


async def test_a_hundred_strangers_go_while_devices_pair_connect_and_sell() -> None:
    async with open_box() as box, contextlib.AsyncExitStack() as stack:
        by_password = await box.pair(auth="password")
        if (await box.status())["broker"]["detail"]:
            pytest.skip("the hub may not close connections here, and says so")
        raw = await stack.enter_async_context(box.raw(by_password))
        first = await stack.enter_async_context(box.client(await box.pair()))
        await box.stock_up(first)
        crowd = await _crowd(box, stack)

        by_certificate = await box.pair()
        second = await stack.enter_async_context(box.client(by_certificate))
        for till in (first, second):
            await sell(till)
        async with asyncio.timeout(CLOSED_WITHIN_S):
            await asyncio.gather(*(_gone(reader) for reader, _ in crowd))
        for till in (first, second):
            await sell(till)

        assert len(box.sales()) == 4
        assert not raw.gone.is_set()
        broker = (await box.status())["broker"]
        assert (broker["restarts"], broker["connected"], broker["detail"]) == (0, True, "")
