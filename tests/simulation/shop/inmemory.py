"""A request to an aiohttp application without a connection, a server, or a stream."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from aiohttp import web
from aiohttp.http import HttpVersion11, RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from cloud_link.transport import HttpReply, HttpRequest


class _Body:
    """A request's body, all at once."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def iter_any(self) -> _Body:
        """The whole as one piece."""
        return self

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        content, self._content = self._content, b""
        if not content:
            raise StopAsyncIteration
        return content


class _Wire:
    """What a request asks of its connection."""

    ssl_context = peername = sockname = transport = None


async def answered(app: web.Application, request: HttpRequest) -> HttpReply:
    """The application's answer, through its routes and middleware."""
    url = URL(request.url, encoded=True).relative()
    headers = CIMultiDictProxy(CIMultiDict(request.headers))
    message = RawRequestMessage(
        request.method, str(url), HttpVersion11, headers, (), False, None, False, False, url
    )
    call = web.Request(
        message,
        cast(Any, _Body(request.body or b"")),
        cast(Any, _Wire),
        cast(Any, None),
        cast(Any, None),
        asyncio.get_running_loop(),
    )
    response = await app._handle(call)
    assert isinstance(response, web.Response)
    body = response.body
    assert body is None or isinstance(body, bytes)
    named = {name.lower(): value for name, value in response.headers.items()}
    return HttpReply(response.status, named, body or b"")
