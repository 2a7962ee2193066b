"""Once a day the book, the terminals and the processor's reports are compared."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Final

from hub.app.periodic import Periodic
from hub.contract.settlement import Reconcile, Reconciliation
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Gate
from hub.service.handlers.settlement import DAY_MS, NoteComparison

log = logging.getLogger(__name__)

LOOK_S: Final = 3600.0
COMPARER: Final = Caller(CallerKind.HUB, "settlement")


class DailyComparison:
    """What it finds stands in the log and in the audit log; pages and shells compare anew."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._day = 0
        self._job = Periodic("settlement-comparison", LOOK_S, self.look)
        self.start, self.stop = self._job.start, self._job.stop

    async def look(self) -> None:
        """Compare, unless that was done today; a shop without card payments is left in peace."""
        day = self._gate.clock.wall_ms() // DAY_MS
        if day == self._day:
            return
        found = await self._gate.run(COMPARER, Reconcile())
        assert isinstance(found, Reconciliation)
        self._day = day
        if not found.states:
            return
        kinds = Counter(one.kind for one in found.differences)
        counts = tuple(sorted(kinds.items()))
        await self._gate.internal(COMPARER, NoteComparison(found.owed_minor, counts))
        if kinds:
            log.warning(
                "book, terminals and processor differ in %d places (%s): see `store-hub settlement"
                " report`",
                kinds.total(),
                ", ".join(f"{count} {kind}" for kind, count in counts),
            )
