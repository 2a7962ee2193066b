"""Weighing: done by the scale that hangs on the hub, outside of its books."""

from __future__ import annotations

from hub.contract.base import Command
from hub.contract.scales import Weigh, WeightView
from hub.service.live import LiveHandler, LiveUnit


async def weigh(unit: LiveUnit, query: Weigh) -> WeightView:
    """See :class:`Weigh`; the desk gives stable readings only."""
    scale_id, grams, zero = await unit.desk.weigh(
        unit.caller.id, query.scale_id, float(query.timeout_s)
    )
    return WeightView(scale_id=scale_id, grams=grams, stable=True, zero=zero)


LIVE: dict[type[Command], LiveHandler] = {Weigh: weigh}
