"""An open connection to an ESC/POS printer: asking for its state, and sending so that it keeps up.

What is sent and not yet confirmed is kept below a small printer's buffer.  So status requests get
through while it is stopped, and little is left in it when a job is given up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from devices.peripherals.escpos import commands
from devices.peripherals.escpos.status import (
    Answers,
    Back,
    Block,
    InOrder,
    RealTime,
    Status,
    of_real_time,
    of_status_back,
)
from devices.peripherals.model import Gone, Wire

log = logging.getLogger(__name__)

WINDOW_BYTES: Final = 3500
"""Sent and not confirmed, at most (or one command, if that is longer)."""
GROUP_BYTES: Final = 1024
REMAINDER_BYTES: Final = 2400
"""More than any command of ours: as many NULs complete one that was broken off."""
_ASKED: Final = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long is waited for what, in seconds."""

    answer_s: float = 6.0
    """For the answer to a status request; on a serial line of 9,600 baud a full window before it
    takes nearly four."""
    poll_s: float = 3.0
    """Between two looks at the state of an idle printer."""
    progress_s: float = 20.0
    """For a printer that isn't stopped to confirm what it has got."""
    unanswered: int = 2
    """Status requests without an answer, one after another, before it counts as gone."""


USUAL: Final = Pace()


class Silent(Exception):
    """It is connected and doesn't answer."""


class Session:
    """One open wire.  Whoever made it runs :meth:`read` until it ends."""

    def __init__(self, wire: Wire, pace: Pace, tell: Callable[[Status], None]) -> None:
        self.wire = wire
        self.pace = pace
        self.status: Status | None = None
        self.identity: dict[int, str] = {}
        self.broken: str = ""
        """Why it may not be used any more; empty while it may."""
        self._tell = tell
        self._answers = Answers()
        self._real_time: list[int] = []
        self._blocks: list[Block] = []
        self._sent: list[int] = []
        self._confirmed = 0
        self._news = asyncio.Event()
        self._asking = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._clear = False

    async def read(self) -> None:
        """Take in what the printer sends.  Ends with :class:`Gone`."""
        while not self.broken:
            try:
                data = await self.wire.read()
            except Gone as error:
                self.give_up(str(error))
                raise
            for answer in self._answers.feed(data):
                self._take(answer)
            self._wake()

    def _take(self, answer: object) -> None:
        match answer:
            case RealTime(byte):
                self._real_time.append(byte)
            case InOrder():
                self._confirmed += 1
            case Back(four):
                self._now(of_status_back(four))
            case Block() as block:
                self._blocks.append(block)
            case _:
                raise AssertionError(answer)
        del self._real_time[:-8]
        del self._blocks[:-8]

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _now(self, status: Status) -> None:
        self.status = status
        self._tell(status)

    def give_up(self, why: str, *, clear: bool = False) -> None:
        """Use it no more.  ``clear``: have the printer forget what it has not printed yet."""
        if not self.broken:
            self.broken = why
            self._clear = clear
        self._wake()

    async def given_up(self) -> None:
        """Returns once it may not be used any more."""
        while not self.broken:
            await self._news.wait()

    async def close(self) -> None:
        """Never raises."""
        if self._clear:
            with suppress(Gone, TimeoutError):
                # Something else may be stuck there: a wire takes one write at a time.
                async with asyncio.timeout(1.0), self._writing:
                    await self.wire.write(commands.CLEAR_BUFFERS)
        await self.wire.close()

    async def write(self, data: bytes) -> None:
        """Errors: :class:`Gone`."""
        if self.broken:
            raise Gone(self.broken)
        async with self._writing:
            try:
                await self.wire.write(data)
            except Gone as error:
                self.give_up(str(error))
                raise
            except asyncio.CancelledError:
                self.give_up("something was given up while it was sent", clear=True)
                raise

    # State ----------------------------------------------------------------------------------

    async def ask(self) -> Status:
        """Its state now, by DLE EOT 1 to 4.  Errors: :class:`Gone`, :class:`Silent`."""
        async with self._asking:
            found = []
            for n in _ASKED:
                self._real_time.clear()
                await self.write(commands.status_request(n))
                found.append(await self._real_time_answer())
            first, second, third, fourth = found
            self._now(of_real_time((first, second, third, fourth)))
        assert self.status is not None
        return self.status

    async def _real_time_answer(self) -> int:
        try:
            async with asyncio.timeout(self.pace.answer_s):
                while not self._real_time:
                    self._may_go_on()
                    await self._news.wait()
        except TimeoutError:
            raise Silent from None
        return self._real_time.pop(0)

    def _may_go_on(self) -> None:
        if self.broken:
            raise Gone(self.broken)

    async def ask_often(self) -> Status:
        """As :meth:`ask`, but only after several silences is it :class:`Gone`."""
        for _ in range(self.pace.unanswered):
            with suppress(Silent):
                return await self.ask()
            await asyncio.sleep(
                min(0.5, self.pace.answer_s)
            )  # an answer that comes late is dropped
        why = "the printer is connected and has not answered for some time: is it switched on?"
        self.give_up(why)
        raise Gone(why)

    async def identify(self, n: int) -> str:
        """GS I: 65 firmware, 66 maker, 67 model, 68 serial number; empty if it doesn't say."""
        self._blocks.clear()
        await self.write(bytes((0x1D, 0x49, n)))
        with suppress(TimeoutError):
            async with asyncio.timeout(min(1.0, self.pace.answer_s)):
                while not self._blocks:
                    self._may_go_on()
                    await self._news.wait()
            return self._blocks.pop(0).data.decode("ascii", "replace")
        return ""

    # Sending --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Forget what was confirmed before: nothing is under way."""
        self._sent, self._confirmed = [], 0

    async def send(self, data: bytes) -> None:
        """Whole commands, followed by a request to confirm them.  Errors: :class:`Gone`."""
        self._sent.append(len(data))
        await self.write(data + commands.CONFIRM)

    async def until_room(self, length: int) -> None:
        """Wait until ``length`` bytes more fit the window.  Errors: as :meth:`until`."""
        await self.until(lambda: not self._open() or self._open() + length <= WINDOW_BYTES)

    async def until_confirmed(self) -> None:
        """Wait until all that was sent is confirmed.  Errors: as :meth:`until`."""
        await self.until(lambda: not self._open())

    def _open(self) -> int:
        return sum(self._sent[self._confirmed :])

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait while it works or is stopped, looking at its state.

        Errors: :class:`Gone`; :class:`Silent`: it isn't stopped, answers status requests, and
        confirms nothing for ``progress_s``.
        """
        idle_s, seen = 0.0, self._confirmed
        while not done():
            self._may_go_on()
            news = self._news
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await news.wait()
                continue
            status = await self.ask_often()
            if status.stopped or self._confirmed != seen:
                idle_s, seen = 0.0, self._confirmed
                continue
            idle_s += 1.0
            if idle_s >= self.pace.progress_s:
                raise Silent


def groups(segments: tuple[bytes, ...]) -> list[bytes]:
    """Whole commands together, to some ``GROUP_BYTES`` each."""
    found: list[bytes] = []
    part = b""
    for segment in segments:
        if part and len(part) + len(segment) > GROUP_BYTES:
            found.append(part)
            part = b""
        part += segment
    return [*found, part] if part else found
