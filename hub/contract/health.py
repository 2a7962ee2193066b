"""How healthy a hub is, in words a person without training can act on, and what it can mend itself.

- ``GET  /api/1/status``          carries a :class:`HealthReport` as ``health``
- ``GET  /api/1/actions``         → :class:`Actions` (signed in)
- ``POST /api/1/actions/{key}``   → :class:`ActionDone` (signed in, with the CSRF token)
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hub.contract.base import Outgoing

Level = Literal["ok", "notice", "warning", "critical", "unknown"]
"""``notice``: worth knowing; ``warning``: somebody has to do something; ``critical``: selling
suffers now or soon; ``unknown``: this box can't tell, which is no trouble by itself."""

Place = Literal["lan", "router", "dns", "internet", "oms"]


class HealthFinding(Outgoing):
    """What one check found.  Of a check that is ``ok`` or ``unknown`` only the summary matters."""

    key: str = Field(description="The check's name; stable.")
    title: str = Field(description="Two or three words for a heading.")
    what: str = Field(description="What the check looks at, in plain words.")
    weight: int = Field(description="Its share of the readiness score.")
    level: Level
    summary: str = Field(description="One sentence: what is so.")
    since_ms: int | None = Field(default=None, description="Since when it isn't ok, where known.")
    means: str = Field(default="", description="What it means for selling.")
    next_step: str = Field(default="", description="What a person does now.")
    action: str | None = Field(
        default=None, description="Key of the action by which the hub can mend it itself."
    )
    detail: dict[str, str] = Field(
        default_factory=dict, description="Label and value, for whoever wants to know more."
    )


class WayStep(Outgoing):
    """One stretch of the way to the cloud; what lies behind a broken one can't be seen."""

    place: Place
    title: str
    state: Literal["ok", "broken", "unknown"]
    text: str = ""


class LostWeight(Outgoing):
    """A check that keeps the readiness score below 100."""

    key: str
    title: str
    weight: int


class Readiness(Outgoing):
    """How ready this hub is to stand on its own: 100 less the share of every check that fails.
    Checks that can't be made on this box (``unknown``) don't count."""

    score: int = Field(ge=0, le=100)
    total_weight: int = Field(description="Weight of all checks that count.")
    lost: tuple[LostWeight, ...] = Field(default=(), description="The heaviest first.")


class HealthReport(Outgoing):
    """One verdict with its reasons, and what every check found: the worst first."""

    verdict: Level = Field(description="The worst level found; never unknown.")
    headline: str = Field(description="The verdict in one sentence.")
    since_ms: int = Field(description="Since when the verdict is this one.")
    reasons: tuple[str, ...] = Field(default=(), description="Summaries of what isn't ok.")
    findings: tuple[HealthFinding, ...] = Field(description="One of each check, the worst first.")
    readiness: Readiness
    way: tuple[WayStep, ...] = Field(
        default=(),
        description="The way to the cloud from here on, when it was looked at; empty otherwise.",
    )


class ActionView(Outgoing):
    """Something the hub can do to mend itself."""

    key: str
    title: str = Field(description="For a button.")
    what: str = Field(description="What it does, in plain words.")
    confirm: str = Field(description="The question to ask before it is done.")
    disturbs: bool = Field(description="True when devices or people notice it.")
    available: bool = Field(default=True, description="False when it can do nothing here.")
    why_not: str = Field(default="", description="Why it isn't available.")


class Actions(Outgoing):
    """All actions, in a fixed order."""

    actions: tuple[ActionView, ...]


class ActionDone(Outgoing):
    """What came of an action; the audit log has it too."""

    key: str
    outcome: Literal["done", "started", "nothing-to-do"] = Field(
        description="started: it goes on in the background; the status shows what comes of it."
    )
    text: str = Field(description="One sentence for a person.")
    at_ms: int
