"""The technician's code: whoever can read the hub's terminal or run a command on the box may also
sign in to its page, once per code."""

from __future__ import annotations

from typing import Final

from hub.clock import Clock, Randomness
from hub.security.codes import code_fits, hash_code, new_code

LIFE_S: Final = 24 * 3600
TRIES_MAX: Final = 5


class TechnicianCode:
    """At most one code is open; it is kept in memory only, as a salted hash.

    It ends when it is used, after 24 hours, after five wrong tries, or when another is opened.
    """

    def __init__(self, clock: Clock, randomness: Randomness) -> None:
        self._clock = clock
        self._randomness = randomness
        self._hash: str | None = None
        self._ends_s = 0.0
        self._tries_left = 0
        self._spent: str | None = None

    def open(self) -> str:
        """A new code in place of the old one: 8 characters, told once."""
        code = new_code(self._randomness)
        self._hash = hash_code(code, self._randomness)
        self._spent = None
        self._ends_s = self._clock.monotonic_s() + LIFE_S
        self._tries_left = TRIES_MAX
        return code

    @property
    def is_open(self) -> bool:
        """Whether there is a code that could be used."""
        return self._hash is not None and self._clock.monotonic_s() < self._ends_s

    def spend(self, typed: str) -> bool:
        """Whether this is the code; then it is spent."""
        if not self.is_open or self._hash is None:
            return False
        if code_fits(typed, self._hash):
            self._hash, self._spent = None, self._hash
            return True
        self._tries_left -= 1
        if self._tries_left <= 0:
            self._hash = None
        return False

    def give_back(self) -> None:
        """The code that was spent last let nobody in: it is as good as before, unless another was
        opened meanwhile."""
        if self._spent is not None:
            self._hash, self._spent = self._spent, None
