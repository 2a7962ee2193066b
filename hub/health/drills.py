"""The outage drill as the status tells it."""

from __future__ import annotations

from hub.contract.local import DrillOutcome, DrillStatus
from hub.storage.drillrows import DrillRow


def running(row: DrillRow | None, now_ms: int, budget_ms: int) -> DrillStatus | None:
    """The drill that runs."""
    if row is None or row.ended_at_ms is not None:
        return None
    return DrillStatus(
        drill_id=row.drill_id,
        began_at_ms=row.began_at_ms,
        until_ms=now_ms + max(0, row.left_ms(now_ms, budget_ms)),
        asked_by=row.asked_by,
    )


def outcome(row: DrillRow | None) -> DrillOutcome | None:
    """What came of the last one."""
    if row is None or row.ended_at_ms is None:
        return None
    return DrillOutcome(
        drill_id=row.drill_id,
        asked_by=row.asked_by,
        began_at_ms=row.began_at_ms,
        ended_at_ms=row.ended_at_ms,
        length_ms=row.length_ms,
        how=row.how,
        devices_began=row.devices_began,
        devices_ended=row.devices_ended,
        devices_selling=row.devices_selling,
        sales=row.sales,
        total_minor=row.total_minor,
        waiting=row.waiting,
        caught_up_ms=row.caught_up_ms,
        settled=bool(row.told),
    )
