"""From the broker to the gate and back: requests, facts, and what devices say of themselves."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from functools import lru_cache, partial
from typing import Any

from pydantic import ValidationError

from hub import events
from hub.clock import Clock
from hub.contract.base import CONTRACT_VERSION, MAX_MESSAGE_BYTES
from hub.contract.envelope import DeviceMeta, DevicePresence, DeviceState, Fact
from hub.contract.problems import Code, Problem, Refusal, problem
from hub.contract.topics import (
    CommandReplyTopic,
    FactTopic,
    MetaTopic,
    RequestTopic,
    StateTopic,
    Topics,
    is_device_id,
)
from hub.domain import cards
from hub.domain.errors import DomainError
from hub.mqtt.bodies import body_correlation
from hub.mqtt.frames import InboundProperties
from hub.mqtt.session import MessageTooLarge, PublishRefused
from hub.mqtt.traffic import TrafficLog
from hub.observe.tracer import Stages
from hub.service.answers import (
    failure_json,
    from_domain,
    from_storage,
    from_validation,
    outcome_of,
    seq_of,
    without_record,
)
from hub.service.caller import HUB, Caller, CallerKind
from hub.service.gate import Gate, Request
from hub.service.internal import InternalCommand, MarkMeta, MarkPresence, TakeFact
from hub.service.screening import is_card_id
from hub.storage.errors import StorageError

log = logging.getLogger(__name__)

IN_FLIGHT_MAX = 2000
IN_FLIGHT_PER_DEVICE = 64
"""Beyond either, requests and facts are answered ``busy`` at once; no device takes the places of
the others."""
SPARE = 8
"""What a device says of itself still finds a place behind its own requests; beyond, it is lost."""
LEFTOVERS_S = 10.0
TOPICS_MAX = 2048
SHORT_TOPIC_CHARS = 200
"""Longer ones are nobody's habit, and not worth remembering."""
BUSY = failure_json(
    problem(Code.BUSY, "Too many requests are under way: repeat shortly.", retry_after_ms=500)
)
TOO_LARGE = failure_json(
    problem(Code.TOO_LARGE, "The answer is too large for one message: ask for less at a time.")
)
UNKNOWN_DEVICE = failure_json(
    problem(Code.UNAUTHENTICATED, "This device is not paired with this hub (any more): pair it.")
)
OTHER_CONTRACT = failure_json(
    problem(
        Code.UNSUPPORTED_CONTRACT,
        f"This hub speaks contract {CONTRACT_VERSION}; the device's meta names other versions. "
        "Update the device or the hub.",
    )
)

Publish = Callable[..., None]
Trace = Callable[[Request, str, Stages], None]
"""Told of every answered request; it must be quick."""


