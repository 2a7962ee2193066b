"""The link to the cloud, and where the way to it ends."""

from __future__ import annotations

from typing import Final

from hub.contract.health import Place, WayStep
from hub.contract.local import DrillStatus
from hub.health.check import Check, Finding, fine
from hub.health.facts import MINUTE_MS, Facts
from hub.health.words import ago

DOWN_AFTER_MS: Final = 2 * MINUTE_MS
LATER: Final = "Nothing is lost: sales are kept here and sent when the cloud is back."
NEXT_STEPS: Final[dict[Place, tuple[str, str]]] = {
    "lan": (
        "this box has no network",
        "Check the network cable between this box and the router, at both ends.",
    ),
    "router": (
        "the shop's router doesn't answer",
        "Check the router's power and cable; switch it off and on.",
    ),
    "dns": (
        "the router answers, but names aren't looked up",
        "Switch the router off and on; if that doesn't help, call the internet provider.",
    ),
    "internet": (
        "the router answers, but the internet doesn't",
        (
            "Look at the router's internet light and switch it off and on; if that doesn't help,"
            " call the internet provider."
        ),
    ),
    "oms": (
        "the shop's side looks well, but the cloud's server doesn't answer",
        "Nothing is to be done in the shop: tell central IT.",
    ),
}
NOT_LOOKED: Final = "Wait a minute: the hub looks where the way to the cloud ends."


def look(facts: Facts) -> Finding:
    """Down for two minutes is a warning, and so is a refusal; no cloud at all is a notice, and so
    is a drill."""
    if facts.status.drill is not None:
        return _drill(facts, facts.status.drill)
    cloud = facts.status.cloud
    age_ms = facts.now_ms - cloud.since_ms
    why = f" ({cloud.detail})" if cloud.detail else ""
    selling = "The shop goes on selling. " if facts.status.broker.connected else ""
    match cloud.state:
        case "refused":
            return Finding(
                "warning",
                f"The cloud refuses this hub{why}.",
                f"{selling}{LATER}",
                "Central IT checks this hub's credentials: section cloud of the settings.",
                "outbox.retry",
                cloud.since_ms,
            )
        case "superseded" if facts.status.mode != "superseded":
            return Finding(
                "warning",
                f"The cloud says that another box has taken this hub's place{why}.",
                "Nothing more goes to the cloud from here.",
                "Call central IT: only one box may be the shop's hub.",
                since_ms=cloud.since_ms,
            )
        case "down" | "connecting" if age_ms > DOWN_AFTER_MS:
            return _cut_off(facts, age_ms, why, selling)
        case "unconfigured":
            return Finding(
                "notice",
                "No cloud is set up: sales are kept here and sent once cloud.url is set.",
                "The shop sells by itself.",
                "Set cloud.url if there is a cloud.",
            )
        case "up":
            return fine("The cloud is reached.", url=cloud.url or "")
        case _:
            return fine("The cloud is being reached.", state=cloud.state)


def _drill(facts: Facts, drill: DrillStatus) -> Finding:
    left = max(drill.until_ms - facts.now_ms, 0)
    return Finding(
        "notice",
        f"A drill runs: the link to the cloud is cut on purpose for another {ago(left)}.",
        "The shop goes on selling; what is sold is sent to the cloud afterwards.",
        "Sell as always. The link comes back by itself; end the drill if it is in the way.",
        "drill.end",
        drill.began_at_ms,
        {"asked by": drill.asked_by},
    )


def _cut_off(facts: Facts, age_ms: int, why: str, selling: str) -> Finding:
    cloud = facts.status.cloud
    place = broken_at(facts.measured.way)
    where, next_step = NEXT_STEPS[place] if place is not None else ("", NOT_LOOKED)
    text = (
        f"The cloud hasn't been reached for {ago(age_ms)}"
        if cloud.state == "down"
        else f"The hub has tried to reach the cloud for {ago(age_ms)}"
    )
    return Finding(
        "warning",
        f"{text}: {where}{why}." if where else f"{text}{why}.",
        f"{selling}{LATER}",
        next_step,
        "link.look",
        cloud.since_ms,
        {one.title: one.text or one.state for one in facts.measured.way},
    )


def broken_at(way: tuple[WayStep, ...]) -> Place | None:
    """The first stretch that is broken."""
    return next((one.place for one in way if one.state == "broken"), None)


CHECK = Check(
    "link",
    "Link to the cloud",
    "Whether the cloud is reached; if not, whether it is this box's network, the router, the"
    " look-up of names, the internet or the cloud itself.",
    8,
    look,
)
