"""What a journal's records add up to; pure, so that any history can be tried.

====== ======================================================================================
record meaning
====== ======================================================================================
owner  whose journal this is: store and device
ask    a request that must be answered; written before it is sent
answer the hub's yes, with the incarnation and sequence it was given under, and its record
again  another incarnation is there: the answer doesn't count any more, ask again
doubt  asked again, the hub refused what another incarnation had accepted: a person must look
end    a request is over: refused, or given up by a person
safe   the hub keeps everything of an incarnation up to a sequence elsewhere too
fact   something that happened here
acked  the hub has the fact
====== ======================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

FactId = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """A yes: ``result`` as it came, ``seq`` of ``incarnation``."""

    incarnation: str
    seq: int
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A request that must be answered.

    ``answer`` None: it has to be sent; with ``offered_again`` another incarnation of the hub had
    said yes to it before.  ``doubt`` is the detail of that refusal.  ``record`` is the hub's own
    word on a yes, to be given back when it is offered again.
    """

    key: str
    service: str
    operation: str
    body: str
    at_ms: int
    answer: Answer | None = None
    offered_again: bool = False
    doubt: str | None = None
    record: str | None = None

    @property
    def waits(self) -> bool:
        return self.answer is None and self.doubt is None


@dataclass(frozen=True, slots=True)
class PendingFact:
    """A fact that the hub has not acknowledged; ``body`` is the whole JSON message."""

    journal_id: str
    evt_seq: int
    kind: str
    body: str

    @property
    def id(self) -> FactId:
        return (self.journal_id, self.evt_seq)


class JournalState:
    """Entries and facts in the order in which they were written."""

    def __init__(self) -> None:
        self.owner: str | None = None
        self.entries: dict[str, Entry] = {}
        self.facts: dict[FactId, PendingFact] = {}
        self.new: dict[str, None] = {}
        """Keys to be sent, never answered by any incarnation."""
        self.again: dict[str, None] = {}
        """Keys to be sent that another incarnation had answered."""

    def apply(self, payload: bytes) -> None:
        """Take one record; one that refers to something gone, or of an unknown kind, is nothing."""
        row = json.loads(payload)
        match row["r"]:
            case "owner":
                self.owner = row["owner"]
            case "ask":
                self._ask(row)
            case "answer":
                answer = Answer(row["incarnation"], row["seq"], row["result"])
                self._change(row["key"], answer=answer, doubt=None, **_recorded(row))
            case "again":
                changes = _recorded(row)
                self._change(row["key"], answer=None, doubt=None, offered_again=True, **changes)
            case "doubt":
                self._change(row["key"], answer=None, doubt=row["detail"])
            case "end":
                self._drop(row["key"])
            case "safe":
                for key in self.safe_keys(row["incarnation"], row["safe_seq"]):
                    self._drop(key)
            case "fact":
                fact = PendingFact(row["journal_id"], row["evt_seq"], row["kind"], row["body"])
                self.facts[fact.id] = fact
            case "acked":
                self.facts.pop((row["journal_id"], row["evt_seq"]), None)

    def safe_keys(self, incarnation: str, safe_seq: int) -> list[str]:
        """Entries whose answer is covered."""
        return [
            entry.key
            for entry in self.entries.values()
            if entry.answer is not None
            and entry.answer.incarnation == incarnation
            and entry.answer.seq <= safe_seq
        ]

    def stale_keys(self, incarnation: str) -> list[str]:
        """Entries answered (or doubted) under another incarnation: to be offered again."""
        return [
            entry.key
            for entry in self.entries.values()
            if entry.answer is not None and entry.answer.incarnation != incarnation
        ]

    def snapshot(self) -> Iterator[bytes]:
        """Records that add up to this state, for compaction."""
        if self.owner is not None:
            yield owner_record(self.owner)
        for entry in self.entries.values():
            yield ask_record(entry)
            if entry.offered_again:
                yield again_record(entry.key, entry.record)
            if entry.answer is not None:
                yield answer_record(entry.key, entry.answer, entry.record)
            if entry.doubt is not None:
                yield doubt_record(entry.key, entry.doubt)
        for fact in self.facts.values():
            yield fact_record(fact)

    def _ask(self, row: dict[str, Any]) -> None:
        names = ("key", "service", "operation", "body", "at_ms")
        self._put(Entry(**{name: row[name] for name in names}))

    def _change(self, key: str, **changes: Any) -> None:
        entry = self.entries.get(key)
        if entry is not None:
            self._put(replace(entry, **changes))

    def _put(self, entry: Entry) -> None:
        self.entries[entry.key] = entry
        line = self.again if entry.offered_again else self.new
        if entry.waits:
            line.setdefault(entry.key)
        else:
            line.pop(entry.key, None)
            self.new.pop(entry.key, None)

    def defer(self, key: str) -> None:
        """Put a key that is offered again behind the others."""
        if key in self.again:
            del self.again[key]
            self.again[key] = None

    def _drop(self, key: str) -> None:
        self.entries.pop(key, None)
        self.new.pop(key, None)
        self.again.pop(key, None)


def replay(payloads: Iterable[bytes]) -> JournalState:
    state = JournalState()
    for payload in payloads:
        state.apply(payload)
    return state


def _recorded(row: dict[str, Any]) -> dict[str, str]:
    """The change of ``record``; an answer without one leaves the older one as it is."""
    return {"record": row["record"]} if row.get("record") else {}


def owner_record(owner: str) -> bytes:
    return _record("owner", owner=owner)


def ask_record(entry: Entry) -> bytes:
    return _record(
        "ask",
        key=entry.key,
        service=entry.service,
        operation=entry.operation,
        body=entry.body,
        at_ms=entry.at_ms,
    )


def answer_record(key: str, answer: Answer, record: str | None = None) -> bytes:
    more = {} if record is None else {"record": record}
    return _record(
        "answer",
        key=key,
        incarnation=answer.incarnation,
        seq=answer.seq,
        result=answer.result,
        **more,
    )


def again_record(key: str, record: str | None = None) -> bytes:
    return _record("again", key=key, **({} if record is None else {"record": record}))


def doubt_record(key: str, detail: str) -> bytes:
    return _record("doubt", key=key, detail=detail)


def end_record(key: str) -> bytes:
    return _record("end", key=key)


def safe_record(incarnation: str, safe_seq: int) -> bytes:
    return _record("safe", incarnation=incarnation, safe_seq=safe_seq)


def fact_record(fact: PendingFact) -> bytes:
    return _record(
        "fact",
        journal_id=fact.journal_id,
        evt_seq=fact.evt_seq,
        kind=fact.kind,
        body=fact.body,
    )


def acked_record(fact_id: FactId) -> bytes:
    return _record("acked", journal_id=fact_id[0], evt_seq=fact_id[1])


def _record(what: str, /, **fields: Any) -> bytes:
    return json.dumps({"r": what, **fields}, ensure_ascii=False, separators=(",", ":")).encode()
