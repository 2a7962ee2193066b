"""Characters that people neither misread nor mistype, and fair draws from them."""

from __future__ import annotations

from hub.clock import Randomness

# Without 0 and O, 1 and I and L, and U (which is read as V and spells words).
UNAMBIGUOUS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_FAIR = 256 - 256 % len(UNAMBIGUOUS)
_DRAWS_MAX = 100


def draw(count: int, randomness: Randomness) -> str:
    """``count`` characters, each equally likely (4.9 bits each)."""
    text = ""
    for _ in range(_DRAWS_MAX):
        for byte in randomness.token_bytes(2 * count):
            if byte < _FAIR:
                text += UNAMBIGUOUS[byte % len(UNAMBIGUOUS)]
        if len(text) >= count:
            return text[:count]
    raise RuntimeError("the source of randomness is broken: it repeats a few high bytes")
