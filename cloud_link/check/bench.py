"""What the checks work with: a hub that is none, and words for what is expected."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hub.clock import Ids
from hub.contract.digests import bucket_digests
from hub.contract.oms import Hello, HelloReply
from hub.contract.oms_envelope import EventSource, Stream, sequence_text
from hub.contract.oms_events import STOCK_MOVED

from .caller import Answer, Caller

HUB_ID = "oms-check-hub"
MACHINE = "a" * 32


class Failed(Exception):
    """The OMS did something else than the contract says."""


def expect(fact: bool, otherwise: str) -> None:
    """Raises Failed with ``otherwise`` unless ``fact``."""
    if not fact:
        raise Failed(otherwise)


def expect_status(answer: Answer, status: int, what: str) -> dict[str, Any]:
    """The body of an answer with the status expected."""
    shown = answer.body[:300].decode(errors="replace")
    expect(answer.status == status, f"{what}: expected {status}, got {answer.status} {shown}")
    return answer.json()


def expect_problem(answer: Answer, status: int, code: str, what: str) -> dict[str, Any]:
    """The problem expected; checks that it is RFC 9457."""
    body = expect_status(answer, status, what)
    kind = answer.headers.get("Content-Type", "")
    expect(kind.startswith("application/problem+json"), f"{what}: Content-Type is {kind!r}")
    expect(body.get("code") == code, f"{what}: expected code {code}, got {body.get('code')}")
    for member in ("type", "title", "status", "detail"):
        expect(member in body, f"{what}: the problem has no {member}")
    return body


@dataclass(slots=True)
class PretendHub:
    """A hub's side of one session: makes events with the next sequences."""

    caller: Caller
    ids: Ids
    reply: HelloReply
    hello: Hello
    heads: dict[Stream, int] = field(default_factory=dict)
    _ledger_seq: int = 0

    @property
    def source(self) -> str:
        return EventSource(self.caller.store, HUB_ID, self.reply.incarnation).uri

    def event(
        self,
        kind: str = STOCK_MOVED,
        data: dict[str, Any] | None = None,
        *,
        stream: Stream = "stock",
        seq: int | None = None,
        event_id: str | None = None,
    ) -> dict[str, Any]:
        """An event at the next sequence of its stream, or at ``seq``."""
        if seq is None:
            seq = self.heads[stream] = self.heads.get(stream, 0) + 1
        return {
            "specversion": "1.0",
            "id": event_id or self.ids.uuid7(),
            "source": self.source,
            "type": kind,
            "stream": stream,
            "sequence": sequence_text(seq),
            "partitionkey": "oms-check",
            "datacontenttype": "application/json",
            "data": self.moved() if data is None else data,
        }

    def moved(self, sku: str = "OMS-CHECK", qty: int = 1) -> dict[str, Any]:
        """Data of stock.moved: goods come in."""
        self._ledger_seq += 1
        move = {
            "seq": self._ledger_seq,
            "sku": sku,
            "qty": qty,
            "from": "supplier",
            "to": "sellable",
            "type": "receive",
            "ref_line": None,
        }
        return {"movements": [move], "reason": "oms-check"}

    def at(self, **heads: int) -> dict[str, dict[str, int]]:
        """Heads of this source."""
        return {self.source: heads}

    async def send(self, *events: dict[str, Any]) -> dict[str, Any]:
        """Send events that must all be taken."""
        return expect_status(await self.caller.send(list(events)), 200, "a good batch")

    async def digest(
        self, heads: dict[str, dict[str, int]], levels: dict[str, dict[str, int]]
    ) -> dict[str, Any]:
        rows = [row.model_dump() for row in bucket_digests(levels.items())]
        asked = {"heads": heads, "kind": "stock", "buckets": rows}
        return expect_status(await self.caller.post("/digests", asked), 200, "POST /digests")


@dataclass(slots=True)
class Bench:
    """Makes pretend hubs; every one is a new incarnation in the scratch store."""

    caller: Caller
    ids: Ids

    def hello(self, **changed: Any) -> Hello:
        """A HELLO with a fresh nonce."""
        base = Hello(
            hub_id=HUB_ID,
            nonce=self.ids.uuid7(),
            machine_id_hash=MACHINE,
            incarnation=0,
            reason="new",
        )
        return base.model_copy(update=changed)

    async def greet(self, hello: Hello) -> Answer:
        caller = replace(self.caller, session=None)
        return await caller.post("/hub-sessions", hello.model_dump())

    async def new_hub(self, **changed: Any) -> PretendHub:
        """HELLO as a new box: streams begin at 1."""
        hello = self.hello(**changed)
        body = expect_status(await self.greet(hello), 200, "HELLO")
        reply = HelloReply.model_validate(body)
        caller = replace(self.caller, session=(reply.incarnation, reply.session_token))
        return PretendHub(caller, self.ids, reply, hello)
