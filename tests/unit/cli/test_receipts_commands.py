"""Checking a receipt of another shop by its code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub.clock import SystemRandomness
from hub.documents.returncode import PURPOSE, ReturnCode, sign
from hub.security.secrets_box import SecretsBox

if TYPE_CHECKING:
    from click.testing import Result

Run = Callable[..., "Result"]
CODE = ReturnCode(
    "367", "367-1-000482", "01979f2e-7c1a-7bb0-8f00-5d0c2a7e9b11", "2026-11-22", 5851, "EUR"
)


@pytest.fixture
def text(tmp_path: Path) -> str:
    """A code of this hub."""
    box = SecretsBox.open(tmp_path / "state" / "tls" / "box.key", SystemRandomness())
    return sign(CODE, box.derive(PURPOSE))


def test_a_code_is_checked_with_the_shops_own_key_or_a_given_one(run: Run, text: str) -> None:
    done = run("receipts", "check", text, "--json")
    assert json.loads(done.output)["receipt_no"] == "367-1-000482"
    key = run("receipts", "key").output.strip()
    assert json.loads(run("receipts", "key", "--json").output) == {
        "store": "367",
        "public_key": key,
    }
    done = run("receipts", "check", text, "--key", "A" * 43 + "=", "--key", key)
    assert done.exit_code == 0
    assert "5851" in done.output


def test_a_code_of_nobody_we_know_is_refused(run: Run, text: str) -> None:
    done = run("receipts", "check", text, "--key", "A" * 43 + "=")
    assert done.exit_code == 1
    assert "isn't signed by a known key of shop 367" in done.output
    assert run("receipts", "check", "4006381333931").exit_code == 1


def test_a_key_that_is_none_and_a_hub_without_one_are_told(run: Run) -> None:
    assert "is no public key" in run("receipts", "check", "X", "--key", "abc").output
    assert "start it once" in run("receipts", "key").output
