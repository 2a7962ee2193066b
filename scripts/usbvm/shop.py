"""The shop inside of the virtual machine: the real daemon, one till, and what is plugged in."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from cloud_link.sandbox import demo
from devices.kit import DeviceMeta, HubClient, Unanswered
from devices.peripherals.transports.usblp import usb_printers
from hub.clock import SystemRandomness
from hub.contract.peripherals import ListPeripherals, PeripheralList, PeripheralView
from hub.contract.printing import PrintSettled, SettlePrintJob
from hub.contract.sale import CommitSale, SaleDone, SaleLine, Tender
from hub.contract.scans import Scan
from hub.contract.staff import SignedIn, SignIn
from hub.contract.stock import ReceivedLine, ReceiveStock, StockBooked
from scripts.killing.till import GOODS, SHELF, SKUS, ShortPauses
from scripts.printing.papers import LAST_LINE, Job, read_jobs
from scripts.replay_shop.opening import pair_tills, wait_catalogue
from scripts.rig import Ports, ShopRig
from scripts.rig.process import Child
from scripts.usbvm.gadget import Gadget, Looks
from scripts.usbvm.printer import Printer

STORE: Final = "367"
USER: Final = "store-hub"
PRINTER: Final = "printer-usb"
"""As the hub of a fresh box calls the first printer that is plugged in."""
WAIT_S: Final = 240.0
"""The machine may be emulated on a busy processor."""
POLL_S: Final = 0.2
_CLOUD: dict[str, object] = {"linger_ms": 200, "retry_max_s": 1, "poll_wait_s": 5}
_MANAGER = demo.DEMO_STAFF[-1]
_HUB: Final = "import sys; from hub.cli import main; sys.exit(main())"
_CARELESS: Final = "from scripts.usbvm.careless import main; main()"

EPSON: Final = Looks("04b8", "0e15", "X1AB012345", "EPSON", "TM-T20II")
OTHER: Final = Looks("0519", "0003", "2530719070001", "Star", "TSP143")
GRYPHON: Final = Looks("05f9", "4204", "S1204", "Datalogic", "Gryphon")
QUICKSCAN: Final = Looks("05f9", "2214", "H2214", "Datalogic", "QuickScan")


class StandsStill(RuntimeError):
    """Something that has to come didn't."""


@dataclass(slots=True)
class Plugs:
    """What can be plugged in."""

    printer: Printer
    other: Printer
    serial: Gadget
    keyboard: Gadget

    @classmethod
    def made(cls, keyboard_report: bytes) -> Plugs:
        """All of them, none in its socket."""
        attributes = {
            "protocol": b"1", "subclass": b"1", "report_length": b"8",
            "report_desc": keyboard_report,
        }  # fmt: skip
        return cls(
            Printer(0, EPSON, "dummy_udc.0"),
            Printer(1, OTHER, "dummy_udc.1"),
            Gadget("serial", GRYPHON, "acm.scanner", "dummy_udc.2"),
            Gadget("keyboard", QUICKSCAN, "hid.scanner", "dummy_udc.3", attributes),
        )


@dataclass(slots=True)
class Shop:
    """Open, from :func:`opened`."""

    rig: ShopRig
    plugs: Plugs
    hub: HubClient
    till_id: str
    scans: asyncio.Queue[Scan]
    rng: Random
    sold: dict[str, str] = field(default_factory=dict)

    # -- selling and printing -------------------------------------------------------------------

    async def sell(self, least: int = 1) -> str:
        """One sale of ``least`` lines or some more that wants its receipt; its id."""
        picked = self.rng.choices(GOODS, k=self.rng.randint(least, least + 11))
        total = sum(one.price_minor for one in picked)
        command = CommitSale(
            sale_id=self.hub.ids.uuid7(),
            lines=tuple(
                SaleLine(code=one.sku, qty=1, unit_price_minor=one.price_minor) for one in picked
            ),
            total_minor=total,
            tenders=(Tender(kind="cash", amount_minor=total),),
            print_receipt=True,
        )
        done = await self.hub.submit(command, SaleDone)
        self.sold[done.sale_id] = done.receipt_no
        return done.sale_id

    def jobs(self) -> list[Job]:
        """Receipts and their copies, oldest first."""
        return [job for job in read_jobs(self.rig.hub_database) if job.subject]

    def job_of(self, sale_id: str) -> Job:
        """The original of a sale.  Raises StopIteration if there is none."""
        return next(job for job in self.jobs() if job.subject == sale_id and not job.copy)

    async def until_job(self, sale_id: str, *states: str) -> Job:
        """The sale's job, once it is in one of ``states``."""
        await self.until(
            lambda: self.job_of(sale_id).state in states,
            lambda: (
                f"the job of {self.sold[sale_id]} is not {' or '.join(states)},"
                f" it is {self.job_of(sale_id)}"
            ),
        )
        return self.job_of(sale_id)

    async def say(self, job: Job, answer: str) -> None:
        """A person's word on a job in doubt."""
        command = SettlePrintJob.model_validate({"job_id": job.job_id, "answer": answer})
        await self.hub.request(command, PrintSettled, until_answered=True)

    async def until(self, true: Callable[[], bool], what: Callable[[], str]) -> None:
        """Errors: :class:`StandsStill`."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not true():
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise StandsStill(f"{what()} after {WAIT_S:.0f} s") from None

    # -- what hangs on the box ------------------------------------------------------------------

    async def peripherals(self) -> dict[str, PeripheralView]:
        """As a till sees them, by id."""
        found = await self.hub.request(ListPeripherals(), PeripheralList)
        return {one.id: one for one in found.peripherals}

    async def until_phase(self, name: str, *phases: str) -> PeripheralView:
        """It is in one of ``phases``.  Errors: :class:`StandsStill`."""
        seen: PeripheralView | None = None
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    with suppress(Unanswered):
                        seen = (await self.peripherals()).get(name)
                    if seen is not None and seen.phase in phases:
                        return seen
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise StandsStill(
                f"{name} did not become {' or '.join(phases)} within {WAIT_S:.0f} s: {seen}"
            ) from None

    async def command(self, *words: str) -> Any:
        """What ``store-hub … --json`` prints.  Errors: :class:`StandsStill`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _HUB, "--config", str(self.rig.config_file), *words, "--json",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        if process.returncode:
            raise StandsStill(f"store-hub {' '.join(words)} ended with {process.returncode}")
        return json.loads(out)

    def node(self) -> str:
        """Of the shop's printer now, such as ``lp0``; empty while it is out."""
        serial = self.plugs.printer.gadget.looks.serial
        return next((one.node.name for one in usb_printers() if one.serial == serial), "")

    # -- the hub --------------------------------------------------------------------------------

    async def start_hub(self, *, careless: bool = False) -> None:
        """As a user of its own, with the rights that the documents tell."""
        self.rig.hub = _hub(self.rig, _CARELESS if careless else _HUB)
        await asyncio.to_thread(_hand_over, self.rig.base)
        await self.rig.start_hub(WAIT_S)


