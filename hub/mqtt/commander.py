"""What the hub asks of a device, and its answer: ``cmd/{operation}`` and ``cmd-rep``.

A command is sent again with the same id while its answer is awaited: the device answers a repeat
from memory (the contract demands it), so a connection that broke in between costs time only.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from hub.clock import Ids
from hub.contract.envelope import DeviceCommand, Reply
from hub.contract.problems import Problem
from hub.contract.topics import Topics
from hub.domain import cards
from hub.mqtt.session import PublishRefused

log = logging.getLogger(__name__)

OUTSTANDING_MAX: Final = 64
PER_DEVICE_MAX: Final = 8
AGAIN_S: Final = 3.0
"""After so long without an answer a command is sent again, then after twice as long, and so on."""


class CommandError(Exception):
    """Nothing came of a command; the text says what is so and the next step."""


class NotSent(CommandError):
    """Not a byte of it left: the hub is busy, or has no session with its broker."""


class NoAnswer(CommandError):
    """It was sent, and nobody answered in time: whether it was done is not known."""


class Declined(CommandError):
    """The device said no; ``problem`` is its answer."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem


@dataclass(slots=True)
class _Waiting:
    device_id: str
    answer: asyncio.Future[Reply]


class Commander:
    """Asks devices; ``publish`` is the session's."""

    def __init__(self, topics: Topics, ids: Ids, publish: Callable[..., None]) -> None:
        self._topics = topics
        self._ids = ids
        self._publish = publish
        self._waiting: dict[str, _Waiting] = {}

    async def command(
        self, device_id: str, operation: str, data: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """The result that the device gives.

        Errors: :class:`NotSent`, :class:`NoAnswer`, :class:`Declined`; a command that is cancelled
        may still be done by the device.
        """
        self._check_room(device_id)
        command = DeviceCommand(
            command_id=self._ids.uuid7(), device_id=device_id, operation=operation, data=data
        )
        loop = asyncio.get_running_loop()
        waiting = _Waiting(device_id, loop.create_future())
        self._waiting[command.command_id] = waiting
        try:
            reply = await self._ask(command, waiting, loop.time() + timeout_s)
        finally:
            del self._waiting[command.command_id]
        if not reply.ok:
            assert reply.problem is not None
            raise Declined(reply.problem)
        return reply.result or {}

    def take_reply(self, device_id: str, payload: bytes) -> None:
        """A message on a device's ``cmd-rep``; what nobody waits for is passed over, and what holds
        card data."""
        if not self._waiting:
            return
        try:
            reply = Reply.model_validate_json(payload)
        except ValidationError as error:
            log.warning(
                "%s gave an answer that is not one: %d faults", device_id, error.error_count()
            )
            return
        waiting = self._waiting.get(reply.correlation or "")
        if waiting is None or waiting.device_id != device_id or waiting.answer.done():
            return
        if not reply.ok and reply.problem is None:
            return
        if cards.screen(reply.model_dump(mode="json", include={"result", "problem"})):
            log.warning("%s gave card data in an answer; it is passed over", device_id)
            return
        waiting.answer.set_result(reply)

    def _check_room(self, device_id: str) -> None:
        mine = sum(1 for one in self._waiting.values() if one.device_id == device_id)
        if len(self._waiting) >= OUTSTANDING_MAX or mine >= PER_DEVICE_MAX:
            raise NotSent(f"{device_id} has enough to do: repeat shortly")

    async def _ask(self, command: DeviceCommand, waiting: _Waiting, until_s: float) -> Reply:
        payload = command.model_dump_json().encode()
        topic = self._topics.command(command.device_id, command.operation)
        sent, again_s = False, AGAIN_S
        while (left_s := until_s - asyncio.get_running_loop().time()) > 0:
            try:
                self._publish(topic, payload, qos=1, expiry_s=max(1, math.ceil(left_s)))
                sent = True
            except PublishRefused as error:
                if not sent:
                    raise NotSent(f"{command.device_id} can't be asked now: {error}") from None
            await asyncio.wait([waiting.answer], timeout=min(again_s, left_s))
            again_s *= 2
            if waiting.answer.done():
                return waiting.answer.result()
        raise NoAnswer(
            f"{command.device_id} didn't answer {command.operation!r} in time: is it switched on"
            " and connected?"
        )
