"""``python -m devices.tills``: virtual tills that pair, sell and survive, until stopped.

Every till has a folder ``till-01``, ``till-02``… under ``--state``.  A till without a pairing takes
the next pairing link or code; later starts need none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections import deque
from pathlib import Path

from devices.kit import IdentityStore, KitError, PairingLink, pair
from devices.tills.extras import Extras
from devices.tills.floor import Floor, Plan, Tell
from devices.tills.till import Person
from hub.clock import SystemClock

_PAIR_TRIES = 5


def main(arguments: list[str] | None = None) -> int:
    """0: stopped as asked; 1: could not pair or begin; 2: wrong usage."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.ERROR)
    try:
        return asyncio.run(_run(options))
    except (KitError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devices.tills", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="the folder of all tills")
    parser.add_argument("--count", type=int, default=3, help="how many tills (default 3)")
    parser.add_argument("--hub-host", help="for pairing by --codes: the hub's address")
    parser.add_argument("--port", type=int, help="for pairing by --codes: the hub's HTTPS port")
    parser.add_argument("--fingerprint", help="for pairing by --codes: SHA-256 of the hub's CA")
    parser.add_argument("--codes", nargs="*", default=[], help="one-time codes")
    parser.add_argument(
        "--pairing-file", type=Path, help="pairing links (storehub://pair?…), one a line"
    )
    parser.add_argument("--rate", type=float, default=20.0, help="sales per minute, all together")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same customers")
    parser.add_argument(
        "--cashier",
        action="append",
        type=_person,
        help="ID:PIN, may be repeated (default: the demo shop's)",
    )
    parser.add_argument(
        "--manager", type=_person, default=Person("900", "9000"), help="ID:PIN (default: demo)"
    )
    parser.add_argument(
        "--gift-card", action="append", metavar="NUMBER", help="one that customers pay with"
    )
    parser.add_argument("--tips", action="store_true", help="customers add tips to card payments")
    parser.add_argument("--pair-only", action="store_true", help="pair what is not paired, and end")
    parser.add_argument("--json", action="store_true", help="print what happens as JSON lines")
    parser.add_argument("-v", "--verbose", action="store_true")
    return parser


def _person(text: str) -> Person:
    staff_id, colon, pin = text.partition(":")
    if not (staff_id and colon and pin):
        raise argparse.ArgumentTypeError("expected ID:PIN")
    return Person(staff_id, pin)


async def _run(options: argparse.Namespace) -> int:
    if not 1 <= options.count <= 200 or options.rate <= 0:
        print("--count is 1 to 200, --rate above 0", file=sys.stderr)
        return 2
    tell = _teller(json_lines=options.json)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    names = [f"till-{number:02d}" for number in range(1, options.count + 1)]
    stores = [IdentityStore(options.state / name) for name in names]
    await _pair_missing([one for one in stores if not one.paired], _links(options), tell)
    if options.pair_only:
        return 0
    plan = Plan(
        rate=options.rate,
        seed=options.seed,
        cashiers=tuple(options.cashier or (Person("101", "4711"), Person("102", "2580"))),
        manager=options.manager,
        extras=Extras(tuple(options.gift_card or ()), options.tips),
    )
    await Floor(stores, plan, tell).run(stop)
    tell("stopped")
    return 0


def _teller(*, json_lines: bool) -> Tell:
    clock = SystemClock()

    def tell(event: str, **facts: object) -> None:
        if json_lines:
            print(json.dumps({"at_ms": clock.wall_ms(), "event": event, **facts}), flush=True)

    return tell


def _links(options: argparse.Namespace) -> deque[PairingLink]:
    """Pairing links from the file, then those that the codes make."""
    links: deque[PairingLink] = deque()
    if options.pairing_file is not None:
        for line in options.pairing_file.read_text().splitlines():
            if line.strip():
                links.append(PairingLink.parse(line))
    if options.codes:
        if not (options.hub_host and options.port and options.fingerprint):
            raise ValueError("--codes needs --hub-host, --port and --fingerprint")
        for code in options.codes:
            links.append(PairingLink(options.hub_host, options.port, options.fingerprint, code))
    return links


async def _pair_missing(stores: list[IdentityStore], links: deque[PairingLink], tell: Tell) -> None:
    if len(links) < len(stores):
        raise ValueError(f"{len(stores)} tills are not paired, and {len(links)} codes are given")
    for store in stores:
        link = links.popleft()
        for attempt in range(1, _PAIR_TRIES + 1):
            try:
                identity = await pair(
                    store,
                    host=link.host,
                    port=link.port,
                    ca_fingerprint=link.fingerprint,
                    code=link.code,
                    model="virtual till",
                )
            except KitError as error:
                if attempt == _PAIR_TRIES:
                    raise
                tell("pairing-failed", till=store.folder.name, detail=str(error))
                await asyncio.sleep(attempt)
            else:
                tell("paired", till=store.folder.name, device_id=identity.device_id)
                break


if __name__ == "__main__":
    sys.exit(main())
