"""What devices said lately and what came of it, without any content: for whoever looks for a fault.

Noting one costs the request's path a tuple and an append; everything else is done when somebody
looks.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from hub.clock import Clock
from hub.contract.pages.devices import TRAFFIC_MAX, Exchange, Traffic
from hub.domain import cards
from hub.service.answers import outcome_of

DEVICES_MAX: Final = 256
"""Beyond, the device is forgotten that has been silent for the longest."""
WHAT_MAX: Final = 40

Kind = Literal["request", "fact", "state", "meta"]
_Noted = tuple[Kind, str, str, str, int, int, float, float]


Watch = Callable[[str, tuple[str, str], str, float], None]
"""Told of every message: kind, what, outcome, and how many seconds it took; it must be quick."""


@dataclass(slots=True)
class _Ring:
    noted: deque[_Noted] = field(default_factory=lambda: deque(maxlen=TRAFFIC_MAX))
    total: int = 0


class TrafficLog:
    """The last 100 messages of each of the 256 devices that spoke last; in memory only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rings: OrderedDict[str, _Ring] = OrderedDict()
        self.watch: Watch | None = None

    def now_s(self) -> float:
        """The instant that a message's time counts from."""
        return self._clock.monotonic_s()

    def note(
        self,
        device: str,
        kind: Kind,
        what: tuple[str, str],
        answer: str,
        sizes: tuple[int, int],
        began_s: float,
    ) -> None:
        """A message of ``device`` was answered now.  ``sizes``: bytes in and out; ``answer``: the
        reply, or the code of what was found without one."""
        ring = self._rings.get(device)
        if ring is None:
            ring = self._rings[device] = _Ring()
            if len(self._rings) > DEVICES_MAX:
                self._rings.popitem(last=False)
        else:
            self._rings.move_to_end(device)
        outcome = outcome_of(answer)
        first, second = what
        ended_s = self._clock.monotonic_s()
        ring.total += 1
        ring.noted.append(
            (kind, first[:WHAT_MAX], second[:WHAT_MAX], outcome, *sizes, began_s, ended_s)
        )
        if self.watch is not None:
            self.watch(kind, what, outcome, ended_s - began_s)

    def seen(self, device: str, limit: int = TRAFFIC_MAX) -> Traffic:
        """A device's last messages, newest first; nothing of one that hasn't spoken."""
        ring = self._rings.get(device) or _Ring()
        now_ms, now_s = self._clock.wall_ms(), self._clock.monotonic_s()
        newest = list(ring.noted)[::-1][:limit]
        return Traffic(
            device_id=device,
            total=ring.total,
            exchanges=tuple(_shown(one, now_ms, now_s) for one in newest),
        )


def _shown(noted: _Noted, now_ms: int, now_s: float) -> Exchange:
    kind, first, second, outcome, in_bytes, out_bytes, began_s, ended_s = noted
    return Exchange(
        at_ms=now_ms - int((now_s - began_s) * 1000),
        kind=kind,
        what=cards.mask("/".join(part for part in (first, second) if part)),
        outcome=outcome,
        in_bytes=in_bytes,
        out_bytes=out_bytes,
        duration_ms=round((ended_s - began_s) * 1000, 1),
    )
