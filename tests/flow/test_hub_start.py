"""A whole hub in this process whose broker can't start: what a technician sees meanwhile."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress

import aiohttp
import pytest

from hub.app import messaging
from hub.app.hub import Hub
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.config import Settings
from hub.logs import Recent

PATIENCE_S = 60.0


@pytest.fixture
def thief() -> Iterator[socket.socket]:
    """Somebody else on the broker's port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken


def hub_of(settings: Settings) -> Hub:
    clock, randomness = SystemClock(), SystemRandomness()
    ids = SystemIds(clock, randomness)
    return Hub(settings, clock=clock, ids=ids, randomness=randomness, recent=Recent())


async def page_up(hub: Hub, starting: asyncio.Task[None]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (
            not hasattr(hub, "admin") or not hub.settings.paths.run.joinpath("admin.sock").exists()
        ):
            assert not starting.done()
            await asyncio.sleep(0.02)


async def seen_broker(hub: Hub, word: str) -> dict[str, object]:
    """The status as the page shows it, once it says ``word`` of the broker."""
    trust = ssl.create_default_context(cadata=hub.authority.bundle_pem().decode())
    trust.check_hostname = False
    base = f"https://127.0.0.1:{hub.web.port}/api/1"
    jar = aiohttp.CookieJar(unsafe=True)
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as http:
        code = hub.web.technician.open()
        async with http.post(f"{base}/session", json={"code": code}) as answer:
            assert answer.status == 200
        async with asyncio.timeout(PATIENCE_S):
            while True:
                async with http.get(f"{base}/status") as answer:
                    status: dict[str, object] = await answer.json()
                if word in str(status["broker"]):
                    return status
                await asyncio.sleep(0.1)


async def test_the_page_says_why_while_the_broker_cannot_start(
    make_settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    thief: socket.socket,
) -> None:
    monkeypatch.setattr(messaging, "START_S", 3600.0)
    port = thief.getsockname()[1]
    hub = hub_of(make_settings(broker={"mtls_port": port}))
    starting = asyncio.create_task(hub.start())
    try:
        await page_up(hub, starting)
        status = await seen_broker(hub, "in use")
        assert any("broker" in str(one).lower() for one in list(status["problems"]))  # type: ignore[call-overload]
        assert not starting.done(), "devices can't connect: the hub doesn't call itself ready"
        thief.close()
        async with asyncio.timeout(PATIENCE_S):
            await starting
        assert hub.messaging.status().connected
    finally:
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting
        await hub.stop()


async def test_a_start_that_is_given_up_while_the_broker_cannot_start_leaves_nothing_behind(
    make_settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    thief: socket.socket,
) -> None:
    monkeypatch.setattr(messaging, "START_S", 3600.0)
    settings = make_settings(broker={"mtls_port": thief.getsockname()[1]})
    hub = hub_of(settings)
    starting = asyncio.create_task(hub.start())
    await page_up(hub, starting)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    again = hub_of(settings)
    thief.close()
    await again.start()
    await again.stop()
