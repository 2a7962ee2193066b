"""What the check says of what devices say of their printers, drawers and scanners."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from hub.contract.admin import DeviceView
from hub.contract.conditions import CONDITIONS, Condition
from hub.contract.peripherals import PeripheralView
from hub.health.check import Finding
from hub.health.checks.devices import CHECK as DEVICES
from hub.health.checks.peripherals import CHECK, HIDDEN_BY, LEFT_OPEN_MS, TROUBLES
from tests.unit.health.wellhub import MINUTE_MS, NOW_MS, device, facts

LONG_AGO_MS = NOW_MS - 10 * MINUTE_MS


def having(*conditions: str, since_ms: int = LONG_AGO_MS, **fields: Any) -> DeviceView:
    told = {"conditions": conditions, "conditions_since_ms": dict.fromkeys(conditions, since_ms)}
    return device(**(told | fields))


def look(*devices: DeviceView) -> Finding:
    return CHECK.look(facts(devices=devices))


def test_every_condition_of_the_contract_has_its_words() -> None:
    assert set(TROUBLES) == set(CONDITIONS) == set(get_args(Condition))
    assert HIDDEN_BY.keys() <= set(CONDITIONS)


@pytest.mark.parametrize("key", CONDITIONS)
def test_each_condition_is_told_with_its_place_its_meaning_and_the_next_step(key: Any) -> None:
    found = look(having(key), device(device_id="till-02"))
    assert found.level == TROUBLES[key].level
    assert "at Front (till-01) is " in found.summary
    assert found.next_step.endswith("at Front (till-01).")
    assert found.means.endswith(".")
    assert found.since_ms == LONG_AGO_MS
    assert list(found.detail) == ["Front (till-01)"]
    assert "for 10 min" in found.detail["Front (till-01)"]


def test_a_printer_without_paper_asks_for_a_new_roll() -> None:
    found = look(having("printer-paper-empty"))
    assert found.summary == "The printer at Front (till-01) is out of paper."
    assert found.next_step == "Put a new paper roll into the printer at Front (till-01)."


def test_many_devices_are_named_by_three_and_a_count_who_has_it_longest_first() -> None:
    devices = [
        having(
            "printer-paper-empty",
            device_id=f"till-{n:02d}",
            name=f"Till {n}",
            since_ms=NOW_MS - n * MINUTE_MS,
        )
        for n in range(1, 6)
    ]
    found = look(*devices)
    assert found.summary == (
        "The printers at Till 5 (till-05), Till 4 (till-04), Till 3 (till-03) and 2 more are out"
        " of paper."
    )
    assert found.since_ms == NOW_MS - 5 * MINUTE_MS


def test_the_worst_comes_first_and_no_more_than_three_things_are_told_in_full() -> None:
    found = look(
        having("printer-paper-near-end", device_id="a", name="A"),
        having("scale-offline", "display-offline", device_id="b", name="B"),
        having("printer-cover-open", device_id="c", name="C"),
        having("drawer-open", device_id="d", name="D"),
    )
    assert found.level == "warning"
    assert found.summary == (
        "The printer's cover at C (c) is open. The cash drawer at D (d) is left open."
        " The scale at B (b) is not answering. And 2 more things."
    )
    assert found.next_step.count(".") == 3
    assert len(found.detail) == 4


def test_what_only_follows_is_not_told_as_a_thing_of_its_own() -> None:
    found = look(having("printer-offline", "printer-paper-empty", "printer-paper-near-end"))
    assert found.summary == "The printer at Front (till-01) is out of paper."


def test_a_drawer_that_is_open_for_a_sale_is_not_left_open() -> None:
    assert look(having("drawer-open", since_ms=NOW_MS - LEFT_OPEN_MS + 1)).level == "ok"
    assert look(having("drawer-open", since_ms=NOW_MS - LEFT_OPEN_MS)).level == "warning"


def test_a_device_that_is_shut_out_troubles_nobody() -> None:
    assert look(having("printer-offline", status="revoked")).level == "ok"


def test_a_drawer_that_was_opened_before_the_clock_was_set_back_is_left_open() -> None:
    found = look(having("drawer-open", since_ms=NOW_MS + 60 * MINUTE_MS))
    assert found.level == "warning"
    assert found.since_ms == NOW_MS
    assert look(having("drawer-open", since_ms=NOW_MS + 1)).level == "ok"


# What hangs on the hub's own box ------------------------------------------------------------------


def own(phase: str = "lost", reason: str = "is not there", **fields: Any) -> PeripheralView:
    base = {
        "id": "printer-1",
        "name": "Counter",
        "kind": "printer",
        "driver": "escpos-printer",
        "source": "page",
        "phase": phase,
        "reason": reason,
        "since_ms": LONG_AGO_MS,
    }
    return PeripheralView.model_validate(base | fields)


def with_own(*views: PeripheralView, **fields: Any) -> Finding:
    devices = [
        device(
            **(
                {"device_id": one.id, "name": one.name, "kind": one.kind, "auth": "hub"}
                | {"presence": "lost"}
                | fields
            )
        )
        for one in views
    ]
    return CHECK.look(facts(devices=(device(), *devices), peripherals=views))


def test_a_printer_of_the_hub_s_own_that_is_away_is_told_with_the_reason() -> None:
    found = with_own(own())
    assert found.summary == "The printer at Counter (printer-1) is not answering."
    assert found.level == "warning"
    assert found.detail["printer-1"] == "is not there"
    assert found.since_ms == LONG_AGO_MS


def test_what_the_hub_sees_of_a_printer_that_is_away_is_part_of_the_next_step() -> None:
    reason = 'it doesn\'t answer: is it switched on? Else it needs status = "none"'
    found = with_own(own("claiming", reason, id="printer-1", name="printer-1"))
    assert found.summary == "The printer at printer-1 is not answering."
    assert found.next_step == (
        "Check the power and the cable of the printer at printer-1. What the hub sees: it doesn't"
        ' answer: is it switched on? Else it needs status = "none".'
    )


def test_a_drawer_that_is_away_with_its_printer_is_not_told_as_another_printer() -> None:
    printer = own("lost", "is not there")
    drawer = own("lost", "its printer is gone", id="drawer-1", kind="drawer", via="printer-1")
    found = with_own(printer, drawer)
    assert found.summary == "The printer at Counter (printer-1) is not answering."


def test_one_that_is_looked_for_at_the_start_or_went_a_moment_ago_is_no_news() -> None:
    assert with_own(own("claiming", "")).level == "ok"
    assert with_own(own(since_ms=NOW_MS - 1000)).level == "ok"
    assert with_own(own("ready", "")).level == "ok"


def test_what_it_says_itself_while_it_is_there_counts_as_of_any_device() -> None:
    held = {"conditions": ("printer-paper-empty",), "presence": "ready"}
    found = with_own(own("ready", ""), **held)
    assert found.summary == "The printer at Counter (printer-1) is out of paper."


def test_what_is_set_up_so_that_it_can_t_be_driven_asks_to_be_corrected() -> None:
    found = with_own(own("refused", "there is no driver 'x'"))
    assert found.level == "warning"
    assert "Counter (printer-1) isn't driven: there is no driver 'x'." in found.summary
    assert "store-hub peripherals list" in found.next_step


def test_a_lost_one_of_the_hub_s_own_counts_not_as_a_lost_device() -> None:
    views = (own(),)
    lost = device(device_id="printer-1", auth="hub", presence="lost", kind="printer")
    found = DEVICES.look(facts(devices=(device(), lost), peripherals=views))
    assert found.level == "ok"
