"""Passwords of devices that cannot use client certificates, as the broker keeps them.

The broker's dynamic-security plugin (mosquitto 2.0) stores PBKDF2-HMAC-SHA512 with a salt of
exactly 12 bytes and 101 rounds.  So few rounds are no protection for a word that a person chose;
the passwords made here have 117 random bits and need none.
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


@dataclass(frozen=True, slots=True)
class BrokerHash:
    """The fields ``password``, ``salt`` and ``iterations`` of a client in dynamic-security.json."""

    password: str
    salt: str
    iterations: int

    def fields(self) -> dict[str, str | int]:
        return {"password": self.password, "salt": self.salt, "iterations": self.iterations}


def new_password(randomness: Randomness) -> str:
    """24 unambiguous characters; shown once, kept only as a ``BrokerHash``."""
    return draw(PASSWORD_CHARACTERS, randomness)


def broker_hash(password: str, randomness: Randomness) -> BrokerHash:
    salt = randomness.token_bytes(_SALT_BYTES)
    return BrokerHash(
        password=base64.b64encode(_derive(password, salt, ITERATIONS)).decode(),
        salt=base64.b64encode(salt).decode(),
        iterations=ITERATIONS,
    )


def password_fits(password: str, stored: BrokerHash) -> bool:
    """Whether ``password`` is the one in ``stored``, in constant time."""
    derived = _derive(password, base64.b64decode(stored.salt), stored.iterations)
    return hmac.compare_digest(derived, base64.b64decode(stored.password))


def _derive(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, dklen=64)
