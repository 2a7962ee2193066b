"""Which business day an instant belongs to.

The shop's rule: the business day is the store's time zone's, beginning at a cutover hour (a bar
that closes at 02:00 books its last sale on the day it opened).  Instants are integer UTC
milliseconds; the zone is handed in: nothing here reads a time zone database.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from hub.domain.errors import Invalid

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_DAY: Final = timedelta(days=1)


def local_time(at_ms: int, zone: tzinfo) -> datetime:
    """The instant as the shop's clocks show it."""
    return (_EPOCH + at_ms * _MS).astimezone(zone)


def business_day(at_ms: int, zone: tzinfo, cutover_hour: int = 0) -> date:
    """The business day of an instant: the latest that had begun by then.

    Each instant has exactly one, and later instants never have an earlier one, also when clocks are
    put back over the cutover.
    """
    local = local_time(at_ms, zone)
    day = local.date() if local.hour >= _check(cutover_hour) else local.date() - _DAY
    if at_ms >= begins_at_ms(day + _DAY, zone, cutover_hour):
        return day + _DAY
    if at_ms < begins_at_ms(day, zone, cutover_hour):
        return day - _DAY
    return day


def begins_at_ms(day: date, zone: tzinfo, cutover_hour: int = 0) -> int:
    """When a business day begins.  An hour that the clocks skip counts from where they land, one
    that comes twice from its first time."""
    local = datetime.combine(day, time(_check(cutover_hour)), tzinfo=zone)
    return (local.astimezone(UTC) - _EPOCH) // _MS


def day_bounds_ms(day: date, zone: tzinfo, cutover_hour: int = 0) -> tuple[int, int]:
    """First instant of a business day and first of the next; 23 to 25 hours apart, as a rule."""
    return begins_at_ms(day, zone, cutover_hour), begins_at_ms(day + _DAY, zone, cutover_hour)


def _check(cutover_hour: int) -> int:
    if 0 <= cutover_hour <= 12:
        return cutover_hour
    raise Invalid(f"The cutover hour {cutover_hour} isn't from 0 to 12: mend the store's settings.")
