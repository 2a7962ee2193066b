"""Staff PINs."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters

from hub.clock import Randomness
from hub.security.errors import PinHashDamaged
from hub.security.pins import hash_pin, needs_rehash, verify_pin


def test_a_pin_verifies_and_another_does_not(randomness: Randomness) -> None:
    stored = hash_pin("4711", randomness)
    assert verify_pin("4711", stored)
    assert verify_pin(" 4711 ", stored)  # as tablets with another keyboard send it
    assert not verify_pin("4712", stored)
    assert not verify_pin("", stored)


def test_a_pin_is_kept_with_19_mib_two_passes_one_lane_and_its_own_salt(
    randomness: Randomness,
) -> None:
    first, second = hash_pin("4711", randomness), hash_pin("4711", randomness)
    assert first != second
    parameters = extract_parameters(first)
    assert first.startswith("$argon2id$")
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19456, 2, 1)


def test_an_unknown_person_costs_one_whole_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    real = PasswordHasher.hash

    def counting(self: PasswordHasher, password: str, *, salt: bytes | None = None) -> str:
        hashed.append(password)
        return real(self, password, salt=salt)

    monkeypatch.setattr(PasswordHasher, "hash", counting)
    assert not verify_pin("4711", None)
    assert hashed == ["4711"]


def test_only_hashes_with_other_parameters_need_a_rehash(randomness: Randomness) -> None:
    assert not needs_rehash(hash_pin("4711", randomness))
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("4711")
    assert needs_rehash(weak)
    assert verify_pin("4711", weak)


@pytest.mark.parametrize("stored", ["", "rubbish", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA"])
def test_a_damaged_hash_is_an_error_that_says_what_to_do(stored: str) -> None:
    with pytest.raises(PinHashDamaged, match="Set a new PIN"):
        verify_pin("4711", stored)


@pytest.mark.parametrize("asked", ["m=4194304,t=2,p=1", "m=19456,t=4000000000,p=1"])
def test_a_hash_that_asks_for_all_of_the_box_is_refused_before_it_is_tried(asked: str) -> None:
    salt_and_hash = "YWFhYWFhYWFhYWFhYWFhYQ$" + "YWFh" * 10 + "YWE"
    with pytest.raises(PinHashDamaged, match="Set a new PIN"):
        verify_pin("4711", f"$argon2id$v=19${asked}${salt_and_hash}")


def test_an_endless_pin_is_refused_not_hashed(randomness: Randomness) -> None:
    stored = hash_pin("1" * 64, randomness)
    assert verify_pin("1" * 64, stored)
    assert not verify_pin("1" * 1_000_000, stored)
    for pin in ("", "1" * 65):
        with pytest.raises(ValueError, match="1 to 64"):
            hash_pin(pin, randomness)
