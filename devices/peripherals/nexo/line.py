"""The line to one terminal: HTTPS with a pinned root, each message sealed.

Every request takes a connection of its own.  What fails before the request could leave is
:class:`NotSent`; after that nobody knows, and it is :class:`NoAnswer`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from devices.peripherals.model import Misconfigured
from devices.peripherals.nexo.requests import Party, header
from devices.peripherals.nexo.sealing import (
    MESSAGE_BYTES_MAX,
    KeyRing,
    KeysWrong,
    NotOpened,
    SharedKey,
    open_sealed,
    parsed,
    read_keys,
    seal,
)
from devices.peripherals.transports.tcp import Resolve

log = logging.getLogger(__name__)

PORT: Final = 8443
PATH: Final = "/nexo/"
CONNECT_S: Final = 5.0
ROOT_BYTES_MAX: Final = 65_536


class NotSent(Exception):
    """Nothing reached the terminal; the text says why."""


class NoAnswer(Exception):
    """It may have reached the terminal, and there is no answer that counts."""


class NotUnderstood(NoAnswer):
    """The terminal answered, and not under a key that both sides know."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a terminal is.  ``certificate_name``: the name in its certificate."""

    host: str
    port: int
    certificate_name: str

    @classmethod
    def of(cls, address: str, certificate_name: str = "") -> Place:
        """Of ``tcp://HOST[:8443]``."""
        parts = urlsplit(address)
        host = parts.hostname or ""
        return cls(host, parts.port or PORT, certificate_name or host)

    @property
    def url(self) -> str:
        """Of its API."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}{PATH}"


def trust(root: Path) -> ssl.SSLContext:
    """Trusts nobody but this root.  Reads a file.  Errors: :class:`Misconfigured`."""
    try:
        with root.open("rb") as file:
            told = file.read(ROOT_BYTES_MAX)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cadata=told.decode("ascii"))
    except OSError as error:  # ssl.SSLError is one, too
        raise Misconfigured(f"root_file: {root} holds no certificate: {_why(error)}") from error
    except ValueError as error:
        raise Misconfigured(f"root_file: {root} holds no certificate (PEM)") from error
    return context


def keys_of(path: Path) -> KeyRing:
    """Errors: :class:`Misconfigured`."""
    try:
        return read_keys(path)
    except KeysWrong as error:
        raise Misconfigured(f"keys_file: {error}") from error


def _changed(path: Path) -> int:
    """When the file was changed, as its folder says; 0 while it isn't there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


