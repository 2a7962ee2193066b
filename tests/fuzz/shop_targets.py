"""The hub's own doors: requests at the gate, messages from the broker, bytes over WebSocket."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import shutil
from typing import Any, Final

from hub.contract.base import Live
from hub.contract.documents import facts_of
from hub.contract.envelope import Reply
from hub.contract.problems import Code
from hub.contract.publish import samples
from hub.contract.registry import OPERATIONS, Operation
from hub.contract.topics import Topics, is_device_id
from hub.domain import cards
from hub.mqtt.frames import InboundProperties
from hub.mqtt.router import Router
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from hub.storage.printrows import DRAWER_KICK
from tests.fuzz.engine import Target, run_async, scratch
from tests.support.gatebench import now
from tests.support.shop import STORE, Shop

DEVICES: Final = ("till-1", "till-2", "till-3", "kiosk-1", "nobody")
LAWS_EVERY: Final = 40
DRIVEN: Final = frozenset({"peripheral", "scale", "display"})
"""Services that ask drivers, of which this shop has none."""
TOPICS: Final = Topics(STORE)
_OPERATIONS: Final = tuple(OPERATIONS.values())


class ErrorLog(logging.Handler):
    """Keeps what is logged as an error: an input must not cause one."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({record.exc_info[1]!r})"
            raise record.exc_info[1]
        self.seen.append(text)


class FuzzShop(Shop):
    """A shop with all handlers, and the things that the contract's examples speak of."""

    def __init__(self) -> None:
        folder = scratch() / "shop"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        super().__init__(folder, print_receipts=True)
        self.inputs = 0
        self.product("A-100", 249, gtin="4006381333931", stock=1000)
        self.product("apples", 299, uom="kg", scale=3, tax_code="reduced", stock=10_000)
        for device, person in (("till-1", "mia"), ("till-2", "anna"), ("till-3", "ben")):
            self.sign_in(device, person)
        for address in (
            ("basket", "open"), ("basket", "add-line"), ("sale", "commit"), ("approval", "request"),
            ("stock", "open-count"),
        ):  # fmt: skip
            self.ok("till-1", "/".join(address), _fitting(address))


def _fitting(address: tuple[str, str]) -> dict[str, Any]:
    body = dict(samples.REQUESTS[address])
    if address == ("basket", "add-line"):
        body["version"] = 1
    return body


@functools.cache
def shop() -> FuzzShop:
    """The shop in use."""
    return FuzzShop()


def fresh() -> None:
    """Check the laws of the shop in use, then begin with another one."""
    if shop.cache_info().currsize:
        old = shop()
        shop.cache_clear()
        old.close()


def _check_laws() -> None:
    one = shop()
    one.inputs += 1
    if one.inputs % LAWS_EVERY == 0:
        one.check_laws()
        for (document,) in one.all(
            "SELECT document FROM print_jobs WHERE kind <> ? ORDER BY id DESC LIMIT 50", DRAWER_KICK
        ):
            check_receipt(strict_json(document))


def strict_json(text: str) -> dict[str, Any]:
    """JSON as RFC 8259 has it: no NaN, no lone surrogates."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    text.encode()
    return found


def check_reply(text: str, operation: Operation | None) -> Reply:
    """A reply keeps the contract, and is never the hub's own failure."""
    body = strict_json(text)
    reply = Reply.model_validate(body)
    if reply.ok:
        if operation is not None:
            operation.result.model_validate(reply.result)
    else:
        assert reply.problem is not None
        code = Code(reply.problem.code)
        asks_drivers = operation is not None and operation.command.service in DRIVEN
        assert asks_drivers or code is not Code.UNAVAILABLE, text
        assert reply.problem.detail
    return reply


def check_receipt(document: dict[str, Any]) -> None:
    """What is to be printed can be read again, adds up and holds no card number."""
    facts_of(document)
    lines = document.get("lines", [])
    assert cards.screen([line["name"] for line in lines]) is None
    if document["kind"] == "sale":
        net = sum(line["net_minor"] for line in lines)
        assert document["total_minor"] in (net, net + document["tax_minor"])


# The gate ----------------------------------------------------------------------------------------


