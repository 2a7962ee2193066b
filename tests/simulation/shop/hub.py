"""The hub as a machine: everything real but its threads, sockets, certificates and web pages.

It is put together in the order of :mod:`hub.app.hub`: database, gate, messaging, link to the cloud,
care.  Not there: HTTPS, mDNS, the search index, the hub's own certificates.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from unittest import mock

from hub.app.backup import make_backup, restore_backup
from hub.app.founding import Opened, StateLock, open_state
from hub.config import Settings
from hub.contract.staff import SignIn, SignOut
from hub.contract.stock import ReceivedLine, ReceiveStock
from hub.service.caller import Caller, CallerKind
from hub.storage import devicerows, outbox, printrows
from hub.storage.database import open_database
from hub.storage.readers import LoopReader
from hub.storage.rows import Rows, Tx
from tests.fakes import SeededRandomness
from tests.simulation.kernel import Machine, Process, World
from tests.simulation.shop.goods import MANAGER, OPENING_STOCK, PINS, SCARCE_STOCK
from tests.simulation.shop.hubwiring import (
    PLENTY_BYTES,
    TO_BE_SENT,
    HubConfig,
    RunningHub,
    settings_of,
    wired,
)
from tests.simulation.shop.paper import Paper

__all__ = ["HubConfig", "HubMachine", "RunningHub"]

T = TypeVar("T")
FURNISH_S = 5.0
STEM = "hub"
OFFICE = "office-1"
"""A device that nobody sells at."""
OPENING = "019b0000-0000-7000-8000-000000000001"


class HubMachine:
    """``running`` is the present run once it has come up; ``free_bytes`` is what its disk guard
    finds free; ``on_commit`` is called after each commit that was told of."""

    def __init__(
        self, world: World, config: HubConfig | None = None, paper: Paper | None = None
    ) -> None:
        self.config = config or HubConfig()
        self.paper = paper
        self._running: RunningHub | None = None
        self.free_bytes = PLENTY_BYTES
        self.when_fatal: Callable[[], None] | None = None
        self._world = world
        self._copies = 0
        self.on_commit: Callable[[RunningHub], None] = lambda _running: None
        self.random = world.random("hub threads")

    @property
    def machine(self) -> Machine:
        """The machine that this was added as."""
        return self._world.machine(STEM)

    @property
    def running(self) -> RunningHub | None:
        """The present run's parts; None before it has come up and after its end."""
        running = self._running
        return running if running is not None and running.process.alive else None

    # Life ----------------------------------------------------------------------------------------

    async def start(self, process: Process) -> None:
        """One run, in the order of the real composition root."""
        settings = settings_of(self.config, process.directory)
        opened = self._open(process, settings)
        running = wired(self, process, settings, opened)
        process.at_stop(_kept(running.writer.stop))
        process.at_stop(_called(running.rows.close))
        await running.messaging.start()
        process.at_stop(_kept(running.messaging.stop))
        running.spooler.start()
        process.at_stop(_kept(running.spooler.stop))
        if running.teller is not None and running.forwarder is not None:
            running.teller.start()
            process.at_stop(_kept(running.teller.stop))
            await running.forwarder.start()
            process.at_stop(_kept(running.forwarder.stop))
            running.writer.listeners += [running.teller.notify, running.forwarder.notify]
        for way in running.others:
            await way.start()
            process.at_stop(_kept(way.stop))
            running.writer.listeners.append(way.notify)
        running.writer.listeners += [
            running.messaging.notify,
            running.spooler.notify,
            running.link.notify,
            lambda _notices: self.on_commit(running),
        ]
        await running.link.start()
        process.at_stop(_kept(running.link.stop))
        running.caretaker.start()
        process.at_stop(_kept(running.caretaker.stop))
        if self.config.stocked:
            process.spawn(self._furnish(running), "hub-furnish")
        self._running = running

    def _open(self, process: Process, settings: Settings) -> Opened:
        lock = StateLock(process.directory)
        process.at_death(lock.release)
        process.at_stop(_called(lock.release))
        if not (process.directory / "hub.db").exists():
            (process.directory / "hub.db").write_bytes(_empty_database())
        opened = open_state(settings, process.clock, process.randomness)
        process.at_death(opened.conn.close)
        if not self.config.synced:
            opened.conn.execute("PRAGMA synchronous = OFF")
        self._pair(process, opened)
        return opened

    def _pair(self, process: Process, opened: Opened) -> None:
        tx = Tx(opened.conn, process.clock.wall_ms(), 0)
        missing = [
            name for name in (*self.config.devices, OFFICE) if devicerows.get(tx, name) is None
        ]
        if not missing:
            return
        opened.conn.execute("BEGIN IMMEDIATE")
        for name in missing:
            devicerows.add(
                tx,
                device_id=name,
                name=name,
                kind="kiosk" if name.startswith("kiosk") else "till",
                auth="mtls",
                password_hash=None,
                number=devicerows.next_number(tx),
                model="simulated",
                firmware="1",
                meta="{}",
            )
        opened.conn.execute("COMMIT")

    def fatal(self, process: Process) -> None:
        """The daemon ends with an exit code by which it is started again."""
        self._world.count("hub gave up on its disk")
        if self.when_fatal is not None:
            self.when_fatal()
        if process.alive:
            self._world.loop.create_task(process.machine.stop(), context=self._world.context)

    # Furnishing ----------------------------------------------------------------------------------

    @property
    def is_furnished(self) -> bool:
        """True when there is a catalogue, staff, and (if wanted) goods on the shelves."""
        running = self.running
        if running is None or not running.process.ready:
            return False
        return _knows_its_goods(running.rows) and (
            not self.config.stocked
            or running.rows.one("SELECT 1 FROM stock WHERE sellable > 0 LIMIT 1") is not None
        )

    async def _furnish(self, running: RunningHub) -> None:
        """Once in the shop's life: its first delivery, taken in by the manager in the office."""
        while not _knows_its_goods(running.rows):
            await asyncio.sleep(FURNISH_S)
        if running.rows.one("SELECT 1 FROM stock WHERE sellable > 0 LIMIT 1") is not None:
            return
        office = Caller(CallerKind.DEVICE, OFFICE)
        staff_id, pin = MANAGER, PINS[MANAGER]
        goods = SCARCE_STOCK if self.config.scarce else OPENING_STOCK
        lines = tuple(ReceivedLine(sku=sku, qty=qty) for sku, qty in goods.items())
        with suppress(Exception):  # the next start tries again
            sign_in = SignIn.model_validate({"staff_id": staff_id, "pin": pin})
            await running.gate.run(office, sign_in)
            delivery = ReceiveStock(receipt_id=OPENING, lines=lines)
            await running.gate.run(office, delivery, OPENING)
            await running.gate.run(office, SignOut())

    # Looking -------------------------------------------------------------------------------------

    def read(self, query: Callable[[Rows], T]) -> T:
        """Look into the database as it is on disk now, also while the hub is off."""
        with LoopReader(self.machine.directory / "hub.db") as rows:
            return query(rows)

    def under_way(self) -> str:
        """What the hub still has to do, in words; empty when it has come to rest."""
        running = self.running
        if running is None or not running.process.ready:
            return "the hub is not up"
        if running.writer.depth:
            return f"{running.writer.depth} requests wait for the hub's writer"
        if not running.link.up:
            return f"the hub's link to the cloud: {running.link.status().detail or 'not up'}"
        printing = printrows.counts(running.rows)
        if unprinted := printing.get("queued", 0) + printing.get("printing", 0):
            return f"{unprinted} documents wait to be printed"
        if open_payments := _open_payments(running.rows):
            return f"card payments are open: {open_payments}"
        if self.config.links and running.rows.one(TO_BE_SENT) is not None:
            return "payment links are to be sent or called back"
        if unsent := {name: count for name, count in outbox.depth(running.rows).items() if count}:
            return f"events wait in the hub's outbox: {unsent}"
        return ""

    # Copies --------------------------------------------------------------------------------------

    async def backup(self) -> Path | None:
        """A copy as ``store-hub backup`` makes it, of this very instant; None without a database.

        It is made of a copy of the files, so a running hub isn't disturbed.
        """
        machine = self.machine
        if not (machine.directory / "hub.db").exists():
            return None
        self._copies += 1
        with TemporaryDirectory(dir=self._world.root) as scratch:
            state = Path(scratch) / "state"
            shutil.copytree(machine.directory, state, ignore=shutil.ignore_patterns("*-shm"))
            target = self._world.root / f"hub-copy-{self._copies}"
            make_backup(state, target, machine.clock)
        self._world.count("hub copied")
        return target

    def restore(self, copy: Path, *, quietly: bool = False) -> None:
        """Put a copy in place, as ``store-hub restore`` does, or ``quietly`` only its database, as
        a snapshot of the disk would be.  The hub is off."""
        assert self.machine.process is None, "switch the hub off first"
        if quietly:
            for left in self.machine.directory.glob("hub.db*"):
                left.unlink()
            shutil.copy2(copy / "hub.db", self.machine.directory / "hub.db")
            self._world.count("hub set back without being told")
            return
        randomness = SeededRandomness(self.random.getrandbits(64))
        with mock.patch.object(os, "sync"):
            restore_backup(copy, self.machine.directory, self.machine.clock, randomness)
        self._world.count("hub restored")


