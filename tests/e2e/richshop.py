"""A shop with a history, as a technician meets one: two weeks of sales, returns, baskets, things
set aside.  Made with the real gate, then opened by a hub on the same database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from hub.app.actions import make_actions
from hub.app.drill import DrillDesk
from hub.clock import SystemClock
from hub.config import load
from hub.health.mending import Action, Done
from hub.logs import Entry, Recent
from hub.mqtt.traffic import TrafficLog
from hub.service.caller import HUB, Caller
from hub.service.handlers.parking import ParkPoison
from hub.service.internal import MarkPresence
from hub.web.reads import Sources
from tests.e2e.richhistory import write_week
from tests.fakes import FakeClock
from tests.hubparts import HubParts, hub_parts
from tests.support.shop import Shop

DAYS = 14
DAY_S = 86_400
OPEN_S = 40 * 60
GOODS = (
    ("A-100", "Black tea, 20 bags", 499, 240),
    ("A-101", "Organic wholemeal spelt bread with sunflower seeds, sliced, 750 g", 389, 180),
    ("A-102", "Milk, 1 l", 129, 600),
    ("A-103", "Orange juice, not from concentrate, 1 l", 279, 300),
    ("A-104", "Chocolate, 70 % cocoa", 249, 300),
    ("A-105", "Coffee, whole beans, 500 g", 899, 160),
)
DEVICES = {
    "till-1": "Till at the door",
    "till-2": "Till at the back",
    "till-3": "Goods in",
    "kiosk-1": "Self-service kiosk beside the entrance of the second floor",
}


def _furnish(directory: Path, days: int, aside: bool) -> None:
    """Two weeks until now, in the state directory's database."""
    directory.mkdir(mode=0o700, exist_ok=True)
    shop = Shop(directory)
    try:
        until_ms = SystemClock().wall_ms() - 90_000
        back_s = (days - 1) * DAY_S + OPEN_S
        shop.clock.jump_wall(until_ms / 1000 - back_s - shop.clock.wall_ms() / 1000)
        _goods(shop)
        for day in range(days):
            if day:
                shop.clock.advance(DAY_S - OPEN_S)
            _trade(shop, day)
        _afterwards(shop)
        if aside:
            _set_aside(shop)
        shop.run("UPDATE streams SET acked_seq = head_seq")
        if aside:
            shop.run("UPDATE streams SET acked_seq = head_seq - 7 WHERE stream = 'sales'")
    finally:
        shop.close()


def _goods(shop: Shop) -> None:
    for sku, name, price_minor, stock in GOODS:
        shop.product(sku, price_minor, stock=stock, safety=2)
        shop.run("UPDATE products SET name = ? WHERE sku = ?", name, sku)
    for device_id, name in DEVICES.items():
        shop.run("UPDATE devices SET name = ? WHERE device_id = ?", name, device_id)
        now_ms = shop.clock.wall_ms()
        shop.run(
            "INSERT INTO certificates (serial, device_id, issued_at_ms, expires_at_ms)"
            " VALUES (?, ?, ?, ?)",
            shop.id().replace("-", ""),
            device_id,
            now_ms,
            now_ms + 365 * DAY_S * 1000,
        )
    shop.run("UPDATE datasets SET label = 'g17', rows = 6, swapped_at_ms = ?", shop.clock.wall_ms())


def _trade(shop: Shop, day: int) -> None:
    """Some forty minutes of a day."""
    shop.sign_in("till-1", "anna")
    shop.sign_in("till-2", "ben")
    many = 3 + (day * 5) % 6
    for number in range(many):
        sku, _, price_minor, _ = GOODS[(day + number) % len(GOODS)]
        device = "till-1" if number % 2 else "till-2"
        shop.sell(device, sku, 1 + number % 3, price_minor)
        shop.clock.advance(OPEN_S / many)


def _afterwards(shop: Shop) -> None:
    """What isn't plain: a void, a return, baskets, something set aside, something to count."""
    shop.sign_in("till-1", "mia")
    sku, _, price_minor, _ = GOODS[0]
    sold = shop.sell("till-1", sku, 2, price_minor)
    back = {
        "return_id": shop.id(),
        "sale_id": sold["sale_id"],
        "lines": [{"line_no": 1, "qty": 1, "disposition": "resellable", "reason": "too much"}],
    }
    shop.ok("till-1", "return/commit", back)
    wrong = shop.sell("till-1", sku, 1, price_minor)
    shop.ok("till-1", "sale/void", {"sale_id": wrong["sale_id"], "reason": "wrong customer"})
    shop.sign_in("till-1", "anna")
    shop.basket("till-1", "A-100", "A-101")
    shop.change("till-2", shop.basket("till-2", "A-105"), "suspend", label="blue coat")
    shop.run(
        "INSERT INTO count_tasks SELECT id, 'asked for by the cloud', ? FROM skus WHERE sku = ?",
        shop.clock.wall_ms(),
        "A-103",
    )
    shop.run(
        "INSERT INTO commands (command_id, type, outcome, why, at_ms) VALUES (?, ?, ?, ?, ?)",
        shop.id(),
        "count.requested",
        "done",
        "",
        shop.clock.wall_ms(),
    )


