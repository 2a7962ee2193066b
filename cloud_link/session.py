"""HELLO: telling the OMS who this is, and taking over what it answers."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from pydantic import ValidationError

from cloud_link.errors import OmsError, Permanent, Superseded
from cloud_link.http import OmsClient, Session, as_json
from cloud_link.pacing import Pacer
from hub import events
from hub.clock import Ids, Randomness
from hub.contract.oms import Hello, HelloReason, HelloReply, OmsCode
from hub.contract.oms_envelope import Heads
from hub.contract.oms_orders import OpenOrder
from hub.crashpoints import crashpoint
from hub.service.caller import CLOUD
from hub.service.gate import Gate
from hub.service.handlers.cloud import (
    BeginHello,
    EnterFork,
    FinishHello,
    HelloOutcome,
    MarkSuperseded,
    Standing,
    standing,
)

log = logging.getLogger(__name__)

FORK_BYTES = 4
ROUNDS_MAX = 3
NUMBER_MAX = 999_999_999
"""Of an incarnation and an epoch: what fits into the contract's ``source``."""


@dataclass(frozen=True, slots=True)
class Greeted:
    """An open session.  ``recovering``: facts that this database lost have to be fetched first, up
    to ``acked``, and ``open_orders`` taken in again."""

    commands_cursor: str
    recovering: bool
    acked: Heads
    open_orders: tuple[OpenOrder, ...] = ()


class Greeter:
    """Says HELLO.  ``machine_hash`` identifies this box."""

    def __init__(
        self,
        gate: Gate,
        client: OmsClient,
        pacer: Pacer,
        *,
        machine_hash: str,
        ids: Ids,
        randomness: Randomness,
    ) -> None:
        self._gate = gate
        self._client = client
        self._pacer = pacer
        self._machine_hash = machine_hash
        self._ids = ids
        self._randomness = randomness
        self._greeted = False
        self._recovering = False

    async def check_machine(self) -> bool:
        """Fence this database if it belongs to another box; True if it does.

        Called before anything is sold, so that nothing is written under the other's name.
        """
        hub = (await self._standing()).hub
        if hub.machine_hash == self._machine_hash:
            return False
        await self._fork("this database was written by another machine", rehome=False)
        return True

    async def fork_after_reuse(self, why: str) -> None:
        """The OMS has other events in our places: this database is a copy without knowing it."""
        await self._fork(why, rehome=True)

    async def superseded(self) -> None:
        """Another box took over: fence this one."""
        await self._gate.internal(CLOUD, BeginHello(""))
        await self._gate.internal(CLOUD, MarkSuperseded())

    def recovered(self) -> None:
        """What was lost is back: the next HELLO is an ordinary one."""
        self._recovering = False

    async def greet(self) -> Greeted:
        """An open session, whatever it takes; waits while the OMS doesn't answer.

        Errors: :class:`Superseded` (the hub is fenced by then), :class:`Permanent`.
        """
        for _ in range(ROUNDS_MAX):
            hello = await self._hello()
            reply = await self._say(hello)
            if reply is None:
                continue
            if not (0 < reply.incarnation <= NUMBER_MAX and 0 <= reply.epoch <= NUMBER_MAX):
                raise Permanent(
                    "the OMS's answer to HELLO names an incarnation or epoch that is not"
                    f" 1 to {NUMBER_MAX}"
                )
            crashpoint("session.answered")
            outcome: HelloOutcome = await self._gate.internal(CLOUD, FinishHello(hello, reply))
            crashpoint("session.finished")
            if outcome.rolled_back:
                await self._fork("the cloud has newer events of this hub", rehome=True)
                continue
            self._greeted = True
            self._recovering = outcome.recovering
            self._client.session = Session(
                reply.incarnation, reply.session_token, reply.oms_incarnation
            )
            self._client.on_server_time(reply.server_time_ms)
            return Greeted(
                outcome.commands_cursor, outcome.recovering, reply.acked, reply.open_orders
            )
        raise Permanent("the OMS doesn't open a session however it is asked")

    async def _say(self, hello: Hello) -> HelloReply | None:
        """The answer; None when a fresh HELLO has to be made."""
        body = as_json(hello)
        try:
            return await self._pacer.call(
                lambda _: self._client.post("/hub-sessions", body, HelloReply, hello=True)
            )
        except Superseded:
            await self.superseded()
            raise
        except OmsError as error:
            if error.problem is not None and error.problem.code == OmsCode.NONCE_REUSED:
                await self._gate.internal(CLOUD, BeginHello(""))
                return None
            raise

    async def _hello(self) -> Hello:
        """The HELLO that is under way, or a new one, remembered before it is sent."""
        now = await self._standing()
        hub = now.hub
        fresh = Hello(
            hub_id=hub.hub_id,
            nonce=self._ids.uuid7(),
            machine_id_hash=self._machine_hash,
            incarnation=hub.incarnation,
            fork=hub.fork,
            last_seqs=now.last_seqs,
            reason=self._reason(now),
        )
        begun = _parsed(hub.hello_nonce)
        if begun is not None and _same_box(begun, fresh):
            return begun
        await self._gate.internal(CLOUD, BeginHello(fresh.model_dump_json()))
        crashpoint("session.remembered")
        return fresh

    def _reason(self, now: Standing) -> HelloReason:
        if now.hub.fence == "restored" and not self._recovering:
            return "restored" if now.hub.incarnation else "new"
        if now.hub.incarnation == 0:
            return "new"
        return "reconnect" if self._greeted else "start"

    async def _fork(self, why: str, *, rehome: bool) -> None:
        fork = self._randomness.token_bytes(FORK_BYTES).hex()
        self._recovering = False
        moved = await self._gate.internal(CLOUD, EnterFork(fork, self._machine_hash, why, rehome))
        crashpoint("session.forked")
        log.warning(
            "%s: it is fenced until the cloud gives it a new incarnation",
            why,
            extra=events.BOX_FENCED(),
        )
        if moved:
            log.warning("%d unsent events go on under a new source", moved)

    async def _standing(self) -> Standing:
        found: Standing = await self._gate.read(standing)
        return found


def _parsed(text: str | None) -> Hello | None:
    if not text:
        return None
    try:
        return Hello.model_validate_json(text)
    except ValidationError:
        return None


def _same_box(begun: Hello, fresh: Hello) -> bool:
    """A HELLO from before a restore, or of the box this one was copied from, is not repeated.

    ``start`` and ``reconnect`` mean the same to the OMS.
    """
    names = ("hub_id", "machine_id_hash", "incarnation", "fork")
    ordinary = ("start", "reconnect")
    return all(getattr(begun, name) == getattr(fresh, name) for name in names) and (
        begun.reason == fresh.reason or (begun.reason in ordinary and fresh.reason in ordinary)
    )
