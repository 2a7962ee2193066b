"""Checks of payment links: one message each, found again under its key.

An OMS that sends none answers ``POST /payments/{payment_id}/link`` with 404, and these say so.  The
address is one that nobody has (example.org, RFC 2606).
"""

from __future__ import annotations

from typing import Any, Final

from .bench import Bench, PretendHub, expect, expect_problem, expect_status

NOT_OFFERED: Final = "this OMS sends no payment links"
NO_RECALL: Final = "this OMS calls no payment links back"


def _asked(payment_id: str, amount: int = 1250) -> dict[str, Any]:
    return {
        "key": f"{payment_id}-link-1",
        "amount_minor": amount,
        "currency": "EUR",
        "contact": {"email": "oms-check@example.org"},
        "reason": "declined",
    }


async def _sent(hub: PretendHub, payment_id: str) -> dict[str, Any] | None:
    answer = await hub.caller.post(f"/payments/{payment_id}/link", _asked(payment_id))
    return None if answer.status == 404 else expect_status(answer, 200, "a payment link")


async def a_payment_link_is_sent_once(bench: Bench) -> str:
    """Its repeat is answered alike, and a look-up finds it; of other payments there is none."""
    hub = await bench.new_hub()
    payment_id = hub.ids.uuid7()
    first = await _sent(hub, payment_id)
    if first is None:
        return NOT_OFFERED
    same = ("key", "status", "url", "expires_at_ms", "amount_minor")
    again = await _sent(hub, payment_id)
    expect(
        again is not None and all(again.get(name) == first.get(name) for name in same),
        f"{first} and {again}",
    )
    found = expect_status(await hub.caller.get(f"/payments/{payment_id}/link"), 200, "a look-up")
    expect(all(found.get(name) == first.get(name) for name in same), f"{first}, found {found}")
    other = await hub.caller.get(f"/payments/{hub.ids.uuid7()}/link")
    expect_problem(other, 404, "not-found", "a link that nobody asked for")
    return str(first["status"])


async def a_key_belongs_to_one_link(bench: Bench) -> str:
    """The same key for another amount is a conflict."""
    hub = await bench.new_hub()
    payment_id = hub.ids.uuid7()
    if await _sent(hub, payment_id) is None:
        return NOT_OFFERED
    path = f"/payments/{payment_id}/link"
    answer = await hub.caller.post(path, _asked(payment_id, 1251))
    expect_problem(answer, 409, "conflict", "a key used for another amount")
    return "409 conflict"


async def a_link_is_called_back(bench: Bench) -> str:
    """Its repeat is answered alike, and a repeat of the link's own request sends nothing."""
    hub = await bench.new_hub()
    payment_id = hub.ids.uuid7()
    sent = await _sent(hub, payment_id)
    if sent is None or sent["status"] != "sent":
        return NOT_OFFERED
    path, key = f"/payments/{payment_id}/link/cancel", {"key": sent["key"]}
    answer = await hub.caller.post(path, key)
    if answer.status == 404:
        return NO_RECALL
    for repeat in (answer, await hub.caller.post(path, key)):
        found = expect_status(repeat, 200, "a link called back")
        expect(found["status"] == "cancelled", f"{found} once it is called back")
    again = await _sent(hub, payment_id)
    expect(again is not None and again["status"] == "cancelled", f"its request again: {again}")
    other = {"key": f"{payment_id}-link-9"}
    expect_problem(await hub.caller.post(path, other), 404, "not-found", "an unknown link")
    return "cancelled"
