"""Scans at a device: in order, fresh, and never the end of the link."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devices.kit.hubtime import HubClock
from devices.kit.scans import Scans, resolve
from hub.contract.scans import Scan, ScanResolved
from tests.fakes import FakeClock

ID = "0198b0c0-0000-7000-8000-00000000000%d"


def payload(at_ms: int, number: int = 1) -> bytes:
    data = {"scan_id": ID % number, "scanner": "scanner-1", "scanned_at_ms": at_ms, "code": "1"}
    told = {"command_id": ID % number, "device_id": "till-1", "operation": "scan", "data": data}
    return json.dumps(told).encode()


@pytest.fixture
def own() -> FakeClock:
    return FakeClock()


def listening(own: FakeClock) -> tuple[Scans, HubClock, list[Scan]]:
    clock = HubClock(own)
    scans, heard = Scans(clock), list[Scan]()
    scans.listeners.append(heard.append)
    return scans, clock, heard


def test_scans_come_in_the_order_of_scanning(own: FakeClock) -> None:
    scans, _, heard = listening(own)
    for number in range(1, 6):
        scans.heard(payload(own.wall_ms(), number))
    assert [one.scan_id for one in heard] == [ID % number for number in range(1, 6)]


def test_a_scan_of_long_ago_is_dropped_when_the_hubs_time_is_known(own: FakeClock) -> None:
    scans, clock, heard = listening(own)
    scanned_ms = own.wall_ms() + 500_000  # the hub's clock is ahead of the device's
    clock.heard(scanned_ms, retained=False)
    own.advance(9)
    scans.heard(payload(scanned_ms))
    own.advance(2)
    scans.heard(payload(scanned_ms))
    assert len(heard) == 1


def test_a_device_that_cannot_know_the_hubs_time_drops_nothing(own: FakeClock) -> None:
    scans, clock, heard = listening(own)
    clock.heard(own.wall_ms() - 500_000, retained=True)
    scans.heard(payload(own.wall_ms() - 500_000))
    assert len(heard) == 1


def test_what_is_no_scan_and_a_listener_that_fails_end_nothing(own: FakeClock) -> None:
    scans, _, heard = listening(own)

    def broken(scan: Scan) -> None:
        raise RuntimeError(scan.code)

    scans.listeners.insert(0, broken)
    scans.heard(b"{}")
    scans.heard(b"\xff")
    scans.heard(payload(own.wall_ms()))
    assert len(heard) == 1


class Hub:
    """Answers look-ups, keeps facts."""

    def __init__(self, answer: ScanResolved, *, full: bool = False) -> None:
        self.answer = answer
        self.full = full
        self.facts: list[tuple[str, dict[str, object]]] = []

    async def request(self, command: Any, expected: Any, *, timeout_s: float = 1.0) -> Any:
        return self.answer

    async def fact(self, kind: str, data: dict[str, object]) -> str:
        if self.full:
            raise OSError("no space")
        self.facts.append((kind, data))
        return "1"


async def test_a_code_of_an_own_scanner_that_comes_to_nothing_is_a_fact() -> None:
    hub = Hub(ScanResolved(code="x\u00e4", why_not="unknown"))
    assert (await resolve(hub, "x\u00e4", "]C0", 1.0)).why_not == "unknown"
    said = {"why_not": "unknown", "code": "x\u00e4", "aim": "]C0", "length_bytes": 3}
    assert hub.facts == [("scan", said)]


async def test_a_card_that_was_swiped_is_in_no_fact() -> None:
    hub = Hub(ScanResolved(code="", why_not="card-data"))
    await resolve(hub, "4111111111111111", "", 1.0)
    assert "4111" not in repr(hub.facts)


async def test_an_article_number_that_could_be_a_cards_goes_without_it() -> None:
    hub = Hub(ScanResolved(code="4111111111111111", why_not="unknown"))
    await resolve(hub, "4111111111111111", "", 1.0)
    assert hub.facts[0][1]["code"] == ""


async def test_a_product_is_no_fact_and_a_full_journal_stops_nobody() -> None:
    good = Hub(ScanResolved(code="1"))
    await resolve(good, "1", "", 1.0)
    assert good.facts == []
    full = Hub(ScanResolved(code="1", why_not="unknown"), full=True)
    assert (await resolve(full, "1", "", 1.0)).why_not == "unknown"
