"""Sealed messages: what is opened, and what isn't; the file of keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.peripherals.nexo.sealing import (
    KeysWrong,
    NotOpened,
    SharedKey,
    open_sealed,
    parsed,
    read_keys,
    seal,
)
from tests.fakes import SeededRandomness

KEY = SharedKey.derive("shop", 1, "a passphrase")
HEADER = {"ServiceID": "A"}


def sealed(message: bytes = b"{}", key: SharedKey = KEY, seed: int = 1) -> dict[str, Any]:
    return seal(key, HEADER, message, SeededRandomness(seed).token_bytes)


@given(st.binary(max_size=300), st.integers(0, 1000))
@settings(max_examples=50)
def test_what_was_sealed_is_opened_and_looks_like_noise(message: bytes, seed: int) -> None:
    made = sealed(message, seed=seed)
    assert open_sealed((KEY,), json.loads(json.dumps(made))) == (message, KEY)
    if len(message) > 8:
        assert message.hex() not in json.dumps(made)


def test_the_same_message_never_looks_the_same_twice() -> None:
    assert sealed(seed=1)["NexoBlob"] != sealed(seed=2)["NexoBlob"]


@given(st.sampled_from(["NexoBlob", "Nonce", "Hmac"]), st.integers(0, 63), st.integers(1, 255))
@settings(max_examples=100)
def test_one_changed_byte_is_noticed(part: str, at: int, by: int) -> None:
    import base64

    made = sealed(b'{"amount": 10}')
    place = made if part == "NexoBlob" else made["SecurityTrailer"]
    raw = bytearray(base64.b64decode(place[part]))
    raw[at % len(raw)] ^= by
    place[part] = base64.b64encode(bytes(raw)).decode()
    with pytest.raises(NotOpened):
        open_sealed((KEY,), made)


@pytest.mark.parametrize(
    "change",
    [
        {"NexoBlob": "*"},
        {"NexoBlob": ""},
        {"NexoBlob": 7},
        {"SecurityTrailer": None},
        {"SecurityTrailer": {}},
        {"SecurityTrailer": {"KeyIdentifier": "shop", "Nonce": "", "Hmac": ""}},
    ],
)
def test_what_is_not_sealed_properly_is_not_opened(change: dict[str, Any]) -> None:
    with pytest.raises(NotOpened):
        open_sealed((KEY,), sealed() | change)
    with pytest.raises(NotOpened):
        open_sealed((KEY,), None)


@pytest.mark.parametrize(
    "trailer", [{"KeyVersion": 2}, {"KeyIdentifier": "x"}, {"KeyVersion": True}]
)
def test_only_the_key_that_is_named_opens_it(trailer: dict[str, Any]) -> None:
    made = sealed()
    made["SecurityTrailer"] |= trailer
    with pytest.raises(NotOpened, match="isn't known here"):
        open_sealed((KEY,), made)


def test_versions_written_as_digits_are_understood() -> None:
    made = sealed()
    made["SecurityTrailer"] |= {"KeyVersion": "1", "AdyenCryptoVersion": "1"}
    assert open_sealed((KEY,), made)[0] == b"{}"
    made["SecurityTrailer"]["AdyenCryptoVersion"] = 2
    with pytest.raises(NotOpened):
        open_sealed((KEY,), made)


def test_a_key_shows_nothing_of_itself() -> None:
    assert repr(KEY) == "SharedKey(key_id='shop', version=1)"


@pytest.mark.parametrize("text", ["[]", "7", "{", "", "\xff", "[" * 100_000])
def test_messages_are_objects(text: str) -> None:
    with pytest.raises(NotOpened):
        parsed(text.encode("latin-1"))


def keys(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "keys"
    path.write_text(text, "latin-1")
    path.chmod(mode)
    return path


def test_the_first_key_of_the_file_seals_and_all_open(tmp_path: Path) -> None:
    path = keys(tmp_path, "# ours\n\nshop 2 two words\nshop 1 a passphrase\n")
    ring = read_keys(path)
    assert [(one.key_id, one.version) for one in ring] == [("shop", 2), ("shop", 1)]
    assert ring[0] == SharedKey.derive("shop", 2, "two words")
    assert open_sealed(ring, sealed())[1] == KEY


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no key"),
        ("shop 1\n", "line 1"),
        ("shop one secret\n", "line 1"),
        ("shop 1 a\nshop 1 b\n", "twice"),
        ("\n".join(f"shop {one} x" for one in range(9)), "more than 8"),
        (f"shop 1 {'x' * 300}", "too long"),
    ],
)
def test_a_file_of_keys_that_is_none_is_refused_without_a_word_of_it(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(KeysWrong, match=words) as refused:
        read_keys(keys(tmp_path, text))
    assert "secret" not in str(refused.value)


def test_keys_that_others_may_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeysWrong, match="chmod 600"):
        read_keys(keys(tmp_path, "shop 1 x", 0o644))
    with pytest.raises(KeysWrong, match="can't be read"):
        read_keys(tmp_path / "none")