def _set_aside(shop: Shop) -> None:
    last = shop.value("SELECT max(id) FROM outbox WHERE stream = 'sales'")
    shop.run(
        "INSERT INTO drift VALUES ('A-100', ?, ?, ?)",
        json.dumps({"sellable": 20}),
        json.dumps({"sellable": 19}),
        shop.clock.wall_ms(),
    )
    shop.internal(ParkPoison(last, "invalid-event", "the tax code isn't known there"))


def _lines() -> Recent:
    """What the hub's log says on such a day."""
    recent = Recent()
    now_ms = SystemClock().wall_ms()
    for ago_s, level, source, text, fields in (
        (5400, "INFO", "hub.app.hub", "ready: https://store-hub.local:8443/", {}),
        (5396, "INFO", "hub.mqtt.broker", "mosquitto 2.0.11 runs", {"pid": 4711}),
        (3600, "WARNING", "cloud_link.uplink", "the cloud answered 503; trying again in 4 s", {}),
        (1800, "INFO", "hub.mqtt.session", "till-2 is ready", {"device": "till-2"}),
        (600, "ERROR", "cloud_link.session", "TLS handshake with oms.example failed", {}),
        (60, "INFO", "hub.service.gate", "4 requests in one commit", {"took_ms": 3}),
    ):
        at_ms = now_ms - ago_s * 1000
        recent.lines.add(
            Entry(at_ms, level.lower(), source, text, "", cast(dict[str, Any], fields))
        )
    return recent


def _traffic() -> TrafficLog:
    """What a till said in the last minute."""
    clock = FakeClock(SystemClock().wall_ms() - 62_000)
    log = TrafficLog(clock)
    for number in range(30):
        clock.advance(2)
        began_s = clock.monotonic_s() - (2 + number * 7 % 9) / 1000
        operation = ("basket", "add-line") if number % 5 else ("sale", "commit")
        answer = '{"ok":true}' if number != 22 else '{"type":"urn:store-hub:problem:conflict"}'
        log.note("till-1", "request", operation, answer, (212 + number, 655), began_s)
    return log


def pretended_actions() -> list[Action]:
    """The hub's own list of actions; doing one only says so."""

    async def run(_caller: Caller) -> Done:
        return Done("done", "It was done; see what comes of it.")

    nothing = cast(Any, None)
    own = make_actions(nothing, nothing, nothing)
    drills = DrillDesk(nothing, nothing, clock=nothing).actions()
    return [replace(one, run=run, why_not=lambda: "") for one in (*own, *drills)]


def _settings(root: Path) -> Path:
    file = root / "config.toml"
    file.write_text(
        '[store]\nid = "367"\nname = "Corner Shop"\ntimezone = "Europe/Berlin"\n'
        'currency = "EUR"\n\n[cloud]\nurl = "https://oms.example"\n'
    )
    return file


@asynccontextmanager
async def rich_shop(
    root: Path, *, days: int = DAYS, aside: bool = False, **options: Any
) -> AsyncIterator[HubParts]:
    """A running hub of such a shop; ``aside``: the cloud didn't take the last sale.  Made on this
    thread: it takes a second or two."""
    _furnish(root / "state", days, aside)
    sources = Sources(_traffic().seen, _lines(), load(_settings(root), env={}))
    options.setdefault("actions", pretended_actions())
    async with hub_parts(root, sources=sources, **options) as hub:
        states = ("ready", "ready", "sleeping", "ready")
        for device_id, presence in zip(DEVICES, states, strict=True):
            await hub.gate.internal(HUB, MarkPresence(device_id, presence, "s1"))
        now_ms = SystemClock().wall_ms()
        ended_ago_ms = 20_000 if aside else 600_000
        await hub.write(partial(write_week, now_ms=now_ms, ended_ago_ms=ended_ago_ms))
        yield hub
