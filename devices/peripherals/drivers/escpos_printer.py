"""Receipt printers that speak ESC/POS: TCP 9100, USB and serial alike."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar, Final
from weakref import WeakMethod

from devices.peripherals.escpos import commands
from devices.peripherals.escpos.encoder import NARROW, WIDE, Job, Paper, Unprintable, encode
from devices.peripherals.escpos.pages import GENERIC, Pages, UnknownPage, load, supports
from devices.peripherals.escpos.session import (
    REMAINDER_BYTES,
    USUAL,
    Pace,
    Session,
    Silent,
    groups,
)
from devices.peripherals.escpos.status import Status
from devices.peripherals.model import (
    Capabilities,
    ConditionsAre,
    Connector,
    Ended,
    Gone,
    Identity,
    Misconfigured,
    Option,
    Outcome,
    POSPrinter,
    Told,
    Unfit,
    Unreachable,
    World,
)
from devices.peripherals.transports.ieee1284 import introduced
from hub.documents.layout import Layout

log = logging.getLogger(__name__)

_NO_CONFIRMATION: Final = (
    "the printer is well but doesn't confirm what it gets (GS r); if it never does, set"
    ' its option status = "none"'
)
_NO_ANSWER: Final = (
    "it doesn't answer a status request: is it switched on and an ESC/POS printer? One that never"
    ' answers needs the option status = "none"'
)


class EscposPrinter(POSPrinter):
    """Prints, confirms, tells its conditions, and kicks the drawer on its connector.

    A job's commands go out in groups, each confirmed in its turn (GS r 1), while real-time status
    (DLE EOT) tells of stops.  A job that is given up closes the connection, so that the rest of it
    never comes; what the printer had already received it is told to forget (DLE DC4 8, which
    not every printer knows: up to 3.5 KB may still be printed then).
    """

    key: ClassVar[str] = "escpos-printer"
    title: ClassVar[str] = "Receipt printer (ESC/POS)"
    option_help: ClassVar[Mapping[str, str]] = {
        "width_mm": "58 or 80: of the paper; 80 when it isn't given",
        "columns": "letters in a line, 24 to 64; by the width (32 or 48) when it isn't given",
        "profile": "generic, or the name of a printer in python-escpos, e.g. TM-T20II: says which"
        " code pages it has; generic when it isn't given",
        "code_pages": "the code pages to use, with commas, e.g. CP437,CP858; one that the profile"
        " lacks with its number, e.g. CP1251=46; all of the profile when it isn't given",
        "cutter": "true or false: whether it cuts; true when it isn't given",
        "qr": "printer or picture: who draws QR codes; as the profile knows when it isn't given",
        "status": "full or none: none for a printer that never answers (jobs are then taken for"
        " printed when they are sent); full when it isn't given",
        "identify": "true or false: whether it is asked for its maker and model; true when it"
        " isn't given",
    }

    def __init__(
        self,
        connector: Connector,
        world: World,
        tell: Callable[[Told], None],
        options: Mapping[str, Option] | None = None,
        *,
        pace: Pace = USUAL,
    ) -> None:
        super().__init__(connector, world, tell, options)
        self.paper = _paper(self.options)
        self._pace = pace
        self._answers = _one_of(self.options, "status", ("full", "none")) == "full"
        self._identify = _flag(self.options, "identify")
        self._profile = _text(self.options, "profile", GENERIC)
        self._only = _text(self.options, "code_pages", "")
        self._pages: Pages | None = None
        self._session: Session | None = None
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._at_work = False
        self._broken_off = True
        """Whether a command of a job that didn't end, or of one of a former life of the hub, may
        wait in the printer for its end."""
        self._torn = False
        """Whether half a job may stand on the paper: it is cut off before the next one."""
        self._watchers: list[WeakMethod[Callable[[bool], None]]] = []

    @property
    def capabilities(self) -> Capabilities:
        names = {"bold", "underline", "inverse", "double", "barcode", "qr", "image", "drawer"}
        names |= {"papercut"} if self.paper.cutter else set()
        names |= {"empty-sensor", "near-end-sensor", "cover-sensor"} if self._answers else set()
        return Capabilities(frozenset(names), self.paper.width_mm, confirms=self._answers)

    # Living ---------------------------------------------------------------------------------

    async def serve(self, ready: Callable[[Identity], None]) -> None:
        try:
            await self._serve(ready)
        finally:
            self.tell(ConditionsAre(frozenset({"printer-offline"})))

    async def _serve(self, ready: Callable[[Identity], None]) -> None:
        await self._load_pages()
        session = Session(await self.connector.open(), self._pace, self._told)
        reading: asyncio.Task[None] | None = None
        try:
            reading = asyncio.create_task(
                session.read(), name=f"{self.key} {self.connector.address}"
            )
            identity = await self._greet(session)
            self._use(session)
            if not self._answers:
                self.tell(ConditionsAre(frozenset()))
            ready(identity if identity != Identity() else introduced(session.wire))
            await self._watch(session)
        finally:
            self._use(None)
            session.give_up("the driver has let go of it")
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            await session.close()

    async def _load_pages(self) -> None:
        if self._pages is None:
            try:
                self._pages = await asyncio.to_thread(load, self._profile, self._only)
                own_qr = await asyncio.to_thread(supports, self._profile, "qrCode")
                if "qr" not in self.options and not own_qr:
                    self.paper = replace(self.paper, own_qr=False)
            except UnknownPage as error:
                raise Unfit(str(error)) from error

    async def _greet(self, session: Session) -> Identity:
        if self._broken_off:
            await session.write(commands.NUL * REMAINDER_BYTES)
            self._broken_off = False
        if not self._answers:
            return Identity()
        try:
            status = await session.ask()
        except Silent as error:
            raise Unreachable(f"{self.connector.address}: {_NO_ANSWER}") from error
        if status.stopped or not self._identify:
            return Identity()  # in-order requests would wait in its buffer
        said = {n: await session.identify(n) for n in (66, 67)}
        if any(said.values()):
            said |= {n: await session.identify(n) for n in (65, 68)}
        return Identity(said[66], said[67], said.get(65, ""), said.get(68, ""))

    async def _watch(self, session: Session) -> None:
        """Look at its state every few seconds, and at once when a job gave the wire up."""
        while True:
            try:
                async with asyncio.timeout(self._pace.poll_s):
                    await session.given_up()
            except TimeoutError:
                if self._answers and not self._at_work:
                    await session.ask_often()
                continue
            raise Gone(session.broken)

    def _told(self, status: Status) -> None:
        self.tell(ConditionsAre(status.conditions))
        for one in self._watchers:
            if (watcher := one()) is not None:
                watcher(status.pin3_high)

    # For what hangs on it -------------------------------------------------------------------

    def watch_pin3(self, watcher: Callable[[bool], None]) -> None:
        """Have the level of the drawer's contact told, each time the state is looked at; for as
        long as whose method it is lives."""
        self._watchers = [one for one in self._watchers if one() is not None]
        self._watchers.append(WeakMethod(watcher))

    async def look(self) -> Status | None:
        """Its state now; None: nobody can tell.  Errors: :class:`Gone`."""
        session = self._session
        return await session.ask_often() if session is not None and self._answers else None

    @property
    def connected(self) -> bool:
        """Whether it can be given something now."""
        return self._session is not None

    async def until(self, *, connected: bool) -> None:
        """Returns as soon as it is connected, or isn't."""
        while self.connected is not connected:
            await self._changed.wait()

    def _use(self, session: Session | None) -> None:
        self._session = session
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def pass_through(self, data: bytes) -> None:
        """Bytes for a display looped through the printer (ESC =).

        Errors: :class:`Gone`, also while the printer is stopped: they would wait in its buffer.
        """
        session = self._session
        if session is None:
            raise Gone("the printer isn't connected")
        if session.status is not None and session.status.stopped:
            raise Gone(session.status.why)
        await session.write(commands.SELECT_DISPLAY + data + commands.SELECT_PRINTER)

    # Printing -------------------------------------------------------------------------------

    async def print(self, layout: Layout) -> Ended:
        async with self._turn:
            session, pages = self._session, self._pages
            if session is None or pages is None or session.broken:
                return Ended(Outcome.NOT_BEGUN, "the printer isn't connected")
            try:
                job = await asyncio.to_thread(encode, layout, self.paper, pages)
            except Unprintable as error:
                return Ended(Outcome.REFUSED, str(error))
            if job.missing:
                log.warning(
                    "no font has these characters, they are printed as boxes",
                    extra={"characters": "".join(sorted(job.missing))[:80]},
                )
            self._torn = self._torn or layout.after_torn
            return await self._send(session, job)

    async def kick(self, connector_pin: int, pulse_ms: int) -> Ended:
        if connector_pin not in (2, 5) or not 2 <= pulse_ms <= 510:
            return Ended(
                Outcome.REFUSED, "a drawer is on pin 2 or 5; its pulse is 2 to 510 ms long"
            )
        if self._at_work:
            return Ended(Outcome.NOT_BEGUN, "the printer is at work or waits for paper")
        async with self._turn:
            session = self._session
            if session is None or session.broken:
                return Ended(Outcome.NOT_BEGUN, "the printer isn't connected")
            job = Job((commands.pulse(connector_pin, pulse_ms),))
            # A pulse may not wait in the printer for paper: the drawer would open by itself later.
            return await self._send(session, job, limit_s=5.0)

    async def _send(self, session: Session, job: Job, limit_s: float | None = None) -> Ended:
        """``limit_s``: for a pulse, which leaves no paper."""
        head, paper = commands.HEAD, limit_s is None
        if self._torn and paper:
            head += commands.cut(full=True) if self.paper.cutter else commands.feed(5)
        was_torn = self._torn
        self._broken_off, self._torn = True, self._torn or paper
        self._at_work = True
        try:
            ended = await _Sending(session, job, head, self._answers, limit_s).run()
        finally:
            self._at_work = False
        self._broken_off = bool(session.broken)
        match ended.outcome:
            case Outcome.PRINTED:
                self._torn = was_torn and not paper
            case Outcome.UNKNOWN:
                pass
            case Outcome.NOT_BEGUN | Outcome.REFUSED:
                self._torn = was_torn
        return ended


