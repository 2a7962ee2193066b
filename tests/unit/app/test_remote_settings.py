"""The cloud's settings are in force at once, for their time, and never over the box's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.app.remote import RemoteSettings
from hub.config import Cloud, Loaded, Origin, Settings
from hub.storage import remoterows
from hub.storage.remoterows import SettingRow
from tests.support.paying import PayingShop
from tests.support.shop import Shop

OWN = Settings.model_validate(
    {"store": {"id": "367", "timezone": "Europe/Berlin", "currency": "EUR"}}
)


class FakeLink:
    """Takes its limits, unless it fails."""

    def __init__(self) -> None:
        self.settings: list[Cloud] = []
        self.fails = False

    async def adopt(self, settings: Cloud) -> None:
        if self.fails:
            raise OSError("not now")
        self.settings.append(settings)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


def put(shop: Shop, key: str, value: Any, *, for_s: int | None = None) -> None:
    ends_ms = shop.gate.budget.budget_ms() + for_s * 1000 if for_s else None
    text = None if value is None else json.dumps(value)
    shop.tx(lambda tx: remoterows.put(tx, SettingRow(key, text, "cmd-1", "", 1, 1, ends_ms)))


async def test_a_value_is_in_force_until_its_time_is_over(shop: Shop) -> None:
    link, loaded = FakeLink(), Loaded(OWN, Path("/etc/config.toml"), {})
    levels: list[tuple[str, int]] = []
    put(shop, "cloud.linger_ms", 0, for_s=60)
    put(shop, "pairing.tries", 3)
    put(shop, "log.level", "debug", for_s=60)
    settings = RemoteSettings(
        shop.gate, link, OWN, loaded, set_level=lambda *how: levels.append(how)
    )
    await settings._apply()
    assert (link.settings[-1].linger_ms, shop.gate.shop.pairing_tries) == (0, 3)
    assert levels == [("debug", 60)]
    assert str(loaded.origin("pairing.tries")) == "cloud command cmd-1"
    shop.clock.advance(61)
    await settings._apply()
    assert (link.settings[-1].linger_ms, shop.gate.shop.pairing_tries) == (500, 3)
    put(shop, "pairing.tries", None)
    await settings._apply()
    assert shop.gate.shop.pairing_tries == 5
    assert str(loaded.origin("pairing.tries")) == "default"
    assert levels == [("debug", 60)]  # it ends by itself


async def test_the_shop_s_drawers_stay_known_whatever_the_cloud_sets(tmp_path: Path) -> None:
    shop = Shop(tmp_path, has_drawer=lambda till: till == "till-1")
    settings = RemoteSettings(shop.gate, FakeLink(), OWN, None)
    put(shop, "pairing.tries", 3)
    await settings._apply()
    assert shop.gate.shop.pairing_tries == 3
    assert shop.gate.shop.has_drawer("till-1")
    assert not shop.gate.shop.has_drawer("till-2")
    shop.close()


async def test_the_shop_s_terminals_and_vault_stay_known_whatever_the_cloud_sets(
    tmp_path: Path,
) -> None:
    shop = PayingShop(tmp_path)
    before = shop.gate.shop.payments
    settings = RemoteSettings(shop.gate, FakeLink(), OWN, None)
    put(shop, "pairing.tries", 3)
    await settings._apply()
    assert shop.gate.shop.pairing_tries == 3
    assert shop.gate.shop.payments is before
    shop.close()


async def test_a_level_that_the_cloud_takes_back_is_put_back(shop: Shop) -> None:
    levels: list[tuple[str, int]] = []
    settings = RemoteSettings(
        shop.gate, FakeLink(), OWN, None, set_level=lambda *how: levels.append(how)
    )
    put(shop, "log.level", "debug", for_s=60)
    await settings._apply()
    put(shop, "log.level", None)
    await settings._apply()
    assert levels == [("debug", 60), ("", 0)]


async def test_what_the_box_sets_comes_first_and_what_failed_is_tried_again(shop: Shop) -> None:
    link = FakeLink()
    origins = {"cloud.linger_ms": Origin("file", "/etc/config.toml", 7)}
    settings = RemoteSettings(shop.gate, link, OWN, Loaded(OWN, Path("/etc/c"), origins))
    put(shop, "cloud.linger_ms", 0)
    put(shop, "cloud.batch_events", 7)
    put(shop, "no.longer_known", 7)
    link.fails = True
    with pytest.raises(OSError, match="not now"):
        await settings._apply()
    link.fails = False
    await settings._apply()
    assert (link.settings[-1].linger_ms, link.settings[-1].batch_events) == (500, 7)
    assert shop.gate.shop.own_settings == {"cloud.linger_ms": "/etc/config.toml:7"}
