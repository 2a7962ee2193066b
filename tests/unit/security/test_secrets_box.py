"""Secrets at rest."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import Randomness, SystemRandomness
from hub.security.errors import KeyFileWrong, SealBroken
from hub.security.secrets_box import SecretsBox


@pytest.fixture
def box(randomness: Randomness) -> SecretsBox:
    return SecretsBox(b"k" * 32, randomness)


def test_what_was_sealed_opens_for_its_purpose_and_key_only(
    box: SecretsBox, randomness: Randomness
) -> None:
    sealed = box.seal(b"oms password", "oms")
    assert box.unseal(sealed, "oms") == b"oms password"
    assert box.seal(b"oms password", "oms") != sealed
    with pytest.raises(SealBroken, match="'other' cannot be opened"):
        box.unseal(sealed, "other")
    with pytest.raises(SealBroken, match="Put back the hub's key file"):
        SecretsBox(b"x" * 32, randomness).unseal(sealed, "oms")


@given(st.binary(max_size=300), st.data())
def test_a_changed_seal_never_opens_to_something_else(secret: bytes, data: st.DataObject) -> None:
    box = SecretsBox(b"k" * 32, SystemRandomness())
    sealed = box.seal(secret, "p")
    place = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:place] + data.draw(st.characters()) + sealed[place + 1 :]
    try:
        assert box.unseal(changed, "p") == secret
    except SealBroken:
        assert changed != sealed


@pytest.mark.parametrize("sealed", ["", "v1.", "v1.AAAA", "v2.AAAA", "é", "v1." + "A" * 1_000_000])
def test_garbage_is_a_broken_seal(box: SecretsBox, sealed: str) -> None:
    with pytest.raises(SealBroken):
        box.unseal(sealed, "p")


def test_a_key_file_is_made_once_and_is_private(tmp_path: Path, randomness: Randomness) -> None:
    path = tmp_path / "keys" / "box.key"
    first = SecretsBox.open(path, randomness)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SecretsBox.open(path, randomness).derive("web") == first.derive("web")
    assert first.derive("web") != first.derive("ca")


def test_a_credential_of_systemd_goes_before_the_key_file(
    tmp_path: Path, randomness: Randomness
) -> None:
    credential = tmp_path / "credential"
    credential.write_bytes(b"c" * 32)
    box = SecretsBox.open(tmp_path / "box.key", randomness, credential)
    assert box.derive("web") == SecretsBox(b"c" * 32, randomness).derive("web")
    assert not (tmp_path / "box.key").exists()


def test_a_key_file_that_others_may_read_or_of_a_wrong_size_is_refused(
    tmp_path: Path, randomness: Randomness
) -> None:
    path = tmp_path / "box.key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o644)
    with pytest.raises(KeyFileWrong, match="chmod 600"):
        SecretsBox.open(path, randomness)
    path.chmod(0o600)
    path.write_bytes(b"k" * 31)
    with pytest.raises(KeyFileWrong, match="31 bytes instead of 32"):
        SecretsBox.open(path, randomness)
