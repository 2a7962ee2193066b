"""The vault of stored payments' tokens."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import Randomness, SystemRandomness
from hub.domain.payments.tokens import SealedToken
from hub.security.errors import SealBroken, VaultLocked
from hub.security.vault import KEYS_MAX, TOKEN_BYTES_MAX, PaymentVault

MASTER, CARD = b"m" * 32, b"c" * 32
TOKEN = b"tok_opaque_0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tls" / "payments.keys"


@pytest.fixture
def vault(path: Path, randomness: Randomness) -> PaymentVault:
    return PaymentVault.open(path, MASTER, CARD, randomness)


def test_a_token_opens_for_its_own_payment_only(vault: PaymentVault) -> None:
    sealed = vault.seal("p1", TOKEN)
    assert vault.unseal("p1", sealed) == TOKEN
    with pytest.raises(SealBroken, match="belongs to another payment"):
        vault.unseal("p2", sealed)
    other = vault.seal("p1", TOKEN)
    assert other.sealed != sealed.sealed
    mixed = dataclasses.replace(sealed, wrapped=other.wrapped)
    with pytest.raises(SealBroken):
        vault.unseal("p1", mixed)


def test_neither_the_token_nor_the_keys_stand_anywhere_in_plain(
    vault: PaymentVault, path: Path
) -> None:
    sealed = vault.seal("p1", TOKEN)
    assert TOKEN not in sealed.sealed + sealed.wrapped
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_bytes()
    assert all(key not in content for _, key in vault._ring.keys)
    assert repr(TOKEN) not in repr(sealed)
    assert sealed.sealed.hex() not in repr(sealed)


def test_the_same_file_and_master_open_it_again(
    vault: PaymentVault, path: Path, randomness: Randomness
) -> None:
    sealed = vault.seal("p1", TOKEN)
    again = PaymentVault.open(path, MASTER, CARD, randomness)
    assert again.unseal("p1", sealed) == TOKEN
    assert again.card_ref("par-1") == vault.card_ref("par-1") != vault.card_ref("par-2")
    assert again.card_ref("") == ""


def test_a_file_that_the_master_does_not_open_is_refused_and_never_replaced(
    vault: PaymentVault, path: Path, randomness: Randomness
) -> None:
    before = path.read_bytes()
    for wrong in (b"x" * 32, b"y" * 32):
        with pytest.raises(VaultLocked, match=r"payments\.key"):
            PaymentVault.open(path, wrong, CARD, randomness, former=b"z" * 32)
    assert path.read_bytes() == before
    path.write_bytes(before[:40])
    with pytest.raises(VaultLocked):
        PaymentVault.open(path, MASTER, CARD, randomness)
    assert path.read_bytes() == before[:40]


def test_a_master_that_is_given_later_takes_the_file_over(
    vault: PaymentVault, path: Path, randomness: Randomness
) -> None:
    sealed = vault.seal("p1", TOKEN)
    given_later = b"g" * 32
    later = PaymentVault.open(path, given_later, CARD, randomness, former=MASTER)
    assert later.unseal("p1", sealed) == TOKEN
    with pytest.raises(VaultLocked):
        PaymentVault.open(path, MASTER, CARD, randomness)


def test_after_a_rotation_old_tokens_open_until_their_key_is_destroyed(
    vault: PaymentVault, path: Path, randomness: Randomness
) -> None:
    old = vault.seal("p1", TOKEN)
    first = vault.current
    second = vault.rotate()
    assert vault.key_ids == (first, second)
    assert vault.unseal("p1", old) == TOKEN
    moved = vault.rewrap("p1", old)
    assert (moved.key_id, moved.sealed) == (second, old.sealed)
    assert vault.forget(frozenset({first})) == ()
    assert vault.forget(frozenset({second})) == (first,)
    assert vault.unseal("p1", moved) == TOKEN
    with pytest.raises(SealBroken, match="isn't here"):
        vault.unseal("p1", old)
    again = PaymentVault.open(path, MASTER, CARD, randomness)
    assert again.key_ids == (second,)
    assert again.unseal("p1", moved) == TOKEN


def test_only_so_many_keys_are_kept(vault: PaymentVault) -> None:
    for _ in range(KEYS_MAX - 1):
        vault.rotate()
    with pytest.raises(VaultLocked, match="still needed"):
        vault.rotate()
    assert len(vault.forget(frozenset())) == KEYS_MAX - 1
    vault.rotate()


@pytest.mark.parametrize("token", [b"", b"x" * (TOKEN_BYTES_MAX + 1)])
def test_a_token_has_its_bounds(vault: PaymentVault, token: bytes) -> None:
    with pytest.raises(ValueError, match="4096 bytes"):
        vault.seal("p1", token)


@given(token=st.binary(min_size=1, max_size=200), data=st.data())
def test_a_changed_record_never_opens(
    tmp_path_factory: pytest.TempPathFactory, token: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.keys"
    vault = PaymentVault.open(path, MASTER, CARD, SystemRandomness())
    sealed = vault.seal("p1", token)
    part = data.draw(st.sampled_from(["wrapped", "sealed"]))
    content = bytearray(getattr(sealed, part))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    changed = {"wrapped": sealed.wrapped, "sealed": sealed.sealed, part: bytes(content)}
    with pytest.raises(SealBroken):
        vault.unseal("p1", SealedToken(sealed.key_id, changed["wrapped"], changed["sealed"]))
