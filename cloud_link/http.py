"""Talking to the OMS: credentials, signatures, compression, and what its answers mean."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from cloud_link.errors import (
    CursorGone,
    HelloRequired,
    OmsError,
    OmsRestored,
    Permanent,
    PoisonEvent,
    Refused,
    SequenceGap,
    SequenceReused,
    Superseded,
    TooLarge,
    Transient,
)
from cloud_link.transport import HttpReply, HttpRequest, Transport
from hub.clock import Clock, Ids
from hub.config.models import Cloud
from hub.contract.oms import (
    HEADER_INCARNATION,
    HEADER_OMS_INCARNATION,
    HEADER_SESSION,
    OmsCode,
    OmsProblem,
    TokenReply,
)
from hub.contract.oms_signing import sign

if TYPE_CHECKING:
    import zstandard

M = TypeVar("M", bound=BaseModel)
ZSTD_LEVEL = 1
"""Batches of events come out no larger than at level 3, in two thirds of the time."""
COMPRESS_FROM_BYTES = 512
MAX_REPLY_BYTES = 8 * 1024 * 1024
MAX_PLAIN_BYTES = 16 * 1024 * 1024
TOKEN_EARLY_S = 60.0
DATE_CHARS = 64
_LONG_NUMBER = re.compile(rb"[0-9]{19}")


@dataclass(frozen=True, slots=True)
class Session:
    """What a HELLO gave: sent with every call."""

    incarnation: int
    token: str
    oms_incarnation: str


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body as it is sent."""

    content: bytes
    content_type: str = "application/json"
    encoding: str = ""


def packed(plain: bytes, content_type: str = "application/json") -> Body:
    """A body compressed with zstd, unless it is too small to gain."""
    if len(plain) < COMPRESS_FROM_BYTES:
        return Body(plain, content_type)
    return Body(_compressor().compress(plain), content_type, "zstd")


class _Kept(threading.local):
    """A compressor may serve one thread at a time; making one costs as much as using it."""

    compressor: zstandard.ZstdCompressor | None = None


_kept = _Kept()


def _compressor() -> zstandard.ZstdCompressor:
    if _kept.compressor is None:
        import zstandard

        _kept.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    return _kept.compressor


