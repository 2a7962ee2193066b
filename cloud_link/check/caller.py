"""A bare caller of the contract: sends what it is told to, right or wrong."""

from __future__ import annotations

import gzip
import json
import ssl
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from hub.clock import Clock, Ids
from hub.contract.oms import BATCH_CONTENT_TYPE, HEADER_INCARNATION, HEADER_SESSION
from hub.contract.oms_signing import sign

Encoding = Literal["identity", "gzip", "zstd"]
MAX_REPLY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, decompressed."""

    status: int
    headers: dict[str, str]
    body: bytes
    encoding: str = ""

    def json(self) -> dict[str, Any]:
        """The body as an object; raises ValueError when it isn't one."""
        found = json.loads(self.body)
        if isinstance(found, dict):
            return found
        raise ValueError(f"expected a JSON object, got {self.body[:100]!r}")

    @property
    def code(self) -> str:
        """The problem's code, or empty."""
        try:
            return str(self.json().get("code", ""))
        except ValueError:
            return ""


def compress(encoding: Encoding, body: bytes) -> bytes:
    match encoding:
        case "identity":
            return body
        case "gzip":
            return gzip.compress(body, mtime=0)
        case "zstd":
            import zstandard

            return zstandard.compress(body)


def decompress(encoding: str, body: bytes) -> bytes:
    """A reply's body in plain; raises ValueError when it is damaged or over 64 MiB."""
    match encoding:
        case "" | "identity":
            return body
        case "gzip":
            opened = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            plain = opened.decompress(body, MAX_REPLY_BYTES)
            if not opened.eof:
                raise ValueError("a gzip reply is cut off or too large")
            return plain
        case "zstd":
            import zstandard

            reader = zstandard.ZstdDecompressor().stream_reader(body)
            return bytes(reader.read(MAX_REPLY_BYTES))
        case other:
            raise ValueError(f"a reply came in encoding {other!r}")


def client_session(ca: str | None) -> aiohttp.ClientSession:
    """An HTTP session that trusts ``ca`` (a PEM file) or else the system's authorities."""
    context = ssl.create_default_context(cafile=ca) if ca else ssl.create_default_context()
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context, limit=8),
        timeout=aiohttp.ClientTimeout(total=60),
        auto_decompress=False,
    )


@dataclass(slots=True)
class Caller:
    """Calls one store; ``session`` is (incarnation, token) once a HELLO was answered."""

    http: aiohttp.ClientSession
    url: str
    store: str
    token: str
    clock: Clock
    ids: Ids
    signing_secret: str | None = None
    session: tuple[int, str] | None = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; ``path`` is below the store, or absolute when it begins with ``/v1``."""
        sent = {"Accept-Encoding": "gzip", "Authorization": f"Bearer {self.token}"}
        if self.session is not None:
            sent[HEADER_INCARNATION] = str(self.session[0])
            sent[HEADER_SESSION] = self.session[1]
        if body is not None:
            sent["Content-Type"] = "application/json"
            if self.signing_secret:
                now_ms = self.clock.wall_ms()
                sent |= sign(self.signing_secret, self.ids.uuid7(), now_ms, body)
        sent |= headers or {}
        whole = path if "://" in path else self.url + self._rooted(path)
        async with self.http.request(
            method, whole, data=body, params=params, headers=sent, allow_redirects=False
        ) as got:
            encoding = got.headers.get("Content-Encoding", "")
            plain = decompress(encoding, await got.read())
            return Answer(got.status, dict(got.headers), plain, encoding)

    def _rooted(self, path: str) -> str:
        return path if path.startswith("/v1/") else f"/v1/stores/{self.store}{path}"

    async def get(self, path: str, **params: str) -> Answer:
        return await self.call("GET", path, params=params)

    async def post(self, path: str, data: Any) -> Answer:
        return await self.call("POST", path, body=json.dumps(data).encode())

    async def send(self, events: list[Any], encoding: Encoding = "identity") -> Answer:
        """POST /events."""
        headers = {"Content-Type": BATCH_CONTENT_TYPE}
        if encoding != "identity":
            headers["Content-Encoding"] = encoding
        body = compress(encoding, json.dumps(events).encode())
        return await self.call("POST", "/events", body=body, headers=headers)
