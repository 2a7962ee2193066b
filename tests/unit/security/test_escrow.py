"""The hub's keys, sealed for central IT."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hub.clock import SystemRandomness
from hub.security import escrow
from hub.security.escrow import (
    FILE_BYTES_MAX,
    MAGIC,
    Escrow,
    EscrowLocked,
    EscrowUnreadable,
    EscrowWrong,
    Identity,
    Passphrase,
    Recipient,
    WeakPassphrase,
    describe_escrow,
    identity_of,
    open_escrow,
    recipient_of,
    seal_escrow,
    wants_passphrase,
)

KEYS = Escrow("367", "hub-1", 1_780_000_000_000, {"box.key": bytes(range(32)), "ca-1.key": b"pem"})
WORDS = Passphrase("correct horse battery staple")


@pytest.fixture(scope="module")
def sealed() -> bytes:
    """With a passphrase that is worked out sooner than a real one: the file says how."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(escrow, "_SCRYPT_N", 1 << 10)
        return seal_escrow(KEYS, WORDS, SystemRandomness())


@pytest.fixture(scope="module")
def private() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


@pytest.fixture(scope="module")
def sealed_for_a_key(private: X25519PrivateKey) -> bytes:
    return seal_escrow(KEYS, Recipient(private.public_key()), SystemRandomness())


def test_the_passphrase_gives_the_keys_back() -> None:
    sealed = seal_escrow(KEYS, WORDS, SystemRandomness())
    assert wants_passphrase(sealed)
    assert open_escrow(sealed, WORDS) == KEYS


def test_the_recipients_key_gives_the_keys_back(
    sealed_for_a_key: bytes, private: X25519PrivateKey
) -> None:
    assert not wants_passphrase(sealed_for_a_key)
    assert open_escrow(sealed_for_a_key, Identity(private)) == KEYS


def test_no_key_can_be_read_in_the_file_and_no_two_files_are_the_same(sealed: bytes) -> None:
    again = seal_escrow(KEYS, WORDS, SystemRandomness())
    for content in KEYS.files.values():
        assert content not in sealed
    assert again.split(b"\n", 2)[2] != sealed.split(b"\n", 2)[2]


def test_whose_keys_they_are_is_told_without_opening(sealed: bytes) -> None:
    assert describe_escrow(sealed) == Escrow("367", "hub-1", KEYS.made_at_ms, {})


def test_another_passphrase_opens_nothing(sealed: bytes) -> None:
    with pytest.raises(EscrowLocked, match="passphrase doesn't fit"):
        open_escrow(sealed, Passphrase("correct horse battery staples"))


def test_another_key_opens_nothing(sealed_for_a_key: bytes) -> None:
    with pytest.raises(EscrowLocked, match="sealed for another key"):
        open_escrow(sealed_for_a_key, Identity(X25519PrivateKey.generate()))


def test_the_wrong_kind_of_opener_is_named(
    sealed: bytes, sealed_for_a_key: bytes, private: X25519PrivateKey
) -> None:
    with pytest.raises(EscrowLocked, match="sealed with a passphrase"):
        open_escrow(sealed, Identity(private))
    with pytest.raises(EscrowLocked, match="sealed for a key"):
        open_escrow(sealed_for_a_key, WORDS)


def test_a_file_cut_short_anywhere_is_refused(sealed_for_a_key: bytes) -> None:
    identity = Identity(X25519PrivateKey.generate())
    for length in range(len(sealed_for_a_key)):
        with pytest.raises(EscrowUnreadable):
            open_escrow(sealed_for_a_key[:length], identity)


def test_a_file_changed_anywhere_is_refused(
    sealed_for_a_key: bytes, private: X25519PrivateKey
) -> None:
    for place in range(len(sealed_for_a_key)):
        changed = bytearray(sealed_for_a_key)
        changed[place] ^= 1
        with pytest.raises(EscrowWrong):
            open_escrow(bytes(changed), Identity(private))


def test_a_newer_files_version_is_named(sealed: bytes) -> None:
    newer = sealed.replace(b"store-hub-escrow 1\n", b"store-hub-escrow 2\n")
    with pytest.raises(EscrowUnreadable, match="of version 2, this Store Hub knows 1"):
        open_escrow(newer, WORDS)


def header_changed(content: bytes, change: Callable[[dict[str, object]], object]) -> bytes:
    first, line, body = content.split(b"\n", 2)
    header = json.loads(line)
    change(header)
    return b"\n".join((first, json.dumps(header).encode(), body))


@pytest.mark.parametrize("n", [0, 1, 3, 1 << 30, "many", None])
def test_a_file_cannot_ask_for_all_memory(sealed: bytes, n: object) -> None:
    hostile = header_changed(sealed, lambda header: header.update(n=n))
    with pytest.raises(EscrowUnreadable, match="damaged"):
        open_escrow(hostile, WORDS)


@pytest.mark.parametrize("name", ["n", "body_bytes", "made_at_ms"])
def test_a_number_without_end_is_refused(sealed: bytes, name: str) -> None:
    hostile = header_changed(sealed, lambda header: header.update({name: float("inf")}))
    with contextlib.suppress(EscrowWrong):
        open_escrow(hostile, WORDS)
    with contextlib.suppress(EscrowWrong):
        describe_escrow(hostile)


@pytest.mark.parametrize("name", ["kdf", "nonce", "salt", "store", "hub_id", "made_at_ms"])
def test_a_header_without_one_of_its_fields_is_refused(sealed: bytes, name: str) -> None:
    with pytest.raises(EscrowWrong):
        open_escrow(header_changed(sealed, lambda header: header.pop(name)), WORDS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        MAGIC,
        MAGIC + b"1\n",
        MAGIC + b"1\n[]\n",
        MAGIC + b"1\n" + b"[" * 3000 + b"\n",
        MAGIC + b"1\n{}\n" + bytes(FILE_BYTES_MAX),
    ],
)
def test_what_is_no_escrow_file_is_refused(content: bytes) -> None:
    with pytest.raises(EscrowUnreadable):
        open_escrow(content, WORDS)


@pytest.mark.parametrize("name", ["/etc/passwd", "../hub.db", "a/../../b", ""])
def test_a_file_that_would_write_elsewhere_is_refused(name: str, private: X25519PrivateKey) -> None:
    escrow = Escrow("367", "hub-1", 0, {name: b"x"})
    content = seal_escrow(escrow, Recipient(private.public_key()), SystemRandomness())
    with pytest.raises(EscrowUnreadable, match="no key's name"):
        open_escrow(content, Identity(private))


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(WeakPassphrase, match="at least 12"):
        seal_escrow(KEYS, Passphrase("short"), SystemRandomness())


def test_keys_are_read_as_openssl_writes_them(private: X25519PrivateKey) -> None:
    public_pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private_pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"opens it"),
    )
    content = seal_escrow(KEYS, recipient_of(public_pem), SystemRandomness())
    assert open_escrow(content, identity_of(private_pem, b"opens it")) == KEYS
    for password in (None, b"another"):
        with pytest.raises(EscrowWrong, match="can't be read"):
            identity_of(private_pem, password)


def test_keys_of_another_kind_are_refused() -> None:
    other = Ed25519PrivateKey.generate()
    public_pem = other.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private_pem = other.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(EscrowWrong, match="not X25519"):
        recipient_of(public_pem)
    with pytest.raises(EscrowWrong, match="not X25519"):
        identity_of(private_pem)
    with pytest.raises(EscrowWrong, match="no public key"):
        recipient_of(b"nothing")
