"""Whole shops on virtual time: no seed may break a promise, and each replays exactly."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(900)  # minutes of processor time
FIRSTS, SEEDS_PER_RUN = (1, 11, 21, 113), 8
"""Some 40 store-days here, the last with gift cards; as many as there is time for in
scripts/campaign."""


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """The command line of the simulation."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
        timeout=840,
    )


@pytest.mark.parametrize("first", FIRSTS)
def test_no_seed_breaks_a_promise(first: int) -> None:
    done = simulate("--first", str(first), "--trials", str(SEEDS_PER_RUN), "--jobs", "1")
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["findings"] == []
    assert done.returncode == 0, done.stderr[-2000:]
    assert told["trials"] == SEEDS_PER_RUN


def test_a_seed_gives_the_same_trace_in_another_process_and_under_another_hash_seed() -> None:
    digests = set()
    for hash_seed in ("0", "1", "4711"):
        done = simulate("--seed", "11", "--days", "1", hash_seed=hash_seed)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
        digests |= set(re.findall(r"trace ([0-9a-f]{32})", done.stdout))
    assert len(digests) == 1
