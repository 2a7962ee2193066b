"""The log in memory is bounded, and more is logged for a while only."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest

from hub.config import Log
from hub.contract.pages.house import LogsQuery
from hub.logs import Entry, Lines, set_up
from hub.web import logpage
from hub.web.loglevels import LOGGERS_MAX, LogLevels
from tests.fakes import FakeClock


def entry(text: str, level: str = "info", source: str = "hub") -> Entry:
    return Entry(1000, level, source, text, "", {})


def test_the_oldest_lines_go_when_there_are_too_many_or_too_long() -> None:
    lines = Lines(limit=10, limit_chars=5000)
    for number in range(25):
        lines.add(entry(f"{number}"))
    assert [(number, one.message) for number, one in lines.newest()][:2] == [(25, "24"), (24, "23")]
    assert len(lines.newest()) == 10
    lines.add(entry("x" * 4500))
    assert [number for number, _ in lines.newest()] == [26, 25, 24, 23]
    lines.add(entry("x" * 9000))
    assert lines.newest() == []


def test_whatever_is_logged_is_kept_masked() -> None:
    logs = set_up(
        Log(format="text", level="info"),
        clock=FakeClock(),
        secrets=("s3cret-value",),
        stream=io.StringIO(),
    )
    try:
        log = logging.getLogger("hub.some.where")
        log.info("the word is s3cret-value, the card 4111111111111111", extra={"n": 5})
        log.debug("not said")
    finally:
        logs.close()
    page = logpage.page(logs.recent.lines, (), LogsQuery())
    (line,) = page.lines
    assert "s3cret" not in line.text
    assert "4111111111111111" not in line.text
    assert (line.level, line.logger, line.fields) == ("info", "hub.some.where", {"n": "5"})


def test_a_page_of_lines_says_where_the_next_begins() -> None:
    lines = Lines()
    for number in range(6):
        lines.add(entry(f"{number}", "error" if number % 2 else "info"))
    page = logpage.page(lines, (), LogsQuery(level="error", limit=2))
    assert [one.text for one in page.lines] == ["5", "3"]
    assert (page.newest, page.next_before) == (6, 4)
    assert logpage.page(lines, (), LogsQuery(level="error", limit=3)).next_before is None
    assert logpage.page(lines, (), LogsQuery(after=6)).lines == ()


@pytest.fixture
def levels() -> Iterator[LogLevels]:
    found = LogLevels(FakeClock())
    yield found
    found.close()


async def test_a_level_is_put_back_when_its_time_is_over(levels: LogLevels) -> None:
    log = logging.getLogger("hub.levels.one")
    levels.set("hub.levels.one", "debug", 3600)
    assert log.level == logging.DEBUG
    assert levels.views()[1].until_ms is not None
    levels.set("hub.levels.one", "error", 0)
    assert log.level == logging.ERROR
    async with asyncio.timeout(30):
        while log.level != logging.NOTSET:
            await asyncio.sleep(0)
    assert [one.logger for one in levels.views()] == [""]


async def test_only_so_many_loggers_are_changed_at_a_time(levels: LogLevels) -> None:
    for number in range(LOGGERS_MAX + 1):
        levels.set(f"hub.levels.n{number}", "debug", 3600)
    assert logging.getLogger("hub.levels.n0").level == logging.NOTSET
    assert len(levels.views()) == LOGGERS_MAX + 1
    levels.close()
    assert logging.getLogger(f"hub.levels.n{LOGGERS_MAX}").level == logging.NOTSET


async def test_the_level_of_all_is_put_back_too(levels: LogLevels) -> None:
    before = logging.getLogger().level
    levels.set("", "critical", 3600)
    assert levels.views()[0].level == "critical"
    levels.put_back("")
    assert logging.getLogger().level == before
