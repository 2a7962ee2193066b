"""A shop whose chronicle is kept: a real database, on a clock and a link that the test moves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.app.chronicle import Chronicle, Watched
from hub.contract.pages.history import (
    LinkHistory,
    LinkHistoryQuery,
    OutageOnPage,
    OutageQuery,
    OutageReport,
    OutagesQuery,
)
from hub.observe.tally import COMMIT_BOUNDS_S
from hub.service.books import Books
from hub.service.caller import HUB
from hub.service.gate import ReadUnit
from hub.service.pages import history, outages
from tests.support.gatebench import FakeInstants, now
from tests.support.shop import Shop


@dataclass
class Link:
    """The link and the counters as a test wants them."""

    up: bool = True
    place: str = ""
    drill: bool = False
    requests: int = 0
    commits: tuple[int, ...] = (0,) * (len(COMMIT_BOUNDS_S) + 1)
    configured: bool = True

    def watched(self) -> Watched:
        return Watched(
            self.configured,
            lambda: self.up,
            lambda: self.place,
            lambda: self.requests,
            lambda: self.commits,
            lambda: self.drill,
        )


class Told:
    """A shop with its chronicle."""

    def __init__(self, directory: Path) -> None:
        self.shop = Shop(directory)
        self.link = Link()
        self.begin()

    def begin(self, seen_at_ms: int = 0) -> None:
        self.chronicle = Chronicle(self.shop.gate, self.link.watched(), seen_at_ms=seen_at_ms)
        self.chronicle.open()
        now(self.chronicle.step())

    def passes(self, seconds: float, *, step_s: float = 5.0) -> None:
        """Time goes by, and the chronicle looks as it does."""
        while seconds > 0:
            self.shop.clock.advance(min(step_s, seconds))
            seconds -= step_s
            now(self.chronicle.step())

    def turns(self, up: bool, place: str = "") -> None:
        """The link comes up or goes down."""
        self.link.up, self.link.place = up, place
        self.chronicle.look()
        now(self.chronicle.step())

    def restart(self, off_s: float = 0.0, *, killed: bool = False) -> None:
        """The hub ends, is off for a while, and starts; at first without the cloud."""
        if not killed:
            now(self.chronicle.stop())
        up, self.link.up = self.link.up, False
        self.shop.close()
        self.shop.clock.advance(off_s)
        self.shop._open()
        self.begin()
        self.link.up = up

    def unit(self) -> ReadUnit:
        rules = self.shop.rules
        budget_ms = FakeInstants(self.shop.clock).budget_ms()
        wall_ms = self.shop.clock.wall_ms()
        return ReadUnit(self.shop.rows, HUB, rules, Books("EUR"), wall_ms, budget_ms)

    def outages(self, **query: Any) -> tuple[OutageOnPage, ...]:
        return outages.listed(self.unit(), OutagesQuery(**query)).outages

    def report(self, index: int = 0) -> OutageReport:
        outage_id = self.outages()[index].outage_id
        return outages.one(self.unit(), OutageQuery(outage_id=outage_id))

    def link_history(self, hours: int = 24) -> LinkHistory:
        return history.link(self.unit(), LinkHistoryQuery(hours=hours))

    def now_ms(self) -> int:
        return self.shop.clock.wall_ms()

    def sends(self) -> None:
        """The cloud acks all there is."""
        self.shop.run("UPDATE streams SET acked_seq = head_seq")


def open_told(directory: Path) -> Told:
    """With tea on the shelf, somebody at a till, and a cloud that has all there is."""
    made = Told(directory)
    made.shop.product("tea", 499, stock=20)
    made.shop.sign_in("till-1")
    made.sends()
    return made
