"""What a device said lately can be looked at: what came of it, never what was in it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from hub.contract.pages.devices import TRAFFIC_MAX
from hub.contract.problems import Code, problem
from hub.contract.topics import Topics
from hub.mqtt.router import Router
from hub.mqtt.traffic import DEVICES_MAX, TrafficLog
from hub.service.answers import failure_json
from tests.fakes import FakeClock

TOPICS = Topics("367")
YES = '{"ok":true,"seq":0,"result":{}}'
PLAIN = SimpleNamespace(retain=False, correlation=b"1", expiry_s=None, idk="k" * 16, record=None)


class Door:
    """A router before a gate that answers what it is given."""

    storage_full = False

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.reply = YES
        self.router = Router(cast(Any, self), TOPICS, self.clock, self._publish)
        self.router.paired = frozenset({"till-1"})
        self.bytes = 0

    def begin(self, _request: object) -> str:
        self.clock.advance(0.25)
        return self.reply

    def _publish(self, topic: str, payload: bytes, **_options: Any) -> None:
        self.bytes = len(payload)

    def ask(self, device: str, service: str, operation: str, body: bytes = b"{}") -> None:
        topic = TOPICS.request(device, service, operation)
        self.router.on_message(topic, body, cast(Any, PLAIN))


def test_a_request_is_shown_with_its_outcome_sizes_and_time() -> None:
    door = Door()
    asked_ms = door.clock.wall_ms()
    door.ask("till-1", "sale", "commit", b'{"secret":"x"}')
    door.reply = failure_json(problem(Code.CONFLICT, "No."))
    door.ask("till-1", "basket", "open")

    traffic = door.router.traffic.seen("till-1")
    failed, done = traffic.exchanges
    assert traffic.total == 2
    assert (done.kind, done.what, done.outcome) == ("request", "sale/commit", "ok")
    assert (done.in_bytes, done.out_bytes, done.duration_ms) == (14, len(YES), 250.0)
    assert done.at_ms == asked_ms
    assert (failed.what, failed.outcome, failed.out_bytes) == (
        "basket/open",
        "conflict",
        door.bytes,
    )
    assert "secret" not in traffic.model_dump_json()


def test_only_the_last_ones_are_kept_and_no_stranger_is() -> None:
    door = Door()
    for _ in range(TRAFFIC_MAX + 5):
        door.ask("till-1", "hub", "info")
    door.ask("stranger-1", "hub", "info")

    traffic = door.router.traffic.seen("till-1", 10)
    assert (len(traffic.exchanges), traffic.total) == (10, TRAFFIC_MAX + 5)
    assert len(door.router.traffic.seen("till-1").exchanges) == TRAFFIC_MAX
    assert door.router.traffic.seen("stranger-1").exchanges == ()


def test_the_device_that_was_silent_for_the_longest_is_forgotten() -> None:
    log = TrafficLog(FakeClock())
    for number in range(DEVICES_MAX):
        log.note(f"till-{number}", "request", ("hub", "info"), YES, (1, 1), 0.0)
    log.note("till-0", "request", ("hub", "info"), YES, (1, 1), 0.0)
    log.note("till-new", "request", ("hub", "info"), YES, (1, 1), 0.0)

    assert log.seen("till-1").total == 0
    assert log.seen("till-0").total == 2


def test_what_a_device_calls_an_operation_is_cut_and_masked() -> None:
    log = TrafficLog(FakeClock())
    log.note("till-1", "request", ("4111111111111111", "x" * 5000), YES, (1, 1), 0.0)

    (shown,) = log.seen("till-1").exchanges
    assert "4111111111111111" not in shown.what
    assert len(shown.what) < 100


async def test_facts_states_and_metas_are_shown_too() -> None:
    door = Door()
    door.router.on_message(TOPICS.meta("till-1"), b"no", cast(Any, PLAIN))
    meta = {"kind": "till", "model": "T", "firmware": "1", "contract": [1, 1]}
    door.router._read_meta("till-1", json.dumps(meta).encode())

    assert [one.kind for one in door.router.traffic.seen("till-1").exchanges] == ["meta", "meta"]
    assert {one.outcome for one in door.router.traffic.seen("till-1").exchanges} <= {
        "ok",
        "validation",
    }
