"""What a device's refusal of a command says about paper."""

from __future__ import annotations

import pytest

from devices.peripherals.lending import Declined, Unanswered
from hub.app.peripherals import said_no
from hub.contract.problems import Code, problem
from hub.mqtt import commander


@pytest.mark.parametrize("code", [Code.BUSY, Code.NOT_FOUND, Code.VALIDATION, Code.FORBIDDEN])
def test_a_device_that_refuses_has_done_nothing(code: Code) -> None:
    error = said_no(commander.Declined(problem(code, "Not now.")))
    assert isinstance(error, Declined)
    assert str(error) == "Not now."


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.OUTCOME_UNKNOWN])
def test_a_device_that_failed_may_have_printed(code: Code) -> None:
    error = said_no(commander.Declined(problem(code, "It failed; see its log.")))
    assert isinstance(error, Unanswered)
