"""What a cloud may answer: any status, any compression, any JSON.  The hub's link ends in one of
its typed errors or takes the answer, and a good answer afterwards is taken either way."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cloud_link.antientropy import AntiEntropy
from cloud_link.datasets import DatasetSync
from cloud_link.downlink import Downlink
from cloud_link.errors import OmsError, Permanent, Refused, Transient
from cloud_link.http import MAX_PLAIN_BYTES, plain_json
from cloud_link.recovery import Recovery
from cloud_link.session import Greeter
from cloud_link.transport import HttpReply, HttpRequest
from cloud_link.uplink import Uplink
from hub.contract.oms import CALLS, MAX_BATCH_BYTES
from hub.contract.publish import (
    oms,
    oms_event_samples,
    oms_samples,
    order_samples,
    samples,
)
from hub.service.outgoing import Limits
from tests.fuzz.cloud_room import (
    CALLS_MAX,
    LIFE,
    SOURCE,
    Scripted,
    fresh,
    good,
    laws,
    reply_of,
    room,
    typed,
)
from tests.fuzz.engine import Target, run_async
from tests.support.shop import STORE


def call(data: bytes) -> None:
    """One call of the contract, whatever is answered."""
    which = CALLS[(data[0] if data else 0) % len(CALLS)]
    transport = Scripted([reply_of(data[1:])], lambda _: good({}))
    client = room().client(transport)

    async def run() -> None:
        if which.reply is None:
            plain = await client.get_text("/v1/x")
            assert len(plain) <= MAX_PLAIN_BYTES
        elif which.method == "GET":
            await client.get(which.path, which.reply)
        else:
            await client.post(which.path, plain_json({}), which.reply, hello=not which.session)

    run_async(run())


def hello(data: bytes) -> None:
    """An answer to HELLO; the next HELLO can be made whatever it was."""
    one = room()
    reply = {**oms_samples.REPLIES["HelloReply"], "acked": {}, "oms_incarnation": LIFE}

    def right(_request: HttpRequest) -> HttpReply:
        now = one.shop.one("SELECT incarnation, epoch FROM hub")
        assert now is not None
        return good({**reply, "incarnation": now[0] + 1, "epoch": now[1] + 1})

    async def run() -> None:
        transport = Scripted([reply_of(data)], right)
        greeter = Greeter(
            one.shop.gate,
            one.client(transport),
            one.pacer(),
            machine_hash="a1b2c3d4e5",
            ids=one.shop.ids,
            randomness=one.randomness,
        )
        with contextlib.suppress(OmsError):
            await greeter.greet()
        transport.calls = 0
        with contextlib.suppress(Permanent):
            await greeter.greet()

    run_async(run())
    laws(one)


def commands(data: bytes) -> None:
    """A page of the command log."""
    one = room()
    number = [0]

    def right(_request: HttpRequest) -> HttpReply:
        number[0] += 1
        return good({"commands": [], "cursor": f"good-{number[0]}", "oms_incarnation": LIFE})

    async def run() -> None:
        down = Downlink(
            one.shop.gate,
            one.client(Scripted([reply_of(data)], right)),
            one.pacer(),
            5,
            sleep=one.sleep,
            on_dataset=lambda _: None,
        )
        await down.run("c-1")

    ended = typed(run, one)
    if not number[0] and not isinstance(ended, (Transient, Refused, Permanent)):
        return  # another typed error: the part is started again after a pause
    assert number[0], "no answer was asked for after this one"
    cursor = one.shop.value("SELECT commands_cursor FROM hub")
    assert cursor == f"good-{number[0]}", f"the log stands at {cursor}"


def events(data: bytes) -> None:
    """An answer to a batch of events."""
    one = room()
    line = {"code": "A-100", "qty": 1, "unit_price_minor": 249}
    one.shop.ask("till-1", "sale/commit", one.shop.sale(line, total_minor=249))

    def right(request: HttpRequest) -> HttpReply:
        assert request.body is None or len(request.body) <= MAX_BATCH_BYTES
        heads: dict[str, dict[str, int]] = {}
        sql = "SELECT p.uri, s.stream, s.head_seq FROM streams s JOIN sources p ON p.id = s.source"
        for uri, stream, head in one.shop.all(sql):
            heads.setdefault(uri, {})[stream] = head
        return good({"acked": heads, "results": [], "oms_incarnation": LIFE})

    async def run() -> None:
        up = Uplink(
            one.shop.gate,
            one.client(Scripted([reply_of(data)], right)),
            one.pacer(),
            Limits(200, 200_000),
            0,
            sleep=one.sleep,
        )
        try:
            for _ in range(CALLS_MAX):
                if not await up._round():
                    break
        finally:
            if up._marker is not None:
                await up._marker

    typed(run, one)


_SETS: Final = ("catalog", "prices", "taxes", "staff", "policies")


def snapshot(data: bytes) -> None:
    """A snapshot whose manifest fits its bytes; then a good page of changes."""
    one = room()
    name = _SETS[(data[0] if data else 0) % len(_SETS)]
    text = data[1:]
    rows = sum(1 for line in text.split(b"\n") if line and not line.isspace())
    digest = hashlib.sha256(text).hexdigest()
    chunk = {"index": 0, "rows": rows, "bytes": len(text), "sha256": digest, "url": "/c"}
    manifest = {
        "dataset": name,
        "generation": digest[:20],
        "as_of_cursor": "d-1",
        "rows": rows,
        "chunks": [chunk],
        "oms_incarnation": LIFE,
    }

    def right(request: HttpRequest) -> HttpReply:
        if request.url.endswith("/c"):
            return HttpReply(200, {}, text)
        if "manifest" in request.url:
            return good(manifest)
        return good({"changes": [], "cursor": "d-2", "more": False, "oms_incarnation": LIFE})

    one.shop.run("UPDATE datasets SET cursor = '' WHERE dataset = ?", name)
    typed(lambda: _sync([], right)(name), one)


def changes(data: bytes) -> None:
    """A page of changes."""
    one = room()
    name = _SETS[(data[0] if data else 0) % len(_SETS)]
    one.shop.run("UPDATE datasets SET cursor = 'd-1' WHERE dataset = ?", name)

    def right(_request: HttpRequest) -> HttpReply:
        return good({"changes": [], "cursor": "d-2", "more": False, "oms_incarnation": LIFE})

    typed(lambda: _sync([reply_of(data[1:])], right)(name), one)


def manifest(data: bytes) -> None:
    """A manifest, and bytes that fit none."""
    one = room()
    name = _SETS[(data[0] if data else 0) % len(_SETS)]
    one.shop.run("UPDATE datasets SET cursor = '' WHERE dataset = ?", name)
    typed(lambda: _sync([reply_of(data[1:])], lambda _: good({}))(name), one)


def _sync(
    first: list[HttpReply], right: Callable[[HttpRequest], HttpReply]
) -> Callable[[Any], Awaitable[None]]:
    one = room()
    client = one.client(Scripted(first, right))
    made = DatasetSync(one.shop.gate, client, one.pacer(), 60, sleep=one.sleep)
    return made._one


def digest(data: bytes) -> None:
    """Answers to a comparison of stock, the second about one bucket."""
    one = room()
    first, _, second = data.partition(b"\n-----\n")

    async def run() -> None:
        replies = [reply_of(first), reply_of(second)]
        right = {"status": "compared", "differences": [], "oms_incarnation": LIFE}
        client = one.client(Scripted(replies, lambda _: good(right)))
        await AntiEntropy(one.shop.gate, client, one.pacer(), 60, sleep=one.sleep).check()

    typed(run, one)


def recovery(data: bytes) -> None:
    """A page of the hub's own facts."""
    one = room()

    async def run() -> None:
        right = {"events": [], "cursor": "e", "more": False, "oms_incarnation": LIFE}
        client = one.client(Scripted([reply_of(data)], lambda _: good(right)))
        await Recovery(one.shop.gate, client, one.pacer()).run(f"/stores/{STORE}/", {})

    typed(run, one)