class _Sending:
    """One job on its way.  Until its first group goes out nothing of it can be on paper."""

    def __init__(
        self, session: Session, job: Job, head: bytes, answers: bool, limit_s: float | None
    ) -> None:
        self._session = session
        self._job = job
        self._head = head
        self._answers = answers
        self._limit_s = limit_s
        self._begun = False

    async def run(self) -> Ended:
        session = self._session
        try:
            async with asyncio.timeout(self._limit_s):
                if not self._answers:
                    return await self._unconfirmed()
                return await self._confirmed()
        except Gone as error:
            return self._ended(str(error))
        except Silent:
            session.give_up(_NO_CONFIRMATION, clear=True)
            return self._ended(_NO_CONFIRMATION)
        except TimeoutError:
            why = "the printer stopped before it was done"
            session.give_up(why, clear=True)
            return self._ended(why)
        except asyncio.CancelledError:
            # What was not sent never will be: the connection ends with the job.
            session.give_up("a job was given up while the printer was stopped", clear=True)
            raise

    def _ended(self, reason: str) -> Ended:
        return Ended(Outcome.UNKNOWN if self._begun else Outcome.NOT_BEGUN, reason)

    async def _confirmed(self) -> Ended:
        session = self._session
        session.begin()
        status = await session.ask_often()
        if status.stopped:
            return Ended(Outcome.NOT_BEGUN, status.why)
        # Only a printer that works through what it gets is given anything to print.
        await session.send(self._head)
        await session.until_confirmed()
        for group in groups(self._job.segments):
            await session.until_room(len(group))
            self._begun = True
            await session.send(group)
        await session.until_confirmed()
        if session.status is not None and session.status.stopped:
            with suppress(Gone):  # it stopped in between; how it is now doesn't change the end
                await session.ask_often()
        return Ended(Outcome.PRINTED, confirmed=True)

    async def _unconfirmed(self) -> Ended:
        await self._session.write(self._head)
        for group in groups(self._job.segments):
            self._begun = True
            await self._session.write(group)
        return Ended(Outcome.PRINTED)


