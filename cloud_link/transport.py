"""HTTP as the link needs it: one request, one bounded reply.  A simulator brings its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cloud_link.errors import Transient

if TYPE_CHECKING:
    import aiohttp

CONNECTIONS_MAX = 8
KEEPALIVE_S = 10.0  # shorter than servers wait: none may close one that we are about to use
USER_AGENT = "store-hub"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """``timeout_s`` bounds the whole exchange; ``max_bytes`` the reply's body as sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout_s: float = 30.0
    max_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpReply:
    """``headers`` have lower-case names; ``body`` is still compressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """The HTTP client."""

    async def send(self, request: HttpRequest) -> HttpReply:
        """The reply.  Errors: :class:`Transient` when there is none in time or in bounds."""

    async def close(self) -> None:
        """Close all connections."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files (PEM) of the settings: CA of the OMS, client certificate and key."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """A client context that checks certificate and name, TLS 1.2 at least; reads files."""
    context = ssl.create_default_context(cafile=str(files.ca) if files.ca else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate is not None:
        context.load_cert_chain(files.certificate, files.key)
    return context


class AiohttpTransport:
    """The real one.  Connections are kept alive; asyncio sets TCP_NODELAY on them."""

    def __init__(self, tls: TlsFiles, connect_timeout_s: float) -> None:
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()

    async def send(self, request: HttpRequest) -> HttpReply:
        import aiohttp

        session = await self._opened()
        timeout = aiohttp.ClientTimeout(
            total=request.timeout_s, sock_connect=self._connect_timeout_s
        )
        try:
            async with session.request(
                request.method,
                request.url,
                data=request.body,
                headers=request.headers,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                body = await _bounded(answer, request.max_bytes)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return HttpReply(answer.status, headers, body)
        except aiohttp.ConnectionTimeoutError:
            raise Transient("no connection in time", unsent=True) from None
        except TimeoutError:
            raise Transient(f"no answer within {request.timeout_s:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise Transient(f"{type(error).__name__}: {error}", unsent=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Transient(f"{type(error).__name__}: {error}") from error

    async def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        async with self._opening:
            if self._session is None:
                try:
                    # The system's CAs are some hundred certificates to parse.
                    context = await asyncio.to_thread(tls_context, self._tls)
                except (OSError, ssl.SSLError) as error:
                    raise Transient(
                        f"the TLS files of section cloud can't be read: {error}", unsent=True
                    ) from error
                connector = aiohttp.TCPConnector(
                    limit=CONNECTIONS_MAX, keepalive_timeout=KEEPALIVE_S, ssl=context
                )
                self._session = aiohttp.ClientSession(
                    connector=connector,
                    auto_decompress=False,
                    headers={"User-Agent": USER_AGENT},
                    cookie_jar=aiohttp.DummyCookieJar(),
                )
            return self._session

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _bounded(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > max_bytes:
            answer.close()
            raise Transient(f"the answer has more than {max_bytes} bytes")
    return bytes(body)
