"""A device's side of the hub: requests, durable requests, facts, notices and commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from devices.kit.calls import Calls
from devices.kit.codec import (
    encode,
    holds_secrets,
    operation_of,
    read_reply,
    read_result,
    refuse_cards,
)
from devices.kit.commands import Commands
from devices.kit.courier import Courier, Settled, refuse_if
from devices.kit.errors import BadAnswer, KitError, TooMuch, Unanswered
from devices.kit.hubtime import HubClock
from devices.kit.identity import IdentityStore
from devices.kit.journal import Journal, JournalBounds
from devices.kit.keeping import Keeping
from devices.kit.lending import Kick, Lending, Look, Print, PrintMemory
from devices.kit.link import Message
from devices.kit.pairing import renew
from devices.kit.scans import Scans, resolve
from devices.kit.session import Connect, Session
from hub.clock import Clock, Ids, Randomness, SystemClock, SystemIds, SystemRandomness
from hub.contract import keeping, lending
from hub.contract.base import Command, Outgoing
from hub.contract.conditions import CONDITIONS, Condition
from hub.contract.envelope import Broadcast, DeviceMeta, HubMode, HubState
from hub.contract.scans import SCAN_COMMAND, Scan, ScanResolved

_log = logging.getLogger(__name__)

R = TypeVar("R", bound=Outgoing)

JOURNAL_FILE = "journal"
PRINTS_FILE = "lent-prints"
PAYMENTS_FILE = "kept-payments"
_RENEWAL_CHECK_S = 3600.0
_LISTENERS_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientBounds:
    """``concurrent`` requests are under way at once, ``waiting`` more may wait their turn."""

    concurrent: int = 16
    waiting: int = 256
    journal: JournalBounds = field(default_factory=JournalBounds)


class HubClient:
    """One paired device's client.  Use it as an async context manager::

        async with HubClient(IdentityStore(folder), DeviceMeta(kind="till")) as hub:
            product = await hub.request(LookUp(code="4006381333931"), ProductView)
            done = await hub.submit(CommitSale(...), SaleDone)

    Everything happens on the event loop it was entered on.  ``hub`` is the hub's last known state
    (None until it was heard), ``ids`` makes UUIDv7s in the hub's time.  ``connect`` takes the place
    of MQTT over TLS.
    """

    def __init__(
        self,
        store: IdentityStore,
        meta: DeviceMeta,
        *,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        bounds: ClientBounds | None = None,
        connect: Connect | None = None,
    ) -> None:
        self._connect = connect
        self._store = store
        self._meta = meta
        self._bounds = bounds or ClientBounds()
        self._randomness = randomness or SystemRandomness()
        self.clock = HubClock(clock or SystemClock())
        self.ids: Ids = SystemIds(self.clock, self._randomness)
        self.hub: HubState | None = None
        self._turns = asyncio.Semaphore(self._bounds.concurrent)
        self._in_line = 0
        self._settled: list[Callable[[Settled], None]] = []
        self._notices: list[Callable[[str, Broadcast], None]] = []
        self._states: list[Callable[[HubState], None]] = []
        self._scans = Scans(self.clock)
        self._lending: Lending | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        identity = self._store.load()
        self.device_id = identity.device_id
        self.session = Session(
            self._store,
            self._meta,
            self._on_message,
            clock=self.clock,
            ids=self.ids,
            randomness=self._randomness,
            connect=self._connect,
        )
        self.journal = await Journal.open(
            self.journal_path,
            owner=f"{identity.store}/{identity.device_id}",
            journal_id=self.ids.uuid7(),
            bounds=self._bounds.journal,
        )
        self._calls = Calls(self.session, ids=self.ids, randomness=self._randomness)
        self._courier = Courier(
            self.journal,
            self._calls,
            self.session,
            clock=self.clock,
            ids=self.ids,
            randomness=self._randomness,
            on_settled=self._tell_settled,
        )
        self._commands = Commands(self.session)
        jobs = (self.session.run(), self._courier.run(), self._keep_certificate())
        self._tasks = [asyncio.create_task(job) for job in jobs]
        for task in self._tasks:
            task.add_done_callback(_note_end)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in reversed(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        await self._commands.close()
        if self._lending is not None:
            await self._lending.close()
        await self.journal.close()

    @property
    def journal_path(self) -> Path:
        return self._store.folder / JOURNAL_FILE

    @property
    def connected(self) -> bool:
        """Whether the broker is reached; whether a hub listens is ``hub.mode``."""
        return self.session.connected

    @property
    def repeats(self) -> int:
        """How often a request was sent again, since the start."""
        return self._calls.repeats

    @property
    def offered_again(self) -> int:
        """How many answered requests another incarnation was told again, since the start."""
        return self._courier.offered_again

    def new_key(self) -> str:
        """An idempotency key: a UUIDv7 in the hub's time."""
        return self.ids.uuid7()

    async def request(
        self,
        command: Command,
        expected: type[R],
        *,
        key: str | None = None,
        timeout_s: float = 30.0,
        until_answered: bool = False,
    ) -> R:
        """Ask, repeat with the same key until there is a final answer, and return its result.

        ``expected`` is the operation's result model (see ``hub.contract.registry``).  Without
        ``key`` a new one is made; give the one from :class:`Unanswered` to repeat a request.
        Raises Refused, Unanswered after ``timeout_s`` (never, with ``until_answered``), TooMuch
        when too many requests wait already, BadAnswer.  Card data is refused on this device, before
        anything is sent or written, here and in what follows.
        """
        row = operation_of(command)
        _check_expected(row.result, expected)
        if key is None and not row.is_query:
            key = self.new_key()
        refuse_cards(command)
        body = encode(command)
        deadline_s = None if until_answered else timeout_s
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with self._turn(key, deadline_s):
            left_s = None if deadline_s is None else deadline_s - (loop.time() - began_s)
            reply = await self._calls.ask(*row.address, body, key, timeout_s=left_s)
        return read_result(refuse_if(reply).result, expected)

    async def submit(self, command: Command, expected: type[R], *, key: str | None = None) -> R:
        """A request that must be answered: a sale, a return, a void, goods received.

        It is on disk before it is sent, survives restarts of this device, is sent until answered
        and kept until the hub has it elsewhere too.  Cancelling stops only the waiting.  Raises
        Refused, JournalFull, JournalBroken, BadAnswer; ValueError for a command with a PIN.
        """
        row = operation_of(command)
        _check_expected(row.result, expected)
        if row.is_query or holds_secrets(command):
            raise ValueError(f"{type(command).__name__} is not for the journal: use request()")
        refuse_cards(command)
        body = encode(command).decode()
        reply = await self._courier.submit(key or self.new_key(), *row.address, body)
        return read_result(refuse_if(reply).result, expected)

    async def fact(self, kind: str, data: dict[str, Any]) -> str:
        """Tell that something happened here; returns its id once it is on disk.

        It reaches the hub sooner or later, in order.  Raises TooMuch for one that is larger than
        the contract's messages, JournalFull, JournalBroken.
        """
        refuse_cards(data)
        return await self._courier.fact(kind, data)

    def tell_conditions(self, conditions: Iterable[Condition]) -> None:
        """Tell what is the matter with what is attached to this device, all of it: an empty list
        when all is well.  It is said at once and again with every connection; the page shows it.
        Raises ValueError for a key that isn't one of ``hub.contract.conditions``.
        """
        told = tuple(conditions)
        if strange := [one for one in told if one not in CONDITIONS]:
            raise ValueError(f"no such condition: {', '.join(strange)}; {', '.join(CONDITIONS)}")
        self.session.tell_conditions(tuple(one for one in CONDITIONS if one in told))

    def on_settled(self, listener: Callable[[Settled], None]) -> None:
        """Be told of every journalled request's final answer, also of those from before a
        restart."""
        _add(self._settled, listener)

    def on_notice(self, listener: Callable[[str, Broadcast], None]) -> None:
        """Be told of broadcasts: the topic's name (``stock``, ``prices``…) and the notice."""
        _add(self._notices, listener)

    def on_hub(self, listener: Callable[[HubState], None]) -> None:
        """Be told of the hub's state whenever it is heard."""
        _add(self._states, listener)

    def on_command(
        self, operation: str, handler: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
    ) -> None:
        """Answer the hub's commands ``cmd/{operation}``; what the handler returns is the result."""
        self._commands.handle(operation, handler)

    def on_scan(self, listener: Callable[[Scan], None]) -> None:
        """Be told of each code that a scanner at the hub reads for this device, in order, with its
        product or why there is none.  The listener must not block."""
        _add(self._scans.listeners, listener)

    async def scanned(self, code: str, aim: str = "", *, timeout_s: float = 10.0) -> ScanResolved:
        """What a code of this device's own scanner is (without suffix; ``aim``: its AIM identifier,
        e.g. ``]C1``).  One that comes to nothing is told to the shop, too.  Raises as
        :meth:`request`."""
        return await resolve(self, code, aim, timeout_s)

    def lend_printer(self, print_: Print, *, look: Look, kick: Kick | None = None) -> None:
        """Let the hub print here: ``print_`` gets ESC/POS bytes and says how that ended, ``look``
        how the printer is, ``kick`` opens its drawer (pin, milliseconds).

        Each document is printed once, also over a restart of this device.  The meta of the device
        should name ``hub.contract.lending.CAPABILITY``.
        """
        if self._lending is not None:
            raise ValueError("this device lends its printer already")
        memory = PrintMemory(self._store.folder / PRINTS_FILE)
        self._lending = lent = Lending(memory, print_, look, kick)
        self._commands.handle(lending.PRINT, lent.on_print)
        self._commands.handle(lending.LOOK, lent.on_look)
        self._commands.handle(lending.KICK, lent.on_kick)

    def keep_payments(self) -> None:
        """Keep copies of stored payments for the hub; a lost box then loses none of them.  The meta
        of the device should name ``hub.contract.keeping.CAPABILITY``."""
        kept = Keeping(self._store.folder / PAYMENTS_FILE)
        self._commands.handle(keeping.KEEP, kept.on_keep)
        self._commands.handle(keeping.DROP, kept.on_drop)
        self._commands.handle(keeping.RETURN, kept.on_return)

    # -- inside --------------------------------------------------------------------------------

    @asynccontextmanager
    async def _turn(self, key: str | None, timeout_s: float | None) -> AsyncIterator[None]:
        if self._in_line >= self._bounds.waiting:
            raise TooMuch(f"{self._in_line} requests wait already: wait for their answers")
        self._in_line += 1
        try:
            async with asyncio.timeout(timeout_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Unanswered(key, "other requests of this device were first") from error
        finally:
            self._in_line -= 1
        try:
            yield
        finally:
            self._turns.release()

    def _on_message(self, message: Message) -> None:
        """One bad message or listener must not end the link."""
        try:
            self._dispatch(message)
        except Exception:
            _log.exception("a message on %s could not be handled", message.topic)

    def _dispatch(self, message: Message) -> None:
        topics, topic = self.session.topics, message.topic
        if topic == topics.reply(self.device_id):
            self._on_reply(message)
        elif topic == topics.hub_state:
            self._on_hub_state(message)
        elif (command := topics.parse_command(topic)) is not None:
            if command.operation == SCAN_COMMAND:
                self._scans.heard(message.payload)
            else:
                self._commands.heard(command.operation, message)
        elif topic.startswith(bcast := topics.broadcast("x")[:-1]):
            notice = Broadcast.model_validate_json(message.payload)
            for listener in self._notices:
                listener(topic.removeprefix(bcast), notice)

    def _on_reply(self, message: Message) -> None:
        if self._calls.heard(message):
            return
        reply = read_reply(message.payload)
        if reply is not None:
            correlation = message.correlation or reply.correlation or ""
            self._courier.fact_answered(correlation, reply)

    def _on_hub_state(self, message: Message) -> None:
        try:
            state = HubState.model_validate_json(message.payload)
        except ValidationError as error:
            _log.warning("the hub's state can't be read: %s", error.error_count())
            return
        known, self.hub = self.hub, state
        if state.mode is not HubMode.AWAY:
            self.clock.heard(state.time_ms, retained=message.retained)
            if known is None or (known.session, known.mode) != (state.session, state.mode):
                self._calls.kick()
            if known is None or known.session != state.session:
                self.session.restate()
        self._courier.hub_changed(state)
        for listener in self._states:
            listener(state)

    def _tell_settled(self, settled: Settled) -> None:
        for listener in self._settled:
            try:
                listener(settled)
            except Exception:
                _log.exception("a listener failed on %s", settled.key)

    async def _keep_certificate(self) -> None:
        """Renew when less than a third of its life is left; try again every hour."""
        while True:
            if self.session.identity.renewal_due(self.clock.wall_ms()):
                try:
                    await renew(self._store)
                    await self.session.renewed("the certificate was renewed")
                except (KitError, OSError) as error:
                    _log.warning("the certificate could not be renewed: %s", error)
            await asyncio.sleep(_RENEWAL_CHECK_S + self._randomness.uniform(0, 60))


def _check_expected(result: type[Outgoing], expected: type[Outgoing]) -> None:
    if not issubclass(result, expected):
        raise BadAnswer(f"this operation answers {result.__name__}, not {expected.__name__}")


def _add(listeners: list[Any], listener: Any) -> None:
    if len(listeners) >= _LISTENERS_MAX:
        raise TooMuch(f"{_LISTENERS_MAX} listeners are there already")
    listeners.append(listener)


def _note_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("a part of the device's client ended: %r", error, exc_info=error)
