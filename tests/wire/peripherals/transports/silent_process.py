"""A hub's end of a printer's line that tells when it is gone; a line of JSON for each event.

usage: silent_process.py ADDRESS idle|busy
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys

from devices.peripherals.model import Gone
from devices.peripherals.transports import tcp
from devices.peripherals.transports.address import connector


async def main(address: str, how: str) -> None:
    # The same, sooner than in a shop.
    tcp.KEEPALIVE.update({socket.TCP_KEEPIDLE: 1, socket.TCP_KEEPINTVL: 1, socket.TCP_KEEPCNT: 2})
    tcp.UNANSWERED_MAX = 3  # type: ignore[misc]
    made = connector(address)
    assert isinstance(made, tcp.TcpConnector)
    made.check_every_s = 0.2
    wire = await made.open()
    print(json.dumps({"open": True}), flush=True)
    try:
        if how == "idle":
            await wire.read()
        else:
            await asyncio.to_thread(sys.stdin.readline)
            await wire.write(b"a receipt")
            await wire.read()
    except Gone as error:
        print(json.dumps({"gone": str(error)}), flush=True)
    await wire.close()


asyncio.run(main(sys.argv[1], sys.argv[2]))
