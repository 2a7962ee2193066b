"""From facts to one verdict: all checks are made, and how long each has failed is remembered."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hub import events
from hub.clock import Clock
from hub.contract.health import (
    HealthFinding,
    HealthReport,
    Level,
    LostWeight,
    Readiness,
)
from hub.health.allchecks import all_checks
from hub.health.check import SEVERITY, Check, Finding, unknown
from hub.health.facts import Facts
from hub.health.words import many

log = logging.getLogger(__name__)

FORGIVEN_S: Final = 60.0
"""What fails again within this has never been well."""
CLOCK_SET_MS: Final = 2_000
PROBLEMS_MAX: Final = 30
VERDICT: Final = "the verdict"


@dataclass(frozen=True, slots=True)
class _Spell:
    """How long a state has held; ``ended_s`` once it is over."""

    state: str
    wall_ms: int
    begun_s: float
    ended_s: float | None = None


class Since:
    """Since when each thing is in its state; bounded by the number of things.

    Counted by the monotonic clock: setting the wall clock makes no spell longer or shorter.  After
    a restart of the hub all spells begin anew.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spells: dict[str, _Spell] = {}

    def seen(self, name: str, state: str) -> int:
        """``name`` is in ``state`` now; since when (UTC ms)."""
        wall_ms, now_s = self._clock.wall_ms(), self._clock.monotonic_s()
        spell = self._spells.get(name)
        if spell is None or spell.state != state or self._is_over(spell, now_s):
            spell = _Spell(state, wall_ms, now_s)
        begun_ms = wall_ms - int((now_s - spell.begun_s) * 1000)
        if abs(begun_ms - spell.wall_ms) > CLOCK_SET_MS:
            spell = replace(spell, wall_ms=begun_ms)
        self._spells[name] = replace(spell, ended_s=None)
        return spell.wall_ms

    def gone(self, name: str) -> None:
        """``name`` is in no state worth remembering; kept for a minute, in case it comes back."""
        spell = self._spells.get(name)
        if spell is None:
            return
        now_s = self._clock.monotonic_s()
        if spell.ended_s is None:
            self._spells[name] = replace(spell, ended_s=now_s)
        elif self._is_over(spell, now_s):
            del self._spells[name]

    @staticmethod
    def _is_over(spell: _Spell, now_s: float) -> bool:
        return spell.ended_s is not None and now_s - spell.ended_s > FORGIVEN_S


class Examiner:
    """Makes all checks; remembers levels and since when, from one look to the next."""

    def __init__(self, clock: Clock, checks: Sequence[Check] | None = None) -> None:
        self._checks = all_checks() if checks is None else tuple(checks)
        self._since = Since(clock)
        self._before: dict[str, Level] = {}
        self._broken: set[str] = set()
        self._given: dict[str, int] = {}

    def examine(self, facts: Facts) -> HealthReport:
        """The report; a check that fails itself is ``unknown``, and logged once."""
        facts = replace(facts, before=dict(self._before))
        found = [(check, self._look(check, facts)) for check in self._checks]
        self._before = {check.key: finding.level for check, finding in found}
        findings = sorted(
            (self._told(check, finding) for check, finding in found),
            key=lambda one: (_ORDER[one.level], -one.weight, one.key),
        )
        bad = [one for one in findings if SEVERITY[one.level]]
        verdict: Level = bad[0].level if bad else "ok"
        return HealthReport(
            verdict=verdict,
            headline=_headline(verdict, bad, facts),
            since_ms=self._since.seen(VERDICT, verdict),
            reasons=tuple(one.summary for one in bad),
            findings=tuple(findings),
            readiness=readiness(findings),
            way=facts.measured.way if facts.status.cloud.state != "up" else (),
        )

    def _look(self, check: Check, facts: Facts) -> Finding:
        try:
            return check.look(facts)
        except Exception:
            if check.key not in self._broken:
                self._broken.add(check.key)
                log.exception(
                    "the check %s failed", check.key, extra=events.CHECK_BROKEN(check=check.key)
                )
            return unknown("This check failed; the hub's log says why.")

    def _told(self, check: Check, finding: Finding) -> HealthFinding:
        since_ms = None
        if SEVERITY[finding.level]:
            since_ms = self._since.seen(check.key, "bad")
            if finding.since_ms is not None:
                since_ms = self._steady(check.key, finding.since_ms)
        else:
            self._since.gone(check.key)
            self._given.pop(check.key, None)
        return HealthFinding(
            key=check.key,
            title=check.title,
            what=check.what,
            weight=check.weight,
            level=finding.level,
            summary=finding.summary,
            since_ms=since_ms,
            means=finding.means,
            next_step=finding.next_step,
            action=finding.action,
            detail=finding.detail,
        )

    def _steady(self, key: str, given_ms: int) -> int:
        """An instant that is worked out anew each time, without its trembling."""
        before_ms = self._given.get(key)
        if before_ms is None or abs(given_ms - before_ms) > CLOCK_SET_MS:
            self._given[key] = given_ms
        return self._given[key]


_ORDER: Final[dict[Level, int]] = {
    "critical": 0,
    "warning": 1,
    "notice": 2,
    "unknown": 3,
    "ok": 4,
}


def readiness(findings: Iterable[HealthFinding]) -> Readiness:
    """100 less the share of every check that fails; rounded down, so that 100 means all."""
    counted = [one for one in findings if one.level != "unknown"]
    total = sum(one.weight for one in counted)
    failing = sorted(
        (one for one in counted if SEVERITY[one.level] and one.weight),
        key=lambda one: (-one.weight, one.key),
    )
    left = total - sum(one.weight for one in failing)
    return Readiness(
        score=100 * left // total if total else 0,
        total_weight=total,
        lost=tuple(LostWeight(key=one.key, title=one.title, weight=one.weight) for one in failing),
    )


def problems_of(report: HealthReport) -> tuple[str, ...]:
    """The report's findings as plain sentences, the worst first."""
    bad = [one for one in report.findings if SEVERITY[one.level]]
    return tuple(f"{one.summary} {one.next_step}".strip() for one in bad[:PROBLEMS_MAX])


def _headline(verdict: Level, bad: Sequence[HealthFinding], facts: Facts) -> str:
    match verdict:
        case "critical":
            return f"Selling suffers: {bad[0].summary}"
        case "warning":
            count = sum(1 for one in bad if one.level == "warning")
            need = "needs" if count == 1 else "need"
            return f"The shop sells; {many(count, 'thing')} {need} somebody."
        case "notice":
            verb = "is" if len(bad) == 1 else "are"
            return f"The shop sells; {many(len(bad), 'thing')} {verb} worth knowing."
        case _:
            reached = " and the cloud is reached" if facts.status.cloud.state == "up" else ""
            return f"All is well: the shop sells{reached}."
