"""A sandbox OMS in this process, reached over real HTTP, and a sale to send it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud_link.check.bench import Bench
from cloud_link.check.caller import Answer, Caller
from cloud_link.sandbox.app import Running
from hub.clock import SystemClock, SystemIds, SystemRandomness

CLOCK = SystemClock()
RANDOMNESS = SystemRandomness()
IDS = SystemIds(CLOCK, RANDOMNESS)


@dataclass
class Cloud:
    """A running sandbox and ways to call it."""

    running: Running
    caller: Caller
    bench: Bench
    state: Path

    async def admin(self, path: str, data: Any = None) -> dict[str, Any]:
        token = {"Authorization": f"Bearer {self.running.secrets.admin_token}"}
        url = f"{self.running.url}/sandbox/{path}"
        http = self.caller.http
        method = "GET" if data is None else "POST"
        async with http.request(method, url, json=data, headers=token) as got:
            body = await got.json(content_type=None)
            assert got.status == 200, body
            assert isinstance(body, dict)
            return body


StartCloud = Callable[..., Awaitable[Cloud]]


def sale_data(sale_id: str, *, qty: int = 2, sku: str = "APPLE", seq: int = 1) -> dict[str, Any]:
    """Data of sale.completed: ``qty`` pieces of 1.50 in cash."""
    total = 150 * qty
    return {
        "sale_id": sale_id,
        "receipt_no": f"R-{seq}",
        "device_id": "till-1",
        "staff_id": "101",
        "business_day": "2026-11-22",
        "occurred_at_ms": 1_795_000_000_000,
        "currency": "EUR",
        "lines": [
            {
                "line_no": 1,
                "sku": sku,
                "gtin": None,
                "qty": qty,
                "scale": 0,
                "unit_price_minor": 150,
                "gross_minor": total,
                "discount_minor": 0,
                "net_minor": total,
                "tax_code": "reduced",
                "tax_minor": 10,
                "reason": None,
            }
        ],
        "tenders": [
            {"kind": "cash", "amount_minor": total, "payment_id": None, "last4": None},
        ],
        "total_minor": total,
        "tax_minor": 10,
        "rounding_minor": 0,
        "change_minor": 0,
        "movements": [
            {
                "seq": seq,
                "sku": sku,
                "qty": qty,
                "from": "sellable",
                "to": "customer",
                "type": "sale",
                "ref_line": "1",
            }
        ],
    }


def problem_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code
