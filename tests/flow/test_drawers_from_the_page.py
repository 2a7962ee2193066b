"""The page opens a till's drawer by the till's name, counted as any opening without a sale; a till
opens its own only."""

from __future__ import annotations

import json
from pathlib import Path

from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from tests.support.gatebench import now
from tests.support.shop import Shop

PAGE = Caller(CallerKind.WEB, "technician-1a2b3c4d")


def from_the_page(shop: Shop, **body: object) -> dict[str, object]:
    asked = {"reason": "testing it"} | body
    request = Request(PAGE, "drawer", "open", json.dumps(asked).encode(), shop.id())
    found: dict[str, object] = json.loads(now(shop.gate.answer(request)))
    return found


def test_the_page_opens_the_drawer_of_the_till_it_names(tmp_path: Path) -> None:
    shop = Shop(tmp_path, has_drawer=lambda till: till == "till-1")
    done = from_the_page(shop, device_id="till-1")
    assert done["ok"], done
    assert shop.value("SELECT device_id FROM print_jobs WHERE kind = 'drawer-kick'") == "till-1"
    assert shop.value("SELECT no_sales FROM drawer_opens WHERE device_id = 'till-1'") == 1
    noted = "SELECT data FROM audit WHERE action = 'drawer.no_sale'"
    assert json.loads(shop.value(noted))["reason"] == "testing it"
    for body, code in (
        ({}, "validation"),
        ({"device_id": "till-2"}, "conflict"),
        ({"device_id": "till-77"}, "not-found"),
    ):
        refused = from_the_page(shop, **body)
        assert refused["problem"]["code"] == code  # type: ignore[index]
    shop.check_laws()
    shop.close()


def test_a_till_opens_no_other_till_s_drawer(tmp_path: Path) -> None:
    shop = Shop(tmp_path, has_drawer=lambda _till: True)
    shop.sign_in("till-1", "mia")
    shop.run("UPDATE roles SET permissions = json_set(permissions, '$.\"drawer.no_sale\"', null)")
    other = {"reason": "change", "device_id": "till-2"}
    assert shop.no("till-1", "drawer/open", other)["code"] == "validation"
    assert shop.ok("till-1", "drawer/open", {"reason": "change"})["no_sales_today"] == 1
    shop.close()
