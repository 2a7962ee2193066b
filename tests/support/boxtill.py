"""A till of a box in a container: ``python -m tests.support.boxtill DIRECTORY [--link LINK]
[--silent PORT]``.

It pairs by the link first (and puts goods on the shelf), sells once, waits for its answer for as
long as that takes, and prints ``{"sale_id", "sku", "price_minor"}``.  With ``--silent`` it only
holds a connection that says nothing, and prints after how long the other side ended it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

from devices.kit import DeviceMeta, HubClient, IdentityStore, PairingLink, pair
from hub.contract.stock import ReceivedLine, ReceiveStock, StockBooked
from tests.support.hubbox import GOODS, sell, sign_in

WAIT_S = 200.0
QTY = 100


async def till(directory: Path, link_text: str) -> dict[str, object]:
    """Pair if there is a link, and sell one thing."""
    store = IdentityStore(directory)
    if link_text:
        link = PairingLink.parse(link_text)
        await pair(
            store,
            host=link.host,
            port=link.port,
            ca_fingerprint=link.fingerprint,
            code=link.code,
            auth="mtls",
        )
    async with HubClient(store, DeviceMeta(kind="till", model="box", firmware="1")) as hub:
        await sign_in(hub)
        if link_text:
            lines = tuple(ReceivedLine(sku=one.sku, qty=QTY) for one in GOODS)
            receipt = ReceiveStock(receipt_id=hub.ids.uuid7(), reference="box", lines=lines)
            await hub.submit(receipt, StockBooked)
        done = await sell(hub)
        return {"sale_id": done.sale_id, "sku": GOODS[0].sku, "price_minor": GOODS[0].price_minor}


async def silent(port: int) -> dict[str, object]:
    """Say nothing to the broker until it hangs up."""
    since_s = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        ended = await reader.read(1) == b""
    except ConnectionResetError:
        ended = True
    writer.close()
    return {"ended": ended, "after_s": time.monotonic() - since_s}


async def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--link", default="")
    parser.add_argument("--silent", type=int)
    given = parser.parse_args()
    async with asyncio.timeout(WAIT_S):
        if given.silent:
            found = await silent(given.silent)
        else:
            found = await till(given.directory, given.link)
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main())
