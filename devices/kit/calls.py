"""One request until its final answer: sent, repeated with the same key, refused or given up."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from devices.kit.backoff import Backoff
from devices.kit.codec import BODY_BYTES_MAX, read_reply
from devices.kit.errors import LinkLost, TooMuch, Unanswered
from devices.kit.link import NOBODY_LISTENS, Message
from devices.kit.session import Session
from hub.clock import Ids, Randomness
from hub.contract.envelope import Reply
from hub.contract.problems import Code, Problem

_log = logging.getLogger(__name__)

EXPIRY_S = 10
"""A request older than this is dropped by the broker or answered ``expired``, never executed."""
ATTEMPT_S = 5.0
_PAUSE_BASE_S = 0.1
_PAUSE_CAP_S = 10.0
_KICK_S = 0.5
_RETRY_AFTER_CAP_S = 60.0
_DENIED = 0x80


@dataclass(slots=True)
class Call:
    """A request under way; ``cause`` and ``problem`` are what was last seen of it."""

    service: str
    operation: str
    body: bytes
    key: str | None
    correlation: str
    stubborn: frozenset[Code] = frozenset()
    record: str | None = None
    yields: bool = False
    cause: str = "the link is down"
    problem: Problem | None = None
    tries: int = 0
    rests: bool = False
    reply: asyncio.Future[Reply] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def wants_repeat(self, problem: Problem) -> bool:
        """``expired`` was not executed; a ``stubborn`` code is outlived, not accepted; a call that
        ``yields`` lets others go first when it has to wait for another device."""
        if self.yields and waits_for_another(problem):
            return False
        return problem.retryable or problem.code is Code.EXPIRED or problem.code in self.stubborn


class Calls:
    """The requests under way on one session, by their correlation."""

    def __init__(self, session: Session, *, ids: Ids, randomness: Randomness) -> None:
        self._session = session
        self._ids = ids
        self._randomness = randomness
        self._calls: dict[str, Call] = {}
        self._kick: asyncio.Future[None] | None = None
        self.repeats = 0

    async def ask(
        self,
        service: str,
        operation: str,
        body: bytes,
        key: str | None,
        *,
        timeout_s: float | None,
        stubborn: frozenset[Code] = frozenset(),
        record: str | None = None,
        yields: bool = False,
    ) -> Reply:
        """The first final reply (yes, or a refusal that a repeat can't change).

        ``record`` goes with the request if the two fit into one message.  ``timeout_s`` None means
        for ever.  Raises Unanswered.
        """
        call = Call(service, operation, body, key, self._ids.uuid7(), stubborn)
        call.yields = yields
        call.record = with_record(body, record)
        self._calls[call.correlation] = call
        try:
            async with asyncio.timeout(timeout_s):
                return await self._until_final(call)
        except TimeoutError as error:
            raise Unanswered(key, call.cause, call.problem) from error
        finally:
            del self._calls[call.correlation]

    def heard(self, message: Message) -> bool:
        """Give a message on ``rep`` to the call it answers; False when there is none (a late or
        second answer: harmless)."""
        reply = read_reply(message.payload)
        correlation = message.correlation or (reply.correlation if reply else None)
        call = self._calls.get(correlation or "")
        if call is None:
            return False
        if reply is None or not (reply.ok or reply.problem):
            call.cause = "the hub's answer can't be read"
            _log.warning("an answer to %s/%s can't be read", call.service, call.operation)
        elif call.rests and reply.problem is not None and call.wants_repeat(reply.problem):
            pass  # told twice to come later: no reason to come sooner
        elif not call.reply.done():
            call.reply.set_result(reply)
        return True

    def kick(self) -> None:
        """The hub is back: repeat soon instead of sitting out a long pause."""
        if self._kick is not None and not self._kick.done():
            self._kick.set_result(None)

    async def _until_final(self, call: Call) -> Reply:
        pause = Backoff(self._randomness, base_s=_PAUSE_BASE_S, cap_s=_PAUSE_CAP_S)
        while True:
            await self._attempt(call)
            floor_s = 0.0
            if call.reply.done():
                reply = call.reply.result()
                if reply.ok or reply.problem is None or not call.wants_repeat(reply.problem):
                    return reply
                call.problem, call.cause = reply.problem, str(reply.problem.code)
                call.reply = asyncio.get_running_loop().create_future()
                floor_s = min((reply.problem.retry_after_ms or 0) / 1000, _RETRY_AFTER_CAP_S)
            self.repeats += 1
            await self._rest(call, pause.next_s(floor_s), kickable=floor_s == 0.0)

    async def _attempt(self, call: Call) -> None:
        """Send once and wait for the answer, a setback, or the end of patience."""
        link = await self._session.link()
        call.tries += 1
        device_id = self._session.identity.device_id
        topic = self._session.topics.request(device_id, call.service, call.operation)
        try:
            ack = link.publish(
                topic,
                call.body,
                correlation=call.correlation,
                key=call.key,
                expiry_s=EXPIRY_S,
                record=call.record,
            )
        except (LinkLost, TooMuch) as error:
            call.cause = str(error)
            return
        if call.tries == 1:  # what an earlier try saw says more, until this one has seen something
            call.cause = "the hub does not answer"
        setback = asyncio.create_task(_setback(ack))
        try:
            watched: set[asyncio.Future[Any]] = {call.reply, link.closed, setback}
            await asyncio.wait(watched, timeout=ATTEMPT_S, return_when=asyncio.FIRST_COMPLETED)
            if link.closed.done():
                call.cause = "the link was lost"
            elif setback.done():
                call.cause = setback.result()
            elif not call.reply.done():
                call.cause = "the hub does not answer"
        finally:
            setback.cancel()

    async def _rest(self, call: Call, pause_s: float, *, kickable: bool) -> None:
        """A pause that a final answer ends at once, and the hub's return soon."""
        call.rests = True
        try:
            await self._pause(call, pause_s, kickable=kickable)
        finally:
            call.rests = False

    async def _pause(self, call: Call, pause_s: float, *, kickable: bool) -> None:
        watched: set[asyncio.Future[Any]] = {call.reply}
        kick = self._next_kick() if kickable else None
        if kick is not None:
            watched.add(kick)
        await asyncio.wait(watched, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
        if kick is not None and kick.done() and not call.reply.done():
            soon_s = self._randomness.uniform(0, _KICK_S)
            await asyncio.wait({call.reply}, timeout=soon_s)

    def _next_kick(self) -> asyncio.Future[None]:
        if self._kick is None or self._kick.done():
            self._kick = asyncio.get_running_loop().create_future()
        return self._kick


def with_record(body: bytes, record: str | None) -> str | None:
    """The record if it fits into one message with its request."""
    fits = record is not None and len(body) + len(record) <= BODY_BYTES_MAX
    return record if fits else None


def waits_for_another(problem: Problem) -> bool:
    """Whether a request that is offered again builds on what another device has yet to tell."""
    return problem.code is Code.BUSY and "waits_for" in problem.context


async def _setback(ack: asyncio.Future[int]) -> str:
    """Ends only when the broker says that this message reaches nobody."""
    try:
        reason = await asyncio.shield(ack)
    except LinkLost as error:
        return str(error)
    if reason == NOBODY_LISTENS:
        return "no hub listens"
    if reason >= _DENIED:
        return f"the broker refuses the request (reason 0x{reason:02x})"
    await asyncio.get_running_loop().create_future()
    raise AssertionError("a future that nobody resolves was resolved")