def _open_payments(rows: Rows) -> list[tuple[str, int]]:
    """What the hub still has to do about card payments: states and how many; receivables are
    nothing that it does."""
    payments = rows.all(
        "SELECT state, count(*) FROM payments WHERE state NOT IN ('refused', 'abandoned',"
        " 'voided', 'reversed', 'refunded', 'recovered', 'written_off', 'recovery')"
        " AND (void_asked = 1 OR in_sale = 0 OR state NOT IN ('captured', 'settled'))"
        " GROUP BY state"
    )
    refunds = rows.all(
        "SELECT 'refund ' || state, count(*) FROM payment_refunds"
        " WHERE state NOT IN ('done', 'refused') GROUP BY state"
    )
    return [(str(state), int(count)) for state, count in (*payments, *refunds)]


def _knows_its_goods(rows: Rows) -> bool:
    found = rows.one(
        "SELECT count(*) FROM datasets WHERE generation > 0"
        " AND dataset IN ('catalog', 'prices', 'taxes', 'staff', 'policies')"
    )
    return bool(found and found[0] == 5)


def _called(free: Callable[[], None]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def step() -> None:
        free()

    return step


def _kept(stop: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], Coroutine[Any, Any, None]]:
    """A step of stopping that doesn't keep the others when it fails."""

    async def step() -> None:
        with suppress(Exception):
            await stop()

    return step


@cache
def _empty_database() -> bytes:
    """A database with its schema and nothing in it: making one takes longer than all else."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / "hub.db"
        open_database(path).close()
        return path.read_bytes()
