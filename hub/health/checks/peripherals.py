"""What devices say is the matter with what is attached to them, and how what hangs on the hub's own
box is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hub.contract.admin import DeviceView
from hub.contract.conditions import Condition
from hub.contract.health import Level
from hub.contract.peripherals import PeripheralView
from hub.health.check import SEVERITY, Check, Finding, fine
from hub.health.facts import MINUTE_MS, Facts
from hub.health.words import ago, many

NAMED_MAX: Final = 3
SENTENCES_MAX: Final = 3
DETAILS_MAX: Final = 20
LEFT_OPEN_MS: Final = 3 * MINUTE_MS
"""A drawer that is open for a sale is not left open; one that was opened in the future was so
before somebody set the clock back."""
HIDDEN_BY: Final[dict[str, frozenset[str]]] = {
    "printer-offline": frozenset({"printer-paper-empty", "printer-cover-open"}),
    "printer-paper-near-end": frozenset({"printer-paper-empty"}),
}
"""What follows from another condition of the same device, or is said by it already."""
AWAY_MS: Final = 10_000
"""A printer that is switched off and on again is no news."""
_AWAY: Final[dict[str, Condition]] = {
    "printer": "printer-offline",
    "drawer": "printer-offline",
    "scanner": "scanner-offline",
    "scale": "scale-offline",
    "display": "display-offline",
    "terminal": "terminal-offline",
}
"""What it means when something of the hub's own isn't there; a drawer hangs on a printer."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """How a condition is told.  ``subject``: one, and several; ``step`` ends with where."""

    level: Level
    subject: tuple[str, str]
    state: str
    means: str
    step: str


TROUBLES: Final[dict[Condition, Trouble]] = {
    "printer-paper-empty": Trouble(
        "warning",
        ("printer", "printers"),
        "out of paper",
        "Selling goes on; this printer prints no receipts.",
        "Put a new paper roll into the printer at",
    ),
    "printer-cover-open": Trouble(
        "warning",
        ("printer's cover", "printers' covers"),
        "open",
        "Selling goes on; this printer prints no receipts.",
        "Close the cover of the printer at",
    ),
    "printer-offline": Trouble(
        "warning",
        ("printer", "printers"),
        "not answering",
        "Selling goes on; this printer prints no receipts.",
        "Check the power and the cable of the printer at",
    ),
    "terminal-offline": Trouble(
        "warning",
        ("card terminal", "card terminals"),
        "not answering",
        "Customers can't pay by card there.",
        "Check the power and the network of the card terminal at",
    ),
    "drawer-open": Trouble(
        "warning",
        ("cash drawer", "cash drawers"),
        "left open",
        "Selling goes on, but the money lies open.",
        "Close the cash drawer at",
    ),
    "scale-offline": Trouble(
        "warning",
        ("scale", "scales"),
        "not answering",
        "Goods sold by weight can't be weighed there.",
        "Check the power and the cable of the scale at",
    ),
    "scanner-offline": Trouble(
        "warning",
        ("scanner", "scanners"),
        "not answering",
        "Codes have to be typed in there, which is slow.",
        "Check the cable of the scanner, or charge it and put it in its cradle, at",
    ),
    "battery-low": Trouble(
        "warning",
        ("battery", "batteries"),
        "nearly empty",
        "Selling ends there when the battery is empty.",
        "Connect the charger of the device at",
    ),
    "display-offline": Trouble(
        "notice",
        ("customer display", "customer displays"),
        "not answering",
        "Selling goes on; customers don't see the prices there.",
        "Check the cable of the customer display at",
    ),
    "printer-paper-near-end": Trouble(
        "notice",
        ("paper roll", "paper rolls"),
        "nearly used up",
        "Selling goes on; the printer will soon be out of paper.",
        "Have a new paper roll ready for the printer at",
    ),
}
"""Worst first."""


def look(facts: Facts) -> Finding:
    """A warning where selling suffers, a notice where it will or hardly does."""
    held = dict(_held(facts))
    refused = [one for one in facts.status.peripherals if one.phase == "refused"]
    if not held:
        if refused:
            return _refused(refused)
        return fine("No device says that something is wrong with what is attached to it.")
    worst = next(iter(held))
    level = TROUBLES[worst].level
    named = list(held)[:SENTENCES_MAX]
    rest = sum(len(devices) for key, devices in held.items() if key not in named)
    sentences = [_sentence(key, held[key]) for key in named]
    reasons = {one.id: one.reason for one in facts.status.peripherals if one.reason}
    if rest:
        sentences.append(f"And {many(rest, 'more thing')}.")
    return Finding(
        level,
        " ".join(sentences),
        TROUBLES[worst].means,
        " ".join(_step(key, held[key], reasons) for key in named),
        since_ms=min(
            min(one.conditions_since_ms.get(key, facts.now_ms), facts.now_ms)
            for key, devices in held.items()
            if TROUBLES[key].level == level
            for one in devices
        ),
        detail=_detail(held, facts.now_ms) | _reasons(facts.status.peripherals),
    )


def _step(key: Condition, devices: list[DeviceView], reasons: dict[str, str]) -> str:
    """What to do where; of the hub's own that isn't there, why the first one isn't."""
    told = f"{TROUBLES[key].step} {names(devices)}."
    why = next((reasons[one.device_id] for one in devices if one.device_id in reasons), "")
    if not why or key not in _AWAY.values():
        return told
    return f"{told} What the hub sees: {why.rstrip('.?')}{'?' if why.endswith('?') else '.'}"


