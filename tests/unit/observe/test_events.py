"""Kinds of events: their table, how they are used, and what never gets into their fields."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from hub import events
from hub.clock import SystemClock
from hub.config import Log
from hub.contract.topics import Topics
from hub.logs import set_up
from hub.mqtt.router import Router
from hub.service.gate import Gate, Request
from tests.fakes import FakeClock
from tests.support.canaries import CANARIES, seen_in

ROOMS: Final = ("hub", "cloud_link")
LEVELS: Final = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
    "critical": "critical",
}
TOPICS: Final = Topics("367")
SECRET: Final = "hunter2-of-the-cloud"
PERSON: Final = "Lovelace"


def used() -> Iterator[tuple[str, str, str, set[str]]]:
    """Every log call with a kind: where, its method, the kind's constant, the fields given."""
    for room in ROOMS:
        for path in sorted(Path(room).rglob("*.py")):
            text = path.read_text()
            if "events." not in text:
                continue
            for call in ast.walk(ast.parse(text)):
                if isinstance(call, ast.Call):
                    yield from _kinds(str(path), call)


def _kinds(path: str, call: ast.Call) -> Iterator[tuple[str, str, str, set[str]]]:
    for given in call.keywords:
        made = given.value
        if given.arg != "extra" or not isinstance(made, ast.Call):
            continue
        if isinstance(made.func, ast.Attribute) and isinstance(call.func, ast.Attribute):
            names = {str(one.arg) for one in made.keywords}
            yield f"{path}:{call.lineno}", call.func.attr, made.func.attr, names


def test_ids_are_of_128_bits_and_each_is_of_one_kind() -> None:
    ids = [one.message_id for one in events.KINDS]
    assert len(set(ids)) == len(ids) == len(events.BY_NAME)
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)


def test_every_kind_is_used_as_the_table_says() -> None:
    seen = set()
    for where, method, constant, fields in used():
        kind = getattr(events, constant)
        assert isinstance(kind, events.Kind), where
        assert fields <= set(kind.fields), f"{where}: the table doesn't know {fields}"
        if method in LEVELS:
            assert LEVELS[method] == kind.level, f"{where}: the table says {kind.level}"
        seen.add(kind.name)
    assert seen | {events.LINES_DROPPED.name} == events.BY_NAME.keys()


def test_every_kind_that_has_a_page_has_one_in_the_runbook() -> None:
    for kind in events.KINDS:
        assert not kind.page or Path(f"docs/runbook/{kind.page}.md").exists()
        assert kind.level in set(LEVELS.values())
        assert not set(kind.fields) & {"name", "staff", "pin", "token", "customer", "body", "args"}
        assert not set(kind.fields) & vars(logging.makeLogRecord({})).keys()


class Door:
    """A router before a gate that fails on everything."""

    storage_full = False
    ids: Any = SimpleNamespace(uuid7=lambda: "0199f3a2-7e91-7c2e-9b5a-6d0e3f8a2b0d")

    def __init__(self) -> None:
        self.reply = '{"ok":true,"seq":4711,"result":{}}'
        self.router = Router(cast(Any, self), TOPICS, SystemClock(), lambda *_, **__: None)
        self.router.paired = frozenset({"till-1"})

    def begin(self, request: Request) -> Any:
        Gate.failure(cast(Any, self), request, ZeroDivisionError("a defect"))
        return self.reply

    def ask(self, service: str, operation: str, body: Any, key: str) -> None:
        properties = SimpleNamespace(
            retain=False, correlation=b"c", expiry_s=None, idk=key, record=None
        )
        payload = json.dumps(body).encode()
        topic = TOPICS.request("till-1", service, operation)
        self.router.on_message(topic, payload, cast(Any, properties))


@pytest.fixture
def written(fake_clock: FakeClock) -> Iterator[io.StringIO]:
    """The log at its most talkative, as JSON lines with all fields."""
    stream, level = io.StringIO(), logging.getLogger().level
    settings = Log(format="json", level="debug", max_per_s=100_000)
    opened = set_up(settings, clock=fake_clock, secrets=(SECRET,), stream=stream, store="367")
    yield stream
    opened.close()
    logging.getLogger().setLevel(level)


async def test_a_request_can_be_followed_by_its_key_and_number(written: io.StringIO) -> None:
    door = Door()
    door.ask("sale", "commit", {}, "a-key-of-the-till")
    await asyncio.sleep(0)
    found = [json.loads(line).get("fields", {}) for line in written.getvalue().splitlines()]
    by_kind = {one["event"]: one for one in found if "event" in one}
    answered, failed = by_kind["request-answered"], by_kind["request-failed"]
    assert answered["correlation"] == failed["correlation"] == "a-key-of-the-till"
    assert answered["operation"] == failed["operation"] == "sale/commit"
    assert answered["device"] == failed["device"] == "till-1"
    assert (answered["seq"], answered["outcome"]) == (4711, "ok")


async def test_no_card_secret_or_name_reaches_a_field(written: io.StringIO) -> None:
    """Whatever a device writes into a body, a key, or the name of an operation."""
    door = Door()
    for canary in (*CANARIES, f"Bearer {SECRET}"):
        planted = {"card": canary, "pin": "271828", "name": PERSON, "token": SECRET}
        door.ask("sale", "commit", planted, canary)
        if re.fullmatch(r"[0-9-]{1,64}", canary):  # what a topic can hold
            door.ask("sale", canary, planted, "k")
    await asyncio.sleep(0)
    text = written.getvalue()
    assert text.count("request-answered") >= len(CANARIES)
    assert seen_in(text.encode()) == ""
    for line in text.splitlines():
        fields = json.dumps(json.loads(line), ensure_ascii=True)
        assert seen_in(fields.encode()) == ""
    for never in (SECRET, PERSON, "271828"):
        assert never not in text
