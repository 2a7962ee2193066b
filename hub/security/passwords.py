"""Passwords of devices that cannot use client certificates, as the broker keeps them.

The broker's dynamic-security plugin (mosquitto 2.0) stores PBKDF2-HMAC-SHA512 with a salt of
exactly 12 bytes and a hash of 64.  It hashes on its only thread at each login, and the passwords
made here have 117 random bits: more rounds would only slow down a shop that reconnects.  So few
rounds are no protection for a word that a person chose.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from hub.clock import Randomness
from hub.security.alphabet import draw

PASSWORD_CHARACTERS = 24
ITERATIONS = 101
_SALT_BYTES = 12
_HASH_BYTES = 64


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """PBKDF2-HMAC-SHA512 as the plugin stores it.  ``str()`` is ``$7$rounds$salt$hash``, the form
    of mosquitto_passwd(1); it is safe to store."""

    iterations: int
    salt: bytes
    digest: bytes

    def __str__(self) -> str:
        return f"$7${self.iterations}${_text(self.salt)}${_text(self.digest)}"

    def fields(self) -> dict[str, str | int]:
        """The fields ``password``, ``salt`` and ``iterations`` of dynamic-security.json."""
        return {
            "password": _text(self.digest),
            "salt": _text(self.salt),
            "iterations": self.iterations,
        }

    @classmethod
    def parse(cls, text: str) -> PasswordHash:
        """Raises ``ValueError`` when ``text`` is not a ``$7$rounds$salt$hash``."""
        match text.split("$"):
            case ["", "7", rounds, salt_text, digest_text]:
                salt = base64.b64decode(salt_text, validate=True)
                digest = base64.b64decode(digest_text, validate=True)
                if int(rounds) >= 1 and len(salt) == _SALT_BYTES and len(digest) == _HASH_BYTES:
                    return cls(int(rounds), salt, digest)
        raise ValueError("broker password hash: expected $7$rounds$salt$hash (PBKDF2-SHA512)")


def new_password(randomness: Randomness) -> str:
    """24 unambiguous characters; shown once, kept only as a :class:`PasswordHash`."""
    return draw(PASSWORD_CHARACTERS, randomness)


def hash_password(password: str, randomness: Randomness) -> PasswordHash:
    """A new salted hash.  Raises ``ValueError`` for an empty password."""
    if not password:
        raise ValueError("an empty password is no password")
    salt = randomness.token_bytes(_SALT_BYTES)
    return PasswordHash(ITERATIONS, salt, _derive(password, salt, ITERATIONS))


def password_fits(password: str, stored: PasswordHash) -> bool:
    """Whether ``password`` is the one in ``stored``, in constant time."""
    return hmac.compare_digest(_derive(password, stored.salt, stored.iterations), stored.digest)


def _derive(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, dklen=_HASH_BYTES)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
