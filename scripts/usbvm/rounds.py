"""What happens in the shop: each round does one thing to a device and looks at what becomes of it.

A round raises :class:`StandsStill` where something that has to come doesn't, and notes in the score
what was wrong.  At its end everything is plugged in and ready again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import tty
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from scripts.printing.papers import read_paper
from scripts.usbvm.gadget import Gadget, type_keys
from scripts.usbvm.printer import Trap
from scripts.usbvm.rawround import raw_printer
from scripts.usbvm.shop import PRINTER, Shop, StandsStill

KEYBOARD: Final = "scanner-keyboard"
SERIAL: Final = "scanner-serial"
FTDI: Final = "scanner-ftdi"
_KEYS: Final = Path("/dev/hidg0")
_LINE: Final = Path("/dev/ttyGS0")
_EVENTS: Final = Path("/dev/input/by-id/usb-Datalogic_QuickScan_H2214-event-kbd")
_ANSWERS: Final = ("", "again", "printed", "forget")
"""What a person says, in turn."""
_QUIET_S: Final = 2.0
_SCAN_S: Final = 60.0
_MIDDLE: Final = (2, 3, 4)
"""The GS r after which a job is in its middle: the first one is its head's."""
_LONG: Final = 60
"""Lines of a sale whose receipt has more parts than the hub has under way at once."""

Ask = Callable[[dict[str, object]], None]


@dataclass(slots=True)
class Score:
    """How far it is.  ``cut_off``: jobs of which some had gone out when their printer went."""

    trials: int = 0
    note: str = "opening the shop"
    seen: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    cut_off: set[str] = field(default_factory=set)


