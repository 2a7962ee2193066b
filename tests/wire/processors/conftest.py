"""Processors to talk to: the sandbox OMS and two independent stand-ins for Stripe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cloud_link.payments.conformance.adapters import Given, bench_of
from cloud_link.payments.conformance.bench import Bench, Cards
from cloud_link.sandbox.app import Running, running_sandbox
from cloud_link.sandbox.context import Settings
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.domain.payments.declines import DeclineCode
from scripts.rig.npm_peer import NotPrepared
from scripts.rig.shop import free_port
from scripts.rig.stripe_peers import KEY, localstripe, stateful_mock

CLOCK = SystemClock()
RANDOMNESS = SystemRandomness()
IDS = SystemIds(CLOCK, RANDOMNESS)
STORE = "demo"
STRIPE_CARDS = Cards(b"pm_card_visa", {b"pm_card_chargeCustomerFail": DeclineCode.DO_NOT_HONOUR})
"""Those that localstripe knows."""


@dataclass
class Oms:
    """A running sandbox, and an adapter in front of it."""

    running: Running
    bench: Bench

    async def admin(self, path: str, body: Any = None) -> dict[str, Any]:
        """One of the sandbox's own calls."""
        token = {"Authorization": f"Bearer {self.running.secrets.admin_token}"}
        url = f"{self.running.url}/sandbox/{path}"
        method = "GET" if body is None else "POST"
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, json=body, headers=token) as got,
        ):
            answer: dict[str, Any] = await got.json(content_type=None)
            assert got.status == 200, answer
            return answer

    async def faults(self, **changed: Any) -> None:
        await self.admin("payments/faults", changed)

    async def moved(self, payment_id: str) -> list[str]:
        """The money that moved for one payment."""
        found = await self.admin("payments")
        return [one["kind"] for one in found["effects"] if one["payment_id"] == payment_id]


@pytest.fixture
async def oms(tmp_path: Path) -> AsyncIterator[Oms]:
    settings = Settings(state=tmp_path / "oms", plain_http=True, stores=(STORE,))
    async with running_sandbox(settings, CLOCK, IDS, RANDOMNESS) as running:
        given = Given("oms", running.url, running.secrets.token, STORE)
        async with bench_of(given, CLOCK, IDS, RANDOMNESS) as bench:
            yield Oms(running, bench)


Peer = Callable[[int, Path], Any]


async def _peer(stack: AsyncExitStack, start: Peer, log: Path) -> str:
    try:
        port = free_port(RANDOMNESS)
        url: str = await stack.enter_async_context(start(port, log))
        return url
    except NotPrepared as error:
        pytest.skip(str(error))


@pytest.fixture
async def intents(tmp_path: Path) -> AsyncIterator[Bench]:
    """The Stripe adapter in front of localstripe."""
    async with AsyncExitStack() as stack:
        url = await _peer(stack, localstripe, tmp_path / "localstripe.log")
        given = Given("stripe", url, KEY, keys=False, cards=STRIPE_CARDS)
        yield await stack.enter_async_context(bench_of(given, CLOCK, IDS, RANDOMNESS))


@pytest.fixture
async def keyed_url(tmp_path: Path) -> AsyncIterator[str]:
    """The address of stripe-stateful-mock."""
    async with AsyncExitStack() as stack:
        yield await _peer(stack, stateful_mock, tmp_path / "mock.log")


Wait = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture
def until() -> Wait:
    """Wait until something is so."""

    async def wait(so: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(60):
            while not await so():
                await asyncio.sleep(0.1)

    return wait
