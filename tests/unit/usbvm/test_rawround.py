"""The round of the printer by raw USB sees a driver that stayed and an address not shown."""

from __future__ import annotations

from collections import Counter
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.usbvm import rawround
from scripts.usbvm.__main__ import ROUNDS, must_fire
from scripts.usbvm.rawround import RAW, raw_printer
from scripts.usbvm.shop import OTHER

ADDRESS = f"usb-raw://{OTHER.vendor}:{OTHER.product}/{OTHER.serial}"


class Stage:
    """A shop and its other printer, which a hub drives as it should, or not."""

    def __init__(self, *, sends_away: bool = True, shows: bool = True) -> None:
        self.sends_away = sends_away
        self.shows = shows
        self.told: list[tuple[str, ...]] = []
        self.plugged = self.driver = self.set_up = False
        self.trap: Any = None
        self.rng = Random(1)
        self.tape = SimpleNamespace(papers=[])
        self.address = ADDRESS.replace("usb-raw", "usb")
        self.gadget = SimpleNamespace(looks=OTHER, plug=self.plug, unplug=self.unplug)
        self.plugs = SimpleNamespace(other=self)
        self.sprung: Any = None

    def plug(self) -> None:
        self.plugged = True
        self.driver = not (self.set_up and self.sends_away)

    def unplug(self) -> None:
        self.plugged = self.driver = False

    def set_trap(self, trap: Any) -> None:
        self.trap = trap

    async def command(self, *words: str) -> Any:
        self.told.append(words)
        match words[1]:
            case "add":
                self.set_up, self.driver = True, not self.sends_away
            case "remove":
                self.set_up, self.driver = False, True
            case "find":
                return [{"address": ADDRESS}] if self.shows else []
            case "test" if self.trap is not None:
                self.unplug()
                self.sprung()
            case _:
                self.tape.papers.append("a test page")
        return {}

    async def until(self, true: Any, what: Any) -> None:
        assert true(), what()

    async def until_phase(self, name: str, *phases: str) -> None:
        assert name == RAW
        assert phases == (("ready",) if self.plugged else ("lost",))


async def played(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[str], list[str]]:
    def printers() -> list[Any]:
        return [SimpleNamespace(serial=OTHER.serial)] if stage.driver else []

    monkeypatch.setattr(rawround, "usb_printers", printers)
    seen, wrong = Counter[str](), list[str]()
    shop: Any = stage
    await raw_printer(shop, seen, wrong.append)
    return seen, wrong


async def test_it_is_taken_from_its_driver_used_pulled_out_and_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    seen, wrong = await played(stage, monkeypatch)
    assert (seen, wrong) == ({"raw-replugged": 1, "driver-given-back": 1}, [])
    words = [one[1] for one in stage.told]
    assert words == ["add", "find", "test", "test", "test", "remove"]
    assert stage.told[0] == ("peripherals", "add", RAW, "escpos-printer", ADDRESS)
    assert (len(stage.tape.papers), stage.plugged, stage.trap) == (2, False, None)


async def test_a_driver_that_keeps_it_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    _, wrong = await played(Stage(sends_away=False), monkeypatch)
    assert wrong == [f"{ADDRESS} is ready, and usblp still has it"]


async def test_an_address_that_is_not_found_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    _, wrong = await played(Stage(shows=False), monkeypatch)
    assert wrong == [f"{ADDRESS} is driven, and find doesn't show it"]


def test_it_is_one_of_the_rounds_and_has_to_have_given_the_driver_back() -> None:
    assert "raw-printer" in ROUNDS
    assert {"raw-printer", "raw-replugged", "driver-given-back"} <= set(must_fire(True))
