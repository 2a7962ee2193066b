"""The page of logs: what the hub keeps in memory, looked through in a thread."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from hub.contract.pages.house import LogLevelView, LogLine, LogsPage, LogsQuery
from hub.logs import Entry, Lines

TEXT_MAX = 4000
TRACE_MAX = 8000
FIELDS_MAX = 30
FIELD_MAX = 500


def page(lines: Lines, levels: tuple[LogLevelView, ...], query: LogsQuery) -> LogsPage:
    """The lines that fit, the newest first."""
    kept = lines.newest()
    newest = kept[0][0] if kept else 0
    found: list[LogLine] = []
    more = False
    for number, entry in _between(kept, query):
        if not _fits(entry, query):
            continue
        if len(found) == query.limit:
            more = True
            break
        found.append(view(number, entry))
    return LogsPage(
        lines=tuple(found),
        newest=newest,
        next_before=found[-1].number if more and found else None,
        levels=levels,
    )


def _between(kept: Iterable[tuple[int, Entry]], query: LogsQuery) -> Iterable[tuple[int, Entry]]:
    for number, entry in kept:
        if number <= query.after:
            return
        if query.before is None or number < query.before:
            yield number, entry


def _fits(entry: Entry, query: LogsQuery) -> bool:
    return (
        _rank(entry.level) >= _rank(query.level)
        and entry.at_ms >= query.since_ms
        and _is_below(entry.source, query.logger.rstrip("."))
        and query.text.casefold() in entry.message.casefold()
    )


def _is_below(source: str, logger: str) -> bool:
    return not logger or source == logger or source.startswith(f"{logger}.")


def _rank(level: str) -> int:
    found = logging.getLevelNamesMapping().get(level.upper())
    return logging.DEBUG if found is None else found


def view(number: int, entry: Entry) -> LogLine:
    """A line as people see it; cut where it is very long."""
    fields = list(entry.fields.items())[:FIELDS_MAX]
    return LogLine(
        number=number,
        at_ms=entry.at_ms,
        level=entry.level,
        logger=entry.source,
        text=entry.message[:TEXT_MAX],
        trace=entry.trace[:TRACE_MAX],
        fields={name: str(value)[:FIELD_MAX] for name, value in fields},
    )
