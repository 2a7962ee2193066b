"""Whose a peripheral is, who hears of it, and what becomes of it when its settings change."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from devices.peripherals import drivers
from devices.peripherals.asking import Counter
from devices.peripherals.catalogue import Catalogue
from devices.peripherals.desk import Desk, Ears, Post
from devices.peripherals.drivers.simulated_display import SimulatedDisplay
from devices.peripherals.drivers.simulated_drawer import SimulatedDrawer
from devices.peripherals.drivers.simulated_printer import SimulatedPrinter
from devices.peripherals.drivers.simulated_scale import SimulatedScale
from devices.peripherals.drivers.simulated_scanner import SimulatedScanner
from devices.peripherals.model import Entry, Outcome, Scanned, World
from hub.clock import SystemClock, SystemRandomness
from hub.contract.peripherals import ConfigurePeripheral
from hub.contract.problems import Refusal
from hub.documents.layout import Layout, Text
from hub.service.handlers.printing import Begun

KINDS = {"printer", "drawer", "scanner", "scale", "display", "terminal"}
PAGE = Layout("page", (Text("hello"),))


class Room:
    """A desk with simulated twins; ``heard`` is what was told, in order."""

    def __init__(self) -> None:
        catalogue = Catalogue(World(SystemClock(), SystemRandomness()))
        self.desk = Desk(catalogue, lambda: 1)
        self.counter = Counter(self.desk, catalogue)
        self.heard: list[tuple[str, Any]] = []
        note = self.heard.append
        self.desk.ears = Ears(
            changed=lambda post: note((post.entry.id, post.phase)),
            gone=lambda entry: note((entry.id, "gone")),
            scanned=lambda post, read: note((post.entry.id, read)),
            moved=lambda post, opened: note((post.entry.id, opened)),
            weighed=lambda post, weight: note((post.entry.id, weight.grams)),
            ready=lambda _name: None,
            able=lambda: None,
        )

    async def keep(self, *entries: Entry) -> None:
        await self.desk.keep([(entry, "page", False) for entry in entries])

    def post(self, name: str) -> Post:
        post = self.desk.post(name)
        assert post is not None
        return post

    def driver(self, name: str, kind: type[Any]) -> Any:
        found = self.post(name).driver
        assert isinstance(found, kind)
        return found

    async def ready(self, *names: str) -> None:
        await until(lambda: all(self.post(name).ready for name in names))


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not what():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def opened() -> AsyncIterator[Room]:
    room = Room()
    try:
        yield room
    finally:
        await room.desk.stop()


def printer(id_: str, **fields: Any) -> Entry:
    return Entry(id_, "simulated-printer", "", options={"job_ms": 0}, **fields)


def job(device_id: str = "till-1") -> Begun:
    return Begun("j", 1, device_id, "sale", "{}")


async def test_a_till_prints_on_its_own_printer_else_on_that_of_all_with_its_fallback() -> None:
    async with opened() as room:
        own = printer("own", serves=("till-1",), fallback="spare")
        await room.keep(printer("all", fallback="own"), own, printer("spare", fallback="all"))
        assert room.counter.route("till-1", "sale") == ("own", "spare", "all")
        assert room.counter.route("till-2", "sale") == ("all", "own", "spare")
        await room.keep(own)
        assert room.counter.route("till-2", "sale") == ()
        assert room.counter.route("", "shelf-label") == ("own",)
        assert room.counter.route("till-1", "sale") == ("own",)


async def test_a_printer_is_ready_when_it_is_there_and_nothing_stops_it() -> None:
    async with opened() as room:
        await room.keep(printer("p-1"))
        await room.ready("p-1")
        twin = room.driver("p-1", SimulatedPrinter)
        assert room.counter.is_ready("p-1")
        twin.suffer("near-end")
        await until(lambda: bool(room.post("p-1").held))
        assert room.counter.is_ready("p-1")
        twin.suffer("cover-open")
        await until(lambda: not room.counter.is_ready("p-1"))
        twin.suffer()
        await until(lambda: room.counter.is_ready("p-1"))
        assert (await room.counter.print("p-1", PAGE, job())).outcome is Outcome.PRINTED
        assert list(twin.printed) == [PAGE]
        assert not room.counter.is_ready("p-2")
        assert (await room.counter.print("p-2", PAGE, job())).outcome is Outcome.NOT_BEGUN


async def test_power_that_fails_in_the_middle_of_a_job_leaves_nobody_knowing() -> None:
    async with opened() as room:
        await room.keep(Entry("p-1", "simulated-printer", "", options={"job_ms": 60_000}))
        await room.ready("p-1")
        printing = asyncio.create_task(room.counter.print("p-1", PAGE, job()))
        await asyncio.sleep(0.05)
        room.driver("p-1", SimulatedPrinter).suffer("off")
        assert (await printing).outcome is Outcome.UNKNOWN
        await until(lambda: room.post("p-1").phase == "lost")
        assert (await room.counter.print("p-1", PAGE, job())).outcome is Outcome.NOT_BEGUN


async def test_a_drawer_opens_through_its_printer_for_its_own_till_only() -> None:
    async with opened() as room:
        drawer = Entry("d-1", "simulated-drawer", "", serves=("till-1",), via="p-1")
        await room.keep(drawer, printer("p-1"))
        await room.ready("p-1", "d-1")
        assert room.counter.route("till-1", "drawer-kick") == ("p-1",)
        assert room.counter.route("till-2", "drawer-kick") == ()
        assert room.counter.has_drawer("till-1")
        assert not room.counter.has_drawer("till-2")
        assert (await room.counter.kick("p-1", job())).outcome is Outcome.PRINTED
        assert room.driver("p-1", SimulatedPrinter).kicks == 1
        assert room.post("d-1").held == {"drawer-open"}
        assert (await room.counter.kick("p-1", job("till-2"))).outcome is Outcome.REFUSED
        room.driver("d-1", SimulatedDrawer).close()
        await until(lambda: not room.post("d-1").held)


async def test_a_scan_is_for_the_tills_that_are_named_or_for_the_only_one() -> None:
    async with opened() as room:
        named = Entry("s-1", "simulated-scanner", "", serves=("till-1", "till-2"))
        await room.keep(named, Entry("s-2", "simulated-scanner", ""))
        assert room.desk.tills_of(room.post("s-1"), ("till-3",)) == ("till-1", "till-2")
        tills = ("till-1", "till-2", "till-3")
        assert room.desk.tills_of(room.post("s-2"), tills) == ("till-3",)
        assert room.desk.tills_of(room.post("s-2"), (*tills, "till-4")) == ()
        await room.ready("s-1")
        room.driver("s-1", SimulatedScanner).scan(b"123", "]E0")
        assert ("s-1", Scanned(b"123", "]E0")) in room.heard


async def test_what_didn_t_change_goes_on_and_what_hangs_on_a_changed_one_begins_anew() -> None:
    async with opened() as room:
        drawer = Entry("d-1", "simulated-drawer", "", via="p-1")
        await room.keep(printer("p-1"), printer("p-2"), drawer)
        await room.ready("p-1", "p-2", "d-1")
        before = {name: room.post(name).driver for name in ("p-1", "p-2", "d-1")}
        await room.keep(printer("p-1", name="Counter"), printer("p-2"), drawer)
        await room.ready("p-1", "p-2", "d-1")
        assert room.post("p-2").driver is before["p-2"]
        assert room.post("p-1").driver is not before["p-1"]
        assert room.post("d-1").driver is not before["d-1"]
        await room.keep(printer("p-2"))
        assert ("p-1", "gone") in room.heard
        assert ("d-1", "gone") in room.heard
        assert [one.id for one in room.counter.listed()] == ["p-2"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Entry("x-1", "simulatd-printer", ""), "did you mean 'simulated-printer'"),
        (Entry("x-1", "escpos-printer", ""), "needs an address"),
        (Entry("x-1", "printer-drawer", ""), "needs via: the printer"),
        (Entry("x-1", "escpos-printer", "usb://1"), "expected vendor and product"),
        (Entry("x-1", "lent-printer", "device:till-1"), "no till can lend"),
        (Entry("x-1", "simulated-printer", "", options={"width_mm": 70}), "58 or 80"),
        (Entry("x-1", "simulated-printer", "", options={"colour": "red"}), "knows no option"),
        (Entry("x-1", "simulated-drawer", "", via="p-9"), "p-9 isn't set up"),
        (Entry("x-1", "simulated-scale", "", via="p-1"), "can't hang on"),
    ],
)
async def test_what_can_t_be_driven_says_why_and_the_others_are(entry: Entry, words: str) -> None:
    async with opened() as room:
        await room.keep(printer("p-1"), entry)
        await room.ready("p-1")
        (view,) = (one for one in room.counter.listed() if one.id == "x-1")
        assert view.phase == "refused"
        assert words in view.reason
        asked = ConfigurePeripheral(
            id="x-1",
            driver=entry.driver,
            address=entry.address,
            via=entry.via or None,
            options=dict(entry.options),
        )
        with pytest.raises(Refusal, match=words.replace("(", r"\(")):
            await room.counter.check(asked)


async def test_scales_and_displays_answer_their_tills_and_say_why_they_can_t() -> None:
    async with opened() as room:
        scale = Entry("w-1", "simulated-scale", "", serves=("till-1",), options={"grams": 250})
        await room.keep(scale, Entry("v-1", "simulated-display", ""))
        await room.ready("w-1", "v-1")
        assert await room.counter.weigh("till-1", None, 5.0) == ("w-1", 250, False)
        for device, wanted, words in (
            ("till-2", None, "No scale belongs"),
            ("till-2", "w-1", "other tills"),
            ("till-1", "v-1", "no scale v-1"),
        ):
            with pytest.raises(Refusal, match=words):
                await room.counter.weigh(device, wanted, 5.0)
        room.driver("w-1", SimulatedScale).put(100, moving=True)
        with pytest.raises(Refusal):
            await room.counter.weigh("till-1", None, 0.1)
        assert await room.counter.show("till-9", None, ("Tea", "4.99", "more")) == "v-1"
        (shown,) = room.driver("v-1", SimulatedDisplay).shown
        assert shown == ("Tea".ljust(20), "4.99".ljust(20))
        room.driver("v-1", SimulatedDisplay).pull()
        await until(lambda: not room.post("v-1").ready)
        with pytest.raises(Refusal, match="isn't ready: the simulated display was pulled"):
            await room.counter.show("till-9", None, ())


async def test_a_printer_that_is_removed_while_it_prints_says_to_choose_another() -> None:
    async with opened() as room:
        slow = Entry("p-1", "simulated-printer", "", options={"job_ms": 5_000})
        for changed, words in (
            ((), "p-1 was removed from the settings: choose another printer"),
            ((printer("p-1", name="Counter"),), "p-1 was set up anew while it printed"),
        ):
            await room.keep(slow)
            await room.ready("p-1")
            printing = asyncio.create_task(room.counter.print("p-1", PAGE, job()))
            await until(room.post("p-1").turn.locked)
            await room.keep(*changed)
            ended = await printing
            assert ended.outcome is Outcome.UNKNOWN
            assert ended.reason == words
        gone = await room.counter.print("p-9", PAGE, job())
        assert "p-9 was removed from the settings" in gone.reason


async def test_a_scanner_that_is_tried_shows_the_code_unless_it_is_a_card_s() -> None:
    async with opened() as room:
        await room.keep(Entry("s-1", "simulated-scanner", ""))
        await room.ready("s-1")
        trying = asyncio.create_task(room.counter.try_out("s-1", 30.0))
        await until(lambda: bool(room.post("s-1").scans))
        room.driver("s-1", SimulatedScanner).scan(b"4711", "]C1")
        assert await trying == 's-1 read a code of 4 characters, "4711" (]C1).'
        trying = asyncio.create_task(room.counter.try_out("s-1", 30.0))
        await until(lambda: bool(room.post("s-1").scans))
        room.driver("s-1", SimulatedScanner).scan(b"4111111111111111", "")
        said = await trying
        assert "may be a card's number" in said
        assert "4111" not in said
        with pytest.raises(Refusal, match="read nothing"):
            await room.counter.try_out("s-1", 0.01)
        with pytest.raises(Refusal, match="no such peripheral"):
            await room.counter.try_out("s-9", 1.0)


def test_every_driver_describes_itself() -> None:
    views = Catalogue(World(SystemClock(), SystemRandomness())).views()
    keys = [one.key for one in views]
    assert len(keys) == len(set(keys)) >= 10
    for one in views:
        assert one.title
        assert one.kind in KINDS
        assert all(text for text in one.options.values())
    kinds = {one.kind for one in views if one.key.startswith("simulated-")}
    assert kinds == KINDS


async def test_what_a_driver_is_made_of_is_loaded_beside_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Drawing letters takes a library that loads for a third of a second."""
    load, here = importlib.import_module, threading.current_thread()
    loaded: dict[str, bool] = {}

    def note(name: str, package: str | None = None) -> Any:
        if name.startswith(drivers.__name__):
            loaded[name.rpartition(".")[2]] = threading.current_thread() is here
        return load(name, package)

    monkeypatch.setattr(importlib, "import_module", note)
    async with opened() as room:
        address = "tcp://127.0.0.1:9"
        odd = Entry("x-1", "no-such-printer", address)
        await room.keep(Entry("p-1", "escpos-printer", address), odd)
        assert "there is no driver" in room.post("x-1").problem
        asked = ConfigurePeripheral(id="z-1", driver="zpl-printer", address=address)
        await room.counter.check(asked)
    assert {"escpos_printer", "zpl_printer"} <= loaded.keys()
    assert not any(loaded.values())


