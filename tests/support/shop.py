"""A whole shop in one file, run step by step: the real database, writer and gate, and a clock, ids
and randomness that the test decides about.

Everything happens inside the call that asks for it: the writer runs at once, in this thread, so a
test reads like a till's day.  What needs threads or many requests in one batch uses the writer
itself (``tests/storage``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hub.domain.basket import NO_CASH_ROUNDING, CashRounding
from hub.security import pins
from hub.service.caller import Caller, CallerKind
from hub.service.gate import Request
from hub.service.internal import Housekeep, InternalCommand
from hub.service.shop import Shop as Rules
from hub.storage import hubrow, peripheralrows
from tests.fakes import FakeClock, SeededRandomness, seeded_ids_of
from tests.support import laws, ordering
from tests.support.gatebench import (
    PIN,
    FakeInstants,
    PlainDesk,
    Reply,
    now,
)
from tests.support.openshop import OpenShop

STORE = "367"
HUB_ID = "0198b0c0-0000-7000-8000-000000000001"

CASHIER: dict[str, Any] = {
    "sale.sell": None,
    "sale.void_line": None,
    "sale.discount": {"max_minor": 500, "max_ppm": 200_000},
    "price.override": 300,
    "refund": 5_000,
    "stock.receive": None,
    "stock.count": None,
}
MANAGER: dict[str, Any] = dict.fromkeys(
    (
        "sale.sell",
        "sale.discount",
        "sale.void_line",
        "sale.void",
        "price.override",
        "refund",
        "stock.override",
        "stock.receive",
        "stock.count",
        "stock.adjust",
        "hub.admin",
    )
)
INCLUSIVE = {"mode": "inclusive", "rounding_scope": "line", "rounding": "half_up"}
EXCLUSIVE = {"mode": "exclusive", "rounding_scope": "total", "rounding": "half_up"}


@cache
def pin_hash() -> str:
    """The stored form of :data:`PIN` (made once: it is slow on purpose)."""
    return pins.hash_pin(PIN, SeededRandomness(7))


def rules(**changed: Any) -> Rules:
    """The fixed facts of the test shop."""
    base: dict[str, Any] = {
        "store": STORE,
        "name": "Corner Shop",
        "hub_name": "hub",
        "currency": "EUR",
        "zone": ZoneInfo("Europe/Berlin"),
        "timezone": "Europe/Berlin",
        "version": "0",
    }
    return Rules(**(base | changed))


def five_cents() -> CashRounding:
    """Cash in steps of 5."""
    return CashRounding(step_minor=5)


class Shop(OpenShop):
    """See the module's text.  ``key`` makes the idempotency keys, ``id`` any other identifier.
    Whoever cuts the power or fails the disk says ``quick=False``."""

    def __init__(
        self,
        directory: Path,
        *,
        seed: int = 0,
        tax: Mapping[str, str] = INCLUSIVE,
        cash_rounding: CashRounding = NO_CASH_ROUNDING,
        desk: Any = None,
        furnish: bool = True,
        quick: bool = True,
        **changed: Any,
    ) -> None:
        clock = FakeClock()
        given = rules(cash_rounding=cash_rounding, **changed)
        ids = seeded_ids_of(clock, seed)
        super().__init__(directory / "hub.db", given, clock, ids, desk or PlainDesk(), quick=quick)
        self._tax = dict(tax)
        if furnish:
            self.furnish()

    # Furnishing --------------------------------------------------------------------------------

    def furnish(self) -> None:
        """A founded hub, three tills, a kiosk, taxes, two cashiers and a manager."""
        self.tx(lambda tx: hubrow.found(tx, STORE, HUB_ID, "machine", "a1"))
        for number, (device, kind) in enumerate(
            (("till-1", "till"), ("till-2", "till"), ("till-3", "till"), ("kiosk-1", "kiosk")), 1
        ):
            self.pair(device, kind, number)
        self.taxes(standard=190_000, reduced=70_000, zero=0)
        self.staff({"cashier": CASHIER, "manager": MANAGER})
        for dataset in ("catalog", "prices", "policies"):
            self._dataset(dataset)

    def _dataset(self, name: str) -> None:
        self.run(
            "INSERT INTO datasets (dataset, generation) VALUES (?, 1)"
            " ON CONFLICT DO UPDATE SET changes = changes + 1",
            name,
        )

    def pair(self, device: str, kind: str = "till", number: int = 9) -> None:
        """A paired device."""
        self.run(
            "INSERT INTO devices (device_id, name, kind, auth, number, paired_at_ms)"
            " VALUES (?, ?, ?, 'mtls', ?, ?)",
            device,
            device,
            kind,
            number,
            self.clock.wall_ms(),
        )

    def peripheral(self, name: str, kind: str = "printer") -> None:
        """Something that hangs on the hub's box, as far as the database knows."""
        self.tx(lambda tx: peripheralrows.keep(tx, name, name, kind))

    def taxes(self, **rates_ppm: int) -> None:
        """The shop's policy, and a rate per tax code."""
        self.run("DELETE FROM taxes")
        rows = {"": self._tax} | {
            code: {"tax_code": code, "name": code, "rate_ppm": ppm}
            for code, ppm in rates_ppm.items()
        }
        for code, row in rows.items():
            self.run("INSERT INTO taxes VALUES (1, ?, ?)", code, json.dumps(row))
        self._dataset("taxes")

    def policy(self, key: str, value: Any) -> None:
        """Set one policy."""
        self.run("INSERT OR REPLACE INTO policies VALUES (1, ?, ?)", key, json.dumps(value))
        self._dataset("policies")

    def staff(self, roles: Mapping[str, Mapping[str, Any]]) -> None:
        """The roles, and ``anna`` and ``ben`` (cashiers) and ``mia`` (manager)."""
        for role, permissions in roles.items():
            self.run("INSERT OR REPLACE INTO roles VALUES (1, ?, ?)", role, json.dumps(permissions))
        for staff_id, role in (("anna", "cashier"), ("ben", "cashier"), ("mia", "manager")):
            self.run(
                "INSERT OR REPLACE INTO staff VALUES (1, ?, ?, ?, ?, 1)",
                staff_id,
                staff_id.title(),
                role,
                pin_hash(),
            )
        self._dataset("staff")

    def product(
        self,
        sku: str,
        price_minor: int | None,
        *,
        stock: int = 0,
        tax_code: str = "standard",
        uom: str = "each",
        scale: int = 0,
        gtin: str | None = None,
        active: bool = True,
        safety: int = 0,
    ) -> None:
        """A product (again: changed), its price, and goods on the shelf."""
        self.run(
            "INSERT OR REPLACE INTO products VALUES (1, ?, ?, ?, ?, ?, 'all', NULL, ?, ?)",
            sku,
            f"Product {sku}",
            uom,
            scale,
            tax_code,
            int(active),
            safety,
        )
        self.run("DELETE FROM prices WHERE sku = ?", sku)
        if price_minor is not None:
            self.run("INSERT INTO prices VALUES (1, ?, 0, NULL, ?)", sku, price_minor)
        if gtin:
            self.run("INSERT OR REPLACE INTO barcodes VALUES (1, ?, ?)", gtin.zfill(14), sku)
        self._dataset("catalog")
        if stock:
            self.stock_up(sku, stock)

    def stock_up(self, sku: str, qty: int) -> None:
        """Receive goods as a delivery would, by a clerk on till-3."""
        who = self.signed_in("till-3")
        self.sign_in("till-3", "mia")
        self.ok(
            "till-3",
            "stock/receive",
            {"receipt_id": self.id(), "lines": [{"sku": sku, "qty": qty}]},
        )
        if who is None:
            self.run("DELETE FROM sign_ins WHERE device_id = 'till-3'")
        else:
            self.sign_in("till-3", who)

    def sign_in(self, device: str, staff_id: str = "anna") -> None:
        """Somebody is signed in on a device from now on."""
        budget_ms = FakeInstants(self.clock).budget_ms()
        self.run(
            "INSERT OR REPLACE INTO sign_ins VALUES (?, ?, ?, ?)",
            device,
            staff_id,
            self.clock.wall_ms(),
            budget_ms + self.rules.sign_in_ttl_ms,
        )

    def signed_in(self, device: str) -> str | None:
        """Who is signed in on a device."""
        row = self.one("SELECT staff_id FROM sign_ins WHERE device_id = ?", device)
        return str(row[0]) if row else None

    def reserve(self, order_id: str, sku: str, qty: int) -> None:
        """An order of the cloud that reserves so much."""
        ordering.tell(self, "order.assigned", ordering.order(order_id, {sku: qty}))

    # Asking ------------------------------------------------------------------------------------

    def id(self) -> str:
        """A fresh identifier."""
        return self.ids.uuid7()

    def ask(
        self,
        device: str,
        address: str,
        body: Any = None,
        *,
        key: str | None = "",
        deadline_s: float | None = None,
        record: str | None = None,
    ) -> Reply:
        """Ask as a device does.  ``body`` is a JSON value or bytes; without ``key`` a fresh one."""
        raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        service, operation = address.split("/")
        text: str = now(
            self.gate.answer(
                Request(
                    Caller(CallerKind.DEVICE, device),
                    service,
                    operation,
                    raw,
                    self.id() if key == "" else key,
                    deadline_s,
                    record,
                )
            )
        )
        return Reply(text, json.loads(text))

    def ok(self, device: str, address: str, body: Any = None, **how: Any) -> dict[str, Any]:
        """The result of something that goes well."""
        return self.ask(device, address, body, **how).result

    def no(self, device: str, address: str, body: Any = None, **how: Any) -> dict[str, Any]:
        """The problem of something that is refused."""
        return self.ask(device, address, body, **how).problem

    def internal(self, command: InternalCommand) -> Any:
        """A command of the hub's own machinery."""
        return now(self.gate.internal(Caller(CallerKind.HUB, "hub"), command))

    def housekeep(self) -> Any:
        """Expire and purge."""
        return self.internal(Housekeep())

    def approve(self, permission: str, subject: dict[str, Any], *also: str) -> str:
        """An approval that anna asked for on till-1 and mia gave on till-2."""
        approval = self.id()
        self.ok(
            "till-1",
            "approval/request",
            {
                "approval_id": approval,
                "permission": permission,
                "also": also,
                "subject": subject,
                "reason": "ok?",
            },
        )
        decided = self.ok(
            "till-2",
            "approval/decide",
            {"approval_id": approval, "approve": True, "staff_id": "mia", "pin": "2468"},
        )
        assert (decided["state"], decided["decided_by"]) == ("approved", "mia")
        assert (decided["permission"], tuple(decided["also"])) == (permission, also)
        return approval

    # Selling -----------------------------------------------------------------------------------

    def sale(self, *lines: dict[str, Any], total_minor: int, **changed: Any) -> dict[str, Any]:
        """The body of an inline sale paid exactly in cash."""
        body: dict[str, Any] = {
            "sale_id": self.id(),
            "lines": list(lines),
            "total_minor": total_minor,
            "tenders": [{"kind": "cash", "amount_minor": total_minor}],
        }
        return body | changed

    def sell(self, device: str, sku: str, qty: int, price_minor: int) -> dict[str, Any]:
        """Sell one product at its price, and get the answer."""
        line = {"code": sku, "qty": qty, "unit_price_minor": price_minor}
        return self.ok(device, "sale/commit", self.sale(line, total_minor=qty * price_minor))

    def card(self, amount_minor: int, payment_id: str | None = None) -> dict[str, Any]:
        """A card tender."""
        return {
            "kind": "card",
            "amount_minor": amount_minor,
            "payment_id": payment_id or self.id(),
            "last4": "4242",
            "approval_code": "A1B2C3",
        }

    def basket(self, device: str, *codes: str) -> dict[str, Any]:
        """An open basket with a line of each code."""
        view = self.ok(device, "basket/open", {"basket_id": self.id()})
        for code in codes:
            view = self.change(device, view, "add-line", code=code)
        return view

    def change(
        self, device: str, basket: Mapping[str, Any], operation: str, **body: Any
    ) -> dict[str, Any]:
        """The basket after a change."""
        return self.ask_change(device, basket, operation, **body).result

    def ask_change(
        self, device: str, basket: Mapping[str, Any], operation: str, **body: Any
    ) -> Reply:
        """The answer to a change of a basket."""
        head = {"basket_id": basket["basket_id"], "version": basket["version"]}
        return self.ask(device, f"basket/{operation}", head | body)

    def pay(self, basket: Mapping[str, Any], **changed: Any) -> dict[str, Any]:
        """The body of a sale of a basket, paid exactly in cash."""
        body: dict[str, Any] = {
            "sale_id": self.id(),
            "basket_id": basket["basket_id"],
            "version": basket["version"],
            "total_minor": basket["total_minor"],
            "tenders": [{"kind": "cash", "amount_minor": basket["total_minor"]}],
        }
        return body | changed

    # Looking -----------------------------------------------------------------------------------

    def level(self, sku: str) -> dict[str, Any]:
        """A product's levels as devices see them."""
        found: dict[str, Any] = self.ok("till-1", "stock/levels", {"skus": [sku]})["levels"][0]
        return found

    # Laws --------------------------------------------------------------------------------------

    def check_laws(self) -> None:
        """What holds after every request, whatever was asked."""
        assert not (found := laws.broken(self.rows)), "; ".join(found)
