"""Delivery of what is journalled: requests until answered and safe, facts until acknowledged.

Two lanes carry requests, each one at a time and in the order of the journal, so that a void never
overtakes its sale: new requests, and those that a restored hub has to be told again.  Offering
again never makes a customer wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devices.kit.backoff import Backoff
from devices.kit.calls import Calls, waits_for_another
from devices.kit.codec import BODY_BYTES_MAX
from devices.kit.errors import JournalError, LinkLost, Refused, TooMuch
from devices.kit.journal import Journal
from devices.kit.journal_state import Answer, Entry, FactId, PendingFact
from devices.kit.session import Session
from hub.clock import Clock, Ids, Randomness
from hub.contract.envelope import Fact, HubMode, HubState, Reply
from hub.contract.problems import Code, Problem

_log = logging.getLogger(__name__)

_FACTS_AT_ONCE = 32
_FACT_PATIENCE_S = 5.0
_EVT_SEQ_MAX = 2**53 - 1
_ROUND_S = 1.0
_GIVE_UP_S = 24 * 3600.0
"""How long a request is offered again that builds on what another device has yet to tell."""
_STUBBORN = frozenset({Code.SUPERSEDED})
"""An old box that was switched on by mistake refuses everything: the right one will not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A journalled request got its final answer.

    ``result`` or ``problem`` is set.  ``offered_again``: another incarnation of the hub had said
    yes before; with a ``problem`` this needs a person, and the request stays in the journal.
    """

    key: str
    service: str
    operation: str
    body: str
    result: dict[str, Any] | None = None
    problem: Problem | None = None
    offered_again: bool = False


class Courier:
    """Works through a journal for as long as :meth:`run` runs."""

    def __init__(
        self,
        journal: Journal,
        calls: Calls,
        session: Session,
        *,
        clock: Clock,
        ids: Ids,
        randomness: Randomness,
        on_settled: Callable[[Settled], None],
    ) -> None:
        self._journal = journal
        self._calls = calls
        self._session = session
        self._clock = clock
        self._ids = ids
        self._on_settled = on_settled
        self._pause = Backoff(randomness, base_s=0.5, cap_s=10.0)
        self._patience = Backoff(randomness, base_s=_ROUND_S, cap_s=60.0)
        self._waiters: dict[str, asyncio.Future[Reply]] = {}
        self._new = asyncio.Event()
        self._again = asyncio.Event()
        self._facts = asyncio.Event()
        self._acks = asyncio.Event()
        self._incarnation = ""
        self.offered_again = 0

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._carry_new())
            lanes.create_task(self._offer_again())
            lanes.create_task(self._post_facts())

    async def submit(self, key: str, service: str, operation: str, body: str) -> Reply:
        """Journal, send until answered, and keep until safe.  Cancelling stops only the waiting.

        The same ``key`` again joins the request already there.  Raises JournalFull, JournalBroken.
        """
        known = self._journal.entry(key)
        if known is not None:
            if (known.service, known.operation, known.body) != (service, operation, body):
                raise ValueError(f"the key {key} belongs to another request in the journal")
            if known.answer is not None:
                return Reply(ok=True, seq=known.answer.seq, result=known.answer.result)
        waiter = self._waiters.setdefault(key, asyncio.get_running_loop().create_future())
        if known is None:
            at_ms = self._clock.wall_ms()
            entry = Entry(key=key, service=service, operation=operation, body=body, at_ms=at_ms)
            try:
                await self._journal.ask(entry)
            except JournalError:
                self._waiters.pop(key, None)
                raise
        self._new.set()
        return await asyncio.shield(waiter)

    async def fact(self, kind: str, data: dict[str, Any]) -> str:
        """Journal something that happened; returns ``journal_id:evt_seq`` once it is on disk.

        Raises TooMuch for one that no hub could be told, JournalFull, JournalBroken.
        """
        told = Fact(
            journal_id=self._journal.journal_id,
            evt_seq=_EVT_SEQ_MAX,
            occurred_at_ms=self._clock.wall_ms(),
            data=data,
        )
        size = len(kind.encode()) + len(told.model_dump_json().encode())
        if size > BODY_BYTES_MAX:  # before it takes a number: no gap is left behind
            raise TooMuch(f"the fact has {size} bytes; {BODY_BYTES_MAX} fit: split it")
        journal_id, evt_seq = self._journal.next_fact_id()
        body = told.model_copy(update={"evt_seq": evt_seq}).model_dump_json()
        await self._journal.add_fact(
            PendingFact(journal_id=journal_id, evt_seq=evt_seq, kind=kind, body=body)
        )
        self._facts.set()
        return f"{journal_id}:{evt_seq}"

    def hub_changed(self, state: HubState) -> None:
        """Forget what is safe; offer again what another incarnation had answered."""
        if state.mode in (HubMode.AWAY, HubMode.SUPERSEDED):
            return
        self._incarnation = state.incarnation
        self._journal.safe(state.incarnation, state.safe_seq)
        stale = self._journal.stale_keys(state.incarnation)
        if stale:
            _log.warning(
                "the hub is another incarnation (%s): %d requests are offered again",
                state.incarnation,
                len(stale),
            )
            self._journal.ask_again(stale)
            self._again.set()

    def fact_answered(self, correlation: str, reply: Reply) -> bool:
        """Take the reply to a fact; False when ``correlation`` names none."""
        journal_id, _, number = correlation.rpartition(":")
        if not journal_id or not number.isascii() or not number.isdigit():
            return False
        if not reply.ok and reply.problem is not None:
            if reply.problem.retryable:
                return True  # posted again after its patience
            expected = reply.problem.context.get("expected")
            if reply.problem.code is Code.CONFLICT and isinstance(expected, int):
                self._close_gap((journal_id, int(number)), (journal_id, expected))
                return True
            _log.error("the hub refuses fact %s: %s", correlation, reply.problem.detail)
        if self._journal.fact_acked((journal_id, int(number))):
            self._acks.set()
        return True

    def _close_gap(self, told: FactId, missing: FactId) -> None:
        """The hub has to take ``missing`` in before ``told``, which comes again with it.  One that
        is not here any more (refused, or taken in by a hub that was restored since) will never
        come: those after it get numbers of their own."""
        if self._journal.has_fact(missing) or not self._journal.has_fact(told):
            return
        moved = self._journal.renumber_facts(told[0], self._ids.uuid7())
        _log.warning("the hub waits for fact %s:%d, which is gone: %d renumbered", *missing, moved)

    # -- lanes ---------------------------------------------------------------------------------

    async def _carry_new(self) -> None:
        while True:
            entry = self._journal.first_new()
            if entry is None:
                self._new.clear()
                await self._new.wait()
            else:
                self._settle(entry.key, await self._ask(entry))

    async def _offer_again(self) -> None:
        """As :meth:`_carry_new`; what has to wait for another device goes behind the others."""
        turned_away: dict[str, float] = {}  # since when
        round_: set[str] = set()
        while True:
            entry = self._journal.first_again()
            if entry is None:
                turned_away.clear()
                round_.clear()
                self._again.clear()
                await self._again.wait()
                continue
            if entry.key in round_:  # so have all the others been
                round_.clear()
                await asyncio.sleep(self._patience.next_s(_ROUND_S))
                continue
            reply = await self._ask(entry)
            if reply.problem is not None and waits_for_another(reply.problem):
                now_s = self._clock.monotonic_s()
                if now_s - turned_away.setdefault(entry.key, now_s) < _GIVE_UP_S:
                    round_.add(entry.key)
                    self._journal.defer(entry.key)
                    continue
            round_.clear()
            self._patience.reset()
            self._settle(entry.key, reply)

    async def _ask(self, entry: Entry) -> Reply:
        return await self._calls.ask(
            entry.service,
            entry.operation,
            entry.body.encode(),
            entry.key,
            timeout_s=None,
            stubborn=_STUBBORN,
            record=entry.record if entry.offered_again else None,
            yields=entry.offered_again,
        )

    def _settle(self, key: str, reply: Reply) -> None:
        entry = self._journal.entry(key)
        if entry is None:
            return
        problem = None if reply.ok else reply.problem
        if problem is None and reply.seq == 0:
            self._journal.end(key)  # nothing of it is kept for ever, so nothing can be lost
        elif problem is None:
            answer = Answer(self._incarnation, reply.seq, reply.result)
            self._journal.answered(key, answer, reply.record)
        elif entry.offered_again:
            _log.error("the hub refuses %s, which it had accepted before: %s", key, problem.detail)
            self._journal.doubt(key, f"{problem.code}: {problem.detail}")
        else:
            self._journal.end(key)
        self.offered_again += entry.offered_again
        waiter = self._waiters.pop(key, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(reply)
        self._on_settled(
            Settled(
                key=key,
                service=entry.service,
                operation=entry.operation,
                body=entry.body,
                result=reply.result,
                problem=problem,
                offered_again=entry.offered_again,
            )
        )

    async def _post_facts(self) -> None:
        while True:
            waiting = self._journal.facts(_FACTS_AT_ONCE)
            if not waiting:
                self._facts.clear()
                await self._facts.wait()
                continue
            batch = self._sendable(waiting)
            link = await self._session.link()
            device_id = self._session.identity.device_id
            try:
                for fact in batch:
                    topic = self._session.topics.fact(device_id, fact.kind)
                    correlation = f"{fact.journal_id}:{fact.evt_seq}"
                    link.publish(topic, fact.body.encode(), correlation=correlation)
            except (LinkLost, TooMuch) as error:
                _log.info("facts have to wait: %s", error)
            if await self._acknowledged(batch):
                self._pause.reset()
            else:
                await asyncio.sleep(self._pause.next_s())

    def _sendable(self, batch: list[PendingFact]) -> list[PendingFact]:
        """Without what an earlier version journalled and no broker takes: it would end each
        connection, and nothing behind it would ever go."""
        sizes = {fact.id: len(fact.body.encode()) for fact in batch}
        for fact in batch:
            if sizes[fact.id] > BODY_BYTES_MAX:
                _log.error(
                    "fact %s:%d (%s) is given up: it has %d bytes, the hub takes %d",
                    *(fact.journal_id, fact.evt_seq, fact.kind),
                    *(sizes[fact.id], BODY_BYTES_MAX),
                )
                self._journal.fact_acked(fact.id)
        return [fact for fact in batch if sizes[fact.id] <= BODY_BYTES_MAX]

    async def _acknowledged(self, batch: list[PendingFact]) -> bool:
        """Whether all of the batch is, within its patience."""
        try:
            async with asyncio.timeout(_FACT_PATIENCE_S):
                while any(self._journal.has_fact(fact.id) for fact in batch):
                    self._acks.clear()
                    await self._acks.wait()
        except TimeoutError:
            return False
        return True


def refuse_if(reply: Reply) -> Reply:
    """The reply if it is a yes; raises Refused."""
    if not reply.ok and reply.problem is not None:
        raise Refused(reply.problem)
    return reply