class Router:
    """Takes messages of devices; each is answered on the topic of its authenticated sender.

    ``paired`` is kept by the composition root: ids that may speak (the broker checks them too).
    """

    def __init__(self, gate: Gate, topics: Topics, clock: Clock, publish: Publish) -> None:
        self._gate = gate
        self._topics = topics
        self._clock = clock
        self._publish = publish
        self._tasks: dict[asyncio.Future[Any], None] = {}  # in order, unlike a set
        self._per_device: Counter[str] = Counter()
        self._other_contract: set[str] = set()
        # Devices speak on few topics, again and again.
        self._where = lru_cache(TOPICS_MAX)(topics.parse)
        self._reply_topic = lru_cache(TOPICS_MAX)(topics.reply)
        self._caller = lru_cache(TOPICS_MAX)(partial(Caller, CallerKind.DEVICE))
        self.paired: frozenset[str] = frozenset()
        self.answered = 0
        self.traffic = TrafficLog(clock)
        self.trace: Trace | None = None
        self.on_command_reply: Callable[[str, bytes], None] = lambda device, payload: None

    def on_message(self, topic: str, payload: bytes, properties: InboundProperties) -> None:
        """Take one message; never blocks."""
        short = len(topic) <= SHORT_TOPIC_CHARS
        where = self._where(topic) if short else self._topics.parse(topic)
        match where:
            case RequestTopic() if not properties.retain:
                self._take_request(where, payload, properties)
            case FactTopic() if not properties.retain:
                began_s = self.traffic.now_s()
                if not self._start(self._take_fact(where, payload, began_s), where.device):
                    self._reply(where.device, BUSY, properties.correlation)
            case StateTopic() if not properties.retain:
                self._start(self._take_state(where.device, payload), where.device, SPARE)
            case CommandReplyTopic() if not properties.retain and where.device in self.paired:
                self.on_command_reply(where.device, payload)
            case MetaTopic():
                meta = self._read_meta(where.device, payload)
                if meta is not None:
                    self._start(self._keep_meta(where.device, meta), where.device, SPARE)
            case _:
                return

    async def stop(self) -> None:
        """Let what is under way end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEFTOVERS_S)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _has_room(self, device: str, spare: int = 0) -> bool:
        return (
            self._per_device[device] < IN_FLIGHT_PER_DEVICE + spare
            and len(self._tasks) < IN_FLIGHT_MAX
        )

    def _start(self, work: Coroutine[Any, Any, None], device: str, spare: int = 0) -> bool:
        """False at a bound: nothing was started."""
        if not self._has_room(device, spare):
            work.close()
            return False
        self._keep(asyncio.get_running_loop().create_task(work), device)
        return True

    def _keep(self, task: asyncio.Future[Any], device: str) -> None:
        self._per_device[device] += 1
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._ended(done, device))

    def _ended(self, task: asyncio.Future[Any], device: str) -> None:
        self._tasks.pop(task, None)
        self._per_device[device] -= 1
        if not self._per_device[device]:
            del self._per_device[device]

    def _take_request(
        self, where: RequestTopic, payload: bytes, properties: InboundProperties
    ) -> None:
        """Queries are answered on the spot; a change's answer is sent when its future is done:
        neither needs a task of its own."""
        device = where.device
        correlation = properties.correlation
        echoed = body_correlation(payload) if correlation is None else None
        began_s = self.traffic.now_s()
        stages = [began_s]

        def reply_with(text: str) -> None:
            sent = self._reply(device, text, correlation, echoed)
            what = (where.service, where.operation)
            self.traffic.note(device, "request", what, text, (len(payload), sent), began_s)
            if self.trace is not None:
                self.trace(request, text, Stages(*stages))
            if log.isEnabledFor(logging.DEBUG):
                _log_answer(where, properties.idk, text, self.traffic.now_s() - began_s)

        if device not in self.paired:
            if is_device_id(device):  # else there is no topic to answer on
                self._reply(device, UNKNOWN_DEVICE, correlation, echoed)
            return
        request = self._request(where, payload, properties)
        if device in self._other_contract:
            reply_with(OTHER_CONTRACT)
            return
        if not self._has_room(device):
            reply_with(BUSY)
            return
        reply = self._gate.begin(request)
        if self.trace is not None:
            stages.append(self.traffic.now_s())
        if isinstance(reply, str):
            self.answered += 1
            reply_with(reply)
        else:
            self._answer_later(request, reply, reply_with, stages)

    def _request(
        self, where: RequestTopic, payload: bytes, properties: InboundProperties
    ) -> Request:
        deadline_s = None
        if properties.expiry_s is not None:
            deadline_s = self._clock.monotonic_s() + properties.expiry_s
        return Request(
            caller=self._caller(where.device),
            service=where.service,
            operation=where.operation,
            body=payload,
            key=properties.idk,
            deadline_s=deadline_s,
            record=properties.record,
        )

    def _answer_later(
        self,
        request: Request,
        reply: Awaitable[str],
        reply_with: Callable[[str], None],
        stages: list[float],
    ) -> None:
        def answer(done: asyncio.Future[str]) -> None:
            if done.cancelled():
                return
            if self.trace is not None:
                stages.append(self.traffic.now_s())
            error = done.exception()
            text = done.result() if error is None else self._gate.failure(request, error)
            self.answered += 1
            reply_with(text)

        future = asyncio.ensure_future(reply)
        self._keep(future, request.caller.id)
        future.add_done_callback(answer)

    def _reply(
        self, device: str, text: str, correlation: bytes | None, echoed: str | None = None
    ) -> int:
        """Send an answer; how many bytes.  QoS 0: a device that missed it repeats its request."""
        if sent := self._sent(device, text, correlation, echoed):
            return sent
        shorter = without_record(text)
        if shorter is not None and (sent := self._sent(device, shorter, correlation, echoed)):
            return sent
        return self._sent(device, TOO_LARGE, correlation, echoed)

    def _sent(self, device: str, answer: str, correlation: bytes | None, echoed: str | None) -> int:
        """How many bytes; 0 when it is too large for a message."""
        if echoed is not None:
            answer = f'{answer[:-1]},"correlation":{json.dumps(echoed)}}}'
        payload = answer.encode()
        try:
            self._publish(self._reply_topic(device), payload, correlation=correlation)
        except MessageTooLarge:
            return 0
        except PublishRefused as error:
            log.info("an answer to %s was not sent: %s", device, error)
        return len(payload)

    async def _take_fact(self, where: FactTopic, payload: bytes, began_s: float) -> None:
        device = where.device
        if device not in self.paired:
            if is_device_id(device):
                self._reply(device, UNKNOWN_DEVICE, None)
            return
        correlation, text = None, '{"ok":true,"seq":0,"result":{}}'
        try:
            if len(payload) > MAX_MESSAGE_BYTES:
                raise Refusal(problem(Code.TOO_LARGE, "A fact is at most 256 KiB long."))
            fact = Fact.model_validate_json(payload)
            correlation = f"{fact.journal_id}:{fact.evt_seq}".encode()
            if cards.screen(fact.data) or is_card_id(where.kind):
                raise Refusal(_card_refusal())
            if self._gate.storage_full:  # the device's journal keeps it until there is room
                raise Refusal(problem(Code.STORAGE_FULL, "The hub's disk is nearly full."))
            await self._gate.internal(
                Caller(CallerKind.DEVICE, device),
                TakeFact(
                    device,
                    where.kind,
                    fact.journal_id,
                    fact.evt_seq,
                    fact.occurred_at_ms,
                    _as_json(fact.data),
                ),
            )
        except ValidationError as error:
            text = failure_json(from_validation(error))
        except Refusal as refusal:
            text = failure_json(refusal.problem)
        except DomainError as error:
            text = failure_json(from_domain(error))
        except StorageError as error:
            text = failure_json(from_storage(error))
        echoed = correlation.decode() if correlation else None
        sent = self._reply(device, text, correlation, echoed)
        self.traffic.note(device, "fact", (where.kind, ""), text, (len(payload), sent), began_s)

    async def _take_state(self, device: str, payload: bytes) -> None:
        if device not in self.paired or not payload:
            return
        began_s, outcome = self.traffic.now_s(), "ok"
        try:
            state = DeviceState.model_validate_json(payload)
        except ValidationError as error:
            log.warning("%s wrote a state that is not one: %d faults", device, error.error_count())
            outcome = Code.VALIDATION.value
            state = DeviceState(state=DevicePresence.INIT, session="")
        if is_card_id(state.session):
            log.warning("%s wrote card data into its state; it is not kept", device)
            self._publish(self._topics.state(device), b"", retain=True)  # nor by the broker
            outcome = Code.CARD_DATA_REFUSED.value
            state = state.model_copy(update={"session": ""})
        told = MarkPresence(device, state.state.value, state.session, state.conditions)
        await self._note(device, told)
        what = (state.state.value, "")
        self.traffic.note(device, "state", what, outcome, (len(payload), 0), began_s)

    def _read_meta(self, device: str, payload: bytes) -> DeviceMeta | None:
        """What a device says of itself; whether it is understood here counts from its very next
        message on."""
        if device not in self.paired or not payload:
            return None
        try:
            meta = DeviceMeta.model_validate_json(payload)
        except ValidationError as error:
            log.warning("%s wrote a meta that is not one: %d faults", device, error.error_count())
            self._note_meta(device, Code.VALIDATION.value, payload)
            return None
        oldest, newest = meta.contract
        if oldest <= CONTRACT_VERSION <= newest:
            self._other_contract.discard(device)
        else:
            self._other_contract.add(device)
        self._note_meta(device, "ok", payload)
        return meta

    def _note_meta(self, device: str, outcome: str, payload: bytes) -> None:
        sizes = (len(payload), 0)
        self.traffic.note(device, "meta", ("", ""), outcome, sizes, self.traffic.now_s())

    async def _keep_meta(self, device: str, meta: DeviceMeta) -> None:
        text = meta.model_dump_json()
        if cards.screen(meta.model_dump(mode="json")):
            log.warning("%s wrote card data into its meta; it is not kept", device)
            self._publish(self._topics.meta(device), b"", retain=True)  # nor by the broker
            return
        await self._note(device, MarkMeta(device, meta.model, meta.firmware, text))

    async def _note(self, device: str, command: InternalCommand) -> None:
        try:
            await self._gate.internal(HUB, command)
        except (StorageError, Refusal) as error:
            log.warning("what %s told of itself is not written: %s", device, error)


def _log_answer(where: RequestTopic, key: str | None, text: str, took_s: float) -> None:
    log.debug(
        "%s/%s of %s is answered",
        where.service,
        where.operation,
        where.device,
        extra=events.REQUEST_ANSWERED(
            device=where.device,
            operation=f"{where.service}/{where.operation}",
            correlation=key,
            outcome=outcome_of(text),
            seq=seq_of(text),
            took_ms=int(took_s * 1000),
        ),
    )


def _as_json(data: dict[str, Any]) -> str:
    """Errors: ``validation`` for NaN and Infinity, which the reader takes, but no JSON knows (RFC
    8259, section 6): one of them would spoil all events that are sent with it."""
    try:
        return json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise Refusal(
            problem(Code.VALIDATION, "The fact holds NaN or Infinity: send a number or null.")
        ) from None


def _card_refusal() -> Problem:
    return problem(
        Code.CARD_DATA_REFUSED,
        "The fact holds what looks like card data and is not kept. Never send a card number.",
    )
