"""Weighing on a scale that hangs on the hub."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from hub.contract.base import DeviceId, Live, Outgoing

WEIGH_TIMEOUT_S = 25


class Weigh(Live):
    """The next stable reading of the scale that belongs to the asking till."""

    service: ClassVar[str] = "scale"
    operation: ClassVar[str] = "weigh"
    scale_id: DeviceId | None = Field(
        default=None, description="Another scale than the till's own."
    )
    timeout_s: int = Field(default=5, ge=1, le=WEIGH_TIMEOUT_S)


class WeightView(Outgoing):
    """A stable weight, as the scale shows it (net, when a tare is set on the scale).  A scale in
    pounds is converted at 453.59237 g and rounded half up to whole grams."""

    scale_id: str
    grams: int
    stable: bool
    zero: bool = Field(default=False, description="Nothing lies on it.")


__all__ = ["WEIGH_TIMEOUT_S", "Weigh", "WeightView"]