def _replies(name: str, *more: Any) -> tuple[bytes, ...]:
    body = {**oms.REPLIES[name], "oms_incarnation": LIFE}
    texts = [json.dumps(one).encode() for one in (body, oms_samples.PROBLEM, *more)]
    return tuple(
        b"\0" + bytes((encoding,)) + b"\0" + one for one in texts for encoding in (0, 1, 2)
    )


def _commands() -> list[dict[str, Any]]:
    kinds: dict[str, dict[str, Any]] = {
        "device.revoked": {"device_id": "till-3", "reason": "stolen"},
        "config.changed": {"key": "a", "value": 1},
        "count.requested": {"skus": ["A-100"]},
        "dataset.changed": {"dataset": "catalog"},
        "epoch.closed": {"epoch": 2},
        "order.assigned": order_samples.ASSIGNED,
        "order.changed": {"order_id": order_samples.ORDER, "version": 2, "state": "handed_over"},
        "order.cancelled": {"order_id": "o", "version": 1},
    }
    return [
        {"cursor": "c", "id": f"cmd-{number}", "type": kind, "data": data, "issued_at_ms": 1}
        for number, (kind, data) in enumerate(kinds.items())
    ]


def _rows() -> tuple[bytes, ...]:
    """A snapshot of each dataset."""
    kinds = (
        ("CatalogRow",),
        ("PriceRow",),
        ("TaxPolicyRow", "TaxRateRow"),
        ("StaffRow", "RoleRow"),
        ("PolicyRow",),
    )
    return tuple(
        bytes((number,)) + b"\n".join(json.dumps(oms_samples.ROWS[row]).encode() for row in found)
        for number, found in enumerate(kinds)
    )


