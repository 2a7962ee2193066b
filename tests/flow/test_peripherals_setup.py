"""Setting up what hangs on the hub's box through the gate, and its place among the devices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.contract.peripherals import PERIPHERALS_MAX, ConfigurePeripheral
from hub.contract.problems import Code, refuse
from hub.security.codes import hash_code, new_code
from hub.service.caller import HUB, Caller, CallerKind
from hub.service.gate import Request
from hub.service.handlers.devices import KeepPairing, PairDevice
from hub.service.handlers.peripherals import KeepPeripherals, Kept, KeptAt
from hub.service.internal import MarkPresence
from hub.storage import devicerows
from tests.fakes import SeededRandomness
from tests.support.gatebench import now
from tests.support.shop import Shop

SHELL = Caller(CallerKind.CLI, "uid-0")


class Drivable:
    """A desk that can drive whatever is called a simulated something."""

    async def check(self, command: ConfigurePeripheral) -> None:
        if not command.driver.startswith("simulated-"):
            raise refuse(Code.VALIDATION, f"there is no driver {command.driver!r}.")


def made(path: Path, **how: Any) -> Shop:
    shop = Shop(path, **how)
    shop.gate.live.desk = Drivable()  # type: ignore[assignment]
    return shop


def ask(shop: Shop, operation: str, **body: Any) -> dict[str, Any]:
    text = json.dumps(body).encode()
    request = Request(SHELL, "peripheral", operation, text, shop.id())
    found: dict[str, Any] = json.loads(now(shop.gate.answer(request)))
    return found


def code(answer: dict[str, Any]) -> str:
    return "ok" if answer["ok"] else str(answer["problem"]["code"])


def configure(shop: Shop, name: str = "printer-1", **fields: Any) -> dict[str, Any]:
    return ask(shop, "configure", **({"id": name, "driver": "simulated-printer"} | fields))


def keep(shop: Shop, *names: str, started: bool = False) -> tuple[str, ...]:
    kept = tuple(Kept(name, name.capitalize(), "printer") for name in names)
    places: KeptAt = now(shop.gate.internal(HUB, KeepPeripherals(kept, started)))
    return places.taken


def test_what_is_set_up_is_kept_and_noted_and_a_change_takes_its_place(tmp_path: Path) -> None:
    shop = made(tmp_path)
    assert code(configure(shop, serves=["till-1"], options={"width_mm": 58, "x": True})) == "ok"
    assert code(configure(shop, name="printer-2", fallback="printer-1")) == "ok"
    (row,) = shop.all("SELECT serves, options FROM peripherals WHERE peripheral_id = 'printer-1'")
    assert (json.loads(row[0]), json.loads(row[1])) == (["till-1"], {"width_mm": 58, "x": True})
    assert code(configure(shop)) == "ok"
    assert shop.value("SELECT serves FROM peripherals WHERE peripheral_id = 'printer-1'") == "[]"
    assert len(shop.audited("peripheral.configure")) == 3
    assert code(ask(shop, "remove", id="printer-1")) == "conflict"
    assert code(ask(shop, "remove", id="printer-2")) == "ok"
    assert code(ask(shop, "remove", id="printer-1")) == "ok"
    assert code(ask(shop, "remove", id="printer-1")) == "not-found"
    shop.check_laws()
    shop.close()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"driver": "none-such"}, "validation"),
        ({"id": "till-1"}, "conflict"),
        ({"id": "of-the-file"}, "conflict"),
        ({"via": "printer-9"}, "validation"),
        ({"via": "printer-1"}, "validation"),
        ({"fallback": "printer-9"}, "validation"),
        ({"serves": ["till-77"]}, "validation"),
        ({"id": "-"}, "validation"),
        ({"address": "tcp://a b"}, "validation"),
        ({"options": {"X": 1}}, "validation"),
    ],
)
def test_what_can_t_be_meant_so_is_refused_and_nothing_is_kept(
    tmp_path: Path, fields: dict[str, Any], expected: str
) -> None:
    shop = made(tmp_path, file_peripherals=frozenset({"of-the-file"}))
    answer = ask(shop, "configure", **({"id": "printer-1", "driver": "simulated-x"} | fields))
    assert code(answer) == expected, answer
    assert shop.value("SELECT count(*) FROM peripherals") == 0
    shop.close()


def test_a_till_sets_nothing_up_and_no_more_than_the_bound_fit(tmp_path: Path) -> None:
    shop = made(tmp_path)
    shop.sign_in("till-1", "mia")
    body = {"id": "printer-1", "driver": "simulated-printer"}
    assert shop.no("till-1", "peripheral/configure", body)["code"] == "not-found"
    for n in range(PERIPHERALS_MAX):
        assert code(configure(shop, name=f"printer-{n}")) == "ok"
    assert code(configure(shop, name="one-more")) == "conflict"
    assert code(configure(shop, name="printer-3", name_="")) == "validation"
    assert code(configure(shop, name="printer-3")) == "ok"
    shop.close()


def test_while_the_hub_doesn_t_drive_anything_nothing_is_set_up(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    assert code(configure(shop)) == "unavailable"
    shop.close()


# Among the devices --------------------------------------------------------------------------------


def test_each_has_a_row_among_the_devices_while_it_is_driven_and_no_account(
    tmp_path: Path,
) -> None:
    shop = made(tmp_path)
    assert keep(shop, "printer-1", "printer-2", "till-1", started=True) == ("till-1",)
    rows = shop.all("SELECT device_id, number FROM devices WHERE auth = 'hub' ORDER BY number")
    assert rows == [("printer-1", 1_000_000), ("printer-2", 1_000_001)]
    assert {one.device_id for one in devicerows.paired(shop.rows)}.isdisjoint(
        {"printer-1", "printer-2"}
    )
    assert shop.value("SELECT auth FROM devices WHERE device_id = 'till-1'") == "mtls"
    keep(shop, "printer-2")
    assert shop.all("SELECT device_id FROM devices WHERE auth = 'hub'") == [("printer-2",)]
    shop.close()


def test_its_state_is_written_like_a_device_s_and_unknown_after_a_start(tmp_path: Path) -> None:
    shop = made(tmp_path)
    keep(shop, "printer-1")
    held = MarkPresence("printer-1", "ready", "hub", ("printer-paper-empty",))
    assert now(shop.gate.internal(HUB, held)) is True
    assert len(shop.events("com.storehub.device.state.v1")) == 1
    keep(shop, "printer-1", started=True)
    row = shop.one("SELECT presence, conditions FROM devices WHERE device_id = 'printer-1'")
    assert row is not None
    assert row[0] == "init"
    assert "printer-paper-empty" in row[1]  # it has been missing since then
    shop.close()


def test_a_new_device_gets_the_next_low_number_and_a_name_that_is_free(tmp_path: Path) -> None:
    shop = made(tmp_path)
    keep(shop, "printer-05", "printer-06")
    one_time = new_code(SeededRandomness(1))
    salted = hash_code(one_time, SeededRandomness(1))
    opened = KeepPairing("p1", salted, "printer", "", None)
    now(shop.gate.internal(SHELL, opened))
    offered = PairDevice(one_time, "mtls", "", "", "", None)
    outcome = now(shop.gate.internal(HUB, offered))
    assert outcome.paired.device_id == "printer-07"
    number = shop.value("SELECT number FROM devices WHERE device_id = 'printer-07'")
    assert number == 7
    shop.close()


def test_the_page_neither_revokes_nor_renames_what_hangs_on_the_hub(tmp_path: Path) -> None:
    shop = made(tmp_path)
    keep(shop, "printer-1")
    for operation, more in (("revoke", {"reason": "x"}), ("rename", {"name": "x"})):
        body = json.dumps({"device_id": "printer-1", **more}).encode()
        answer = now(shop.gate.answer(Request(SHELL, "device", operation, body, shop.id())))
        assert json.loads(answer)["problem"]["code"] == "conflict"
    assert shop.value("SELECT count(*) FROM devices WHERE device_id = 'printer-1'") == 1
    shop.close()


def test_what_waits_for_a_printer_that_was_removed_says_so(tmp_path: Path) -> None:
    shop = made(tmp_path)
    keep(shop, "printer-1", "printer-2")
    jobs = {}
    for name in ("printer-1", "printer-2"):
        body = json.dumps({"printer_id": name}).encode()
        text = now(shop.gate.answer(Request(SHELL, "print", "test", body, shop.id())))
        jobs[name] = json.loads(text)["result"]["job_id"]
    keep(shop, "printer-2")
    state = "SELECT state, reason FROM print_jobs WHERE job_id = ?"
    assert shop.one(state, jobs["printer-1"]) == (
        "failed",
        "printer-1 was removed from the settings: print it again on another printer",
    )
    assert shop.one(state, jobs["printer-2"]) == ("queued", "")
    shop.check_laws()
    shop.close()