class Line:
    """``open`` before anything is asked, ``close`` at the end; both may be called again."""

    def __init__(
        self,
        place: Place,
        party: Party,
        token_bytes: Callable[[int], bytes],
        resolve: Resolve | None,
    ) -> None:
        self.place = place
        self.party = party
        self._token_bytes = token_bytes
        self._resolve = resolve
        self._ring: KeyRing = ()
        self._current = 0
        self._keys_seen = 0
        self._trust: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    async def open(self, root: Path, keys: Path) -> None:
        """Read both files.  Errors: :class:`Misconfigured`."""
        context, seen, ring = await asyncio.to_thread(
            lambda: (trust(root), _changed(keys), keys_of(keys))
        )
        await self.close()
        self._trust, self._ring, self._current, self._keys_seen = context, ring, 0, seen
        resolver = None if self._resolve is None else _Resolver(self._resolve)
        connector = aiohttp.TCPConnector(force_close=True, limit=4, resolver=resolver)
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )

    async def read_again(self, keys: Path) -> None:
        """Take the keys of the file if it was changed; one that can't be meant so is left alone."""
        found = await asyncio.to_thread(_changed, keys)
        if found == self._keys_seen:
            return
        try:
            ring = await asyncio.to_thread(keys_of, keys)
        except Misconfigured as error:
            log.warning("the keys as they were are used on: %s", error)
        else:
            self._ring, self._current = ring, 0
        self._keys_seen = found

    async def close(self) -> None:
        """Safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def key_version(self) -> int:
        """Of the key that is sealed with; 0 while there is none."""
        return self._ring[self._current].version if self._ring else 0

    def next_key(self) -> bool:
        """Seal with the next key of the ring; False: all of them were tried, and the first one is
        taken again."""
        self._current += 1
        if self._current < len(self._ring):
            return True
        self._current = 0
        return False

    async def ask(
        self, category: str, service: str, body: Mapping[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """The answer's body, e.g. that of ``PaymentResponse``.

        Errors: :class:`NotSent`, :class:`NoAnswer`; cancelling it leaves it open whether the
        terminal has it.
        """
        raw = await self._exchange(category, service, body, timeout_s)
        return self._read(raw, category, service)

    async def tell(
        self, category: str, service: str, body: Mapping[str, Any], timeout_s: float
    ) -> None:
        """The same for what has no answer (Abort)."""
        await self._exchange(category, service, body, timeout_s)

    async def _exchange(
        self, category: str, service: str, body: Mapping[str, Any], timeout_s: float
    ) -> bytes:
        session, context = self._session, self._trust
        if session is None or context is None:
            raise NotSent("the terminal isn't connected")
        head = header(self.party, category, service)
        plain = json.dumps({"SaleToPOIRequest": {"MessageHeader": head, **body}}).encode()
        sealed = seal(self._ring[self._current], head, plain, self._token_bytes)
        try:
            async with session.post(
                self.place.url,
                json={"SaleToPOIRequest": sealed},
                ssl=context,
                server_hostname=self.place.certificate_name,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=timeout_s, connect=CONNECT_S, sock_connect=CONNECT_S
                ),
            ) as response:
                raw = await _bounded(response)
                if response.status != 200:
                    raise NoAnswer(f"the terminal answered with HTTP {response.status}")
                return raw
        except aiohttp.ConnectionTimeoutError as error:
            raise NotSent("the terminal doesn't answer: is it switched on?") from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise NotSent(
                f"the terminal's certificate isn't one that root_file vouches for, or isn't for"
                f" {self.place.certificate_name}: {_why(error.certificate_error)}"
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise NotSent(f"the terminal can't be reached: {_why(error.os_error)}") from error
        except TimeoutError as error:
            raise NoAnswer(f"the terminal gave no answer in {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise NoAnswer(f"the line to the terminal broke: {type(error).__name__}") from error

    def _read(self, raw: bytes, category: str, service: str) -> dict[str, Any]:
        try:
            secured = parsed(raw).get("SaleToPOIResponse")
            plain, key = open_sealed(self._ring, secured)
            answer = parsed(plain).get("SaleToPOIResponse")
        except NotOpened as error:
            raise NotUnderstood(f"the terminal's answer can't be read: {error}") from error
        self._note(key)
        if not isinstance(answer, dict):
            raise NoAnswer("the terminal's answer is no SaleToPOIResponse")
        head, body = answer.get("MessageHeader"), answer.get(f"{category}Response")
        if not isinstance(head, dict) or not isinstance(body, dict):
            raise NoAnswer("the terminal's answer is of another kind")
        told = (head.get("ServiceID"), head.get("SaleID"), head.get("POIID"))
        if told != (service, self.party.sale_id, self.party.poi_id):
            raise NoAnswer("the terminal answered something else")
        return body

    def _note(self, key: SharedKey) -> None:
        """What the terminal itself seals with, it understands."""
        if key in self._ring:
            self._current = self._ring.index(key)


class _Resolver(AbstractResolver):
    """Names that end in ``.local`` by the shop's own way, others by the system's."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if not host.lower().rstrip(".").endswith(".local"):
            return await self._system.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=one,
                port=port,
                family=socket.AF_INET6 if ":" in one else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in await self._resolve(host)
        ]

    async def close(self) -> None:
        await self._system.close()


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for piece in response.content.iter_chunked(65_536):
        found += piece
        if len(found) > MESSAGE_BYTES_MAX:
            raise NoAnswer("the terminal's answer is too long")
    return bytes(found)


def _why(error: BaseException) -> str:
    told = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error)
    return str(told) or type(error).__name__
