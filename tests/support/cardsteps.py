"""Everything that can happen to card payments: the steps of a day, and what each is done with."""

from __future__ import annotations

from typing import Any, Final

from hub.domain.payments.declines import DeclineCode
from tests.support.cardworld import Fault

_MANY: Final = tuple(range(12))
_TILLS: Final = ("till-1", "till-2")
_YES_NO: Final = (False, True)
_QTY: Final = (1, 2, 3, 4)
_FAULTS: Final = (Fault.NONE, Fault.NONE, *Fault)
_WILLS: Final = ("approved", "captured", "declined", "acked")
_CODES: Final = (
    DeclineCode.TRY_AGAIN,
    DeclineCode.INSUFFICIENT_FUNDS,
    DeclineCode.FRAUD,
)
_TRUTHS: Final = ("approved", "refused", "not-done", "approved-offline")

STEPS: Final[dict[str, dict[str, tuple[Any, ...]]]] = {
    "pay_offline": {
        "till": _TILLS,
        "qty": _QTY,
        "own": _YES_NO,
        "sell": (True, True, False),
        "token": (True, True, False),
    },
    "pay": {
        "till": _TILLS,
        "qty": _QTY,
        "own": _YES_NO,
        "outcome": ("approved", "refused", "not-done", "unknown", "silence"),
        "truth": _TRUTHS,
    },
    "report_late": {"n": _MANY},
    "sell": {"n": _MANY},
    "give_up": {"n": _MANY},
    "void_sale": {"n": _MANY},
    "take_back": {"n": _MANY, "qty": (1, 2)},
    "lease": {"limit": (1, 2, 5)},
    "end": {
        "n": _MANY,
        "fault": _FAULTS,
        "will": _WILLS,
        "code": _CODES,
        "twice": _YES_NO,
        "keep": _YES_NO,
    },
    "forward": {
        "fault": _FAULTS,
        "will": _WILLS,
        "code": _CODES,
        "tells": _YES_NO,
        "minutes": (1, 20, 61),
    },
    "answer_again": {"n": _MANY, "m": _MANY},
    "ask_terminals": {"lost": _YES_NO, "limit": (1, 3)},
    "terminal_forwards": {"n": _MANY, "outcome": ("approved", "refused")},
    "processor_decides": {"n": _MANY, "will": ("approved", "captured", "declined")},
    "processor_tells": {"n": _MANY},
    "late_requests_arrive": {},
    "time_passes": {"minutes": (1, 3, 11, 61, 8 * 60, 21 * 60)},
    "expire": {},
    "restart": {},
    "somebody_decides": {"n": _MANY, "till": ("till-1", "till-3")},
    "close_receivable": {"n": _MANY, "how": ("paid", "written-off")},
}
"""Step → its arguments → what they may be."""
