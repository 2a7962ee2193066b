"""Sending the log away: what is sent, what waits while nobody answers, and what is counted."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hub import events
from hub.logs import Entry
from hub.observe.exporter import Answer, Exporter, Post, Unanswered, poster, refused_of
from hub.observe.otlp import LOGS, body, record
from hub.observe.spool import LINES_MAX, Spool
from tests.fakes import SeededRandomness

AT_MS = 1_780_000_000_000


def entry(number: int, **fields: str | int | bool | None) -> Entry:
    return Entry(AT_MS + number, "error", "hub.test", f"message {number}", "", fields)


def messages(content: bytes) -> list[str]:
    (resource,) = json.loads(content)["resourceLogs"]
    (scope,) = resource["scopeLogs"]
    return [one["body"]["stringValue"] for one in scope["logRecords"]]


class Collector:
    """Answers as it is told to; each answer may be a status or nobody there."""

    def __init__(self) -> None:
        self.status = 200
        self.refused = 0
        self.taken: list[str] = []
        self.asked = 0

    async def __call__(self, content: bytes) -> Answer:
        self.asked += 1
        if self.status == 0:
            raise Unanswered("nobody there")
        if self.status == 200:
            self.taken += messages(content)
        return Answer(self.status, self.refused)


async def no_time(_: float) -> None:
    await asyncio.sleep(0)


def exporter(folder: Path, post: Post, max_bytes: int = 1 << 20) -> Exporter[Entry]:
    spool = Spool(folder, max_bytes)
    return Exporter(LOGS, spool, post, SeededRandomness(), store="367", version="1", sleep=no_time)


async def until(done: Callable[[], bool], run: Callable[[], Awaitable[None]]) -> None:
    """Let it run until ``done``."""
    running = asyncio.ensure_future(run())
    try:
        async with asyncio.timeout(60):
            while not done():
                assert not running.done()
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def test_a_record_is_as_the_protocol_has_it() -> None:
    made = record(entry(7, **events.REQUEST_FAILED(device="till-1", operation="sale/commit")))
    assert made["timeUnixNano"] == str((AT_MS + 7) * 1_000_000)
    assert (made["severityNumber"], made["severityText"]) == (17, "ERROR")
    assert made["eventName"] == "request-failed"
    attributes = {one["key"]: one["value"] for one in made["attributes"]}
    assert attributes["device"] == {"stringValue": "till-1"}
    assert attributes["message_id"] == {"stringValue": events.REQUEST_FAILED.message_id}
    assert record(entry(1, count=3))["attributes"][-1]["value"] == {"intValue": "3"}
    sent = json.loads(body([made], "367", "1"))
    assert {"key": "store", "value": {"stringValue": "367"}} in sent["resourceLogs"][0]["resource"][
        "attributes"
    ]


async def test_nothing_is_lost_while_nobody_answers(tmp_path: Path) -> None:
    collector = Collector()
    collector.status = 0
    first = exporter(tmp_path, collector)
    for number in range(LINES_MAX + 10):
        first.take(entry(number))
    await until(lambda: collector.asked > 2, first.run)
    assert first.figures().spool_bytes > 0
    second = exporter(tmp_path, collector)  # the hub was ended meanwhile
    second.take(entry(LINES_MAX + 10))
    collector.status = 503
    asked = collector.asked
    await until(lambda: collector.asked > asked + 1, second.run)
    collector.status = 200
    third = exporter(tmp_path, collector)
    await until(lambda: len(collector.taken) >= LINES_MAX + 11, third.run)
    assert collector.taken == [f"message {number}" for number in range(LINES_MAX + 11)]
    assert first.figures().dropped == second.figures().dropped == third.figures().dropped == 0


@pytest.mark.parametrize("status", [302, 401, 403, 429, 503])
async def test_an_expired_token_or_a_gateway_loses_nothing(tmp_path: Path, status: int) -> None:
    collector = Collector()
    collector.status = status
    made = exporter(tmp_path, collector)
    made.take(entry(1))
    await until(lambda: collector.asked >= 3, made.run)
    assert made.figures().dropped == 0
    collector.status = 200
    await until(lambda: collector.taken == ["message 1"], made.run)


async def test_at_the_bound_the_oldest_goes_and_is_counted(tmp_path: Path) -> None:
    collector = Collector()
    collector.status = 0
    made = exporter(tmp_path, collector, max_bytes=200_000)
    for number in range(4 * LINES_MAX):
        made.take(entry(number))
    await made.flush()
    figures = made.figures()
    assert figures.spool_bytes <= 200_000
    assert figures.dropped > 0
    collector.status = 200
    await until(lambda: made.figures().spool_bytes == 0, made.run)
    assert len(collector.taken) + figures.dropped == 4 * LINES_MAX
    assert collector.taken[-1] == f"message {4 * LINES_MAX - 1}"


async def test_what_the_collector_refuses_is_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    collector = Collector()
    collector.status = 400
    made = exporter(tmp_path, collector)
    refused = 0

    def next_is_refused() -> bool:
        nonlocal refused
        if made.figures().dropped > refused:
            refused += 1
            made.take(entry(refused))
        return refused == 3

    made.take(entry(0))
    with caplog.at_level(logging.INFO):
        await until(next_is_refused, made.run)
    assert collector.asked >= 3
    assert [one.levelname for one in caplog.records if one.name.startswith("hub")] == ["WARNING"]


async def test_what_a_success_refuses_is_counted_too(tmp_path: Path) -> None:
    collector = Collector()
    collector.refused = 2
    made = exporter(tmp_path, collector)
    for number in range(5):
        made.take(entry(number))
    await until(lambda: made.figures().sent > 0, made.run)
    assert (made.figures().sent, made.figures().dropped) == (3, 2)


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        (b"", 0),
        (b"{}", 0),
        (b"[1]", 0),
        (b'{"partialSuccess":{"errorMessage":"take care"}}', 0),
        (b'{"partialSuccess":{"rejectedSpans":"2"}}', 2),
        (b'{"partialSuccess":{"rejectedLogRecords":7}}', 7),
        (b'{"partialSuccess":{"rejectedLogRecords":-7}}', 0),
        (b'{"partialSuccess":{"rejectedLogRecords":{}}}', 0),
        (b'{"partialSuccess":{"rejectedLogRecords":1e999}}', 0),
        (b'{"partialSuccess":null}', 0),
    ],
)
def test_an_answer_is_read_for_what_it_refuses(told: bytes, refused: int) -> None:
    assert refused_of(told) == refused


def test_a_disk_that_is_nearly_full_is_left_to_the_books(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1 << 20, least_free_bytes=1 << 62)
    spool.begin()
    spool.append([{"one": 1}, {"two": 2}])
    assert (spool.oldest(), spool.bytes, spool.dropped) == (None, 0, 2)


async def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "000000000004.jsonl").write_bytes(
        json.dumps(record(entry(1))).encode() + b'\n{"timeUnix'
    )
    collector = Collector()
    made = exporter(tmp_path, collector)
    made.take(entry(2))
    await until(lambda: len(collector.taken) == 2, made.run)
    assert collector.taken == ["message 1", "message 2"]
    assert made.figures().dropped == 1


async def test_a_disk_that_refuses_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    made = exporter(tmp_path / "file", Collector())
    made.take(entry(1))
    await until(lambda: made.figures().dropped == 1, made.run)


async def test_a_fault_nobody_thought_of_is_told_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A collector behind a proxy that breaks the client's own library, say."""
    collector = Collector()
    failing = 3

    async def post(content: bytes) -> Answer:
        nonlocal failing
        if failing:
            failing -= 1
            raise LookupError("nobody thought of this")
        return await collector(content)

    made = exporter(tmp_path, post)
    made.take(entry(1))
    with caplog.at_level(logging.INFO):
        await until(lambda: made.figures().sent == 1 and len(caplog.records) > 1, made.run)
    assert collector.taken == ["message 1"]
    assert made.figures().dropped == 0
    told = [(one.levelname, one.exc_info is not None) for one in caplog.records]
    assert told == [("ERROR", True), ("INFO", False)]


