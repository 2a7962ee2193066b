"""One request's unit of work: its transaction, who asks, and the three ways out.

A handler reads and writes through ``tx``, and leaves effects by ``emit`` (an event for the cloud),
``note`` (the audit log) and ``tell`` (a notice after the commit).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from pydantic_core import to_json

from hub.clock import Ids
from hub.contract.problems import Code, refuse
from hub.service import auditlog
from hub.service.books import Books
from hub.service.caller import Caller
from hub.service.notices import Notice, OutboxGrew
from hub.service.shop import Shop
from hub.storage import hubrow, outbox, staffrows
from hub.storage.outbox import Emitted
from hub.storage.rows import Tx
from hub.storage.staffrows import SignedInRow

# json.dumps would make such an encoder anew each time.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: the same value always gives the same text."""
    return _CANONICAL.encode(value)


def derived_id(*parts: str) -> str:
    """An identifier that the same parts always give, shaped as a UUID (RFC 9562, version 8).

    Events about something unique get theirs so: a sale offered again after the hub was restored
    makes the same event, and the cloud knows it.
    """
    digest = bytearray(sha256("\0".join(parts).encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(slots=True)
class Unit:
    """What a handler works with; it lives for one request inside the writer's transaction."""

    tx: Tx
    caller: Caller
    shop: Shop
    books: Books
    ids: Ids
    body_hash: bytes = b""
    seq: int = 0
    emitted: list[Emitted] = field(default_factory=list)
    _staff: SignedInRow | None = None
    _staff_known: bool = False
    _source: tuple[int, str] | None = None
    spent: dict[str, set[str]] = field(default_factory=dict)
    """Approvals that this request has used, and the permissions it took of each."""
    _told: set[Notice] = field(default_factory=set)

    @property
    def now_ms(self) -> int:
        """The batch's wall instant."""
        return self.tx.now_ms

    @property
    def staff(self) -> SignedInRow | None:
        """Who is signed in on the calling device, with their role's permissions."""
        if not self._staff_known:
            self._staff = staffrows.signed_in(self.tx, self.caller.id, self.tx.budget_ms)
            self._staff_known = True
        return self._staff

    @property
    def staff_id(self) -> str | None:
        """The id of whoever is signed in."""
        return self.staff.staff_id if self.staff else None

    def check_fence(self) -> int:
        """The source of new events.  Errors: ``superseded`` when another box took over."""
        if self._source is None:
            self._source = hubrow.source_and_fence(self.tx)
        source, fence = self._source
        if fence == "superseded":
            raise refuse(
                Code.SUPERSEDED,
                "Another box has taken this hub's place: pair this device with the new one, or "
                "have a technician look at this box.",
            )
        return source

    def cover_all(self) -> None:
        """Answer a repeat whose first effects carry no number of their own: as of now."""
        self.seq = outbox.last_id(self.tx)

    def event_id(self, type_: str, *key: str) -> str:
        """The id of the one event of this type about the fact named ``key``."""
        return derived_id(self.shop.store, type_, *key)

    def emit(self, stream: str, type_: str, aggregate: str, data: dict[str, Any], *key: str) -> int:
        """Write an event for the cloud; ``key`` names the fact it is about, for ever.

        The work sequence of the event.  Errors: ``superseded`` when another box took over.
        """
        event_id = self.event_id(type_, *(key or (aggregate,)))
        text = to_json(data).decode()
        return self.retell(Emitted(stream, type_, aggregate, event_id, self.now_ms, text))

    def emit_aside(
        self, stream: str, type_: str, aggregate: str, data: dict[str, Any], *key: str
    ) -> None:
        """:meth:`emit` what follows from the request and is no part of its answer or record."""
        seq, told = self.seq, len(self.emitted)
        self.emit(stream, type_, aggregate, data, *key)
        self.seq = seq
        del self.emitted[told:]

    def retell(self, event: Emitted) -> int:
        """Write an event as it is, at the end of its stream; see :meth:`emit`."""
        source = self.check_fence()
        stream, type_, aggregate, event_id, at_ms, data = event
        self.seq = outbox.append(
            self.tx,
            source=source,
            stream=stream,
            event_id=event_id,
            type_=type_,
            aggregate=aggregate,
            data=data,
            at_ms=at_ms,
        )
        self.emitted.append(event)
        self.tell(OutboxGrew(stream))
        return self.seq

    def cite(self, outbox_id: int) -> None:
        """Answer a repeat whose event is known: as of then, with a record of that event."""
        row = outbox.get(self.tx, outbox_id)
        if row is None or self.emitted or outbox.is_parked(self.tx, outbox_id):
            self.seq = max(self.seq, outbox_id)
            return
        self.seq = outbox_id
        self.emitted.append(row.event)

    def undo(self) -> None:
        """Forget what was emitted and told: its rows were undone."""
        self.emitted.clear()
        self._told.clear()
        self.seq = 0

    def note(self, action: str, subject: str, data: dict[str, Any] | None = None) -> None:
        """Write an entry of the audit log."""
        auditlog.append(
            self.tx,
            caller=self.caller.key,
            staff_id=self.staff_id if self.caller.kind == "device" else self.caller.staff_id,
            action=action,
            subject=subject,
            data=canonical(data or {}),
        )

    def tell(self, notice: Notice) -> None:
        """Have a notice given after the commit, once."""
        if notice not in self._told:
            self._told.add(notice)
            self.tx.notices.append(notice)
