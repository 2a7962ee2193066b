"""What a device says is the matter with what is attached to it.

The terms are UnifiedPOS's (Retail Peripheral Architecture 1.16): POSPrinter ``CoverOpen``,
``RecEmpty``, ``RecNearEnd``; CashDrawer ``DrawerOpened``; POSPower ``PWR_SUE_BAT_LOW``; and for
each category ``PowerState`` ``PS_OFFLINE``/``PS_OFF_OFFLINE``.  A condition that isn't told doesn't
hold.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, Field

Condition = Literal[
    "printer-offline",
    "printer-cover-open",
    "printer-paper-empty",
    "printer-paper-near-end",
    "drawer-open",
    "scanner-offline",
    "scale-offline",
    "display-offline",
    "terminal-offline",
    "battery-low",
]
CONDITIONS: Final[tuple[Condition, ...]] = get_args(Condition)
TOLD_MAX: Final = 32


def known(told: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are understood here, each once and in the contract's order; a newer device may
    tell others."""
    return tuple(one for one in CONDITIONS if one in told)


Told = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-z][a-z-]{1,38}[a-z]$")], ...],
    Field(
        max_length=TOLD_MAX,
        description=(
            "What is the matter with what is attached to the device, in UnifiedPOS's terms; a key"
            f" that the hub doesn't know is left out. Known: {', '.join(CONDITIONS)}."
        ),
    ),
    AfterValidator(known),
]