def command(data: bytes) -> None:
    """One request: which operation, who asks, under which key; then its body."""
    head, body = data[:4].ljust(4, b"\0"), data[4:]
    operation = _OPERATIONS[head[0] % len(_OPERATIONS)]
    kind = (CallerKind.DEVICE, CallerKind.DEVICE, CallerKind.WEB, CallerKind.CLI)[head[1] % 4]
    name = DEVICES[head[2] % len(DEVICES)] if kind is CallerKind.DEVICE else "technician-1"
    one = shop()
    key: str | None = one.id()
    if head[3] % 8 == 7:
        key = body[:64].decode("latin-1") if body[:1] != b"{" else None
    request = Request(Caller(kind, name), *operation.address, body, key)
    answered = run_async if issubclass(operation.command, Live) else now
    text = answered(one.gate.answer(request))
    reply = check_reply(text, operation)
    if reply.ok and not operation.is_query:
        again = check_reply(now(one.gate.answer(request)), operation)
        assert again == reply, f"the repeat got another answer: {again} instead of {reply}"
    _check_laws()


def _commands() -> tuple[bytes, ...]:
    found = []
    for index, operation in enumerate(_OPERATIONS):
        body = (
            json.dumps(samples.REQUESTS[operation.address])
            if (operation.address in samples.REQUESTS)
            else "{}"
        )
        found.append(bytes((index, 0, 0, 0)) + body.encode())
        found.append(bytes((index, 2, 0, 0)) + body.encode())
    found += [
        bytes((index, 0, 0, 0)) + json.dumps(body).encode()
        for body in (
            {
                "sale_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1aff",
                "lines": [
                    {"code": "A-100", "qty": 1, "unit_price_minor": 249, "discount_minor": 9,
                     "reason": "dent", "override_price_minor": 200},
                    {"code": "apples", "qty": 1500, "unit_price_minor": 299},
                ],
                "total_minor": 640,
                "tenders": [
                    {"kind": "card", "amount_minor": 640, "payment_id": samples.PAYMENT,
                     "last4": "1111", "token": "tok_1", "approval_code": "A1"},
                ],
                "stock_override": {"reason": "in hand"},
                "note": "gift", "print_receipt": True,
            },
            {"sale_id": "0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1afe", "basket_id": samples.BASKET,
             "version": 2, "total_minor": 498, "tenders": [{"kind": "cash", "amount_minor": 498}]},
        )
        for index in [list(OPERATIONS).index(("sale", "commit"))]
    ]  # fmt: skip
    return tuple(found)


# Messages from the broker ------------------------------------------------------------------------


def message(data: bytes) -> None:
    """A topic, two bytes of flags, and a payload, as the hub's session hands them over."""
    name, _, rest = data.partition(b"\n")
    flags, payload = rest[:2].ljust(2, b"\0"), rest[2:]
    one = shop()
    sent: list[tuple[str, bytes, bytes | None]] = []

    def publish(
        topic: str, payload: bytes, *, correlation: bytes | None = None, retain: bool = False
    ) -> None:
        if retain:
            assert not payload  # only to clear what a device may not keep there
        else:
            sent.append((topic, payload, correlation))

    router = Router(one.gate, TOPICS, one.clock, publish)
    router.paired = frozenset(DEVICES[:4])
    topic = name.decode(errors="replace")
    properties = InboundProperties(
        correlation=b"mark" if flags[0] & 1 else None,
        idk=one.id() if flags[0] & 2 else None,
        expiry_s=flags[1] if flags[0] & 4 else None,
        retain=bool(flags[0] & 8),
    )
    run_async(_through(router, topic, payload, properties))
    where = TOPICS.parse(topic)
    asked = type(where).__name__ in ("RequestTopic", "FactTopic") and not properties.retain
    answerable = asked and where is not None and is_device_id(where.device)
    assert len(sent) == (1 if answerable else 0), f"{len(sent)} replies to {topic}"
    for to, answer, correlation in sent:
        assert where is not None
        assert to == f"{TOPICS.prefix}/dev/{where.device}/rep"
        check_reply(answer.decode(), None)
        if type(where).__name__ == "RequestTopic":
            assert correlation == properties.correlation
    _check_laws()


async def _through(
    router: Router, topic: str, payload: bytes, properties: InboundProperties
) -> None:
    router.on_message(topic, payload, properties)
    await asyncio.gather(*router._tasks)


