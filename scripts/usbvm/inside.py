"""The trial, inside of the virtual machine: prints JSON lines for the host.

``{"line": …}``: how far it is, the last one with ``"done": true``; ``{"ask": …}``: what only the
host can do.  What was wanted stands in ``usbvm.json``, in the checkout's root.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from scripts.rig import Trouble
from scripts.rig.process import ROOT, ChildDied
from scripts.usbvm import rounds
from scripts.usbvm.gadget import KEYBOARD
from scripts.usbvm.printer import Trap
from scripts.usbvm.rounds import FTDI, SERIAL, Rounds, Score
from scripts.usbvm.shop import PRINTER, Plugs, Shop, StandsStill, opened
from scripts.usbvm.verdict import Evidence, judge

WANTED: Final = ROOT / "usbvm.json"
BASE: Final = Path("/run/shop")
_EVERY_S: Final = 1.0
_DRAIN_S: Final = 1.0
_CONTROL_S: Final = 60.0
"""What the careless hub may take of the time in the end."""


def say(what: Mapping[str, Any]) -> None:
    """One line for the host."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Trial:
    """``wanted``: ``seed`` (text), ``trials`` or ``seconds`` (numbers), ``controls`` (bool)."""

    def __init__(self, wanted: Mapping[str, Any]) -> None:
        self._wanted = wanted
        self.score = Score()
        self._began_s = time.monotonic()
        self._figures: dict[str, Any] = {}
        self._missed: list[str] = []
        self._controls = 0

    def line(self, *, done: bool) -> dict[str, Any]:
        """As the campaign wants it; ``controls`` and ``findings`` are texts."""
        score = self.score
        told: dict[str, Any] = {
            "trials": score.trials,
            "faults": dict(score.seen),
            "violations": len(score.findings),
            "note": score.note,
            "done": done,
        }
        if done:
            told["findings"] = score.findings
            told["figures"] = self._figures
            told["missed"] = self._missed
            told["controls"] = self._controls
        return {"line": told}

    async def run(self) -> None:
        """What goes wrong with the shop becomes a finding."""
        ticking = asyncio.create_task(self._tick())
        try:
            plugs = await asyncio.to_thread(Plugs.made, KEYBOARD)
            await self._listen_first(plugs)
            async with opened(BASE, plugs, str(self._wanted["seed"]), self._note) as shop:
                try:
                    await self._play(shop)
                finally:
                    self._last_words(shop)
        except* (StandsStill, ChildDied, Trouble, TimeoutError, sqlite3.Error, OSError) as many:
            for one in many.exceptions:
                traceback.print_exception(one)
                self.score.findings.append(f"{type(one).__name__}: {one}")
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking

    def _note(self, what: str) -> None:
        """For the display, and with the time for the console."""
        self.score.note = what
        print(f"{time.monotonic():.1f} {what}", file=sys.stderr, flush=True)

    async def _tick(self) -> None:
        while True:
            say(self.line(done=False))
            await asyncio.sleep(_EVERY_S)

    def _last_words(self, shop: Shop) -> None:
        if self.score.findings or sys.exc_info()[0] is not None:
            kernel = subprocess.run(["dmesg"], capture_output=True, text=True, check=False)
            last = "\n".join(kernel.stdout.splitlines()[-20:])
            print(f"{shop.rig.hub.tail()}\n{last}", file=sys.stderr, flush=True)

    async def _listen_first(self, plugs: Plugs) -> None:
        """That a listener can hear a scanner at all."""
        plugs.keyboard.plug()
        self._control(
            await asyncio.to_thread(rounds.heard_without_grab, "4006381333931"),
            "whoever listens to the keyboard hears it while no hub has it",
        )
        plugs.keyboard.unplug()

    def _control(self, seen: bool, what: str) -> None:
        self._controls += 1
        if not seen:
            self._missed.append(what)

    # -- the shop -------------------------------------------------------------------------------

    async def _play(self, shop: Shop) -> None:
        self._figures["opened_s"] = round(time.monotonic() - self._began_s, 1)
        tape = shop.plugs.printer.tape
        rounds_ = Rounds(shop, self.score, lambda what: say({"ask": what}))
        await self._set_up(shop, rounds_)
        first_paper = len(tape.papers)
        if self._too_slow():
            return
        await self._all_rounds(shop, rounds_)
        self._note("counting")
        await asyncio.sleep(_DRAIN_S)
        self.score.findings += judge(self._evidence(shop, first_paper))
        if shop.scans.qsize():
            self.score.findings.append(f"{shop.scans.qsize()} scans too many")
        self._figures |= {"receipts": len(shop.sold), "papers": len(tape.papers) - first_paper}
        self._figures["bytes_printed"] = tape.bytes_in
        if self._wanted.get("controls") and not self.score.findings:
            self._note("a careless hub")
            seen = await self._careless_prints_twice(shop, first_paper)
            self._control(seen, "a hub that prints again what was cut off prints it twice")

    def _too_slow(self) -> bool:
        """Where opening the shop took most of the time, there isn't enough for the rest."""
        took_s, patience_s = time.monotonic() - self._began_s, self._wanted.get("patience_s")
        self._figures["set_up_s"] = round(took_s, 1)
        if patience_s is None or took_s <= patience_s:
            return False
        self._note(f"skipped: too slow here, the shop was open after {took_s:.0f} s")
        return True

    def _evidence(self, shop: Shop, first_paper: int) -> Evidence:
        tape = shop.plugs.printer.tape
        return Evidence(
            sold=dict(shop.sold),
            jobs=shop.jobs(),
            tapes=[*tape.papers[first_paper:], *([tape.torn] if tape.torn.strip() else [])],
            cut_off=frozenset(self.score.cut_off),
            garbage_bytes=len(tape.garbage),
        )

    async def _set_up(self, shop: Shop, rounds_: Rounds) -> None:
        """By the commands that a technician has."""
        self._note("setting up")
        view = await shop.until_phase(PRINTER, "ready")
        if view.address != shop.plugs.printer.address:
            self.score.findings.append(f"the fresh box took its printer as {view.address}")
        shop.plugs.serial.plug()
        shop.plugs.keyboard.plug()
        rounds_.plug_ftdi()
        wanted = {
            SERIAL: ("serial-scanner", "serial:///dev/serial/by-id/usb-Datalogic_Gryphon_S1204"),
            rounds.KEYBOARD: ("hid-scanner", "hid:///dev/input/by-id/usb-Datalogic_QuickScan"),
            FTDI: ("serial-scanner", "serial:///dev/serial/by-id/usb-QEMU"),
        }
        found: dict[str, str] = {}
        for _ in range(10):
            listed = await shop.command("peripherals", "find", "--seconds", "1")
            addresses = [str(one["address"]) for one in listed]
            found = {
                name: address
                for name, (_, begin) in wanted.items()
                for address in addresses
                if address.startswith(begin)
            }
            if len(found) == len(wanted) and shop.plugs.printer.address in addresses:
                self.score.seen["found"] += len(found) + 1
                break
        else:
            raise StandsStill(f"find shows {addresses}, of {wanted}")
        adding = ("peripherals", "add")
        await asyncio.gather(
            *(
                shop.command(*adding, name, wanted[name][0], address, "--serves", shop.till_id)
                for name, address in found.items()
            )
        )
        for name in found:
            await shop.until_phase(name, "ready")

    async def _all_rounds(self, shop: Shop, rounds_: Rounds) -> None:
        """Each once in an order of the seed's, then any."""
        playable = rounds_.all
        queue = list(playable)
        shop.rng.shuffle(queue)
        limit = self._wanted.get("trials")
        until_s = self._began_s + float(self._wanted.get("seconds") or 0) - _CONTROL_S
        while not self.score.findings:
            if limit is not None and self.score.trials >= limit:
                break
            if limit is None and not queue and time.monotonic() >= until_s:
                break
            name = queue.pop() if queue else shop.rng.choice(list(playable))
            self._note(name)
            await playable[name]()
            self.score.seen[name] += 1
            self.score.trials += 1

    async def _careless_prints_twice(self, shop: Shop, first_paper: int) -> bool:
        await shop.rig.hub.kill()
        await shop.rig.stop_hub()
        await shop.start_hub(careless=True)
        await shop.until_phase(PRINTER, "ready")
        self._note("a careless hub, unplugged")
        rounds_ = Rounds(shop, Score(), lambda what: None)
        sale_id = await rounds_._sprung(Trap(cut=True))
        await shop.until_phase(PRINTER, "lost")
        shop.plugs.printer.gadget.plug()
        self._note("a careless hub, plugged in again")
        await shop.until_job(sale_id, "printed", "ambiguous")
        evidence = self._evidence(shop, first_paper)
        return any("on paper 2 times (2 whole)" in finding for finding in judge(evidence))


def main() -> int:
    """The exit code is nobody's business: the host reads lines."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    trial = Trial(json.loads(WANTED.read_text()))
    asyncio.run(trial.run())
    say(trial.line(done=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
