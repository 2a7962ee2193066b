"""Conditions in a device's state: the known ones count, strange ones do no harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from hub.contract.conditions import CONDITIONS, TOLD_MAX
from hub.contract.envelope import DeviceState


def state(**fields: Any) -> DeviceState:
    return DeviceState.model_validate_json(json.dumps({"state": "ready", "session": "s", **fields}))


def test_known_ones_are_kept_once_in_the_contracts_order() -> None:
    told = state(conditions=["drawer-open", "printer-paper-empty", "drawer-open"])
    assert told.conditions == ("printer-paper-empty", "drawer-open")
    assert state(conditions=list(reversed(CONDITIONS))).conditions == CONDITIONS


def test_what_only_a_newer_device_knows_is_left_out_and_the_rest_counts() -> None:
    assert state(conditions=["coin-box-full", "drawer-open"]).conditions == ("drawer-open",)


def test_a_device_that_tells_none_is_no_device_that_is_well() -> None:
    assert state().conditions is None
    assert state(conditions=[]).conditions == ()


@pytest.mark.parametrize(
    "told",
    [["4111111111111111"], ["Drawer Open"], [""], ["x" * 41], ["a-b"] * (TOLD_MAX + 1), "ab", [1]],
)
def test_what_is_no_list_of_keys_is_refused(told: Any) -> None:
    with pytest.raises(ValidationError):
        state(conditions=told)