def _messages() -> tuple[bytes, ...]:
    def one(topic: str, body: object, flags: bytes = b"\3\0") -> bytes:
        return topic.encode() + b"\n" + flags + json.dumps(body).encode()

    envelopes = samples.ENVELOPES
    sale = samples.REQUESTS[("sale", "commit")]
    old = {**sale, "idempotency_key": "key-00000001", "correlation": "c-1"}
    return (
        one(TOPICS.request("till-1", "sale", "commit"), sale),
        one(TOPICS.request("till-1", "sale", "commit"), old, b"\0\0"),
        one(TOPICS.request("till-2", "stock", "levels"), {"skus": ["A-100"]}, b"\5\1"),
        one(TOPICS.fact("till-1", "paper-low"), envelopes["Fact"]),
        one(TOPICS.state("till-1"), envelopes["DeviceState"]),
        one(TOPICS.meta("till-1"), envelopes["DeviceMeta"]),
        one(TOPICS.meta("till-1"), envelopes["DeviceMeta"], b"\x08\0"),
        one(TOPICS.command_reply("till-1"), {"ok": True}),
        one(TOPICS.fact("nobody", "scan"), envelopes["Fact"]),
    )


def message_and_laws(data: bytes) -> None:
    """As :func:`message`; what is logged as an error counts as a fault."""
    with _errors_count():
        message(data)


class _errors_count:  # noqa: N801 - used like a function
    """Raises what is logged as an error inside of the block."""

    def __enter__(self) -> None:
        self._handler = ErrorLog()
        logging.getLogger().addHandler(self._handler)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self._handler)
        assert not self._handler.seen, self._handler.seen[0]


# The hub's wire ----------------------------------------------------------------------------------


class _Pipe(asyncio.Transport):
    """Takes what is written; nothing is at the other end."""

    def __init__(self) -> None:
        super().__init__()
        self.out = b""

    def write(self, data: Any) -> None:
        self.out += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def wire(data: bytes) -> None:
    """A broker's bytes, whole and byte by byte: the same messages, or the connection is closed."""
    cut = data[0] if data else 0
    whole = run_async(_received(data[1:], (len(data),)))
    parts = run_async(_received(data[1:], (1 + cut % 7, 3)))
    assert whole == parts, "cut into pieces the same bytes mean something else"


async def _received(data: bytes, sizes: tuple[int, ...]) -> tuple[list[tuple[str, bytes]], bool]:
    from hub.mqtt.wire import LoopClient, Wire

    got: list[tuple[str, bytes]] = []
    one = Wire(lambda topic, payload, _properties: got.append((topic, payload)))
    pipe = _Pipe()
    one.connection_made(pipe)
    client = LoopClient("hub", one)
    client.start(60, 262_144)
    at = turn = 0
    logging.getLogger("hub.mqtt.session").disabled = True
    try:
        while at < len(data) and not one.closed.is_set():
            size = sizes[turn % len(sizes)]
            one.data_received(data[at : at + size])
            at, turn = at + size, turn + 1
            if turn % 50 == 0:
                await asyncio.sleep(0)
    finally:
        logging.getLogger("hub.mqtt.session").disabled = False
    ended = one.closed.is_set()
    one.close()
    await asyncio.sleep(0)
    return got, ended


def _wires() -> tuple[bytes, ...]:
    from hub.mqtt.frames import encode_publish, pack_properties

    connack = b"\x20\x03\x00\x00\x00"
    suback = b"\x90\x04\x00\x01\x00\x01"
    publish = encode_publish(
        TOPICS.request("till-1", "a", "b"), b"{}", packet_id=3, properties=pack_properties(b"m", 4)
    )
    return (
        b"\0" + connack + publish + suback + b"\x40\x02\x80\x01" + b"\xd0\x00",
        b"\2" + connack + publish * 3 + b"\xe0\x02\x8b\x00",
        b"\1" + b"\x20\x06\x00\x00\x03\x21\x00\x0a" + publish,
    )


def targets() -> tuple[Target, ...]:
    """All of this room."""
    tokens = (
        b"idempotency_key", b"correlation", samples.BASKET.encode(), samples.SALE.encode(),
        b"apples", b"A-100", b"till-1", b"mia",
    )  # fmt: skip
    return (
        Target("command", command, _commands(), prefix=4, weight=10, fresh=fresh, fresh_every=300,
               tokens=tokens),
        Target("message", message_and_laws, _messages(), weight=6, fresh=fresh, fresh_every=300,
               tokens=(*tokens, b"/evt/", b"/req/", b"/meta", b"/state", b"sh/1/367/dev/till-2/")),
        Target("hub-wire", wire, _wires(), weight=3),
    )  # fmt: skip
