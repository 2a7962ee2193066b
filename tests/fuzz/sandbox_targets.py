"""The small OMS that comes with the hub: any body, any encoding; an answer, never a failure."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from cloud_link.sandbox.app import Running, running_sandbox
from cloud_link.sandbox.context import Settings
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.contract.oms import CALLS, HEADER_INCARNATION, HEADER_SESSION
from hub.contract.publish import oms_event_samples, oms_payment_samples, oms_samples
from tests.fuzz.engine import Target, loop, run_async, scratch

STORE: Final = "367"


@dataclass
class Sandbox:
    """A running sandbox and a client of it."""

    running: Running
    http: aiohttp.ClientSession
    headers: dict[str, str]
    stack: contextlib.AsyncExitStack


@contextlib.asynccontextmanager
async def _started(state: Path) -> AsyncIterator[Running]:
    clock, randomness = SystemClock(), SystemRandomness()
    settings = Settings(state=state, stores=(STORE,), plain_http=True, seed_demo=True, skus=5)
    async with running_sandbox(settings, clock, SystemIds(clock, randomness), randomness) as one:
        yield one


@functools.cache
def sandbox() -> Sandbox:
    """Started once; :func:`stop` ends it."""
    return loop().run_until_complete(_open())


async def _open() -> Sandbox:
    stack = contextlib.AsyncExitStack()
    state = Path(tempfile.mkdtemp(prefix="oms-", dir=scratch()))
    running = await stack.enter_async_context(_started(state))
    http = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
    headers = {"Authorization": f"Bearer {running.secrets.token}"}
    hello = {**oms_samples.REQUESTS["Hello"], "incarnation": 0, "reason": "new", "hub_id": "hub-1"}
    url = f"{running.url}/v1/stores/{STORE}/hub-sessions"
    async with http.post(url, json=hello, headers=headers) as got:
        reply = await got.json()
        assert got.status == 200, reply
    headers[HEADER_INCARNATION] = str(reply["incarnation"])
    headers[HEADER_SESSION] = reply["session_token"]
    return Sandbox(running, http, headers, stack)


def stop() -> None:
    """End the sandbox, if it runs."""
    if sandbox.cache_info().currsize:
        one = sandbox()
        sandbox.cache_clear()
        loop().run_until_complete(one.stack.aclose())
        shutil.rmtree(one.running.context.settings.state, ignore_errors=True)


def body(data: bytes) -> None:
    """Which call, which encoding, which session; then the body, or the query's values."""
    head, content = data[:3].ljust(3, b"\0"), data[3:]
    run_async(_sent(sandbox(), head, content))


async def _sent(one: Sandbox, head: bytes, content: bytes) -> None:
    call = CALLS[head[0] % len(CALLS)]
    path = call.path.format(
        name=("catalog", "x")[head[2] & 1],
        generation="g",
        index="0",
        payment_id=oms_payment_samples.PAYMENT,
        key="k",
        token="GC-7Q4K-9XWM-0042",
        hold_id=oms_payment_samples.PAYMENT,
    )
    headers = dict(one.headers)
    params: dict[str, str] = {}
    sent: bytes | None = None
    if call.method == "POST":
        sent = content
        match head[1] % 7:
            case 1:
                sent, headers["Content-Encoding"] = gzip.compress(content), "gzip"
            case 2:
                import zstandard

                sent, headers["Content-Encoding"] = zstandard.compress(content), "zstd"
            case 3:
                headers["Content-Encoding"] = "gzip"
            case 4:
                headers["Content-Encoding"] = "zstd"
            case 5:
                headers["Content-Encoding"] = "br"
            case _:
                pass
    else:
        text = content.decode(errors="replace")[:200]
        params = {name: text for name in call.query if name != "wait"}
        if "wait" in call.query:
            params["wait"] = "0"
    if head[2] & 2:
        headers[HEADER_SESSION] = "other"
    url = f"{one.running.url}/v1/stores/{STORE}{path}"
    async with one.http.request(call.method, url, data=sent, params=params, headers=headers) as got:
        raw = await got.read()
        assert got.status < 500, f"{call.method} {call.path} answered {got.status}: {raw[:300]!r}"
        if got.status >= 400:
            problem: dict[str, Any] = json.loads(raw)
            assert problem["code"]
            assert problem["detail"]


def targets() -> tuple[Target, ...]:
    """All of this room."""
    index = {(call.method, call.path): number for number, call in enumerate(CALLS)}
    source = f"/stores/{STORE}/hubs/hub-1/1"
    batch = [
        {**oms_event_samples.event_of(kind, number + 1), "source": source}
        for number, kind in enumerate(oms_event_samples.EVENT_DATA)
    ]
    each = [[{**one, "sequence": f"{1:020d}", "stream": one["stream"]}] for one in batch]
    post = bytes((index["POST", "/events"], 0, 0))
    seeds = [
        *(post + json.dumps(one).encode() for one in (batch, *each)),
        *(
            bytes((index["POST", path], 0, 0)) + json.dumps(oms_samples.REQUESTS[name]).encode()
            for path, name in (
                ("/hub-sessions", "Hello"), ("/digests", "DigestRequest"),
                ("/digests/detail", "DigestDetailRequest"),
            )
        ),
        *(
            bytes((index["POST", path], 0, 0))
            + json.dumps(oms_payment_samples.REQUESTS[name]).encode()
            for path, name in (
                ("/payments", "PaymentCharge"),
                ("/payments/{payment_id}/capture", "PaymentEffect"),
                ("/payments/{payment_id}/refunds", "PaymentRefund"),
            )
        ),
        *(
            bytes((number, 0, 0)) + b"oms-1:5"
            for (method, _), number in index.items() if method == "GET"
        ),
    ]  # fmt: skip
    return (Target("sandbox-oms", body, tuple(seeds), (), 3, weight=2, tokens=(source.encode(),)),)


__all__ = ["sandbox", "stop", "targets"]
