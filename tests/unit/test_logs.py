"""Where messages go, and what never goes there."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from hub import events
from hub.config import Log
from hub.logs import TEXT_LIMIT_CHARS, Entry, Logging, journal_datagram, set_up, under_journal
from tests.fakes import FakeClock

log = logging.getLogger("shop.test")


class Sink:
    """Logging into a text, closed at the test's end."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.stream = io.StringIO()
        self.opened: list[Logging] = []

    def open(self, kind: Literal["text", "json", "journal"], **more: Any) -> Logging:
        settings = Log(format=kind, level="debug", max_per_s=more.pop("max_per_s", 200))
        made = set_up(settings, clock=self.clock, stream=self.stream, **more)
        self.opened.append(made)
        return made

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def sink(fake_clock: FakeClock) -> Iterator[Sink]:
    level = logging.getLogger().level
    made = Sink(fake_clock)
    yield made
    for one in made.opened:
        one.close()
    logging.getLogger().setLevel(level)


def test_a_line_for_people_has_level_source_message_and_fields(sink: Sink) -> None:
    sink.open("text")
    log.info("sold %d", 3, extra={"device": "till-1"})
    assert sink.text.endswith("INFO    shop.test: sold 3 device=till-1\n")


def test_nobody_can_forge_a_line(sink: Sink) -> None:
    sink.open("text")
    log.info("name is %s", "x\n10:00:00Z ERROR   hub: stolen\x1b[2J", extra={"device": "a\nb"})
    assert sink.text.count("\n") == 1
    assert "\\x0a" in sink.text
    assert "\x1b" not in sink.text


def test_json_is_one_object_a_line_with_the_trace(sink: Sink) -> None:
    sink.open("json")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.exception("failed", extra={"seq": 7, "sku": 'a"b'})
    (line,) = sink.text.splitlines()
    body = json.loads(line)
    assert body["message"] == "failed"
    assert body["fields"] == {"seq": 7, "sku": 'a"b'}
    assert "ValueError: two\nlines" in body["trace"]


def test_secrets_appear_nowhere(sink: Sink) -> None:
    logs = sink.open("json", secrets=['s3cr"et', "ab"])
    logs.masker.add("later-secret")
    try:
        raise ValueError('s3cr"et')
    except ValueError:
        log.exception('with s3cr"et and %s', "later-secret", extra={"url": 'x?t=s3cr"et'})
    log.info("cabbage")
    assert "s3cr" not in sink.text
    assert "later-secret" not in sink.text
    assert "cabbage" in sink.text
    assert "s3cr" not in repr(logs.recent.newest())


def test_huge_messages_are_cut(sink: Sink) -> None:
    sink.open("text")
    log.info("x" * 1_000_000)
    assert len(sink.text) < TEXT_LIMIT_CHARS + 200


def test_chatter_is_bounded_and_does_not_push_errors_out(sink: Sink) -> None:
    sink.open("text", max_per_s=10)
    for number in range(50):
        log.info("chatter %d", number)
    log.error("important")
    assert sink.text.count("chatter") == 10
    assert "important" in sink.text
    sink.clock.advance(1)
    log.info("next second")
    assert "40 messages were not logged" in sink.text
    assert "next second" in sink.text


def test_the_last_warnings_and_errors_are_remembered(sink: Sink) -> None:
    recent = sink.open("text").recent
    for number in range(250):
        log.warning("warning %d", number)
    log.info("not kept")
    assert recent.total == 250
    newest = recent.newest()
    assert len(newest) == 200
    assert newest[0].message == "warning 249"
    assert [one.message for one in recent.newest(1)] == ["warning 249"]


def test_a_bad_format_string_does_not_hurt_its_caller(
    sink: Sink, capsys: pytest.CaptureFixture[str]
) -> None:
    record = logging.makeLogRecord({"msg": "%d", "args": ("no number",)})
    sink.open("text").handler.emit(record)
    assert "TypeError" in capsys.readouterr().err


def test_the_journal_gets_every_field_whatever_it_holds(sink: Sink, tmp_state: Path) -> None:
    path = str(tmp_state / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        sink.open("journal", journal_path=path)
        log.error("line one\nMESSAGE=forged", extra={"device-id": "till=1\n"})
        fields = _fields(journal.recv(65_536))
    assert fields["MESSAGE"] == "line one\nMESSAGE=forged"
    assert fields["PRIORITY"] == "3"
    assert fields["LOGGER"] == "shop.test"
    assert fields["HUB_DEVICE_ID"] == "till=1\n"


def test_a_kind_of_event_has_its_id_its_fields_and_the_store(sink: Sink, tmp_state: Path) -> None:
    path = str(tmp_state / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        sink.open("journal", journal_path=path, store="367")
        kind = events.REQUEST_FAILED
        log.error("failed", extra=kind(device="till-1", operation="sale/commit", correlation="k"))
        fields = _fields(journal.recv(65_536))
        log.info("of no kind")
        plain = _fields(journal.recv(65_536))
    assert fields["MESSAGE_ID"] == kind.message_id
    assert fields["HUB_EVENT"] == "request-failed"
    assert fields["HUB_STORE"] == plain["HUB_STORE"] == "367"
    assert fields["HUB_DEVICE"] == "till-1"
    assert fields["HUB_OPERATION"] == "sale/commit"
    assert fields["HUB_CORRELATION"] == "k"
    assert "MESSAGE_ID" not in plain


def test_a_huge_field_is_cut(sink: Sink) -> None:
    sink.open("json", store="367")
    log.error("failed", extra=events.REQUEST_FAILED(operation="x" * 60_000))
    body = json.loads(sink.text)
    assert len(body["fields"]["operation"]) < 2_100
    assert body["store"] == "367"


def test_what_was_not_written_is_counted(sink: Sink) -> None:
    opened = sink.open("text", max_per_s=10)
    for _ in range(25):
        log.info("chatter")
    assert opened.recent.lost == 15


def test_without_a_journal_messages_go_to_stderr(
    sink: Sink, tmp_state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink.open("journal", journal_path=str(tmp_state / "none"))
    log.warning("still heard")
    assert "still heard" in capsys.readouterr().err


def test_a_journal_that_does_not_read_loses_messages_and_not_the_shop(
    sink: Sink, tmp_state: Path
) -> None:
    path = str(tmp_state / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        handler: Any = sink.open("journal", journal_path=path, max_per_s=100_000).handler
        for _ in range(2000):
            log.info("nobody reads this")
        assert handler.unread > 0


def test_the_largest_entry_fits_into_one_datagram() -> None:
    big = "x" * TEXT_LIMIT_CHARS
    assert len(journal_datagram(Entry(0, "info", "s", big, big, {"a": big}))) < 65_536


def test_the_journal_is_chosen_only_if_stderr_is_connected_to_it() -> None:
    stat = os.fstat(sys.__stderr__.fileno() if sys.__stderr__ else 2)
    assert not under_journal({})
    assert not under_journal({"JOURNAL_STREAM": "1:1"})
    assert under_journal({"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"})


def _fields(datagram: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        size = int.from_bytes(rest[:8], "little")
        fields[name.decode()] = rest[8 : 8 + size].decode()
        assert rest[8 + size : 9 + size] == b"\n"
        datagram = rest[9 + size :]
    return fields