def _page_of_changes(number: int, rows: bytes) -> bytes:
    changed = [
        {"op": op, "row": json.loads(row)}
        for row in rows[1:].split(b"\n")
        for op in ("upsert", "delete")
    ]
    page = {"changes": changed, "cursor": "d-2", "more": False, "oms_incarnation": LIFE}
    return bytes((number,)) + b"\0\0\0" + json.dumps(page).encode()


def _calls() -> tuple[bytes, ...]:
    names = [one.reply.__name__ for one in CALLS if one.reply is not None]
    return tuple(
        bytes((index,)) + seed
        for index, one in enumerate(CALLS)
        for seed in _replies(one.reply.__name__ if one.reply else names[0])
    )


def _digests() -> tuple[bytes, ...]:
    return tuple(
        one + b"\n-----\n" + two
        for one in _replies("DigestReply")[:3]
        for two in _replies("DigestDetailReply")[:3]
    )


def _our_own() -> dict[str, Any]:
    """A page of the hub's own facts."""
    found = [
        {**oms_event_samples.event_of(kind, number + 1), "source": SOURCE}
        for number, kind in enumerate(oms_event_samples.EVENT_DATA)
    ]
    return {"events": found, "cursor": "e-1", "more": False, "oms_incarnation": LIFE}


_TOKENS: Final = (
    b"sequence-gap",
    b"superseded",
    b"hello-required",
    b"poison-event",
    b"cursor-gone",
    b"sequence-reused",
    b"nonce-reused",
    samples.SALE.encode(),
    SOURCE.encode(),
)


def targets() -> tuple[Target, ...]:
    """All of this room."""
    rows = _rows()
    pages = tuple(_page_of_changes(number, text) for number, text in enumerate(rows))
    manifests = tuple(b"\0" + one for one in _replies("Manifest"))
    page = {"commands": _commands(), "cursor": "c-2", "oms_incarnation": LIFE}
    state: dict[str, Any] = {"fresh": fresh, "fresh_every": 150}
    refused, tokens = (OmsError,), _TOKENS
    return (
        Target("cloud-call", call, _calls(), refused, 4, weight=5, tokens=tokens),
        Target("cloud-hello", hello, _replies("HelloReply"), refused, 3, tokens=tokens, **state),
        Target("cloud-commands", commands, _replies("CommandsReply", page), (), 3, **state),
        Target("cloud-events", events, _replies("EventsReply"), (), 3, tokens=tokens, **state),
        Target("cloud-snapshot", snapshot, rows, (), 1, weight=3, **state),
        Target("cloud-changes", changes, pages, (), 4, weight=3, **state),
        Target("cloud-manifest", manifest, manifests, (), 4, weight=2, **state),
        Target("cloud-digest", digest, _digests(), (), 3, weight=2, **state),
        Target(
            "cloud-recovery",
            recovery,
            _replies("EventsPage", _our_own()),
            (),
            3,
            weight=3,
            **state,
        ),
    )