def _paper(options: Mapping[str, Option]) -> Paper:
    width = options.get("width_mm", 80)
    if width not in (58, 80) or isinstance(width, bool):
        raise Misconfigured(f"width_mm is 58 or 80, not {width!r}")
    paper = WIDE if width == 80 else NARROW
    columns = options.get("columns", paper.columns)
    if not isinstance(columns, int) or isinstance(columns, bool) or not 24 <= columns <= 64:
        raise Misconfigured(f"columns is a number from 24 to 64, not {columns!r}")
    own_qr = _one_of(options, "qr", ("printer", "picture")) == "printer"
    return replace(paper, columns=columns, cutter=_flag(options, "cutter"), own_qr=own_qr)


def _flag(options: Mapping[str, Option], name: str) -> bool:
    value = options.get(name, True)
    if not isinstance(value, bool):
        raise Misconfigured(f"{name} is true or false, not {value!r}")
    return value


def _text(options: Mapping[str, Option], name: str, default: str) -> str:
    value = options.get(name, default)
    if not isinstance(value, str):
        raise Misconfigured(f"{name} is a text, not {value!r}")
    return value


def _one_of(options: Mapping[str, Option], name: str, known: tuple[str, ...]) -> str:
    value = options.get(name, known[0])
    if not isinstance(value, str) or value not in known:
        raise Misconfigured(f"{name} is one of {', '.join(known)}, not {value!r}")
    return value


DRIVER = EscposPrinter
