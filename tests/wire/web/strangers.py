"""Clients of the HTTPS door from an address of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.hubparts import HubParts


@asynccontextmanager
async def stranger(hub: HubParts, address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that connects from ``address`` (of 127.0.0.0/8)."""
    connector = aiohttp.TCPConnector(ssl=hub.trust(), local_addr=(address, 0))
    timeout = aiohttp.ClientTimeout(60)
    async with aiohttp.ClientSession(hub.base, connector=connector, timeout=timeout) as http:
        yield http
