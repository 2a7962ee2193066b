"""What the announcer does with changes while nobody takes messages."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hub.clock import SystemClock
from hub.contract.topics import Topics
from hub.mqtt import announcer as module
from hub.mqtt.announcer import Announcer
from hub.mqtt.session import SessionDown
from hub.service.notices import BasketChanged, LevelsChanged, OrderMoved


async def test_what_changed_while_the_broker_was_away_is_told_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GATHER_S", 0.0)
    monkeypatch.setattr("hub.mqtt.announcer.stockrows.ledger_head", lambda _rows: (7, b""))
    monkeypatch.setattr(
        module,
        "levels_json",
        lambda _rows, skus: json.dumps(skus),
    )
    monkeypatch.setattr(Announcer, "state_text", lambda _self: b"{}")
    away, refused, told = True, asyncio.Event(), asyncio.Event()
    heard: list[tuple[str, Any]] = []

    def publish(topic: str, payload: bytes, **_options: Any) -> None:
        if away:
            refused.set()
            raise SessionDown("no connection")
        if "/bcast/" in topic:
            heard.append((topic.rsplit("/", 1)[1], json.loads(payload)["data"]))
            if len(heard) == 3:
                told.set()

    gate = cast(Any, SimpleNamespace(rows=None))
    announcer = Announcer(
        gate, Topics("367"), SystemClock(), publish, session_id="s", cloud_up=lambda: True
    )
    announcer.start()
    try:
        announcer.notify([LevelsChanged(("TEA",)), BasketChanged("b1", "suspended", "till-1")])
        announcer.notify([OrderMoved("o-1", "accepted", short=True)])
        await asyncio.wait_for(refused.wait(), 60)
        away = False
        announcer.new_session()
        await asyncio.wait_for(told.wait(), 60)
    finally:
        await announcer.stop()
    assert heard[0] == ("stock", {"levels": ["TEA"]})
    assert heard[1][0] == "baskets"
    assert heard[2] == ("orders", {"order_id": "o-1", "state": "accepted", "short": True})
