"""Staff PINs as argon2id (RFC 9106) with 19 MiB, two passes, one lane.

Every function here takes tens of milliseconds and 19 MiB on purpose: call it in a thread, never in
the writer and never on the event loop, and bound how many run at once.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from hub.security.errors import PinHashDamaged

if TYPE_CHECKING:
    from argon2 import PasswordHasher

    from hub.clock import Randomness

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
PIN_CHARACTERS_MAX = 64
MEMORY_KIB_MAX, PASSES_MAX, LANES_MAX = 64 * 1024, 10, 4
"""What a hash from elsewhere may ask of the box."""


def hash_pin(pin: str, randomness: Randomness) -> str:
    """The PIN as an encoded argon2id string; raises ``ValueError`` for a PIN beyond the bound.

    How long a PIN has to be is the shop's policy and decided before.
    """
    text = _normal(pin)
    if not 0 < len(text) <= PIN_CHARACTERS_MAX:
        raise ValueError(f"a PIN has 1 to {PIN_CHARACTERS_MAX} characters")
    return _hasher().hash(text, salt=randomness.token_bytes(16))


def verify_pin(pin: str, stored: str | None) -> bool:
    """Whether ``pin`` is the one in ``stored``.

    ``None`` (nobody has that staff id) takes as long as a real check and is False.  Raises
    ``PinHashDamaged`` when ``stored`` is no argon2id hash, or asks for more than the bounds.
    """
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

    text = _normal(pin)
    if stored is None or not 0 < len(text) <= PIN_CHARACTERS_MAX:
        _hasher().hash(text[:PIN_CHARACTERS_MAX], salt=bytes(16))
        return False
    try:
        asked = extract_parameters(stored)
        if (
            asked.memory_cost > MEMORY_KIB_MAX
            or asked.time_cost > PASSES_MAX
            or asked.parallelism > LANES_MAX
        ):
            raise InvalidHashError("it asks for more work than the box has to give")
        return _hasher().verify(stored, text)
    except VerifyMismatchError:
        return False
    except (InvalidHashError, VerificationError) as error:
        raise PinHashDamaged(
            "The stored PIN of this member of staff is damaged. Set a new PIN for them."
        ) from error


def needs_rehash(stored: str) -> bool:
    """Whether ``stored`` was made with other parameters: hash again after the next sign-in."""
    from argon2.exceptions import InvalidHashError

    try:
        return _hasher().check_needs_rehash(stored)
    except InvalidHashError:
        return True


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def _normal(pin: str) -> str:
    """Full-width digits of some tablets' keyboards are the same digits.

    Cut before normalising: one character may become eighteen.
    """
    return unicodedata.normalize("NFKC", pin[: PIN_CHARACTERS_MAX + 1]).strip()
