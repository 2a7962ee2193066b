"""``python -m devices.kit``: find a hub, pair this machine, ask the hub something."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from devices.kit import (
    CONDITIONS,
    DeviceMeta,
    HubClient,
    IdentityStore,
    KitError,
    LinkLost,
    PairingLink,
    Refused,
    Unanswered,
    pair,
    renew,
)
from devices.kit.client import JOURNAL_FILE
from devices.kit.codec import holds_secrets
from devices.kit.journal import Journal
from hub.contract.base import Outgoing
from hub.contract.registry import OPERATIONS, Door

_FACTS_SHOWN = 1000
_CONNECT_S = 30.0


def main(arguments: list[str] | None = None) -> int:
    """0: done; 1: refused or failed; 2: wrong usage; 3: no answer in time."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.WARNING)
    try:
        status: int = asyncio.run(options.run(options))
        return status
    except Refused as error:
        _print(error.problem.model_dump(mode="json", exclude_none=True))
        return 1
    except Unanswered as error:
        print(error, file=sys.stderr)
        return 3
    except (KitError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devices.kit", description=__doc__)
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    find = commands.add_parser("find", help="list the hubs that answer on this network")
    find.add_argument("--seconds", type=float, default=3.0)
    find.set_defaults(run=_find)

    pairing = commands.add_parser("pair", help="spend a pairing code")
    _folder(pairing)
    pairing.add_argument("--link", help="the QR code's text: storehub://pair?…")
    pairing.add_argument("--host")
    pairing.add_argument("--port", type=int, help="the hub's HTTPS port")
    pairing.add_argument("--fingerprint", help="SHA-256 of the hub's CA, as its page shows it")
    pairing.add_argument("--code", help="the one-time code")
    pairing.add_argument("--password", action="store_true", help="no client certificate")
    pairing.set_defaults(run=_pair)

    renewal = commands.add_parser("renew", help="renew the certificate now")
    _folder(renewal)
    renewal.add_argument("--host", help="where the hub is now, if it moved")
    renewal.set_defaults(run=_renew)

    request = commands.add_parser("request", help="ask the hub; prints the result as JSON")
    _folder(request)
    request.add_argument("operation", help="service/operation, e.g. hub/info; 'list' lists them")
    request.add_argument("body", nargs="?", default="{}", help="JSON, or - for standard input")
    request.add_argument("--key", help="repeat an earlier request with its key")
    request.add_argument("--seconds", type=float, default=30.0)
    request.add_argument("--durable", action="store_true", help="journal it first")
    request.set_defaults(run=_request)

    telling = commands.add_parser(
        "conditions",
        help="be connected and tell what is the matter with this device, until stopped",
        description=f"What is the matter: none or several of {', '.join(CONDITIONS)}.",
    )
    _folder(telling)
    telling.add_argument("keys", nargs="*", metavar="KEY", help="none: all is well")
    telling.add_argument("--kind", default="service", help="what this device says that it is")
    telling.add_argument("--seconds", type=float, help="leave after so long (default: Ctrl-C)")
    telling.set_defaults(run=_conditions)

    journal = commands.add_parser("journal", help="what this device still owes its hub")
    _folder(journal)
    journal.add_argument("--again", metavar="KEY", help="offer a doubtful request again")
    journal.add_argument("--give-up", metavar="KEY", help="forget a request for good")
    journal.set_defaults(run=_journal)
    return parser


def _folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, required=True, help="this device's folder")


async def _find(options: argparse.Namespace) -> int:
    from devices.kit.finder import find_hubs

    hubs = await find_hubs(options.seconds)
    _print(
        [
            {
                "name": hub.name,
                "store": hub.store,
                "addresses": hub.addresses,
                "port": hub.https_port,
                "fingerprint": hub.ca_fingerprint,
            }
            for hub in hubs
        ]
    )
    return 0 if hubs else 1


async def _pair(options: argparse.Namespace) -> int:
    if options.link:
        link = PairingLink.parse(options.link)
    elif options.host and options.port and options.fingerprint and options.code:
        link = PairingLink(options.host, options.port, options.fingerprint, options.code)
    else:
        print("give --link, or --host, --port, --fingerprint and --code", file=sys.stderr)
        return 2
    identity = await pair(
        IdentityStore(options.state),
        host=link.host,
        port=link.port,
        ca_fingerprint=link.fingerprint,
        code=link.code,
        auth="password" if options.password else "mtls",
        model="devices.kit",
    )
    _print({"device_id": identity.device_id, "name": identity.name, "store": identity.store})
    return 0


async def _renew(options: argparse.Namespace) -> int:
    identity = await renew(IdentityStore(options.state), host=options.host)
    _print({"device_id": identity.device_id, "until_ms": identity.certificate_until_ms})
    return 0


async def _request(options: argparse.Namespace) -> int:
    if options.operation == "list":
        rows = [row for row in OPERATIONS.values() if Door.DEVICE in row.doors]
        _print(["/".join(row.address) for row in rows])
        return 0
    row = OPERATIONS.get(tuple(options.operation.split("/", 1)))
    if row is None:
        print(f"no operation {options.operation!r}; 'request list' lists them", file=sys.stderr)
        return 2
    text = sys.stdin.read() if options.body == "-" else options.body
    try:
        command = row.command.model_validate_json(text)
    except ValidationError as error:
        print(error, file=sys.stderr)
        return 2
    if options.durable and (row.is_query or holds_secrets(command)):
        print("--durable is for changes without a PIN", file=sys.stderr)
        return 2
    result: Outgoing
    meta = DeviceMeta(kind="service", model="devices.kit")
    async with HubClient(IdentityStore(options.state), meta) as hub:
        if options.durable:
            async with asyncio.timeout(options.seconds):
                result = await hub.submit(command, row.result, key=options.key)
        else:
            result = await hub.request(
                command, row.result, key=options.key, timeout_s=options.seconds
            )
    _print(result.model_dump(mode="json"))
    return 0


async def _conditions(options: argparse.Namespace) -> int:
    """The hub forgets nothing, but shows conditions only of a device that is connected."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    meta = DeviceMeta(kind=options.kind, model="devices.kit")
    async with HubClient(IdentityStore(options.state), meta) as hub:
        hub.tell_conditions(options.keys)
        try:
            async with asyncio.timeout(_CONNECT_S):
                await hub.session.link()
        except TimeoutError:
            raise LinkLost(hub.session.last_error or "no connection yet") from None
        _print({"device_id": hub.device_id, "conditions": options.keys})
        sys.stdout.flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(options.seconds):
                await stop.wait()
    return 0


async def _journal(options: argparse.Namespace) -> int:
    store = IdentityStore(options.state)
    identity = store.load()
    journal = await Journal.open(
        store.folder / JOURNAL_FILE,
        owner=f"{identity.store}/{identity.device_id}",
        journal_id="",
    )
    try:
        for key in (options.again, options.give_up):
            if key is not None and journal.entry(key) is None:
                print(f"the journal holds no request {key!r}", file=sys.stderr)
                return 2
        if options.again is not None:
            journal.ask_again([options.again])
        if options.give_up is not None:
            journal.end(options.give_up)
        _print(
            {
                "requests": [asdict(entry) for entry in journal.entries],
                "facts": [asdict(fact) for fact in journal.facts(_FACTS_SHOWN)],
            }
        )
    finally:
        await journal.close()
    return 0


def _print(content: Any) -> None:
    json.dump(content, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    sys.exit(main())
