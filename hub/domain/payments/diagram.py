"""The page that shows the table of a payment's states: diagrams and every step, made from it."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from hub.domain.payments.states import (
    EXPOSED,
    FENCING,
    FINAL,
    STORED_AWAY,
    TENDERABLE,
    TRANSITIONS,
    PaymentEvent,
    PaymentState,
)

S, E = PaymentState, PaymentEvent

LATE: Final = frozenset({S.ABANDONED, S.REFUSED, S.VOIDED, S.EXPIRED, S.RECOVERED, S.WRITTEN_OFF})
"""What comes after all to these is drawn apart: it would hide the rest."""
_HEAD: Final = """\
# States of a card payment

This page is generated from `hub/domain/payments/states.py` by `python -m hub.observe.docs --write`.
Nothing changes a payment's state but a step of this table; every step is kept with who said so.
"""
_LEGEND: Final = """
- exposed: the shop may have given goods for money that never comes; it counts against the caps.
- fencing: nobody knows how it ends at the terminal; its basket can't be changed.
- tenderable: a sale may be paid with it, unless it is to be voided.
- token kept: the hub may still have to present it; in every other state its token is shredded.
- final: nothing more happens by itself, but money that comes after all goes back.
"""


def page() -> str:
    """The whole page (Markdown with Mermaid state diagrams)."""
    early = {key: after for key, after in TRANSITIONS.items() if not _is_late(*key)}
    late = {key: after for key, after in TRANSITIONS.items() if _is_late(*key)}
    parts = (
        _HEAD,
        "\n## From the till to the settlement\n\n",
        _diagram(early, begins=True),
        "\n## Approved after it was given up\n\nAll of these are voided at once: it goes back.\n\n",
        _diagram(late),
        "\n## States\n",
        _LEGEND,
        "\n",
        _states(),
        "\n## Steps\n\n",
        _steps(),
    )
    return "".join(parts)


def _is_late(before: PaymentState, event: PaymentEvent) -> bool:
    return event is E.LATE_APPROVAL or (before in LATE and event is E.APPROVED_OFFLINE)


def _diagram(
    steps: dict[tuple[PaymentState, PaymentEvent], PaymentState], *, begins: bool = False
) -> str:
    ways: dict[tuple[PaymentState, PaymentState], list[str]] = defaultdict(list)
    for (before, event), after in steps.items():
        ways[before, after].append(_words(event))
    lines = ["```mermaid", "stateDiagram-v2", "    direction LR"]
    if begins:
        lines.append("    [*] --> intent")
    lines += [
        f"    {before} --> {after}: {', '.join(why)}" for (before, after), why in ways.items()
    ]
    if begins:
        lines += [f"    {state} --> [*]" for state in PaymentState if state in FINAL]
    return "\n".join((*lines, "```", ""))


def _states() -> str:
    marks = {
        "exposed": EXPOSED,
        "fencing": FENCING,
        "tenderable": TENDERABLE,
        "token kept": STORED_AWAY,
        "final": FINAL,
    }
    rows = ["| state | " + " | ".join(marks) + " |", "|---" * (len(marks) + 1) + "|"]
    for state in PaymentState:
        ticks = " | ".join("x" if state in held else "" for held in marks.values())
        rows.append(f"| `{state}` | {ticks} |")
    return "\n".join((*rows, ""))


def _steps() -> str:
    rows = ["| from | what happens | to |", "|---|---|---|"]
    rows += [
        f"| `{before}` | {_words(event)} | `{after}` |"
        for (before, event), after in TRANSITIONS.items()
    ]
    return "\n".join((*rows, ""))


def _words(event: PaymentEvent) -> str:
    return event.value.replace("_", " ")