class OmsClient:
    """The calls' common part.

    ``on_server_time`` is told the OMS's wall clock (UTC ms) whenever an authenticated answer
    carries it, ``on_date`` what the header Date of each other good answer says (RFC 9110, section
    6.6.1: whole seconds, and it may be a proxy's).
    """

    def __init__(
        self,
        settings: Cloud,
        store: str,
        transport: Transport,
        *,
        clock: Clock,
        ids: Ids,
        on_server_time: Callable[[int], None],
        on_date: Callable[[int], object] = lambda _ms: None,
    ) -> None:
        assert settings.url is not None
        self._settings = settings
        self._root = settings.url.rstrip("/") + "/"
        self._base = f"{self._root}v1/stores/{store}"
        self._transport = transport
        self._clock = clock
        self._ids = ids
        self.on_server_time = on_server_time
        self._on_date = on_date if _is_private(settings.url) else None
        self._token: tuple[str, float] | None = None
        self.session: Session | None = None

    @property
    def session_name(self) -> str:
        """The session for a log line."""
        return str(self.session.incarnation) if self.session else "none"

    async def get(
        self,
        path: str,
        reply: type[M],
        query: Mapping[str, str | int] | None = None,
        *,
        wait_s: float = 0.0,
    ) -> M:
        """``GET`` below the store's base.  ``wait_s``: how long the OMS may hold the answer."""
        url = self._base + path + (f"?{urlencode(query)}" if query else "")
        return parse(reply, await self._call("GET", url, None, wait_s))

    async def get_text(self, url: str) -> bytes:
        """The decompressed body at ``url``, absolute or relative to the OMS's root."""
        return await self._call("GET", self._own_url(url), None, 0.0)

    async def post(self, path: str, body: Body, reply: type[M], *, hello: bool = False) -> M:
        """``POST`` below the store's base; ``hello``: outside of a session."""
        return parse(reply, await self._call("POST", self._base + path, body, 0.0, hello=hello))

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    def _own_url(self, url: str) -> str:
        """The token must not be carried elsewhere by a manifest."""
        whole = urljoin(self._root, url)
        ours, theirs = urlsplit(self._root), urlsplit(whole)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise Permanent(f"the OMS names a chunk at another place: {whole[:200]}")
        return whole

    async def _call(
        self, method: str, url: str, body: Body | None, wait_s: float, *, hello: bool = False
    ) -> bytes:
        reply = await self._sent(method, url, body, wait_s, hello=hello)
        if reply.status == 401 and self._settings.client_id is not None:
            self._token = None  # it may have been revoked before its time
            reply = await self._sent(method, url, body, wait_s, hello=hello)
        plain = _plain(reply)
        if reply.status >= 300:
            raise self._failure(reply, plain, hello=hello)
        self._check_life(reply.headers.get(HEADER_OMS_INCARNATION.lower()), hello=hello)
        if self._on_date is not None and (date_ms := _date_ms(reply.headers)) is not None:
            self._on_date(date_ms)
        return plain

    def _check_life(self, life: str | None, *, hello: bool) -> None:
        session = self.session
        if hello or session is None or not life or life == session.oms_incarnation:
            return
        raise OmsRestored(f"the OMS has another incarnation now ({life})")

    async def _sent(
        self, method: str, url: str, body: Body | None, wait_s: float, *, hello: bool
    ) -> HttpReply:
        headers = {"Accept": "application/json", "Accept-Encoding": "zstd, gzip"}
        token = await self._bearer()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if not hello and self.session is not None:
            headers[HEADER_INCARNATION] = str(self.session.incarnation)
            headers[HEADER_SESSION] = self.session.token
        if body is not None:
            headers["Content-Type"] = body.content_type
            if body.encoding:
                headers["Content-Encoding"] = body.encoding
            headers |= self._signature(body.content)
        return await self._transport.send(
            HttpRequest(
                method,
                url,
                headers,
                body.content if body else None,
                self._settings.request_timeout_s + wait_s,
                MAX_REPLY_BYTES,
            )
        )

    def _signature(self, content: bytes) -> dict[str, str]:
        match self._settings.signing:
            case "none":
                return {}
            case "standard-webhooks":
                secret = self._settings.signing_secret
                assert secret is not None
                return sign(
                    secret.get_secret_value(), self._ids.uuid7(), self._clock.wall_ms(), content
                )

    async def _bearer(self) -> str:
        if self._settings.client_id is None:
            return self._settings.token.get_secret_value() if self._settings.token else ""
        now_s = self._clock.monotonic_s()
        if self._token is None or now_s >= self._token[1]:
            self._token = await self._fresh_token(now_s)
        return self._token[0]

    async def _fresh_token(self, now_s: float) -> tuple[str, float]:
        """RFC 6749, section 4.4."""
        settings = self._settings
        assert settings.token_url is not None
        assert settings.client_id is not None
        assert settings.client_secret is not None
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
        }
        reply = await self._transport.send(
            HttpRequest(
                "POST",
                settings.token_url,
                {
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                },
                urlencode(form).encode(),
                settings.request_timeout_s,
            )
        )
        if reply.status == 429 or reply.status >= 500:
            raise Transient(f"the token endpoint answered {reply.status}")
        if reply.status >= 300:
            raise Refused(
                f"the token endpoint answered {reply.status}: check cloud.client_id, "
                "cloud.client_secret and cloud.token_url"
            )
        token = parse(TokenReply, _plain(reply))
        life_s = max(1.0, token.expires_in - min(TOKEN_EARLY_S, token.expires_in / 2))
        return token.access_token, now_s + life_s

    def _failure(self, reply: HttpReply, plain: bytes, *, hello: bool) -> OmsError:
        problem = _problem(plain)
        if problem is not None:
            if problem.server_time_ms and self._settings.url and _is_private(self._settings.url):
                self.on_server_time(problem.server_time_ms)
            life = problem.oms_incarnation
            if not hello and self.session and life and life != self.session.oms_incarnation:
                return OmsRestored("the OMS has another incarnation now", problem)
        return classify(reply, problem)


def _date_ms(headers: Mapping[str, str]) -> int | None:
    """When the answer was made; None where it doesn't say, or was kept on the way."""
    text = headers.get("date")
    if text is None or "age" in headers:
        return None
    try:
        date = parsedate_to_datetime(text[:DATE_CHARS])
    except (ValueError, OverflowError):
        return None
    return int(date.replace(tzinfo=date.tzinfo or UTC).timestamp() * 1000)


def _is_private(url: str) -> bool:
    """Nobody on the way can have changed what this URL answers."""
    return url.startswith("https:") or urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


