"""A process that is killed keeps what it answered; what it didn't answer is whole or not there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.shop import Shop

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("place", ["writer.before-commit", "writer.after-commit"])
@pytest.mark.parametrize("nth", [1, 2, 7, 23])
@pytest.mark.may_block  # the process that is killed is waited for; no loop runs here
def test_what_was_answered_is_stored(tmp_path: Path, place: str, nth: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.storage.crash_process", str(tmp_path), place, str(nth)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    answered = [json.loads(line) for line in done.stdout.splitlines()]

    shop = Shop(tmp_path, furnish=False, seed=nth + 1000, quick=False)
    shop.check_laws()
    sold = {row[0] for row in shop.all("SELECT sale_id FROM sales")}
    assert {one["body"]["sale_id"] for one in answered} <= sold
    if place == "writer.after-commit":
        assert len(sold) > len(answered)
    with shop.unchanged():
        for one in answered:
            again = shop.ask(one["till"], "sale/commit", one["body"], key=one["key"])
            assert again.text == one["reply"]
    assert shop.level("tea")["sellable"] == 1000 - len(sold)
    shop.sell("till-1", "tea", 1, 499)
    shop.check_laws()
    shop.close()
