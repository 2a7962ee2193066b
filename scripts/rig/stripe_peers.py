"""Independent stand-ins for Stripe, each a process of its own.

``localstripe`` (PyPI) has payment intents and refunds, and knows no idempotency keys;
``stripe-stateful-mock`` (npm) has charges and refunds, and knows the keys' errors.  The latter is
installed into ``var/stripe-peer`` from the lock in ``tests/stripe-peer``, by
``python -m scripts.rig.stripe_peers --setup`` or when a test first asks for it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from scripts.rig.npm_peer import NotPrepared, NpmPeer
from scripts.rig.process import Child

PEER: Final = NpmPeer("stripe-peer")
KEY = "sk_test_storehub"
START_S = 60.0
_WAIT_S = 0.1


@asynccontextmanager
async def localstripe(port: int, log: Path) -> AsyncIterator[str]:
    """Its address.  Errors: :class:`NotPrepared`."""
    if importlib.util.find_spec("localstripe") is None:
        raise NotPrepared("localstripe is needed: install the PyPI package of that name")
    arguments = [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"]
    async with _running(Child("localstripe", arguments, log=log), port) as url:
        yield url


@asynccontextmanager
async def stateful_mock(port: int, log: Path) -> AsyncIterator[str]:
    """Its address.  Errors: :class:`NotPrepared`."""
    await asyncio.to_thread(PEER.prepare)
    program = PEER.kept / "node_modules" / "stripe-stateful-mock" / "dist" / "autostart"
    start = (
        f"process.env.PORT = '{port}'; process.env.LOG_LEVEL = 'warn'; require({str(program)!r})"
    )
    async with _running(Child("stripe-mock", [PEER.node(), "-e", start], log=log), port) as url:
        yield url


@asynccontextmanager
async def _running(child: Child, port: int) -> AsyncIterator[str]:
    await child.start()
    try:
        await _listening(child, port)
        yield f"http://localhost:{port}"
    finally:
        await child.kill()


async def _listening(child: Child, port: int) -> None:
    for _ in range(int(START_S / _WAIT_S)):
        if not child.alive:
            raise NotPrepared(f"{child.name} ended at once: {child.tail()}")
        with suppress(OSError):
            _, writer = await asyncio.open_connection("localhost", port)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            return
        await asyncio.sleep(_WAIT_S)
    raise NotPrepared(f"{child.name} doesn't listen within {START_S:g} s: {child.tail()}")


if __name__ == "__main__":
    sys.exit(PEER.main("scripts.rig.stripe_peers", __doc__))
