"""Two thousand power cuts, 250 in each of eight shops, lose nothing that was answered; with a
weaker setting they do."""

from __future__ import annotations

import logging

import pytest

from tests.storage import powercut
from tests.storage.trials import Report

CUTS = 250
SEEDS = range(1, 80_001, 10_000)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.may_block  # databases are opened and cut again and again; no loop runs here
def test_what_was_answered_survives_a_power_cut(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1, "hub")  # failing disks are what is asked for
    report = Report("power-cut", "cuts", limit=CUTS, quiet=True)

    last = powercut.run(report, seed)

    assert last["findings"] == []
    assert last["trials"] >= CUTS
    assert last["figures"]["normal_cuts_losing"] > 0, "the negative control doesn't bite"
    assert [name for name in last["must_fire"] if not last["faults"].get(name)] == []
