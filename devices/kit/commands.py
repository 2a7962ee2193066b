"""What the hub asks of this device: ``cmd/{operation}``, answered on ``cmd-rep``."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError

from devices.kit.errors import KitError
from devices.kit.link import Message
from devices.kit.session import Session
from hub.contract.envelope import DeviceCommand, Reply
from hub.contract.problems import Code, Refusal, problem

_log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

_REMEMBERED = 256
_AT_ONCE = 16


class Commands:
    """Runs each command once: a repeat gets the answer of the first (the last 256 are remembered).

    Beyond 16 at once the answer is ``busy``, also to a repeat of the same command.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._handlers: dict[str, Handler] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._answers: OrderedDict[str, bytes] = OrderedDict()

    def handle(self, operation: str, handler: Handler) -> None:
        self._handlers[operation] = handler

    def heard(self, operation: str, message: Message) -> None:
        try:
            command = DeviceCommand.model_validate_json(message.payload)
        except ValidationError as error:
            _log.warning("a command of the hub can't be read: %d errors", error.error_count())
            return
        if command.command_id in self._running:
            return
        known = self._answers.get(command.command_id)
        if known is not None:
            self._send(command.command_id, known)
        elif len(self._running) >= _AT_ONCE:
            busy = problem(Code.BUSY, "This device has enough to do.", retry_after_ms=1000)
            self._answer(command.command_id, _body(command.command_id, problem=busy))
        else:
            task = asyncio.create_task(self._run(operation, command))
            self._running[command.command_id] = task
            task.add_done_callback(lambda _: self._running.pop(command.command_id, None))

    async def close(self) -> None:
        """End what still runs."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, operation: str, command: DeviceCommand) -> None:
        command_id = command.command_id
        handler = self._handlers.get(operation)
        if handler is None:
            unknown = problem(Code.NOT_FOUND, f"This device has no command {operation!r}.")
            answer = _body(command_id, problem=unknown)
        else:
            try:
                answer = _body(command_id, ok=True, result=await handler(command.data))
            except Refusal as refusal:
                answer = _body(command_id, problem=refusal.problem)
            except Exception:
                _log.exception("the command %s failed", operation)
                failed = problem(
                    Code.UNAVAILABLE, f"{operation!r} failed on the device; see its log."
                )
                answer = _body(command_id, problem=failed)
        self._answer(command_id, answer)

    def _answer(self, command_id: str, answer: bytes) -> None:
        """Once and for all: the hub may have acted upon it before a repeat comes."""
        self._answers[command_id] = answer
        while len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        self._send(command_id, answer)

    def _send(self, command_id: str, answer: bytes) -> None:
        topic = self._session.topics.command_reply(self._session.identity.device_id)
        try:
            self._session.publish(topic, answer, correlation=command_id)
        except KitError as error:
            _log.info("the answer to a command has to wait until it is repeated: %s", error)


def _body(command_id: str, *, ok: bool = False, **content: Any) -> bytes:
    return Reply(ok=ok, correlation=command_id, **content).model_dump_json().encode()
