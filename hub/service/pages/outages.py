"""The times the shop was cut off, and the report about one: what happened, and what needs a
person now.  No names of people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from urllib.parse import quote

from hub.contract.health import Level
from hub.contract.oms_events import DEVICE_STATE
from hub.contract.pages.history import (
    DeviceLost,
    OutageEvent,
    OutageNeed,
    OutageOnPage,
    OutageQuery,
    OutageReport,
    OutageSales,
    OutagesPage,
    OutagesQuery,
    OutageWaiting,
)
from hub.contract.problems import Code, refuse
from hub.service.gate import ReadUnit
from hub.service.pages import dotted, numbers, outageneeds
from hub.service.pages.history import place_of
from hub.storage import driftrows, historyrows, hubrow
from hub.storage.audit import AuditRow
from hub.storage.historyrows import Marks, OutageRow
from hub.storage.pages import LAST, history
from hub.storage.pages import stock as stock_pages
from hub.storage.pages.history import BelowZero
from hub.storage.pages.stock import TaskRow

LOST_MAX: Final = 100
HAPPENED_MAX: Final = 100
TASKS_MAX: Final = 1000
NAMED_MAX: Final = 5
FOUND_WITHIN_MS: Final = 24 * 3_600_000
"""A difference from the cloud found within a day after an outage is counted to it."""
GIVEN_BACK: Final = ("sale.given_back_twice", "payment.of_two_sales")
GIVEN_BACK_WITHIN_MS: Final = 7 * 24 * 3_600_000
"""Entries about money come when the cloud and the tills tell a restored hub what it lacks."""
Kind = Literal["person", "restart", "fence", "clock", "cloud", "hub"]
WORDS: Final[dict[str, tuple[Kind, str]]] = {
    "action.asked": ("person", "Somebody had the hub do {subject}."),
    "clock.suspect": ("clock", "The clock came into doubt."),
    "clock.trusted": ("clock", "The clock is trusted again."),
    "cloud.command_failed": ("cloud", "A command of the cloud failed."),
    "cloud.epoch_closed": ("fence", "The cloud closed this box's epoch."),
    "cloud.forked": ("fence", "The hub began a line of its own: it writes apart from the cloud."),
    "cloud.session": ("fence", "The cloud gave the hub a new epoch."),
    "cloud.superseded": ("fence", "The cloud said that another box is the shop's hub."),
    "config.changed": ("cloud", "The cloud changed the setting {subject}."),
    "device.key_withdrawn": ("person", "The key of {subject} was withdrawn."),
    "device.pair": ("person", "{subject} was paired."),
    "device.rekey": ("person", "{subject} was paired again."),
    "device.rename": ("person", "{subject} was renamed."),
    "device.revoke": ("person", "{subject} was revoked."),
    "drill.began": ("person", "An outage drill began."),
    "drill.ended": ("hub", "The outage drill ended."),
    "log.level": ("person", "The log's level was changed."),
    "outbox.given_up": ("person", "An event that waited aside was given up."),
    "outbox.parked": ("cloud", "The cloud refused an event; it waits aside."),
    "outbox.resent": ("person", "An event that waited aside was sent again."),
    "payment.decided": ("person", "Two people decided how a card payment had ended."),
    "payment.given_up": ("person", "A card payment was given up."),
    "payment.late_approval": ("hub", "A payment was approved after it had been given up."),
    "payment.paid_otherwise": ("person", "A payment that was owed was paid in another way."),
    "payment.refund_given_twice": ("hub", "Money of a card payment went back twice."),
    "payment.refund_refused": ("hub", "The processor refused to give money back."),
    "payment.two_refs": ("hub", "The processor told two references of one card payment."),
    "payment.of_two_sales": ("hub", "A card payment was found in two sales."),
    "pairing.open": ("person", "Somebody opened pairing."),
    "recovery.failed": ("fence", "Something that the cloud gave back couldn't be taken in."),
    "recovery.finished": ("fence", "What the cloud knew of this shop is back."),
    "sale.given_back_twice": ("hub", "Money of a sale went back twice: see the audit log."),
    "sale.voided": ("person", "A sale was voided."),
    "staff.lockout_cleared": ("person", "Somebody's PIN was unlocked."),
    "staff.locked": ("person", "Somebody's PIN was locked after too many tries."),
    "stock.adjusted": ("person", "The stock of {subject} was corrected."),
    "stock.drift": ("cloud", "Stock was found to differ from the cloud's."),
    "stock.override": ("person", "Something was sold though the book had too little of it."),
    "support.taken": ("person", "Somebody took a support bundle."),
    "support.requested": ("cloud", "The cloud asked for a support bundle."),
    "web.code-void": ("person", "A sign-in code was tried too often."),
    "web.sign-in": ("person", "Somebody signed in to the hub's page."),
}
"""Entries of the audit log that tell what happened; the others are trade, or follow from these."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What needs somebody now, of whichever outage; read once for a page of them."""

    now: Marks
    newest: int
    parked: Sequence[int]
    below_zero: Sequence[BelowZero]
    tasks: Sequence[TaskRow]
    drift: Sequence[driftrows.DriftRow]
    given_back: Sequence[AuditRow]
    payments: Sequence[int]
    clock_doubt: str
    fence: str


