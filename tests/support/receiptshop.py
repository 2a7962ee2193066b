"""A shop that prints receipts, and ways to ask after its print jobs."""

from __future__ import annotations

import json
from typing import Any

from hub.contract.documents import facts_of
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from hub.service.handlers.printing import (
    BeginPrint,
    RecoverPrinting,
)
from tests.support.gatebench import now
from tests.support.shop import CASHIER, MANAGER, Shop

OFFICE: dict[str, Any] = MANAGER | dict.fromkeys(("hub.manage", "drawer.no_sale"))


def furnish(shop: Shop) -> None:
    shop.staff({"cashier": CASHIER, "manager": OFFICE})
    shop.product("tea", 499, stock=50)
    shop.product("apples", 299, stock=50_000, tax_code="reduced", uom="kg", scale=3)
    shop.sign_in("till-1")
    shop.sign_in("till-2", "mia")


def tea(qty: int = 1, **changed: Any) -> dict[str, Any]:
    return {"code": "tea", "qty": qty, "unit_price_minor": 499} | changed


def sell(shop: Shop, device: str = "till-1", **changed: Any) -> str:
    """A sale with a receipt; the sale's id."""
    body = shop.sale(tea(), total_minor=499, print_receipt=True) | changed
    assert shop.ok(device, "sale/commit", body)["receipt_printed"]
    sale_id: str = body["sale_id"]
    return sale_id


def job_of(shop: Shop, subject: str, kind: str = "sale") -> str:
    job_id: str = shop.value(
        "SELECT job_id FROM print_jobs WHERE subject = ? AND kind = ? ORDER BY id DESC",
        subject,
        kind,
    )
    return job_id


def facts(shop: Shop, job_id: str) -> Any:
    return facts_of(by_page(shop, "print/get", {"job_id": job_id})["result"]["document"])


def state(shop: Shop, job_id: str) -> str:
    return str(by_page(shop, "print/get", {"job_id": job_id})["result"]["state"])


def doubt(shop: Shop, job_id: str) -> None:
    """It was under way when the hub died."""
    assert shop.internal(BeginPrint(job_id, "counter")) is not None
    assert shop.internal(RecoverPrinting()) == 1
    assert state(shop, job_id) == "ambiguous"


def by_page(shop: Shop, address: str, body: dict[str, Any]) -> dict[str, Any]:
    """Asked by a manager at the hub's page."""
    service, operation = address.split("/")
    caller = Caller(CallerKind.WEB, "page", "mia")
    text: str = now(
        shop.gate.answer(Request(caller, service, operation, json.dumps(body).encode(), shop.id()))
    )
    found: dict[str, Any] = json.loads(text)
    return found
