"""Misbehaviour on request, so that a hub's manners can be tested: errors, delays, lost replies."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import Field

from hub.contract.base import Incoming
from hub.contract.oms import Command, OmsCode

from .problems import refuse

T = TypeVar("T")
Rate = Annotated[float, Field(ge=0, le=1)]


class MisbehaveRequest(Incoming):
    """``POST /sandbox/misbehave``: replaces what was set before; ``{}`` is good behaviour.

    ``down`` drops every connection; ``error_rate`` answers 503 before any work; ``lose_reply_rate``
    does the work and drops the connection; ``duplicate_commands`` sends commands twice;
    ``reorder_commands`` shuffles a page.  The same seed gives the same sequence of dice.
    """

    error_rate: Rate = 0.0
    latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    lose_reply_rate: Rate = 0.0
    duplicate_commands: bool = False
    reorder_commands: bool = False
    down: bool = False
    retry_after_s: Annotated[int, Field(ge=0, le=3600)] | None = None
    seed: int = 0


class Dice:
    """A reproducible sequence of numbers in [0, 1) from a seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def roll(self) -> float:
        self._count += 1
        digest = hashlib.sha256(f"{self._seed}:{self._count}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    def shuffled(self, rows: tuple[T, ...]) -> tuple[T, ...]:
        keyed = [(self.roll(), n, row) for n, row in enumerate(rows)]
        return tuple(row for _, _, row in sorted(keyed, key=lambda one: one[:2]))


class Misbehaviour:
    """What is set now, and how often it struck."""

    def __init__(self) -> None:
        self.set = MisbehaveRequest()
        self._dice = Dice(0)
        self.struck: dict[str, int] = {}

    def change(self, request: MisbehaveRequest) -> None:
        self.set = request
        self._dice = Dice(request.seed)

    def _note(self, what: str) -> None:
        self.struck[what] = self.struck.get(what, 0) + 1

    async def around(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        """Handle a request the way that is set."""
        now = self.set
        if now.latency_ms:
            await asyncio.sleep(now.latency_ms / 1000)
        if now.down:
            self._note("down")
            return _hang_up(request)
        if now.error_rate and self._dice.roll() < now.error_rate:
            self._note("error")
            wait_ms = None if now.retry_after_s is None else now.retry_after_s * 1000
            raise refuse(OmsCode.UNAVAILABLE, "Misbehaving on request.", retry_after_ms=wait_ms)
        response = await handler(request)
        if now.lose_reply_rate and self._dice.roll() < now.lose_reply_rate:
            self._note("lost_reply")
            return _hang_up(request)
        return response

    def bend(self, commands: tuple[Command, ...]) -> tuple[Command, ...]:
        """A page of commands as it is to be sent."""
        if self.set.duplicate_commands:
            commands = tuple(one for row in commands for one in (row, row))
        return self._dice.shuffled(commands) if self.set.reorder_commands else commands


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
