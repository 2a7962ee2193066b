"""The gate: every change passes here, whichever side it comes from.

A request is read into its typed command, screened for card data, then run in the writer's
transaction: repetition check, fence, handler (permission, rule, rows), stored reply.  The answer
leaves after COMMIT.  Queries are answered from a reader.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub import events
from hub.clock import Clock, Ids, uuid7_wall_ms
from hub.contract.base import Command, Live, Outgoing
from hub.contract.payments import GivePaymentUp, ReportPayment
from hub.contract.problems import Code, Problem, Refusal, refuse
from hub.contract.registry import OPERATIONS, Operation
from hub.contract.sale import CommitSale
from hub.service.answers import TOO_BIG, failure_json, success_json
from hub.service.books import Books
from hub.service.caller import Caller
from hub.service.faults import failure_of, fault, refusal_of
from hub.service.incoming import Asked, Read, command_hash, operation_of, read_command
from hub.service.internal import InternalCommand
from hub.service.live import LiveHandler, LiveOperations
from hub.service.ports import Budget, SlowReads, Writer
from hub.service.records import Recorder, TakeTold, same_hash
from hub.service.shop import Shop
from hub.service.unit import Unit
from hub.storage import hubrow, paymentrows, requests
from hub.storage.errors import QueueFull, StorageError
from hub.storage.requests import KnownRequest
from hub.storage.rows import Rows, Tx

log = logging.getLogger(__name__)

KEY_MAX_AGE_MS = requests.KEEP_DAYS * 86_400_000
KEY_MAX_AHEAD_MS = 86_400_000
STRANGE_RECORD = "record.not_ours"
WRITE_SHED_OPERATIONS = frozenset({"sign-out", "abandon", "suspend"})
"""Operations that free something; they are let through while the disk is nearly full."""
MONEY_MOVED = (ReportPayment, GivePaymentUp)
"""So is what tells of a card payment that was begun before: it is written into the reserve."""

Handler = Callable[[Unit, Any], Outgoing]
Reader = Callable[["ReadUnit", Any], Outgoing | str]
"""A query's handler; a result as text is its model's JSON already."""


@dataclass(frozen=True, slots=True)
class ReadUnit:
    """What a query's handler works with."""

    rows: Rows
    caller: Caller
    shop: Shop
    books: Books
    now_ms: int
    budget_ms: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a door hands it over.  ``body`` is JSON bytes; ``key`` the idempotency key;
    ``deadline_s`` the monotonic instant after which it must not be executed any more; ``record``
    what a hub gave with its answer, when the request is offered again."""

    caller: Caller
    service: str
    operation: str
    body: bytes
    key: str | None = None
    deadline_s: float | None = None
    record: str | None = None


@dataclass(slots=True)
class Handlers:
    """The tables of what runs for which command."""

    writes: Mapping[type[Command], Handler]
    reads: Mapping[type[Command], Reader]
    slow_reads: Mapping[type[Command], Reader]
    internal: Mapping[type[Any], Callable[[Unit, Any], Any]]
    before: Mapping[type[Command], Callable[[Gate, Caller, Any], Any]]
    live: Mapping[type[Command], LiveHandler] = field(default_factory=dict)


class Gate:
    """See the module's text.  All methods are called on the event loop."""

    def __init__(
        self,
        *,
        shop: Shop,
        writer: Writer,
        rows: Rows,
        slow: SlowReads,
        handlers: Handlers,
        clock: Clock,
        budget: Budget,
        ids: Ids,
        recorder: Recorder,
    ) -> None:
        self.shop = shop
        self.clock = clock
        self.budget = budget
        self.ids = ids
        self.rows = rows
        self._recorder = recorder
        self._distrusted: set[str] = set()
        self._writer = writer
        self._slow = slow
        self._handlers = handlers
        self.live = LiveOperations(handlers.live)
        self.storage_full = False
        self.watch: Callable[[Request, str, float], None] | None = None
        # One book each: the writer's thread and the loop may see different commits.
        self._write_books = Books(shop.currency)
        self._read_books = Books(shop.currency)

    def begin(self, request: Request) -> str | Awaitable[str]:
        """The reply (JSON of :class:`hub.contract.envelope.Reply`) to one request, if it can be
        given at once; else what gives it, whose failure :meth:`failure` puts into words.

        Never raises for anything the request does.
        """
        try:
            operation = operation_of(request.caller, request.service, request.operation)
            read = read_command(operation, request.body, request.key, request.record)
            return self._dispatch(request.caller, operation, read, request.deadline_s)
        except Exception as error:
            return self.failure(request, error)

    async def answer(self, request: Request) -> str:
        """The reply to one request; never raises for anything the request does."""
        began_s = self.clock.monotonic_s()
        text = await self._answer(request)
        if self.watch is not None:
            self.watch(request, text, self.clock.monotonic_s() - began_s)
        return text

    async def _answer(self, request: Request) -> str:
        reply = self.begin(request)
        if isinstance(reply, str):
            return reply
        try:
            return await reply
        except Exception as error:
            return self.failure(request, error)

    def failure(self, request: Request, error: BaseException) -> str:
        """The reply to a request that came to nothing."""
        if isinstance(error, StorageError):
            self._forget_books(error)
        answer = failure_of(error)
        if answer is None:
            address = f"{request.service}/{request.operation}"
            instance = f"urn:uuid:{self.ids.uuid7()}"
            answer = fault(request.caller.key, address, request.key, error, instance)
        return failure_json(answer)

    async def run(self, caller: Caller, command: Command, key: str | None = None) -> Outgoing:
        """A typed command from inside the process (web page, tests); its typed result.

        Errors: :class:`Refusal`, :class:`DomainError`, :class:`StorageError`.
        """
        operation = OPERATIONS[(command.service, command.operation)]
        key = key or self.ids.uuid7()
        try:
            text = self._dispatch(caller, operation, Read(command, key, None), None)
            reply = json.loads(text if isinstance(text, str) else await text)
        except StorageError as error:
            self._forget_books(error)
            raise
        if not reply["ok"]:
            raise Refusal(Problem.model_validate(reply["problem"]))
        return operation.result.model_validate(reply["result"])

    async def internal(self, caller: Caller, command: InternalCommand) -> Any:
        """A command of the hub's own machinery (sync, housekeeping); the handler's value."""
        handler = self._handlers.internal[type(command)]

        def work(tx: Tx) -> Any:
            return handler(self._unit(tx, caller), command)

        try:
            return await self._writer.submit(work, background=command.background)
        except OverflowError as error:
            self._forget_books(error)
            raise Refusal(TOO_BIG) from None
        except Exception as error:
            self._forget_books(error)
            raise

    def _forget_books(self, error: Exception) -> None:
        """What was read inside a transaction that is gone may never have been true.  Whoever found
        the queue full has read nothing, and the writer has no time to read all of it again."""
        if not isinstance(error, QueueFull):
            self._write_books = Books(self.shop.currency)

    async def read(self, query: Callable[[Rows], Any]) -> Any:
        """A longer read in a reader's thread."""
        return await self._slow.read(query)

    def _dispatch(
        self,
        caller: Caller,
        operation: Operation,
        read: Read,
        deadline_s: float | None,
    ) -> str | Awaitable[str]:
        command, key, record = read
        if operation.is_query:
            return self._query(caller, command)
        if key is None:
            raise refuse(
                Code.VALIDATION,
                "A change needs an idempotency key: user property 'idk', or the field "
                "idempotency_key.",
            )
        body_hash = command_hash(command, self._recorder.keyed)
        told = self._recorder.read(record, caller, key, body_hash) if record else None
        before = self._handlers.before.get(type(command))
        if self.storage_full and not self._is_let_through(command):
            known = requests.find(self.rows, caller.key, key)
            if known is not None and before is None:
                return self._replay(self.rows, known, caller, key, body_hash)
            raise refuse(
                Code.STORAGE_FULL,
                "The hub's disk is nearly full, so nothing new is taken in. Free space on the box.",
            )
        if before is not None:
            return self._write_after(before, caller, command, key, deadline_s)
        strange = bool(record) and told is None and self._is_first_strange(caller)
        return self._write(Asked(caller, command, key, body_hash, deadline_s, told, strange))

    def _is_let_through(self, command: Command) -> bool:
        """Whether it is taken in although the disk is nearly full.  A sale that a customer has
        paid by card already is finished from the reserve."""
        if command.operation in WRITE_SHED_OPERATIONS or isinstance(command, MONEY_MOVED):
            return True
        if not isinstance(command, CommitSale):
            return False
        named = (one.payment_id for one in command.tenders if one.payment_id is not None)
        return any(paymentrows.get(self.rows, one) is not None for one in named)

    def _query(self, caller: Caller, command: Command) -> str | Awaitable[str]:
        handler = self._handlers.reads.get(type(command))
        if handler is not None:
            return success_json(handler(self._read_unit(self.rows, caller), command), 0)
        if isinstance(command, Live):
            return self._live(caller, command)
        return self._slow_query(caller, command)

    async def _live(self, caller: Caller, command: Live) -> str:
        return success_json(await self.live.run(self.rows, caller, self.shop, command), 0)

    async def _slow_query(self, caller: Caller, command: Command) -> str:
        slow = self._handlers.slow_reads[type(command)]
        currency = self.shop.currency
        result = await self._slow.read(
            lambda rows: slow(self._read_unit(rows, caller, Books(currency)), command)
        )
        return success_json(result, 0)

    async def _write_after(
        self,
        before: Callable[[Gate, Caller, Any], Any],
        caller: Caller,
        command: Command,
        key: str,
        deadline_s: float | None,
    ) -> str:
        verified = await before(self, caller, command)
        return await self._write(Asked(caller, verified, key, command_hash(verified), deadline_s))

    def _write(self, asked: Asked) -> Awaitable[str]:
        caller, command, key, body_hash, deadline_s, told, strange = asked
        handler = self._handlers.writes[type(command)]

        def work(tx: Tx) -> str:
            known = requests.find(tx, caller.key, key)
            if known is not None:
                return self._replay(tx, known, caller, key, body_hash)
            if deadline_s is not None and self.clock.monotonic_s() > deadline_s:
                raise refuse(Code.EXPIRED, "The request's time was over before its turn came.")
            unit = self._unit(tx, caller, body_hash)
            unit.check_fence()
            if strange:
                unit.note(STRANGE_RECORD, key)
            if told is not None and self._take(unit, TakeTold(command, told)):
                text = success_json(told.result, unit.seq)
            else:
                self._check_key_age(tx, key)
                text = success_json(handler(unit, command), unit.seq)
            requests.store(tx, caller.key, key, body_hash, text, len(unit.emitted))
            return self._recorder.add(text, caller, key, body_hash, unit.emitted)

        def refused(tx: Tx, error: Exception) -> str:
            answer = refusal_of(error)
            if answer is None:
                raise error
            if strange:
                self._unit(tx, caller).note(STRANGE_RECORD, key)
            text = failure_json(answer)
            if not answer.retryable and answer.code not in _NOT_REMEMBERED:
                requests.store(tx, caller.key, key, body_hash, text)
            return text

        written: Awaitable[str] = self._writer.submit(work, refused=refused)
        return written

    def _take(self, unit: Unit, command: TakeTold) -> bool:
        return bool(self._handlers.internal[TakeTold](unit, command))

    def _is_first_strange(self, caller: Caller) -> bool:
        """Whether a device's record that isn't ours is the first of this run."""
        if caller.key in self._distrusted:
            return False
        self._distrusted.add(caller.key)
        log.warning(
            "%s offers a record that this hub never made: judged as if new",
            caller.key,
            extra=events.RECORD_FOREIGN(device=caller.key),
        )
        return True

    def _replay(
        self, rows: Rows, known: KnownRequest, caller: Caller, key: str, body_hash: bytes
    ) -> str:
        if not same_hash(known.hash, body_hash):
            raise refuse(
                Code.IDEMPOTENCY_MISMATCH,
                "This key was used for another request: make a fresh key for every new request.",
            )
        return self._recorder.add_again(rows, known, caller, key, body_hash)

    def _check_key_age(self, tx: Tx, key: str) -> None:
        """Of a key that isn't known: what was answered is answered so again, whatever is done to
        the clock meanwhile."""
        made_ms = uuid7_wall_ms(key)
        if made_ms is None:
            return
        age_ms = self.clock.wall_ms() - made_ms
        fits = -KEY_MAX_AHEAD_MS <= age_ms <= KEY_MAX_AGE_MS
        # A hub that doesn't trust its own clock can't judge by it; the shop goes on selling.
        if not fits and not hubrow.clock_suspect(tx):
            raise refuse(
                Code.IDEMPOTENCY_EXPIRED,
                "By its time this key was made more than 30 days ago, or tomorrow: set the "
                "device's clock (hub/state tells the time), then use a fresh key. If this is a "
                "repeat of an old sale, ask for the sale by its id first.",
            )

    def _unit(self, tx: Tx, caller: Caller, body_hash: bytes = b"") -> Unit:
        return Unit(tx, caller, self.shop, self._write_books, self.ids, body_hash)

    def _read_unit(self, rows: Rows, caller: Caller, books: Books | None = None) -> ReadUnit:
        return ReadUnit(
            rows,
            caller,
            self.shop,
            books or self._read_books,
            self.clock.wall_ms(),
            self.budget.budget_ms(),
        )


_NOT_REMEMBERED = frozenset(
    {Code.SUPERSEDED, Code.EXPIRED, Code.IDEMPOTENCY_MISMATCH, Code.IDEMPOTENCY_EXPIRED}
)
"""Refusals that say nothing about the request itself; under a key that is taken nothing is kept."""

__all__ = ["Gate", "Handlers", "QueueFull", "ReadUnit", "Request", "command_hash"]
