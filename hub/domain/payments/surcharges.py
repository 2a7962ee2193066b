"""What a terminal adds for paying by this very card: how much is let pass, and how it goes back.

Only a terminal adds one: whether a card may be surcharged at all, and with how much, depends on its
scheme, its funding and where it was issued, and nobody else sees those before the money is asked.
"""

from __future__ import annotations

from typing import Final

from hub.domain.money import cumulative_share

ALL_BP: Final = 10_000
"""Basis points in a whole."""


def is_allowed(surcharge_minor: int, asked_minor: int, max_bp: int) -> bool:
    """Whether the shop takes so much on top of ``asked_minor``; ``max_bp`` 0: none.  A part of a
    minor unit counts for the terminal, which rounds as its maker likes."""
    return surcharge_minor <= -(-asked_minor * max_bp // ALL_BP)


def share_minor(surcharge_minor: int, whole_minor: int, before_minor: int, part_minor: int) -> int:
    """What of a surcharge goes back with ``part_minor`` of the ``whole_minor`` that it was added
    to, when ``before_minor`` of that has gone back already.

    Pro rata, as the card schemes' rules ask; all parts together bring all of it, whatever they are.
    More than the whole brings no more.
    """
    if surcharge_minor <= 0 or whole_minor <= 0:
        return 0
    before = min(max(0, before_minor), whole_minor)
    part = min(max(0, part_minor), whole_minor - before)
    return cumulative_share(surcharge_minor, whole_minor, before, part)
