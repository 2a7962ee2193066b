"""A cloud that takes every batch and acks it without looking: ``python -m …nullcloud`` prints its
address as one line of JSON.  What it costs is its own process's."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Final

import zstandard
from aiohttp import web

from hub.contract.oms import HEADER_OMS_INCARNATION

OMS_INCARNATION: Final = "null"
_LAST = re.compile(rb'"source":"([^"]+)".*?"stream":"([^"]+)","sequence":"(\d+)"')
_MAX_BYTES = 1 << 20


async def take(request: web.Request) -> web.Response:
    """Ack up to the last event of a batch of one stream."""
    body = await request.read()
    if body[:4] == b"\x28\xb5\x2f\xfd":
        body = zstandard.ZstdDecompressor().decompress(body, max_output_size=_MAX_BYTES)
    found = _LAST.search(body, body.rindex(b'"specversion"'))
    if found is None:
        raise web.HTTPBadRequest(text="no event in this batch")
    source, stream, sequence = (part.decode() for part in found.groups())
    return web.json_response(
        {
            "acked": {source: {stream: int(sequence)}},
            "results": [],
            "oms_incarnation": OMS_INCARNATION,
        },
        headers={HEADER_OMS_INCARNATION: OMS_INCARNATION},
    )


async def serve() -> None:
    """Serve until killed."""
    app = web.Application(client_max_size=_MAX_BYTES)
    app.router.add_post("/v1/stores/{store}/events", take)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
