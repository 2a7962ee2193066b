"""What happened, in order: a digest to compare two runs by, and the last lines for a person."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import blake2b

KEPT_LINES = 4000


class Trace:
    """``echo`` is given every line as it is written."""

    def __init__(self, echo: Callable[[str], None] | None = None) -> None:
        self._digest = blake2b(digest_size=16)
        self._echo = echo
        self.lines = 0
        self.last: deque[str] = deque(maxlen=KEPT_LINES)

    def note(self, at_s: float, who: str, what: str) -> None:
        """Write a line: virtual seconds, machine, event."""
        line = f"{at_s:12.6f} {who:<10} {what}"
        self._digest.update(line.encode())
        self._digest.update(b"\n")
        self.lines += 1
        self.last.append(line)
        if self._echo is not None:
            self._echo(line)

    @property
    def digest(self) -> str:
        """32 hexadecimal digits; equal for equal traces."""
        return self._digest.hexdigest()
