"""What a decline means for a stored payment: try again later, or never.

The reason codes are the generic ones of this contract; processors' own are mapped to them by their
adapters.  Card schemes limit how often a declined authorisation may be presented again (15 times
in 30 days with most; some codes never), so a stored payment has few tries, spread over its day.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hub.domain.payments.exposure import HOUR_MS


class DeclineCode(StrEnum):
    """Why the processor said no."""

    INSUFFICIENT_FUNDS = "insufficient-funds"
    ISSUER_UNAVAILABLE = "issuer-unavailable"
    TRY_AGAIN = "try-again"
    LIMIT_EXCEEDED = "limit-exceeded"
    AUTHENTICATION_NEEDED = "authentication-needed"
    DO_NOT_HONOUR = "do-not-honour"
    STOLEN_OR_LOST = "stolen-or-lost"
    INVALID_CARD = "invalid-card"
    EXPIRED_CARD = "expired-card"
    FRAUD = "fraud"
    CLOSED_ACCOUNT = "closed-account"
    OTHER = "other"


SOFT: Final = frozenset(
    {
        DeclineCode.INSUFFICIENT_FUNDS,
        DeclineCode.ISSUER_UNAVAILABLE,
        DeclineCode.TRY_AGAIN,
        DeclineCode.LIMIT_EXCEEDED,
        DeclineCode.DO_NOT_HONOUR,
    }
)
"""May be different later.  Everything else is hard: it is never presented again."""
MAX_DECLINES: Final = 4
"""So often at most a stored payment is presented."""
_WAITS_MS: Final = (HOUR_MS, 4 * HOUR_MS, 8 * HOUR_MS)
_SOON_MS: Final = 10 * 60_000


def retry_wait_ms(code: DeclineCode, declines: int) -> int | None:
    """How long to wait before the payment is presented again after ``declines`` (≥ 1) declines;
    None: never again."""
    if code not in SOFT or declines >= MAX_DECLINES:
        return None
    if code is DeclineCode.ISSUER_UNAVAILABLE or code is DeclineCode.TRY_AGAIN:
        return _SOON_MS * declines
    return _WAITS_MS[min(declines, len(_WAITS_MS)) - 1]


def code_of(text: str) -> DeclineCode:
    """The code of that name; ``other`` for one that isn't known."""
    try:
        return DeclineCode(text)
    except ValueError:
        return DeclineCode.OTHER
