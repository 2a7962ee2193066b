"""Messages between a sales system and a terminal, encrypted as Adyen's Terminal API does locally.

A message is sealed under keys that PBKDF2 (HMAC-SHA1, 4000 rounds) derives from a passphrase which
both sides know: AES-256-CBC with an IV that each message's nonce changes, and HMAC-SHA256 over the
plain message.  Source: Adyen's public documentation, "Protect local communications".
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import pbkdf2_hmac, sha256
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

CRYPTO_VERSION: Final = 1
ROUNDS: Final = 4000
SALT: Final = b"AdyenNexoV1Salt"
HMAC_KEY_BYTES: Final = 32
CIPHER_KEY_BYTES: Final = 32
BLOCK_BYTES: Final = 16
KEYS_MAX: Final = 8
KEYS_FILE_BYTES_MAX: Final = 16_384
PASSPHRASE_MAX: Final = 256
MESSAGE_BYTES_MAX: Final = 1 << 20


class KeysWrong(ValueError):
    """The file of keys can't be meant so; the text never quotes what it holds."""


class NotOpened(Exception):
    """A message isn't sealed, or not under a key that is known here, or was tampered with."""


@dataclass(frozen=True, slots=True)
class SharedKey:
    """One version of the key that is set up at the terminal, too."""

    key_id: str
    version: int
    hmac_key: bytes = field(repr=False)
    cipher_key: bytes = field(repr=False)
    iv: bytes = field(repr=False)

    @classmethod
    def derive(cls, key_id: str, version: int, passphrase: str) -> SharedKey:
        """Takes some milliseconds.  ``passphrase``: Latin-1 text, as the terminal has it."""
        size = HMAC_KEY_BYTES + CIPHER_KEY_BYTES + BLOCK_BYTES
        made = pbkdf2_hmac("sha1", passphrase.encode("latin-1"), SALT, ROUNDS, size)
        cipher_at = HMAC_KEY_BYTES + CIPHER_KEY_BYTES
        return cls(
            key_id, version, made[:HMAC_KEY_BYTES], made[HMAC_KEY_BYTES:cipher_at], made[cipher_at:]
        )


KeyRing = tuple[SharedKey, ...]
"""The key for what is sent first, then those of before (or to come) that answers may bear."""


def read_keys(path: Path) -> KeyRing:
    """The keys of a file: one a line, ``KEY-ID VERSION PASSPHRASE``; empty lines and those that
    begin with ``#`` don't count.

    Errors: :class:`KeysWrong`, also when other users may read the file.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeysWrong(f"other users may read {path}: run chmod 600 {path}")
        with path.open("rb") as file:
            raw = file.read(KEYS_FILE_BYTES_MAX + 1)
        text = raw.decode("latin-1")
    except OSError as error:
        raise KeysWrong(f"{path} can't be read: {error.strerror or error}") from error
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise KeysWrong(f"{path} holds no key: write KEY-ID VERSION PASSPHRASE in a line")
    if len(lines) > KEYS_MAX or len(raw) > KEYS_FILE_BYTES_MAX:
        raise KeysWrong(f"{path} holds more than {KEYS_MAX} keys, or is no file of keys")
    ring = tuple(_key(path, number, line) for number, line in lines)
    if len({(one.key_id, one.version) for one in ring}) < len(ring):
        raise KeysWrong(f"{path} has the same key and version twice")
    return ring


def _key(path: Path, number: int, line: str) -> SharedKey:
    parts = line.split(None, 2)
    if len(parts) != 3 or not parts[1].isdecimal() or not parts[1].isascii():
        raise KeysWrong(f"{path}, line {number}: expected KEY-ID VERSION PASSPHRASE")
    if len(parts[1]) > 9 or len(parts[2]) > PASSPHRASE_MAX:
        raise KeysWrong(f"{path}, line {number}: the version or the passphrase is too long")
    return SharedKey.derive(parts[0], int(parts[1]), parts[2])


def seal(
    key: SharedKey,
    header: Mapping[str, Any],
    message: bytes,
    token_bytes: Callable[[int], bytes],
) -> dict[str, Any]:
    """The secured message: the header in plain, the message (JSON) sealed under ``key``."""
    nonce = token_bytes(BLOCK_BYTES)
    padder = PKCS7(BLOCK_BYTES * 8).padder()
    padded = padder.update(message) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key.cipher_key), modes.CBC(_iv(key, nonce))).encryptor()
    blob = encryptor.update(padded) + encryptor.finalize()
    return {
        "MessageHeader": dict(header),
        "NexoBlob": _text(blob),
        "SecurityTrailer": {
            "AdyenCryptoVersion": CRYPTO_VERSION,
            "KeyIdentifier": key.key_id,
            "KeyVersion": key.version,
            "Nonce": _text(nonce),
            "Hmac": _text(hmac.digest(key.hmac_key, message, sha256)),
        },
    }


def open_sealed(ring: KeyRing, secured: Any) -> tuple[bytes, SharedKey]:
    """The plain message and the key that it was sealed under.  Errors: :class:`NotOpened`."""
    match secured:
        case {
            "NexoBlob": str(blob),
            "SecurityTrailer": {
                "KeyIdentifier": str(key_id),
                "Nonce": str(nonce_text),
                "Hmac": str(hmac_text),
                **rest,
            },
        }:
            pass
        case _:
            raise NotOpened("it isn't sealed")
    version = _number(rest.get("KeyVersion"))
    if _number(rest.get("AdyenCryptoVersion")) != CRYPTO_VERSION:
        raise NotOpened("it is sealed in a way that isn't known here")
    key = next((one for one in ring if one.key_id == key_id and one.version == version), None)
    if key is None:
        raise NotOpened("it is sealed under a key that isn't known here")
    nonce, told = _bytes(nonce_text), _bytes(hmac_text)
    message = _opened(key, nonce, _bytes(blob))
    if not hmac.compare_digest(hmac.digest(key.hmac_key, message, sha256), told):
        raise NotOpened("its HMAC is wrong")
    return message, key


def parsed(message: bytes) -> dict[str, Any]:
    """A JSON object.  Numbers with a point stay exact.  Errors: :class:`NotOpened`."""
    try:
        found = json.loads(message, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise NotOpened("it is no JSON") from error
    if not isinstance(found, dict):
        raise NotOpened("it is no JSON object")
    return found


def _opened(key: SharedKey, nonce: bytes, blob: bytes) -> bytes:
    if len(nonce) != BLOCK_BYTES or not blob or len(blob) % BLOCK_BYTES:
        raise NotOpened("its parts have no proper length")
    decryptor = Cipher(algorithms.AES(key.cipher_key), modes.CBC(_iv(key, nonce))).decryptor()
    unpadder = PKCS7(BLOCK_BYTES * 8).unpadder()
    try:
        padded = decryptor.update(blob) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        # The same words as for a wrong HMAC: nobody learns which of both it was.
        raise NotOpened("its HMAC is wrong") from None


def _iv(key: SharedKey, nonce: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(key.iv, nonce, strict=True))


def _number(value: Any) -> int | None:
    """Terminals write versions as numbers or as digits."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotOpened("its parts are no base64") from error
