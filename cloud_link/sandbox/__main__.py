"""``python -m cloud_link.sandbox``: run the sandbox OMS until SIGTERM or SIGINT.

One JSON line on standard output says when it is ready and how to reach it.  With ``send``,
``commands``, ``bundles``, ``bundle``, ``payments``, ``faults``, ``links`` or ``pay-link`` as its
first word it asks a running one instead.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from hub.clock import SystemClock, SystemIds, SystemRandomness

from . import sending
from .app import Running, running_sandbox
from .context import Settings
from .sending import VERBS


def parse_arguments(arguments: Sequence[str]) -> Settings:
    """The command line as settings; exits with a message when it is wrong."""
    defaults = Settings(state=Path())
    parser = argparse.ArgumentParser(prog="sandbox-oms", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="directory for everything kept")
    parser.add_argument("--port", type=int, default=0, help="0 = any free one (see the ready line)")
    parser.add_argument("--bind", default=defaults.bind, help="address to listen on")
    parser.add_argument("--host", action="append", help="name or address in the certificate")
    parser.add_argument("--store", action="append", help="store id; may be given several times")
    parser.add_argument("--http", action="store_true", help="plain http; loopback only")
    parser.add_argument("--signed", action="store_true", help="refuse bodies without a signature")
    parser.add_argument("--seed-demo", action="store_true", help="fill empty data sets: demo shop")
    parser.add_argument(
        "--skus", type=int, default=defaults.skus, help="size of the demo catalogue"
    )
    parser.add_argument(
        "--orders-every",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="send the first store an online order every so often, and tell how each ended",
    )
    parser.add_argument("--datasets", type=Path, help="directory of <data set>.jsonl to load")
    given = parser.parse_args(arguments)
    if not 1 <= given.skus <= 1_000_000:
        parser.error("--skus is 1 to 1000000")
    return Settings(
        state=given.state,
        port=given.port,
        bind=given.bind,
        hosts=tuple(given.host) if given.host else defaults.hosts,
        stores=tuple(given.store) if given.store else defaults.stores,
        plain_http=given.http,
        signed=given.signed,
        seed_demo=given.seed_demo,
        skus=given.skus,
        orders_every_s=given.orders_every,
        datasets=given.datasets,
    )


def ready_line(running: Running, settings: Settings) -> str:
    """What a starter needs to know, as one line of JSON."""
    secrets = running.secrets
    return json.dumps(
        {
            "url": running.url,
            "ca": running.ca,
            "store": settings.stores[0],
            "token": secrets.token,
            "client_id": secrets.client_id,
            "client_secret": secrets.client_secret,
            "signing_secret": secrets.signing_secret if settings.signed else None,
            "admin_token": secrets.admin_token,
        }
    )


async def serve(settings: Settings) -> None:
    """Run until asked to stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock, randomness = SystemClock(), SystemRandomness()
    ids = SystemIds(clock, randomness)
    async with running_sandbox(settings, clock, ids, randomness) as running:
        sys.stdout.write(ready_line(running, settings) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 after a clean stop, 1 when it could not start."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in VERBS:
        return sending.main(given)
    settings = parse_arguments(given)
    try:
        asyncio.run(serve(settings))
    except (OSError, ValueError, RuntimeError) as wrong:
        sys.stderr.write(f"sandbox-oms: {wrong}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
