"""Checks of card payments: each charged once, found again, given back at most once.

An OMS that doesn't take payments answers ``POST /payments`` with 404, and all of these say so.  The
tokens are those of the sandbox; an OMS in front of a real processor declines them, and the checks
then see what can be seen without an approval.
"""

from __future__ import annotations

import base64
from typing import Any, Final

from .bench import Bench, PretendHub, expect, expect_problem, expect_status

GOOD: Final = b"tok-good"
BAD: Final = b"tok-decline-insufficient-funds"
NOT_OFFERED: Final = "this OMS takes no payments"


class _Payment:
    """A payment that isn't charged yet."""

    def __init__(self, hub: PretendHub) -> None:
        self.hub = hub
        self.id = hub.ids.uuid7()

    def charge(self, *, key: str = "1", token: bytes = GOOD, amount: int = 1250) -> dict[str, Any]:
        return {
            "payment_id": self.id,
            "key": f"{self.id}.{key}",
            "amount_minor": amount,
            "currency": "EUR",
            "token": base64.b64encode(token).decode(),
        }

    def path(self, rest: str = "") -> str:
        return f"/payments/{self.id}{rest}"

    async def charged(self, **changed: Any) -> dict[str, Any] | None:
        """The answer to a charge; None where payments aren't offered."""
        answer = await self.hub.caller.post("/payments", self.charge(**changed))
        return None if answer.status == 404 else expect_status(answer, 200, "a charge")

    async def stands(self) -> str:
        answer = await self.hub.caller.get(self.path())
        return str(expect_status(answer, 200, "a look-up")["status"])


async def a_payment_is_charged_once(bench: Bench) -> str:
    """Repeated under its key, and under another one while it stands."""
    payment = _Payment(await bench.new_hub())
    first = await payment.charged()
    if first is None:
        return NOT_OFFERED
    again = await payment.charged()
    expect(again is not None and again["psp_ref"] == first["psp_ref"], f"{first} and {again}")
    if first["status"] == "declined":
        return f"declined ({first.get('code')}) twice alike"
    expect(first["status"] in ("approved", "pending"), f"a charge is {first['status']}")
    other = await payment.charged(key="2")
    expect(other is not None and other["psp_ref"] == first["psp_ref"], f"charged again: {other}")
    return f"{first['status']}, {first['psp_ref']}"


async def a_key_belongs_to_one_effect(bench: Bench) -> str:
    """The same key for another amount is a conflict."""
    payment = _Payment(await bench.new_hub())
    if await payment.charged() is None:
        return NOT_OFFERED
    answer = await payment.hub.caller.post("/payments", payment.charge(amount=1251))
    expect_problem(answer, 409, "conflict", "a key used for another amount")
    return "409 conflict"


async def payments_that_are_not_known_are_not_found(bench: Bench) -> str:
    """404 for the payment, its capture and its refunds; nothing comes into being by asking."""
    payment = _Payment(await bench.new_hub())
    caller = payment.hub.caller
    for path in (payment.path(), payment.path("/refunds/none")):
        expect_problem(await caller.get(path), 404, "not-found", f"GET {path}")
    key = {"key": f"{payment.id}.capture"}
    for part in ("/capture", "/reversal"):
        answer = await caller.post(payment.path(part), key)
        expect_problem(answer, 404, "not-found", f"POST …{part}")
    return "404"


async def a_capture_and_refunds_keep_within_the_payment(bench: Bench) -> str:
    """Captured once; parts are given back once each, and never more than was captured."""
    payment = _Payment(await bench.new_hub())
    first = await payment.charged()
    if first is None or first["status"] != "approved":
        return NOT_OFFERED if first is None else f"{first['status']}: no capture to see"
    caller = payment.hub.caller
    for key in ("capture", "capture", "capture-2"):
        answer = await caller.post(payment.path("/capture"), {"key": f"{payment.id}.{key}"})
        expect(expect_status(answer, 200, "a capture")["status"] == "captured", "not captured")
    refs = set()
    for key, amount, status in (
        ("r1", 1000, "refunded"),
        ("r1", 1000, "refunded"),
        ("r2", 251, "declined"),
        ("r3", 250, "refunded"),
    ):
        asked = {"key": f"{payment.id}.{key}", "amount_minor": amount, "currency": "EUR"}
        body = expect_status(
            await caller.post(payment.path("/refunds"), asked), 200, f"refund {key}"
        )
        expect(body["status"] == status, f"refund {key} of {amount}: {body}")
        refs |= {body["psp_ref"]} if status == "refunded" else set()
    expect(len(refs) == 2, f"given back more than once: {sorted(refs)}")
    expect(await payment.stands() == "refunded", "given back whole, and it doesn't say so")
    return "1000 + 250 of 1250"


async def what_is_let_go_stays_so(bench: Bench) -> str:
    """No capture after a reversal."""
    payment = _Payment(await bench.new_hub())
    first = await payment.charged()
    if first is None or first["status"] != "approved":
        return NOT_OFFERED if first is None else f"{first['status']}: nothing to let go"
    caller = payment.hub.caller
    for part in ("reversal", "capture"):
        answer = await caller.post(payment.path(f"/{part}"), {"key": f"{payment.id}.{part}"})
        body = expect_status(answer, 200, part)
        expect(body["status"] == "reversed", f"after {part}: {body}")
    return "reversed"


async def a_declined_payment_may_be_charged_under_another_key(bench: Bench) -> str:
    """The same key says declined again; another one is a new try."""
    payment = _Payment(await bench.new_hub())
    first = await payment.charged(token=BAD)
    if first is None:
        return NOT_OFFERED
    if first["status"] != "declined":
        return f"{first['status']}: nothing is declined here"
    again = await payment.charged(token=BAD)
    expect(again is not None and again["status"] == "declined", f"its repeat: {again}")
    second = await payment.charged(key="2")
    expect(second is not None and second["key"].endswith(".2"), f"the second try: {second}")
    return f"{first.get('code')}, then {second['status'] if second else ''}"
