"""What a till that lends its printer is asked, as ``data`` of ``cmd/{operation}``, and answers.

A document is bytes for an ESC/POS printer, in pieces that fit into a message each.  The till prints
when it has all of them; what it has of a document that never became whole it forgets.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from hub.contract.base import Incoming, Outgoing, UniqueId
from hub.contract.conditions import Told

LOOK: Final = "printer-look"
"""Whether the printer is there; ``data`` is empty, the answer a :class:`LentPrinter`."""
PRINT: Final = "print"
"""``data`` is a :class:`PrintPiece`, the answer a :class:`PieceTaken`."""
KICK: Final = "drawer-kick"
"""``data`` is a :class:`DrawerKick`, the answer a :class:`PieceTaken`."""
CAPABILITY: Final = "lends-printer"
"""What the till's meta names when it lends one."""
PIECE_BYTES: Final = 49_152
"""Of a document in one message: its text is a third longer."""
PIECES_MAX: Final = 32


class LentPrinter(Outgoing):
    """How the printer is.  ``conditions``: as in a device's state."""

    ready: bool
    reason: str = ""
    maker: str = ""
    model: str = ""
    conditions: Told = ()


class PrintPiece(Incoming):
    """One piece of a document: number ``piece`` (from 0) of ``pieces``, base64 (RFC 4648)."""

    job_id: UniqueId
    piece: Annotated[int, Field(ge=0, lt=PIECES_MAX)]
    pieces: Annotated[int, Field(ge=1, le=PIECES_MAX)]
    data: Annotated[str, Field(max_length=PIECE_BYTES * 4 // 3 + 8)]


class PieceTaken(Outgoing):
    """``held``: the others are missing; else how the whole of it ended, as the hub's own printers
    say it.  ``confirmed``: the printer itself said so."""

    outcome: Literal["held", "printed", "not-begun", "unknown", "refused"]
    reason: str = ""
    confirmed: bool = False


class DrawerKick(Incoming):
    """Open the drawer on the printer's connector: pin 2 or 5."""

    pin: Literal[2, 5] = 2
    pulse_ms: int = Field(default=100, ge=10, le=500)