def _hub(rig: ShopRig, program: str) -> Child:
    command = ["/usr/bin/setpriv", "--reuid", USER, "--regid", USER, "--init-groups"]
    command += ["env", "HOME=/home/" + USER, sys.executable, "-c", program]
    command += ["--config", str(rig.config_file), "run"]
    return Child("the hub", command, log=rig.base / "logs" / "hub.log")


def _hand_over(base: Path) -> None:
    """What the hub uses is its user's."""
    for path in (base, base / "hub", base / "run", base / "token", base / "config.toml"):
        if path.exists():
            shutil.chown(path, USER, USER)
    for folder, _, files in os.walk(base / "oms" / "tls"):
        os.chmod(folder, 0o755)
        for name in files:
            if name == "ca.pem":
                os.chmod(Path(folder) / name, 0o644)
    os.chmod(base / "oms", 0o755)


@asynccontextmanager
async def opened(
    base: Path, plugs: Plugs, seed: str, note: Callable[[str], None]
) -> AsyncIterator[Shop]:
    """A box that was just unpacked, a printer that is plugged in, and then a till.

    Errors: ChildDied, Trouble, TimeoutError, :class:`StandsStill`.
    """
    settings: dict[str, dict[str, object]] = {
        "cloud": _CLOUD,
        "printing": {"receipts": True},
        "receipts": {"footer": [LAST_LINE]},
    }
    rig = ShopRig(
        base, STORE, Ports.choose(SystemRandomness()), settings=settings,
        oms_arguments=("--seed-demo", "--skus", str(SKUS)),
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(rig)
        for one in (plugs.printer, plugs.other):
            one.start()
            stack.callback(one.stop)
        note("starting the OMS")
        await rig.start_oms(WAIT_S)
        note("starting the hub")
        rig.write_config()
        # Its client isn't there before a till is paired.
        shop = Shop(rig, plugs, None, "", asyncio.Queue(), Random(seed))  # type: ignore[arg-type]
        await shop.start_hub()
        note("plugging in the first printer")
        plugs.printer.gadget.plug()
        tape = plugs.printer.tape
        await shop.until(lambda: bool(tape.papers), lambda: "no ticket of a fresh box")
        note("opening the shop")
        (store,) = await pair_tills(rig, 1, None)
        await wait_catalogue(rig)
        meta = DeviceMeta(kind="till", model="till in a machine", firmware="1")
        shop.hub = await stack.enter_async_context(HubClient(store, meta, randomness=ShortPauses()))
        shop.hub.on_scan(shop.scans.put_nowait)
        shop.till_id = store.load().device_id
        await _stocked(shop.hub)
        yield shop


async def _stocked(hub: HubClient) -> None:
    person = SignIn.model_validate({"staff_id": _MANAGER[0], "pin": _MANAGER[3]})
    await hub.request(person, SignedIn, until_answered=True)
    lines = tuple(ReceivedLine(sku=one.sku, qty=SHELF) for one in GOODS)
    command = ReceiveStock(receipt_id=hub.ids.uuid7(), reference="delivery", lines=lines)
    await hub.submit(command, StockBooked)