async def test_what_always_fails_is_dropped_in_the_end_and_counted(tmp_path: Path) -> None:
    collector = Collector()

    async def post(content: bytes) -> Answer:
        if b"message 1" in content:
            raise LookupError("nobody thought of this")
        return await collector(content)

    made = exporter(tmp_path, post)
    made.take(entry(1))
    await until(lambda: made.figures().dropped == 1, made.run)
    made.take(entry(2))
    await until(lambda: collector.taken == ["message 2"], made.run)
    assert made.figures().dropped == 1


async def test_an_entry_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    collector = Collector()
    made = exporter(tmp_path, collector)
    made.take(None)  # type: ignore[arg-type]
    await made.flush()
    assert made.figures().dropped == 1
    made.take(entry(2))
    await until(lambda: collector.taken == ["message 2"], made.run)


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, list[Any]]]:
    seen: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        seen.append((dict(request.headers), await request.read()))
        return web.json_response({"partialSuccess": {"rejectedLogRecords": "3"}})

    app = web.Application()
    app.router.add_post("/v1/logs", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/logs", seen
    await runner.cleanup()


async def test_it_is_posted_as_json_with_the_token(server: tuple[str, list[Any]]) -> None:
    url, seen = server
    post, close = poster(url, "a-token", None)
    assert await post(body([record(entry(1))], "367", "1")) == (200, 3)
    await close()
    ((headers, content),) = seen
    assert headers["Authorization"] == "Bearer a-token"
    assert headers["Content-Type"] == "application/json"
    assert messages(content) == ["message 1"]


async def test_nobody_there_and_a_missing_ca_are_no_answer(tmp_path: Path) -> None:
    for ca_file in (None, tmp_path / "none.pem"):
        post, close = poster("http://127.0.0.1:9/v1/logs", None, ca_file)
        with pytest.raises(Unanswered):
            await post(b"{}")
        await close()
