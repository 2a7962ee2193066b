"""What was: the link, the speed and the sales of the last hours, and the times the shop was cut
off.

- ``GET /api/1/history/link``           → :class:`LinkHistory`
- ``GET /api/1/history/speed``          → :class:`SpeedHistory`
- ``GET /api/1/history/sales``          → :class:`SalesHistory`
- ``GET /api/1/outages``                → :class:`OutagesPage`
- ``GET /api/1/outages/{outage_id}``    → :class:`OutageReport`
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hub.contract.base import Incoming, Outgoing, UniqueId
from hub.contract.health import Level
from hub.contract.pages.base import PageQuery

HOURS_MAX = 168
HOURS_DEFAULT = 24

OutagePlace = Literal["lan", "router", "dns", "internet", "oms", "hub-off", "unknown"]
"""Where the way to the cloud ended; ``hub-off``: the hub itself was off."""


class _HoursQuery(Incoming):
    """How far back."""

    hours: int = Field(default=HOURS_DEFAULT, ge=1, le=HOURS_MAX)


class LinkHistoryQuery(_HoursQuery):
    """How far back."""


class LinkPoint(Outgoing):
    """One step that begins at ``at_ms``; of what waits, the highest in it."""

    at_ms: int
    depth: int = Field(description="Events that wait for the cloud.")
    parked: int
    oldest_s: int | None = Field(default=None, description="How long the oldest has waited.")
    up_share: float = Field(description="0 to 1: how much of it the cloud was reached.")


class LinkChange(Outgoing):
    """The cloud was reached again, or no longer; ``place`` where it is known."""

    at_ms: int
    up: bool
    place: OutagePlace | None = None


class LinkHistory(Outgoing):
    """At most 400 points, and the newest 1,000 changes; oldest first.  A step in which the hub was
    off is missing."""

    from_ms: int
    to_ms: int
    step_s: int
    points: tuple[LinkPoint, ...]
    changes: tuple[LinkChange, ...]


class SpeedHistoryQuery(_HoursQuery):
    """How far back."""


class SpeedPoint(Outgoing):
    """One step that begins at ``at_ms``.  The two times are estimated from counts of ranges, and
    missing where nothing was written."""

    at_ms: int
    requests: int = Field(description="Answered in it.")
    commit_p50_ms: float | None = None
    commit_p99_ms: float | None = None


class SpeedHistory(Outgoing):
    """At most 400 points, oldest first."""

    from_ms: int
    to_ms: int
    step_s: int
    points: tuple[SpeedPoint, ...]


class SalesHistoryQuery(_HoursQuery):
    """How many hours of the shop's clock, with the one that has begun."""


class SalesHour(Outgoing):
    """One hour of the shop's clock, from ``at_ms`` on; without what was voided."""

    at_ms: int
    count: int
    total_minor: int


class SalesHistory(Outgoing):
    """Every hour, oldest first, those without sales with zeros."""

    from_ms: int
    to_ms: int
    currency: str
    hours: tuple[SalesHour, ...]


class OutagesQuery(PageQuery):
    """Which page."""


class OutageOnPage(Outgoing):
    """A time in which the cloud wasn't reached; without ``ended_at_ms`` it lasts.  ``drill``: it
    was a drill."""

    outage_id: str
    began_at_ms: int
    ended_at_ms: int | None = None
    place: OutagePlace
    drill: bool = False
    sales: int = Field(description="Made in it.")
    needs_person: int = Field(description="Things that a person has to look at now.")
    level: Level


class OutagesPage(Outgoing):
    """Outages, the newest first."""

    outages: tuple[OutageOnPage, ...]
    next_cursor: str | None = None


class OutageQuery(Incoming):
    """Which outage."""

    outage_id: UniqueId


class OutageSales(Outgoing):
    """What was sold in it: ``count`` whatever became of it, ``total_minor`` without what was voided
    since.  ``voids`` and ``returns`` are those made in it."""

    count: int
    total_minor: int
    currency: str
    voids: int
    returns: int


class OutageWaiting(Outgoing):
    """The events of it: how many waited at most, and how many of those written in it the cloud has,
    waits for, and refused."""

    highest_depth: int
    told: int
    still_waiting: int
    parked: int


class OutagePayments(Outgoing):
    """The card payments that were accepted offline in it, as they stand now: brought to the
    processor and approved, declined or too late (the shop is or was owed them), still waiting, and
    given back."""

    currency: str
    stored: int
    stored_minor: int
    forwarded: int
    forwarded_minor: int
    declined: int
    declined_minor: int
    waiting: int
    waiting_minor: int
    given_back: int


class DeviceLost(Outgoing):
    """A device whose connection was lost in it."""

    device_id: str
    name: str
    times: int


class OutageEvent(Outgoing):
    """Something that happened in it; ``text`` names no person."""

    at_ms: int
    kind: Literal["person", "restart", "fence", "clock", "cloud", "hub"]
    text: str


class OutageNeed(Outgoing):
    """What a person has to look at now; ``link`` is a page of the technician's site."""

    key: Literal[
        "parked", "below-zero", "counts", "drift", "given-back", "payments", "clock", "fence"
    ]
    title: str
    text: str
    next_step: str
    link: str | None = None
    count: int


class OutageReport(Outgoing):
    """What happened while the shop was cut off, and what needs a person.  No ``needs``: nothing is
    to be done."""

    outage: OutageOnPage
    sales: OutageSales
    waiting: OutageWaiting
    payments: OutagePayments | None = Field(
        default=None, description="None: no card was accepted offline."
    )
    caught_up_at_ms: int | None = Field(
        default=None, description="When the cloud had everything from it."
    )
    devices_lost: tuple[DeviceLost, ...] = Field(default=(), description="At most 100.")
    happened: tuple[OutageEvent, ...] = Field(
        default=(), description="At most 100, the newest first."
    )
    needs: tuple[OutageNeed, ...] = ()