def _refused(refused: list[PeripheralView]) -> Finding:
    first, more = refused[0], len(refused) - 1
    also = f", and {many(more, 'more thing')}" if more else ""
    return Finding(
        "warning",
        f"{first.name} ({first.id}) isn't driven{also}: {first.reason.rstrip('.')}.",
        "Selling goes on without it.",
        "Correct what is set up: `store-hub peripherals list` shows it.",
        since_ms=first.since_ms,
        detail=_reasons(tuple(refused)),
    )


def _reasons(peripherals: tuple[PeripheralView, ...]) -> dict[str, str]:
    """Why what hangs on the hub isn't ready."""
    away = [one for one in peripherals if one.reason]
    return {f"{one.id}": one.reason for one in away[:DETAILS_MAX]}


def names(devices: list[DeviceView]) -> str:
    """The first three by name, and how many more."""
    told = [_name(one) for one in devices[:NAMED_MAX]]
    if len(devices) > NAMED_MAX:
        return f"{', '.join(told)} and {len(devices) - NAMED_MAX} more"
    return " and ".join((", ".join(told[:-1]), told[-1])) if len(told) > 1 else told[0]


def _name(one: DeviceView) -> str:
    named = one.name and one.name != one.device_id
    return f"{one.name} ({one.device_id})" if named else one.device_id


def _held(facts: Facts) -> Iterator[tuple[Condition, list[DeviceView]]]:
    """What counts, the worst first, and where: who has it longest comes first."""
    paired = [one for one in _told(facts) if one.status == "paired" and one.conditions]
    for key in sorted(TROUBLES, key=lambda one: -SEVERITY[TROUBLES[one].level]):
        devices = [one for one in paired if _counts(key, one, facts.now_ms)]
        devices.sort(key=lambda one: one.conditions_since_ms.get(key, facts.now_ms))
        if devices:
            yield key, devices


def _told(facts: Facts) -> Iterator[DeviceView]:
    """Devices with their conditions; of the hub's own that aren't there, that they aren't.  What
    hangs on another of them is away with it: that one is told."""
    own = {one.id: one for one in facts.status.peripherals}
    for device in facts.status.devices:
        known = own.get(device.device_id) if device.auth == "hub" else None
        if known is None or known.phase not in ("claiming", "lost") or not known.reason:
            yield device
        elif known.via in own and own[known.via].phase in ("claiming", "lost"):
            continue
        elif facts.now_ms - known.since_ms >= AWAY_MS:
            away = _AWAY.get(known.kind, "printer-offline")
            since = {away: known.since_ms}
            yield device.model_copy(update={"conditions": (away,), "conditions_since_ms": since})


def _counts(key: Condition, device: DeviceView, now_ms: int) -> bool:
    if key not in device.conditions or not HIDDEN_BY.get(key, frozenset()).isdisjoint(
        device.conditions
    ):
        return False
    open_ms = now_ms - device.conditions_since_ms.get(key, now_ms)
    return key != "drawer-open" or not -MINUTE_MS <= open_ms < LEFT_OPEN_MS


def _sentence(key: Condition, devices: list[DeviceView]) -> str:
    trouble, one = TROUBLES[key], len(devices) == 1
    subject = trouble.subject[0 if one else 1]
    return f"The {subject} at {names(devices)} {'is' if one else 'are'} {trouble.state}."


def _detail(held: dict[Condition, list[DeviceView]], now_ms: int) -> dict[str, str]:
    """Each device with what it has and for how long."""
    found: dict[str, list[str]] = {}
    for key, devices in held.items():
        for one in devices:
            span = ago(now_ms - one.conditions_since_ms.get(key, now_ms))
            text = f"{TROUBLES[key].subject[0]} {TROUBLES[key].state} for {span}"
            found.setdefault(_name(one), []).append(text)
    return {name: ", ".join(texts) for name, texts in list(found.items())[:DETAILS_MAX]}


CHECK = Check(
    "peripherals",
    "Printers and drawers",
    "What devices say of their printer (paper, cover, power), cash drawer, scanner, scale, display,"
    " card terminal and battery.",
    5,
    look,
)