class Rounds:
    """``ask``: what only the host can do (see ``scripts.usbvm.qemu``)."""

    def __init__(self, shop: Shop, score: Score, ask: Ask) -> None:
        self.shop = shop
        self.score = score
        self._ask = ask
        self._rng = shop.rng
        self._printer = shop.plugs.printer
        self._plugged = 0

    @property
    def all(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """By name."""
        return {
            "sale": self.sale,
            "unplugged-in-job": lambda: self.cut(Trap(nth=self._rng.choice(_MIDDLE))),
            "unplugged-in-transfer": lambda: self.cut(
                Trap(nth=self._rng.choice(_MIDDLE), stall=True)
            ),
            "unplugged-before-job": lambda: self.cut(Trap(nth=1)),
            "unplugged-on-paper": lambda: self.cut(Trap(cut=True)),
            "switched-off-in-job": lambda: self.cut(
                Trap(nth=self._rng.choice(_MIDDLE), power=True)
            ),
            "unplugged-idle": self.idle,
            "paper-out": self.paper_out,
            "hub-killed-in-job": self.killed,
            "keyboard-scan": self.keyboard,
            "serial-scan": self.serial,
            "ftdi-scan": self.ftdi,
            "raw-printer": lambda: raw_printer(self.shop, self.score.seen, self._wrong),
        }

    # -- printing -------------------------------------------------------------------------------

    async def sale(self) -> None:
        """In peace: the receipt comes out whole and the printer itself says so."""
        sale_id = await self.shop.sell()
        job = await self.shop.until_job(sale_id, "printed", "ambiguous", "failed")
        if job.state != "printed":
            self._wrong(f"a receipt in peace is {job.state}: {job.reason}")
        await self._on_paper(job.receipt_no, copy=False)

    async def cut(self, trap: Trap) -> None:
        """The cable is pulled out (or the power goes) at a point of a job; then it comes back."""
        shop = self.shop
        sale_id = await self._sprung(trap)
        job = await shop.until_job(sale_id, "queued", "ambiguous", "printed", "failed")
        await shop.until_phase(PRINTER, "lost")
        if trap.nth == 1:
            if job.state != "queued":
                self._wrong(f"nothing of a job had gone out, and it is {job.state}: {job.reason}")
        else:
            self.score.cut_off.add(job.job_id)
        await self._back()
        await self.sale()
        if trap.nth == 1:
            await shop.until_job(sale_id, "printed")
        else:
            await self._settle(sale_id)

    async def idle(self) -> None:
        """Unplugged and plugged in again while nothing is printed."""
        self._printer.gadget.unplug()
        await self.shop.until_phase(PRINTER, "lost")
        waiting = await self.shop.sell() if self._rng.random() < 0.5 else ""
        await self._back()
        if waiting:
            await self.shop.until_job(waiting, "printed")
            self.score.seen["waited-for-printer"] += 1
        await self.sale()

    async def paper_out(self) -> None:
        """The job waits, and is printed once when there is paper."""
        self._printer.put_paper_in(False)
        sale_id = await self.shop.sell()
        await asyncio.sleep(_QUIET_S)
        if self.shop.job_of(sale_id).state not in ("queued", "printing"):
            self._wrong(f"without paper a job is {self.shop.job_of(sale_id).state}")
        self._printer.put_paper_in(True)
        job = await self.shop.until_job(sale_id, "printed", "ambiguous", "failed")
        if job.state != "printed":
            self._wrong(f"after paper was put in a job is {job.state}: {job.reason}")

    async def killed(self) -> None:
        """The hub dies in the middle of a job and the printer is plugged in anew meanwhile."""
        shop = self.shop
        sale_id = await self._sprung(Trap(nth=self._rng.choice(_MIDDLE)), kill=True)
        await shop.rig.hub.ended()
        self.score.cut_off.add(shop.job_of(sale_id).job_id)
        await shop.rig.stop_hub()
        plugging = asyncio.create_task(asyncio.to_thread(self._plug))
        await shop.start_hub()
        await plugging
        await shop.until_phase(PRINTER, "ready")
        self.score.seen["found-by-new-hub"] += 1
        self.shop.plugs.other.gadget.unplug()
        await self.sale()
        await self._settle(sale_id)

    async def _sprung(self, trap: Trap, *, kill: bool = False) -> str:
        """Sell until the trap has sprung: the sale whose job it was."""
        gone = asyncio.Event()
        self._printer.sprung = gone.set
        self._printer.springing = self._kill_hub if kill else _nothing
        try:
            while True:
                self._printer.set_trap(trap)
                sale_id = await self.shop.sell(_LONG)
                await self._sprung_or_printed(sale_id, gone)
                if gone.is_set():
                    return sale_id
                # A short receipt: not so many parts.
                trap = replace(trap, nth=max(2, trap.nth - 1))
        finally:
            self._printer.set_trap(None)

    async def _sprung_or_printed(self, sale_id: str, gone: asyncio.Event) -> None:
        await self.shop.until(
            lambda: gone.is_set() or self.shop.job_of(sale_id).state == "printed",
            lambda: f"no cable was pulled out, and {self.shop.job_of(sale_id)} goes on",
        )

    def _kill_hub(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.shop.rig.hub.pid, signal.SIGKILL)

    async def _settle(self, sale_id: str) -> None:
        """What was cut off is in doubt, not printed again by itself, and a person says something
        (or nothing)."""
        shop = self.shop
        job = shop.job_of(sale_id)
        if job.state != "ambiguous":
            self._wrong(f"a job that was cut off is {job.state}, not in doubt: {job.reason}")
            return
        self.score.seen["in-doubt"] += 1
        answer = _ANSWERS[self.score.seen["in-doubt"] % len(_ANSWERS)]
        if not answer:
            return
        await shop.say(job, answer)
        self.score.seen[f"said-{answer}"] += 1
        if answer == "again":
            await shop.until(
                lambda: any(one.of_job == job.job_id and not one.open for one in shop.jobs()),
                lambda: f"no copy of {job.receipt_no}",
            )
            await self._on_paper(job.receipt_no, copy=True)

    async def _back(self) -> None:
        """Plug it in again: it is ready by the same name, whatever the kernel calls it now."""
        await asyncio.to_thread(self._plug)
        view = await self.shop.until_phase(PRINTER, "ready")
        if view.address != self._printer.address:
            self._wrong(f"the printer came back as {view.address}")
        self.score.seen["replugged"] += 1
        if self.shop.node() != "lp0":
            self.score.seen["node-moved"] += 1
        self.shop.plugs.other.gadget.unplug()

    def _plug(self) -> None:
        """Every other time another printer has taken its node meanwhile."""
        self._plugged += 1
        if self._plugged % 2:
            self.shop.plugs.other.gadget.plug()
            _until_there(Path("/dev/usb/lp0"))
        self._printer.gadget.plug()

    async def _on_paper(self, number: str, *, copy: bool) -> None:
        def whole() -> bool:
            papers = [read_paper("", "cut", text) for text in self._printer.tape.papers]
            return any(one.whole and (one.number, one.copy) == (number, copy) for one in papers)

        await self.shop.until(whole, lambda: f"{number} is said to be printed and isn't on paper")

    # -- scanning -------------------------------------------------------------------------------

    async def keyboard(self) -> None:
        """What is typed arrives as a scan and nowhere else; half a code is none."""
        await self._type_and_see()
        if self._rng.random() < 0.5:
            await asyncio.to_thread(_half_typed, self._code()[:7])
            self.score.seen["half-a-code"] += 1
        await self._again(self.shop.plugs.keyboard, KEYBOARD)
        await self._type_and_see()

    async def _type_and_see(self) -> None:
        code = self._code()
        listener = os.open(_EVENTS, os.O_RDONLY | os.O_NONBLOCK)
        try:
            await asyncio.to_thread(type_keys, _KEYS, code)
            await self._scanned(KEYBOARD, code)
            with suppress(BlockingIOError):
                if os.read(listener, 4096):
                    self._wrong("what the scanner types is heard by others than the hub")
            self.score.seen["kept-to-itself"] += 1
        finally:
            os.close(listener)

    async def serial(self) -> None:
        """cdc_acm: a code before and after the cable was out; half a code is none."""
        await self._send_and_see()
        if self._rng.random() < 0.5:
            await asyncio.to_thread(_send, self._code()[:7])
            await asyncio.sleep(0.5)
            self.score.seen["half-a-code"] += 1
        await self._again(self.shop.plugs.serial, SERIAL)
        await self._send_and_see()

    async def _send_and_see(self) -> None:
        code = self._code()
        await asyncio.to_thread(_send, code + "\r\n")
        await self._scanned(SERIAL, code)

    async def ftdi(self) -> None:
        """ftdi_sio on QEMU's own controller: the same."""
        await self._ftdi_and_see()
        self._ask({"execute": "device_del", "arguments": {"id": "ftdi"}})
        await self.shop.until_phase(FTDI, "lost")
        self.plug_ftdi()
        await self.shop.until_phase(FTDI, "ready")
        self.score.seen["replugged"] += 1
        await self._ftdi_and_see()

    def plug_ftdi(self) -> None:
        """QEMU's serial adapter; its bytes come from the host."""
        about = {"driver": "usb-serial", "id": "ftdi", "chardev": "scanner", "serial": "FT1"}
        self._ask({"execute": "device_add", "arguments": about})

    async def _ftdi_and_see(self) -> None:
        code = self._code()
        self._ask({"serial": code + "\r\n"})
        await self._scanned(FTDI, code)

    async def _again(self, gadget: Gadget, name: str) -> None:
        gadget.unplug()
        await self.shop.until_phase(name, "lost")
        gadget.plug()
        await self.shop.until_phase(name, "ready")
        self.score.seen["replugged"] += 1

    def _code(self) -> str:
        digits = [self._rng.randint(0, 9) for _ in range(12)]
        odd, even = sum(digits[::2]), sum(digits[1::2])
        return "".join(map(str, digits)) + str(-(odd + 3 * even) % 10)

    async def _scanned(self, name: str, code: str) -> None:
        try:
            async with asyncio.timeout(_SCAN_S):
                scan = await self.shop.scans.get()
        except TimeoutError:
            raise StandsStill(f"{code} of {name} did not arrive within {_SCAN_S:.0f} s") from None
        if (scan.scanner, scan.code) != (name, code):
            self._wrong(f"{name} read {code}; the till was told {scan.scanner} {scan.code!r}")

    def _wrong(self, what: str) -> None:
        self.score.findings.append(what)


def heard_without_grab(code: str) -> bool:
    """Whether somebody who just listens hears what the scanner types while no hub has it: or
    nothing is shown by hearing nothing."""
    _until_there(_EVENTS)
    listener = os.open(_EVENTS, os.O_RDONLY)
    try:
        os.set_blocking(listener, False)
        type_keys(_KEYS, code)
        with suppress(BlockingIOError):
            return len(os.read(listener, 65_536)) > 0
        return False
    finally:
        os.close(listener)


def _nothing() -> None:
    """The cable is enough."""


def _half_typed(code: str) -> None:
    from scripts.usbvm.gadget import keys

    fd = os.open(_KEYS, os.O_RDWR)
    try:
        for report in keys(code)[:-2]:
            os.write(fd, report)
    finally:
        os.close(fd)


def _send(text: str) -> None:
    """Over the gadget's line, and wait until it is gone."""
    fd = os.open(_LINE, os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(fd, termios.TCSANOW)
        os.write(fd, text.encode())
        termios.tcdrain(fd)
    finally:
        os.close(fd)


def _until_there(path: Path, timeout_s: float = 60.0) -> None:
    import time

    for _ in range(int(timeout_s / 0.1)):
        if path.exists():
            return
        time.sleep(0.1)
    raise StandsStill(f"{path} didn't come within {timeout_s:.0f} s")