class Span(NamedTuple):
    """An outage up to its end, or up to now; ``next_ms`` is when the one after it began."""

    began: Marks
    ended: Marks
    from_ms: int
    to_ms: int
    next_ms: int | None


def listed(unit: ReadUnit, query: OutagesQuery) -> OutagesPage:
    """Outages, the newest first."""
    (before,) = numbers(query.cursor, (LAST,))
    rows = historyrows.outages(unit.rows, before, query.limit + 1)
    shown, more = rows[: query.limit], len(rows) > query.limit
    if not shown:
        return OutagesPage(outages=())
    facts = _facts(unit, shown[-1].began)
    after = historyrows.outage_after(unit.rows, shown[0].number)
    heads = []
    for row in shown:
        span = _span(unit, facts, row, after)
        heads.append(_head(row, span, _needs(facts, row, span)))
        after = row
    return OutagesPage(outages=tuple(heads), next_cursor=dotted(shown[-1].number) if more else None)


def one(unit: ReadUnit, query: OutageQuery) -> OutageReport:
    """The report.  Errors: ``not-found``."""
    row = historyrows.outage(unit.rows, query.outage_id)
    if row is None:
        raise refuse(
            Code.NOT_FOUND,
            f"There is no such outage (any more): the newest {historyrows.OUTAGES_KEPT} are kept.",
        )
    facts = _facts(unit, row.began)
    span = _span(unit, facts, row, historyrows.outage_after(unit.rows, row.number))
    needs = _needs(facts, row, span)
    sold = history.sold(unit.rows, span.began, span.ended)
    waits = history.still_waiting(unit.rows, span.began, span.ended)
    parked = _between(facts.parked, span.began.event, span.ended.event)
    return OutageReport(
        outage=_head(row, span, needs),
        sales=OutageSales(
            count=sold.sales,
            total_minor=sold.total_minor,
            currency=unit.shop.currency,
            voids=history.voids(unit.rows, span.began, span.ended, span.from_ms, span.to_ms),
            returns=history.returns(unit.rows, span.began, span.ended),
        ),
        waiting=OutageWaiting(
            highest_depth=row.highest_depth,
            told=max(0, span.ended.event - span.began.event - waits - parked),
            still_waiting=waits,
            parked=parked,
        ),
        payments=outageneeds.carded(unit, span.from_ms, span.to_ms),
        caught_up_at_ms=row.caught_up_at_ms,
        devices_lost=_devices_lost(unit, span),
        happened=_happened(unit, span),
        needs=needs,
    )


def _facts(unit: ReadUnit, oldest: Marks) -> Facts:
    rows = unit.rows
    hub, newest = hubrow.get(rows), historyrows.newest_outage(rows)
    now = historyrows.now_marks(rows)
    return Facts(
        now=now,
        newest=newest.number if newest else 0,
        parked=history.parked_events(rows),
        below_zero=history.below_zero(rows, oldest),
        tasks=stock_pages.count_tasks(rows, 0, TASKS_MAX),
        drift=driftrows.drift(rows),
        given_back=history.entries(rows, oldest, now, GIVEN_BACK),
        payments=outageneeds.asked(unit),
        clock_doubt=hub.clock_suspect,
        fence=hub.fence,
    )


def _span(unit: ReadUnit, facts: Facts, row: OutageRow, after: OutageRow | None) -> Span:
    to_ms = unit.now_ms if row.ended_at_ms is None else row.ended_at_ms
    return Span(
        row.began,
        row.ended or facts.now,
        row.began_at_ms,
        max(row.began_at_ms, to_ms),
        after.began_at_ms if after is not None else None,
    )


def _head(row: OutageRow, span: Span, needs: Sequence[OutageNeed]) -> OutageOnPage:
    count = sum(need.count for need in needs)
    level: Level = "warning" if count else "ok"
    if row.ended_at_ms is None and not count:
        level = "notice" if row.drill else "warning"
    return OutageOnPage(
        outage_id=row.outage_id,
        began_at_ms=row.began_at_ms,
        ended_at_ms=row.ended_at_ms,
        place=place_of(row.place) or "unknown",
        drill=row.drill,
        sales=max(0, span.ended.sale - span.began.sale),
        needs_person=count,
        level=level,
    )


# What happened -----------------------------------------------------------------------------------


def _devices_lost(unit: ReadUnit, span: Span) -> tuple[DeviceLost, ...]:
    times: Counter[str] = Counter()
    states: dict[str, str] = {}
    for device_id, text in history.events_of(unit.rows, DEVICE_STATE, span.began, span.ended):
        state = json.loads(text).get("state")
        if state == "lost" and states.get(device_id) != "lost":  # it may be told more than once
            times[device_id] += 1
        states[device_id] = state
    names = history.device_names(unit.rows) if times else {}
    return tuple(
        DeviceLost(device_id=device_id, name=names.get(device_id, device_id), times=count)
        for device_id, count in times.most_common(LOST_MAX)
    )


