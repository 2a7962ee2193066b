"""Passwords of devices without client certificates (the broker itself: tests/wire)."""

from __future__ import annotations

import base64

import pytest

from hub.clock import Randomness
from hub.security.alphabet import UNAMBIGUOUS, draw
from hub.security.passwords import hash_password, new_password, password_fits


def test_a_password_fits_only_its_own_hash(randomness: Randomness) -> None:
    password = new_password(randomness)
    stored = hash_password(password, randomness)
    assert password_fits(password, stored)
    assert not password_fits(password + "x", stored)
    assert hash_password(password, randomness) != stored


def test_the_fields_are_what_the_dynamic_security_plugin_reads(randomness: Randomness) -> None:
    fields = hash_password("secret", randomness).fields()
    assert set(fields) == {"password", "salt", "iterations"}
    assert fields["iterations"] == 101
    assert len(base64.b64decode(str(fields["password"]))) == 64
    assert len(base64.b64decode(str(fields["salt"]))) == 12


def test_passwords_are_unambiguous_and_differ(randomness: Randomness) -> None:
    passwords = {new_password(randomness) for _ in range(100)}
    assert len(passwords) == 100
    assert all(len(one) == 24 and set(one) <= set(UNAMBIGUOUS) for one in passwords)


def test_every_character_is_drawn_equally_often(randomness: Randomness) -> None:
    text = draw(30_000, randomness)
    assert all(800 < text.count(one) < 1200 for one in UNAMBIGUOUS)


class _Stuck:
    def uniform(self, low: float, high: float) -> float:
        return low

    def token_bytes(self, count: int) -> bytes:
        return b"\xff" * count


def test_a_broken_source_of_randomness_is_noticed_instead_of_looping() -> None:
    with pytest.raises(RuntimeError, match="randomness is broken"):
        draw(8, _Stuck())
