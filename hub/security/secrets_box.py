"""Secrets at rest: sealed with AES-256-GCM under one key of the machine.

The key is 32 bytes in a file that only the hub may read, or a systemd credential (its path is
``$CREDENTIALS_DIRECTORY/<name>``).  Each use has a purpose: what was sealed for one cannot be
opened for another.
"""

from __future__ import annotations

import base64
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.clock import Randomness
from hub.security.errors import KeyFileWrong, SealBroken
from hub.security.files import SECRET_MODE, write_atomic

KEY_BYTES = 32
PLAIN_BYTES_MAX = 64 * 1024
_VERSION = "v1."
_NONCE_BYTES = 12
_TAG_BYTES = 16


class SecretsBox:
    """Seals small secrets (up to 64 KiB) and derives keys for other uses."""

    def __init__(self, key: bytes, randomness: Randomness) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key has {KEY_BYTES} bytes")
        self._key = key
        self._randomness = randomness

    @classmethod
    def open(
        cls, key_path: Path, randomness: Randomness, credential_path: Path | None = None
    ) -> SecretsBox:
        """Use the credential if it is there, else the key file, made at first use.

        Raises ``KeyFileWrong``.
        """
        if credential_path is not None and credential_path.is_file():
            return cls(_read(credential_path), randomness)
        if not key_path.exists():
            key_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(key_path, randomness.token_bytes(KEY_BYTES), SECRET_MODE)
        if stat.S_IMODE(key_path.stat().st_mode) & 0o077:
            raise KeyFileWrong(f"Other users may read {key_path}. Run: chmod 600 {key_path}")
        return cls(_read(key_path), randomness)

    def seal(self, secret: bytes, purpose: str) -> str:
        """``v1.`` and URL-safe base64; a different text every time."""
        if len(secret) > PLAIN_BYTES_MAX:
            raise ValueError(f"a sealed secret has at most {PLAIN_BYTES_MAX} bytes")
        nonce = self._randomness.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self._sealing_key()).encrypt(nonce, secret, purpose.encode())
        return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode("ascii")

    def unseal(self, sealed: str, purpose: str) -> bytes:
        """Raises ``SealBroken``."""
        try:
            if not sealed.startswith(_VERSION) or len(sealed) > 2 * PLAIN_BYTES_MAX:
                raise ValueError("not a sealed secret")
            encoded = sealed.removeprefix(_VERSION).encode("ascii")
            raw = base64.b64decode(encoded, altchars=b"-_", validate=True)
            if len(raw) < _NONCE_BYTES + _TAG_BYTES:
                raise ValueError("too short")
            nonce, body = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return AESGCM(self._sealing_key()).decrypt(nonce, body, purpose.encode())
        except (ValueError, InvalidTag) as error:
            raise SealBroken(
                f"The secret kept for {purpose!r} cannot be opened. Put back the hub's key file "
                "that it was sealed with, or enter the secret again."
            ) from error

    def derive(self, purpose: str) -> bytes:
        """32 bytes that are always the same for this key and purpose, e.g. ``"web-sessions"``."""
        return _hkdf(self._key, f"store-hub derive {purpose}")

    def _sealing_key(self) -> bytes:
        return _hkdf(self._key, "store-hub seal")


def _hkdf(key: bytes, info: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=info.encode()).derive(key)


def _read(path: Path) -> bytes:
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise KeyFileWrong(
            f"{path} has {len(key)} bytes instead of {KEY_BYTES}. Put back the right file, or make "
            "a new one (head -c 32 /dev/urandom) and enter the hub's secrets again."
        )
    return key