async def test_a_driver_that_can_t_be_loaded_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load = importlib.import_module

    def half(name: str, package: str | None = None) -> Any:
        if name.endswith("zpl_printer"):
            raise ImportError("No module named 'PIL'")
        return load(name, package)

    monkeypatch.setattr(importlib, "import_module", half)
    async with opened() as room:
        await room.keep(Entry("z-1", "zpl-printer", "tcp://127.0.0.1:9"), printer("p-1"))
        assert "PIL" in room.post("z-1").problem
        await room.ready("p-1")


async def test_a_till_may_ask_from_another_thread_while_a_driver_is_let_go() -> None:
    """A sale asks for its drawer in the writer's thread."""

    class LetGo(Post):
        looks = 0

        def __getattribute__(self, name: str) -> Any:
            if name == "driver":
                LetGo.looks += 1
                if LetGo.looks > 1:
                    return None
            return super().__getattribute__(name)

    async with opened() as room:
        await room.keep(Entry("d-1", "simulated-drawer", ""))
        whole = room.post("d-1")
        torn = LetGo(whole.entry, whole.source, whole.since_ms, driver=whole.driver)
        room.desk._posts = {"d-1": torn}
        assert room.counter.has_drawer("till-1") in (True, False)
        room.desk._posts = {"d-1": whole}
