"""A box that was just unpacked prints where its page is on the first printer plugged into it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from devices.peripherals.transports.usblp import Roots
from hub.app import freshbox
from hub.app.freshbox import FreshBox, signal_percent, wired
from hub.config import Settings
from hub.service.handlers import peripherals
from hub.storage import hubrow
from hub.storage.errors import ReadFailed
from hub.storage.rows import Rows
from tests.support.shop import HUB_ID, STORE, Shop

SETTINGS = Settings.model_validate(
    {"store": {"id": STORE, "timezone": "Europe/Berlin", "currency": "EUR", "name": "Corner Shop"}}
)


def plugged(root: Path, maker: str, product: str, number: int = 0) -> None:
    """A USB printer as the kernel shows it."""
    device = root / "sys" / "devices" / "usb1" / f"1-{number + 1}"
    interface = device / f"1-{number + 1}:1.0"
    interface.mkdir(parents=True)
    said = {"idVendor": "04b8", "idProduct": "0e15", "serial": f"X{number}"}
    for name, text in (said | {"manufacturer": maker, "product": product}).items():
        (device / name).write_text(f"{text}\n")
    entry = root / "sys" / "class" / "usbmisc" / f"lp{number}"
    entry.mkdir(parents=True)
    (entry / "device").symlink_to(interface)
    node = root / "dev" / "usb" / f"lp{number}"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()


def unpacked(path: Path, **how: Any) -> Shop:
    shop = Shop(path, furnish=False, **how)
    shop.tx(lambda tx: hubrow.found(tx, STORE, HUB_ID, "machine", "a1"))
    return shop


async def looking(shop: Shop, root: Path) -> FreshBox:
    box = FreshBox(
        SETTINGS, shop.gate, lambda: "https://hub.example:8443/", Roots(root / "dev", root / "sys")
    )
    box.start()
    return box


async def test_a_database_that_can_t_be_read_for_a_moment_doesn_t_end_the_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshbox, "LOOK_S", 0.01)
    asked = 0

    def is_fresh(rows: Rows) -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise ReadFailed("the disk failed at a read")
        return peripherals.is_fresh(rows)

    monkeypatch.setattr(freshbox, "is_fresh", is_fresh)
    shop = unpacked(tmp_path)
    box = await looking(shop, tmp_path)
    plugged(tmp_path, "EPSON", "TM-T20III")
    async with asyncio.timeout(30):
        while not shop.value("SELECT count(*) FROM print_jobs"):
            await asyncio.sleep(0.01)
    await box.stop()
    shop.close()


async def test_the_first_printer_is_set_up_and_prints_where_the_page_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshbox, "LOOK_S", 0.01)
    shop = unpacked(tmp_path)
    box = await looking(shop, tmp_path)
    await asyncio.sleep(0.05)
    assert shop.value("SELECT count(*) FROM peripherals") == 0
    plugged(tmp_path, "Zebra", "ZD421", 0)
    plugged(tmp_path, "EPSON", "TM-T20III", 1)
    async with asyncio.timeout(30):
        while not shop.value("SELECT count(*) FROM print_jobs"):
            await asyncio.sleep(0.01)
    await box.stop()
    row = shop.one("SELECT peripheral_id, driver, address, name FROM peripherals")
    assert row == (
        "printer-usb",
        "escpos-printer",
        "usb://04b8:0e15/X1",
        "EPSON TM-T20III",
    )
    kind, wanted, document = shop.one("SELECT kind, wanted, document FROM print_jobs") or ()
    assert (kind, wanted) == ("status-ticket", "printer-usb")
    assert json.loads(document)["url"] == "https://hub.example:8443/"
    assert len(shop.audited("peripheral.adopt")) == 1
    again = await looking(shop, tmp_path)
    assert again._task is None
    shop.close()


async def test_a_box_that_was_used_sets_nothing_up_by_itself(tmp_path: Path) -> None:
    shop = unpacked(tmp_path)
    shop.pair("till-1", "till", 1)
    plugged(tmp_path, "EPSON", "TM-T20III")
    box = await looking(shop, tmp_path)
    assert box._task is None
    assert shop.value("SELECT count(*) FROM peripherals") == 0
    shop.close()


def test_the_link_is_told_as_the_kernel_says_it(tmp_path: Path) -> None:
    assert wired(tmp_path) == ("", None)
    for card, carrier, speed in (("eth0", "0", "-1"), ("enp2s0", "1", "1000"), ("wlan0", "1", "")):
        (tmp_path / card).mkdir()
        (tmp_path / card / "carrier").write_text(f"{carrier}\n")
        (tmp_path / card / "speed").write_text(f"{speed}\n")
    assert wired(tmp_path) == ("enp2s0", 1000)
    table = tmp_path / "wireless"
    assert signal_percent(table) is None
    table.write_text("Inter-| sta-|\n face | tus |\n wlan0: 0000   49.  -61.  -256\n")
    assert signal_percent(table) == 70
