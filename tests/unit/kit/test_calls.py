"""How a request that is told to come later comes again."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from devices.kit.calls import Calls
from devices.kit.link import Message
from hub.clock import SystemClock, SystemIds
from tests.fakes import SeededRandomness

LATER = (
    b'{"ok":false,"seq":0,"problem":{"type":"urn:store-hub:problem:storage-full",'
    b'"title":"The hub\'s disk is full","status":507,"detail":"Later.","code":"storage-full",'
    b'"retryable":true,"retry_after_ms":600000,"context":{}}}'
)
YES = b'{"ok":true,"seq":1,"result":{}}'


class Link:
    """A connection that answers each request twice: the network doubled it."""

    def __init__(self) -> None:
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.sent: list[str] = []
        self.calls: Calls | None = None
        self.twice = asyncio.Event()

    def publish(self, _topic: str, _body: bytes, **rest: Any) -> asyncio.Future[int]:
        self.sent.append(rest["correlation"])
        loop = asyncio.get_running_loop()
        loop.call_soon(self.answer, LATER)
        loop.call_later(0.05, self.answer, LATER)
        loop.call_later(0.05, self.twice.set)
        return loop.create_future()

    def answer(self, payload: bytes) -> None:
        assert self.calls is not None
        self.calls.heard(Message("rep", payload, False, self.sent[-1]))


def calls_over(link: Link) -> Calls:
    async def connected() -> Link:
        return link

    randomness = SeededRandomness()
    session = SimpleNamespace(
        link=connected,
        identity=SimpleNamespace(device_id="till-1"),
        topics=SimpleNamespace(request=lambda *names: "/".join(names)),
    )
    link.calls = Calls(
        cast(Any, session), ids=SystemIds(SystemClock(), randomness), randomness=randomness
    )
    return link.calls


async def test_an_answer_that_comes_twice_brings_no_request_sooner() -> None:
    link = Link()
    calls = calls_over(link)
    asking = asyncio.create_task(calls.ask("sale", "commit", b"{}", "k" * 8, timeout_s=None))
    await link.twice.wait()
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(link.sent) == 1
    link.answer(YES)
    assert (await asking).ok
