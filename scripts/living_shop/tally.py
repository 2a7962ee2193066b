"""What the tills tell, counted."""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

RECENT = 6
_MINUTE_MS = 60_000


@dataclass(slots=True)
class TillFigures:
    """One till since the start."""

    sales: int = 0
    total_minor: int = 0
    hub: str = "connecting"
    staff: str = ""
    last: str = ""


@dataclass(slots=True)
class Tally:
    """Fed with the tills' JSON lines; a line that is none is passed over."""

    tills: dict[str, TillFigures] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=RECENT))
    sold_at_ms: deque[int] = field(default_factory=lambda: deque(maxlen=10_000))
    sales: int = 0
    total_minor: int = 0

    def hear(self, line: str) -> None:
        """One line of the tills' output."""
        try:
            said = json.loads(line)
            event, at_ms = str(said["event"]), int(said["at_ms"])
        except (ValueError, KeyError, TypeError):
            return
        self.counts[event] += 1
        till = self.tills.setdefault(str(said.get("till", "")), TillFigures())
        match event:
            case "sale":
                total_minor = int(said["total_minor"])
                self.sales += 1
                self.total_minor += total_minor
                till.sales += 1
                till.total_minor += total_minor
                self.sold_at_ms.append(at_ms)
                self.recent.append(said)
            case "hub":
                till.hub = str(said.get("mode", ""))
            case "open":
                till.staff = str(said.get("staff", ""))
            case _:
                till.last = event

    def per_minute(self, now_ms: int) -> int:
        """Sales of the last minute."""
        while self.sold_at_ms and self.sold_at_ms[0] < now_ms - _MINUTE_MS:
            self.sold_at_ms.popleft()
        return len(self.sold_at_ms)
