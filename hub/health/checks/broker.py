"""The message broker, through which every device speaks with the hub."""

from __future__ import annotations

from typing import Final

from hub.contract.local import BrokerStatus
from hub.health.check import Check, Finding, fine
from hub.health.facts import Facts
from hub.health.words import ago

LATE_AFTER_MS: Final = 30_000
MEANS: Final = "No device can sell until it is back."
AGAIN: Final = "Restart the broker here; if that doesn't help, switch the box off and on."


def look(facts: Facts) -> Finding:
    """Critical when it doesn't run or the hub has no connection to it."""
    broker = facts.status.broker
    age_ms = facts.now_ms - broker.since_ms
    why = f": {broker.detail}" if broker.detail else ""
    if broker.state == "backoff":
        text = f"The broker doesn't stay up (started {broker.restarts} times), so no device can"
        return _down(broker, f"{text} sell{why}.")
    if broker.state in ("starting", "stopped") and age_ms > LATE_AFTER_MS:
        return _down(
            broker,
            f"The broker has been {broker.state} for {ago(age_ms)}, so no device can sell{why}.",
        )
    if not broker.connected and age_ms > LATE_AFTER_MS:
        text = f"The hub has no connection to its broker, so no device can sell{why}."
        return _down(broker, text)
    if broker.detail and broker.state == "running":
        return Finding(
            "notice",
            f"The broker runs, but: {broker.detail}.",
            "Selling goes on.",
            "Tell central IT what it says.",
        )
    return fine("The broker runs.", starts=str(broker.restarts + 1))


def _down(broker: BrokerStatus, summary: str) -> Finding:
    managed = broker.mode == "managed"
    return Finding(
        "critical",
        summary,
        MEANS,
        AGAIN if managed else "See to the site's broker: the hub uses the one at broker.url.",
        "broker.restart" if managed else None,
        broker.since_ms,
    )


CHECK = Check(
    "broker",
    "Broker",
    "Whether the message broker runs and the hub is connected to it.",
    15,
    look,
)
