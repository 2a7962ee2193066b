"""How much the shop may risk on cards while the processor can't be asked.

Card schemes let a shop defer authorisations for a day at most, at its own risk; what it risks is
bounded per payment, terminal, shop, card and age before the terminal is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Caps:
    """Amounts in minor units of the book currency, ages in milliseconds.

    ``warn_age_ms`` and ``stop_age_ms`` are about the oldest payment that still waits;
    ``deadline_ms`` is when one expires.
    """

    payment_minor: int = 100_00
    terminal_count: int = 50
    terminal_minor: int = 2_000_00
    store_minor: int = 10_000_00
    token_per_day: int = 2
    warn_age_ms: int = 4 * HOUR_MS
    stop_age_ms: int = 20 * HOUR_MS
    deadline_ms: int = DAY_MS


@dataclass(frozen=True, slots=True)
class Exposure:
    """What is at risk already: at this terminal, in the shop, and for how long."""

    terminal_count: int = 0
    terminal_minor: int = 0
    store_count: int = 0
    store_minor: int = 0
    oldest_age_ms: int = 0


class OfflineBar(StrEnum):
    """Why a payment may not be accepted without the processor."""

    PAYMENT_CAP = "payment-cap"
    TERMINAL_COUNT = "terminal-count"
    TERMINAL_CAP = "terminal-cap"
    STORE_CAP = "store-cap"
    TOO_OLD = "too-old"
    CLOCK_SUSPECT = "clock-suspect"
    NOT_PERMITTED = "not-permitted"
    SWITCHED_OFF = "switched-off"


def bars(caps: Caps, exposure: Exposure, amount_minor: int) -> tuple[OfflineBar, ...]:
    """Which caps one more payment of ``amount_minor`` (> 0) would break; none: it is within all."""
    found = []
    if amount_minor > caps.payment_minor:
        found.append(OfflineBar.PAYMENT_CAP)
    if exposure.terminal_count + 1 > caps.terminal_count:
        found.append(OfflineBar.TERMINAL_COUNT)
    if exposure.terminal_minor + amount_minor > caps.terminal_minor:
        found.append(OfflineBar.TERMINAL_CAP)
    if exposure.store_minor + amount_minor > caps.store_minor:
        found.append(OfflineBar.STORE_CAP)
    if exposure.store_count and exposure.oldest_age_ms >= caps.stop_age_ms:
        found.append(OfflineBar.TOO_OLD)
    return tuple(found)


def age_ms(
    stored_at_ms: int, stored_budget_ms: int, now_ms: int, budget_ms: int, *, trusted: bool
) -> int:
    """How old it is: by the hub's own time, or by the wall clock where that is trusted and says
    more (the hub's own time stands while the box is off)."""
    own = max(0, budget_ms - stored_budget_ms)
    return max(own, now_ms - stored_at_ms) if trusted else own


class Meter(StrEnum):
    """How the exposure stands."""

    CLEAR = "clear"
    NEAR = "near"
    FULL = "full"


NEAR_PERCENT: Final = 80


def meter(caps: Caps, exposure: Exposure) -> Meter:
    """``near`` from 80 % of the shop's cap or the age that warns; ``full``: no more offline."""
    if bars(caps, exposure, 1):
        return Meter.FULL
    near = exposure.store_minor * 100 >= caps.store_minor * NEAR_PERCENT
    old = exposure.store_count > 0 and exposure.oldest_age_ms >= caps.warn_age_ms
    return Meter.NEAR if near or old else Meter.CLEAR