def _happened(unit: ReadUnit, span: Span) -> tuple[OutageEvent, ...]:
    """From the audit log and the holes in the history, the newest first."""
    found = list(_told(history.entries(unit.rows, span.began, span.ended, WORDS)))
    found += [
        OutageEvent(at_ms=row.at_ms, kind="restart", text="The hub was off, and started again.")
        for row in historyrows.changes(unit.rows, span.from_ms, span.to_ms, HAPPENED_MAX)
        if row.place == "hub-off"
    ]
    found.sort(key=lambda event: event.at_ms, reverse=True)
    return tuple(found[:HAPPENED_MAX])


def _told(entries: Sequence[AuditRow]) -> Iterator[OutageEvent]:
    for row in entries:
        kind, words = WORDS[row.action]
        yield OutageEvent(
            at_ms=row.at_ms, kind=kind, text=words.replace("{subject}", row.subject[:64])
        )


# What needs a person -----------------------------------------------------------------------------


def _needs(facts: Facts, row: OutageRow, span: Span) -> tuple[OutageNeed, ...]:
    newest = row.number == facts.newest
    sold_out = [
        one.sku
        for one in facts.below_zero
        if _between(one.movements, span.began.movement, span.ended.movement)
    ]
    found = (
        _refused(_between(facts.parked, span.began.event, span.ended.event)),
        _sold_out(sold_out),
        _counts(facts, span, set(sold_out)),
        _drift(facts, span),
        _given_back(facts, span),
        outageneeds.payments(facts.payments, span.from_ms, _until_ms(span, FOUND_WITHIN_MS)),
        outageneeds.clock(facts.clock_doubt if newest else ""),
        outageneeds.fence(facts.fence if newest else ""),
    )
    return tuple(need for need in found if need is not None)


def _refused(count: int) -> OutageNeed | None:
    if not count:
        return None
    return OutageNeed(
        key="parked",
        title="Refused by the cloud",
        text=f"The cloud refused {_many(count, 'event')} of this time; the hub keeps what they"
        " say aside.",
        next_step="Read why, have central IT mend the cause, then send them again.",
        link="#/cloud/parked",
        count=count,
    )


def _sold_out(skus: Sequence[str]) -> OutageNeed | None:
    if not skus:
        return None
    return OutageNeed(
        key="below-zero",
        title="Sold below zero",
        text=f"Sold in this time although the book had none left: {_named(skus)}.",
        next_step="Look whether there is any on the shelf and count it.",
        link=f"#/stock/{quote(skus[0], safe='')}" if len(skus) == 1 else "#/stock",
        count=len(skus),
    )


def _counts(facts: Facts, span: Span, known: set[str]) -> OutageNeed | None:
    skus = [
        task.sku
        for task in facts.tasks
        if span.from_ms <= task.at_ms <= span.to_ms and task.sku not in known
    ]
    if not skus:
        return None
    return OutageNeed(
        key="counts",
        title="To be counted",
        text=f"A count was asked for in this time: {_named(skus)}.",
        next_step="Count them at a till.",
        link="#/stock",
        count=len(skus),
    )


def _until_ms(span: Span, within_ms: int) -> int:
    """What is found up to then counts to this outage, unless the next one has begun."""
    until_ms = span.to_ms + within_ms
    return until_ms if span.next_ms is None else min(until_ms, span.next_ms)


def _drift(facts: Facts, span: Span) -> OutageNeed | None:
    until_ms = _until_ms(span, FOUND_WITHIN_MS)
    skus = [one.sku for one in facts.drift if span.from_ms <= one.found_at_ms < until_ms]
    if not skus:
        return None
    return OutageNeed(
        key="drift",
        title="Stock differs from the cloud's",
        text=f"Found since this time began: {_named(skus)}.",
        next_step="Count them; if the count is the hub's, tell central IT.",
        link="#/stock",
        count=len(skus),
    )


def _given_back(facts: Facts, span: Span) -> OutageNeed | None:
    until_ms = _until_ms(span, GIVEN_BACK_WITHIN_MS)
    found = [one for one in facts.given_back if span.from_ms <= one.at_ms < until_ms]
    if not found:
        return None
    sales = [one.subject for one in found if one.action == GIVEN_BACK[0]]
    return OutageNeed(
        key="given-back",
        title="Money counted twice",
        text="This hub was put back from a copy, and what was done before and after it meets now:"
        f" money of {_many(len(sales), 'sale')} went back twice,"
        f" {_many(len(found) - len(sales), 'payment')} paid two sales.",
        next_step="Compare them with the card terminal's report and the drawer. The audit log names"
        " them: store-hub audit list.",
        link=f"#/sales/{quote(sales[0], safe='')}" if len(found) == len(sales) == 1 else "#/sales",
        count=len(found),
    )


def _between(found: Sequence[int], after: int, up_to: int) -> int:
    return sum(after < one <= up_to for one in found)


def _named(skus: Sequence[str]) -> str:
    more = len(skus) - NAMED_MAX
    return ", ".join(skus[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
