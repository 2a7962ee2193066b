"""The page of the link to the cloud."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from hub.contract.local import CloudStatus
from hub.contract.oms_events import OUTBOX_PARKED
from hub.contract.pages.cloud import (
    CloudPage,
    CommandOnPage,
    CommandsPage,
    CommandsQuery,
    DatasetView,
    EventOnPage,
    EventQuery,
    EventsPage,
    EventsQuery,
    EventWhole,
    ParkedOnPage,
    ParkedPage,
    ParkedQuery,
    StreamView,
)
from hub.contract.problems import Code, refuse
from hub.domain import cards
from hub.service.gate import ReadUnit
from hub.service.handlers.parking import why_not_given_up
from hub.service.pages import dotted, numbers
from hub.storage import commandrows, datasetrows, hubrow, outbox
from hub.storage.outbox import STREAMS, ParkedRow
from hub.storage.pages import LAST, cloud
from hub.storage.pages.cloud import EventRow, LaneRow
from hub.storage.rows import Rows

_PEOPLE = re.compile(
    r"name|staff|customer|person|note|label|token|approv|last4|pin|secret|password|mail|phone"
    r"|address|signature|comment",
    re.IGNORECASE,
)
"""Fields that may name people, payments or cards."""
_PLAIN = re.compile(r"[A-Za-z0-9._:/+-]{0,80}")
"""Ids, codes and instants; whatever else a text is, somebody may have written it."""
_SAFE_TEXTS = frozenset({"reason", "detail"})
_DEPTH_MAX = 8


def page(unit: ReadUnit, link: CloudStatus) -> CloudPage:
    """The link as it stands."""
    hub = hubrow.get(unit.rows)
    lanes = cloud.lanes(unit.rows)
    return CloudPage(
        link=link,
        incarnation=hub.label,
        epoch=hub.epoch,
        seq=outbox.last_id(unit.rows),
        safe_seq=outbox.safe_id(unit.rows),
        depth=sum(lane.head.waiting for lane in lanes),
        parked=outbox.count_parked(unit.rows),
        streams=tuple(
            StreamView(
                source=lane.source_uri,
                stream=lane.stream,
                head_seq=lane.head_seq,
                acked_seq=lane.acked_seq,
                waiting=lane.head.waiting,
                oldest_at_ms=lane.oldest_at_ms,
            )
            for lane in lanes
        ),
        datasets=tuple(
            DatasetView(
                dataset=row.dataset,
                generation=row.label,
                rows=row.rows,
                changes=row.changes,
                swapped_at_ms=row.swapped_at_ms,
                staging=row.staging_label or None,
                staging_chunks=row.staging_chunk,
            )
            for row in datasetrows.listed(unit.rows)
        ),
    )


def events(unit: ReadUnit, query: EventsQuery) -> EventsPage:
    """Events that wait, in the order they go; or all, the newest first."""
    lanes = cloud.lanes(unit.rows)
    if query.stream is not None:
        lanes = [lane for lane in lanes if lane.stream == query.stream]
    if query.state == "waiting":
        rows, cursor = _waiting(unit, query, lanes)
    else:
        rows, cursor = _newest(unit, query, lanes)
    acked = {(lane.source, lane.stream): lane.acked_seq for lane in lanes}
    return EventsPage(
        events=tuple(_event(row, acked.get((row.source, row.stream), 0)) for row in rows),
        next_cursor=cursor,
    )


def _newest(
    unit: ReadUnit, query: EventsQuery, lanes: list[LaneRow]
) -> tuple[list[EventRow], str | None]:
    limit = query.limit + 1
    if query.stream is None:
        (before,) = numbers(query.cursor, (LAST,))
        rows = cloud.newest(unit.rows, before, limit)
    else:
        source, seq = numbers(query.cursor, (LAST, LAST))
        places = [(lane.source, lane.stream) for lane in lanes]
        rows = cloud.newest_of(unit.rows, places, (source, seq), limit)
    if len(rows) < limit:
        return rows, None
    last = rows[query.limit - 1]
    place = dotted(last.outbox_id) if query.stream is None else dotted(last.source, last.seq)
    return rows[: query.limit], place


def _waiting(
    unit: ReadUnit, query: EventsQuery, lanes: list[LaneRow]
) -> tuple[list[EventRow], str | None]:
    """Stream by stream in the order of their priority; the cursor is a place in one of them."""
    lanes = sorted(lanes, key=_rank)
    rank, source, after = numbers(query.cursor, (-1, -1, -1))
    limit = query.limit + 1
    rows: list[EventRow] = []
    for lane in lanes:
        if _rank(lane) < (rank, source) or len(rows) >= limit:
            continue
        acked = lane.acked_seq
        begin = max(acked, after) if _rank(lane) == (rank, source) else acked
        rows += cloud.waiting(unit.rows, lane, begin, limit - len(rows))
    if len(rows) < limit:
        return rows, None
    last = rows[query.limit - 1]
    return rows[: query.limit], dotted(_priority(last.stream), last.source, last.seq)


def _rank(lane: LaneRow) -> tuple[int, int]:
    return _priority(lane.stream), lane.source


def _priority(stream: str) -> int:
    """Streams of another version go last."""
    return STREAMS.index(stream) if stream in STREAMS else len(STREAMS)


def _event(row: EventRow, acked_seq: int) -> EventOnPage:
    return EventOnPage(
        outbox_id=row.outbox_id,
        stream=row.stream,
        seq=row.seq,
        event_id=row.event_id,
        type=row.type,
        aggregate=row.aggregate,
        at_ms=row.at_ms,
        bytes=row.bytes,
        state="acked" if row.seq <= acked_seq else "waiting",
        marker=row.type == OUTBOX_PARKED,
    )


def event(unit: ReadUnit, query: EventQuery) -> EventWhole:
    """One event; of a parked one, what waits aside.  Errors: ``not-found``."""
    found = cloud.event(unit.rows, query.outbox_id)
    if found is None:
        raise refuse(
            Code.NOT_FOUND, "There is no such event (any more): what the cloud has is tidied away."
        )
    row, text = found
    parked = outbox.parked_row(unit.rows, query.outbox_id)
    left_out: set[str] = set()
    data = without_people(json.loads(parked.data if parked else text), left_out)
    return EventWhole(
        event=_event(row, cloud.acked_seq(unit.rows, row.source, row.stream)),
        parked=_parked(unit.rows, parked) if parked and parked.resent_at_ms is None else None,
        data=data if isinstance(data, dict) else {},
        left_out=tuple(sorted(left_out)),
    )


def without_people(value: Any, left_out: set[str], key: str = "", depth: int = 0) -> Any:
    """``value`` without what may name people, payments or cards; the names of the fields that are
    missing are added to ``left_out``."""
    match value:
        case dict():
            kept = {}
            for name, inner in value.items():
                shown = cards.mask(str(name))[:80]
                if depth >= _DEPTH_MAX or not _PLAIN.fullmatch(shown) or _PEOPLE.search(shown):
                    left_out.add(shown if _PLAIN.fullmatch(shown) else "(a name)")
                    continue
                told = without_people(inner, left_out, shown, depth + 1)
                if told is not None:
                    kept[shown] = told
            return kept
        case list():
            told = [without_people(inner, left_out, key, depth + 1) for inner in value[:500]]
            return [one for one in told if one is not None] if depth < _DEPTH_MAX else []
        case str():
            if key in _SAFE_TEXTS or _PLAIN.fullmatch(value):
                return cards.mask(value[:500])
            left_out.add(key)
            return None
        case _:
            return value


def parked(unit: ReadUnit, query: ParkedQuery) -> ParkedPage:
    """What waits aside, the oldest first."""
    (after,) = numbers(query.cursor, (0,))
    rows = cloud.parked(unit.rows, after, query.limit + 1)
    shown, more = rows[: query.limit], len(rows) > query.limit
    return ParkedPage(
        parked=tuple(_parked(unit.rows, row) for row in shown),
        total=outbox.count_parked(unit.rows),
        next_cursor=dotted(shown[-1].outbox_id) if more else None,
    )


def _parked(rows: Rows, row: ParkedRow) -> ParkedOnPage:
    code, _, reason = row.reason.partition(": ")
    why_not = why_not_given_up(rows, row)
    return ParkedOnPage(
        outbox_id=row.outbox_id,
        stream=row.stream,
        seq=row.seq,
        event_id=row.event_id,
        type=row.type,
        aggregate=row.aggregate,
        at_ms=row.at_ms,
        parked_at_ms=row.parked_at_ms,
        code=code,
        reason=reason,
        may_give_up=not why_not,
        why_not=why_not,
    )


def commands(unit: ReadUnit, query: CommandsQuery) -> CommandsPage:
    """What came down, the newest first."""
    (before,) = numbers(query.cursor, (LAST,))
    rows = commandrows.newest(unit.rows, before=before, limit=query.limit + 1)
    shown, more = rows[: query.limit], len(rows) > query.limit
    return CommandsPage(
        commands=tuple(
            CommandOnPage(
                number=row.number,
                command_id=row.command_id,
                type=row.type,
                outcome=cast(Any, row.outcome),
                why=row.why,
                at_ms=row.at_ms,
            )
            for row in shown
        ),
        next_cursor=dotted(shown[-1].number) if more else None,
    )
