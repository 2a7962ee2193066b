"""``python -m devices.terminal``: a simulated card terminal that speaks nexo Retailer over TLS.

At first use it makes its certificate (``root.pem`` is for the hub), the key that it shares with the
hub (``keys``) and its journal in the folder ``--state``.  Its first line says where it listens;
``devices/terminal/server.py`` tells what its admin may ask.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

from devices.peripherals.nexo.sealing import KeysWrong
from devices.terminal import identity
from devices.terminal.journal import Journal, JournalBroken
from devices.terminal.machine import Machine
from devices.terminal.server import Server
from hub.clock import SystemClock, SystemRandomness


def main(arguments: list[str] | None = None) -> int:
    """0: stopped as asked; 1: could not begin."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_run(options))
    except (OSError, KeysWrong, JournalBroken) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devices.terminal", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="its folder")
    parser.add_argument("--poi-id", default="Simulated-000000001", help="model and serial number")
    parser.add_argument("--host", default="127.0.0.1", help="where it listens (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8443, help="default 8443; 0: any")
    parser.add_argument("--admin-port", type=int, default=0, help="on 127.0.0.1; 0: any (default)")
    parser.add_argument(
        "--custody",
        choices=("terminal", "hub"),
        default="terminal",
        help="who keeps what is approved offline (default: terminal)",
    )
    parser.add_argument("--stored-max", type=int, default=50, help="it keeps so many at most")
    parser.add_argument("--offline", action="store_true", help="begin without the acquirer")
    return parser


async def _run(options: argparse.Namespace) -> None:
    clock, randomness = SystemClock(), SystemRandomness()
    folder: Path = options.state
    await asyncio.to_thread(identity.make, folder, options.poi_id, clock, randomness)
    journal = Journal(folder / "journal")
    machine = Machine(
        journal,
        clock,
        options.poi_id,
        hub_keeps=options.custody == "hub",
        stored_max=options.stored_max,
    )
    await machine.open()
    await machine.go(online=not options.offline)
    server = Server(machine, folder / "keys", randomness.token_bytes, options.host)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    context = await asyncio.to_thread(identity.serving, folder)
    try:
        await server.start(context, options.port, options.admin_port)
        _say(options, server)
        await stop.wait()
    finally:
        await server.stop()
        journal.close()


def _say(options: argparse.Namespace, server: Server) -> None:
    told = {
        "address": f"tcp://{options.host}:{server.port}",
        "admin": f"http://127.0.0.1:{server.admin_port}",
        "poi_id": options.poi_id,
        "certificate_name": identity.certificate_name(options.poi_id),
        "root_file": str((options.state / "root.pem").resolve()),
        "keys_file": str((options.state / "keys").resolve()),
    }
    with suppress(BrokenPipeError):
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    sys.exit(main())
