"""A shop with everything that talks to its cloud, and a cloud whose answers are given."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import shutil
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cloud_link.errors import HelloRequired, OmsError
from cloud_link.http import OmsClient, Session
from cloud_link.pacing import Pacer
from cloud_link.transport import HttpReply, HttpRequest
from hub.config.models import Cloud
from hub.service import auditlog, ledger
from tests.fakes import SeededRandomness
from tests.fuzz.engine import run_async, scratch
from tests.support.shop import HUB_ID, STORE, Shop

LIFE: Final = "oms-1"
STATUSES: Final = (
    200,
    200,
    200,
    200,
    201,
    204,
    302,
    400,
    401,
    404,
    409,
    410,
    413,
    422,
    429,
    500,
    503,
)
SOURCE: Final = f"/stores/{STORE}/hubs/{HUB_ID}/1"
CALLS_MAX: Final = 12


class Scripted:
    """The first answer is the input's, then good ones, then the session is over."""

    def __init__(self, first: list[HttpReply], good: Callable[[HttpRequest], HttpReply]) -> None:
        self._first = first
        self._good = good
        self.calls = 0

    async def send(self, request: HttpRequest) -> HttpReply:
        """See the class."""
        self.calls += 1
        await asyncio.sleep(0)
        if self._first:
            return self._first.pop(0)
        if self.calls > CALLS_MAX:
            raise HelloRequired("enough")
        return self._good(request)

    async def close(self) -> None:
        """Nothing is open."""


class Room:
    """A shop and everything that talks to its cloud."""

    def __init__(self) -> None:
        folder = scratch() / "cloud-shop"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.shop = Shop(folder)
        self.shop.product("A-100", 249, gtin="4006381333931", stock=100)
        self.shop.sign_in("till-1", "mia")
        self.randomness = SeededRandomness(5)
        self.inputs = 0

    def client(self, transport: Scripted) -> OmsClient:
        """A client in a session."""
        made = OmsClient(
            Cloud.model_validate({"url": "https://oms.example", "token": "t"}),
            STORE,
            transport,
            clock=self.shop.clock,
            ids=self.shop.ids,
            on_server_time=_sane_time,
        )
        made.session = Session(1, "s", LIFE)
        return made

    def pacer(self) -> Pacer:
        """Pauses cost no time."""
        return Pacer(
            clock=self.shop.clock,
            randomness=self.randomness,
            sleep=self.sleep,
            base_s=1,
            cap_s=60,
            on_answer=lambda _: None,
        )

    async def sleep(self, seconds: float) -> None:
        """Let the shop's clock go on."""
        assert 0 <= seconds < 100_000, f"a pause of {seconds} s"
        self.shop.clock.advance(min(seconds, 3.0))
        await asyncio.sleep(0)


def _sane_time(at_ms: int) -> None:
    assert isinstance(at_ms, int)


@functools.cache
def room() -> Room:
    """The room in use."""
    return Room()


def fresh() -> None:
    """Begin with another room."""
    if room.cache_info().currsize:
        old = room()
        room.cache_clear()
        old.shop.close()


def reply_of(data: bytes) -> HttpReply:
    """Three bytes say status, encoding and headers; the rest is the body."""
    head, body = data[:3].ljust(3, b"\0"), data[3:]
    headers = {"content-type": "application/json", "store-oms-incarnation": LIFE}
    body, encoding = _packed(head[1], body, 1 + head[2] % 9)
    if encoding:
        headers["content-encoding"] = encoding
    match head[2] % 8:
        case 1:
            headers["retry-after"] = "99999999"
        case 2:
            headers["retry-after"] = "-1"
        case 3:
            headers["store-oms-incarnation"] = "another"
        case 4:
            del headers["store-oms-incarnation"]
        case _:
            pass
    return HttpReply(STATUSES[head[0] % len(STATUSES)], headers, body)


def _packed(how: int, body: bytes, cut: int) -> tuple[bytes, str]:
    """Compressed, cut off, or called by a name that doesn't fit."""
    import zstandard

    match how % 12:
        case 1:
            return zstandard.compress(body), "zstd"
        case 2:
            return gzip.compress(body, mtime=0), "gzip"
        case 3 | 4 | 5:
            return body, ("zstd", "gzip", "br")[how % 12 - 3]
        case 6:
            return zstandard.compress(body)[:-cut], "zstd"
        case 7:
            return gzip.compress(body, mtime=0)[:-cut], "gzip"
        case _:
            return body, ""


def good(value: object) -> HttpReply:
    """A right answer."""
    return HttpReply(200, {"store-oms-incarnation": LIFE}, json.dumps(value).encode())


def typed(run: Callable[[], Awaitable[Any]], one: Room) -> OmsError | None:
    """Run it; the link's own errors are its right."""

    async def guarded() -> OmsError | None:
        try:
            await run()
        except OmsError as error:
            return error
        return None

    try:
        ended = run_async(guarded())
    finally:
        one.shop.clock.advance(0.001)
    laws(one)
    return ended


def laws(one: Room) -> None:
    one.inputs += 1
    if one.inputs % 40 == 0:
        assert ledger.verify(one.shop.rows).whole
        assert auditlog.verify(one.shop.rows).broken_seq is None
        assert not one.shop.all("PRAGMA foreign_key_check")
