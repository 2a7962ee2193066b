"""A hub's advertiser as its own process; each state is a line of JSON on stdout.

usage: hub_process.py ADVERTISEMENT-JSON
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import signal
import sys

from hub.clock import SystemRandomness
from hub.discovery import Advertisement, Advertiser, DiscoveryState


def say(state: DiscoveryState) -> None:
    print(json.dumps(dataclasses.asdict(state)), flush=True)


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Advertiser(
        Advertisement(**json.loads(sys.argv[1])),
        randomness=SystemRandomness(),
        poll_s=0.3,
        recheck_s=1.5,
        retry_s=1.0,
        on_change=say,
    ):
        await stop.wait()


asyncio.run(main())