_BY_CODE: dict[str, type[OmsError]] = {
    OmsCode.SUPERSEDED: Superseded,
    OmsCode.HELLO_REQUIRED: HelloRequired,
    OmsCode.SEQUENCE_GAP: SequenceGap,
    OmsCode.SEQUENCE_REUSED: SequenceReused,
    OmsCode.POISON_EVENT: PoisonEvent,
    OmsCode.CURSOR_GONE: CursorGone,
    OmsCode.TOO_LARGE: TooLarge,
    OmsCode.UNSUPPORTED_CONTRACT: Refused,
    OmsCode.UNAUTHENTICATED: Refused,
    OmsCode.FORBIDDEN: Refused,
}


def classify(reply: HttpReply, problem: OmsProblem | None) -> OmsError:
    """What an answer of 300 or more asks of us."""
    status = reply.status
    detail = f"{status} {problem.title}: {problem.detail}" if problem else f"answered {status}"
    if problem is not None and problem.code in _BY_CODE:
        return _BY_CODE[problem.code](detail, problem)
    if status in (408, 425, 429) or status >= 500 or (problem is not None and problem.retryable):
        return Transient(detail, problem, _retry_after_s(reply, problem))
    if status in (401, 403) or status < 400 or (status == 404 and problem is None):
        return Refused(f"{detail} (check the settings of section cloud)", problem)
    return TooLarge(detail, problem) if status == 413 else Permanent(detail, problem)


def _retry_after_s(reply: HttpReply, problem: OmsProblem | None) -> float:
    """The larger of the header (seconds; a date is not worth a parser) and the body's word."""
    text = reply.headers.get("retry-after", "")
    header_s = float(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0
    body_ms = problem.retry_after_ms if problem is not None else None
    return max(header_s, (body_ms or 0) / 1000)


def _problem(plain: bytes) -> OmsProblem | None:
    try:
        return OmsProblem.model_validate_json(plain)
    except ValidationError:
        return None


def parse(model: type[M], plain: bytes) -> M:
    """An answer as its model.  Errors: :class:`Transient` for one that breaks the contract."""
    if _LONG_NUMBER.search(plain) and _too_big(plain):
        raise Transient(f"the OMS's answer holds a number that 64 bits don't: no {model.__name__}")
    try:
        return model.model_validate_json(plain)
    except ValidationError as wrong:
        first: Any = wrong.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "body"
        raise Transient(
            f"the OMS's answer is not a {model.__name__}: {where}: {first['msg']}"
        ) from None


def _too_big(plain: bytes) -> bool:
    """Whether a number of an answer is one that no database holds; False for what is no JSON."""
    try:
        stack = [from_json(plain)]
    except ValueError:
        return False
    while stack:
        match stack.pop():
            case dict() as found:
                stack.extend(found.values())
            case list() as found:
                stack.extend(found)
            case bool() | float() | str() | None:
                pass
            case int() as number if not -(2**63) <= number < 2**63:
                return True
    return False


def _plain(reply: HttpReply) -> bytes:
    """The body decompressed, within bounds."""
    encoding = reply.headers.get("content-encoding", "").strip().lower()
    match encoding:
        case "" | "identity":
            return reply.body
        case "zstd":
            plain = _unzstd(reply.body)
        case "gzip":
            plain = _gunzip(reply.body)
        case _:
            raise Transient(f"the OMS answers in an encoding that wasn't asked for: {encoding}")
    if len(plain) > MAX_PLAIN_BYTES:
        raise Transient(f"the answer has more than {MAX_PLAIN_BYTES} bytes in plain")
    return plain


def _unzstd(body: bytes) -> bytes:
    import zstandard

    try:
        reader = zstandard.ZstdDecompressor(max_window_size=8 << 20).stream_reader(body)
        return bytes(reader.read(MAX_PLAIN_BYTES + 1))
    except zstandard.ZstdError as error:
        raise Transient(f"the answer is not intact zstd: {error}") from None


def _gunzip(body: bytes) -> bytes:
    import zlib

    try:
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(body, MAX_PLAIN_BYTES + 1)
    except zlib.error as error:
        raise Transient(f"the answer is not intact gzip: {error}") from None


def as_json(model: BaseModel) -> Body:
    """A message as a request's body."""
    return packed(model.model_dump_json(by_alias=True).encode())


def plain_json(value: Any) -> Body:
    """Any value as a request's body."""
    return packed(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
