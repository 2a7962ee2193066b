"""Checks of gift cards as far as they can be seen without one: an OMS has no call that makes cards.

An OMS that keeps none answers ``POST /gift-cards/{token}/holds`` with 404, and all of these say so.
"""

from __future__ import annotations

from typing import Any, Final

from .bench import Bench, expect, expect_problem, expect_status
from .caller import Answer

NOBODYS: Final = "GC-OMS-CHECK-0000"
NOT_OFFERED: Final = "this OMS keeps no gift cards"


def _holding(hold_id: str, amount_minor: int = 1250) -> dict[str, Any]:
    return {
        "hold_id": hold_id,
        "kind": "gift_card",
        "amount_minor": amount_minor,
        "currency": "EUR",
    }


def _is_offered(answer: Answer) -> bool:
    return answer.status != 404


async def a_card_that_nobody_knows_is_declined_and_stays_so(bench: Bench) -> str:
    """Never held, answered alike when asked again, found by its id; not for another amount."""
    hub = await bench.new_hub()
    hold_id, path = hub.ids.uuid7(), f"/gift-cards/{NOBODYS}/holds"
    first = await hub.caller.post(path, _holding(hold_id))
    if not _is_offered(first):
        return NOT_OFFERED
    for answer in (
        first,
        await hub.caller.post(path, _holding(hold_id)),
        await hub.caller.get(f"/gift-cards/holds/{hold_id}"),
    ):
        body = expect_status(answer, 200, "a hold of a card that nobody knows")
        expect(body["status"] == "declined", f"it is {body}")
        expect(body.get("balance_minor") is None, "it tells a balance")
    other = await hub.caller.post(path, _holding(hold_id, 1251))
    expect_problem(other, 409, "conflict", "a hold_id used for another amount")
    return str(body.get("code"))


async def a_hold_that_was_released_before_it_was_known_is_never_taken(bench: Bench) -> str:
    """A late request finds that it was let go."""
    hub = await bench.new_hub()
    hold_id = hub.ids.uuid7()
    path = f"/gift-cards/holds/{hold_id}"
    if not _is_offered(await hub.caller.post(f"{path}/release", {})):
        return NOT_OFFERED
    money = {"amount_minor": 1250, "currency": "EUR"}
    taken = expect_status(await hub.caller.post(f"{path}/capture", money), 200, "its capture")
    expect(taken["status"] in ("declined", "released"), f"it was taken: {taken}")
    late = await hub.caller.post(f"/gift-cards/{NOBODYS}/holds", _holding(hold_id))
    body = expect_status(late, 200, "a late hold")
    expect(body["status"] == "released", f"a late hold is {body}")
    return str(taken["status"])


async def nobody_learns_which_cards_there_are(bench: Bench) -> str:
    """A balance of a card that nobody knows is ``unknown``, and a hold that isn't there 404."""
    hub = await bench.new_hub()
    answer = await hub.caller.post("/gift-cards/balance", {"token": NOBODYS})
    if not _is_offered(answer):
        return NOT_OFFERED
    body = expect_status(answer, 200, "a balance")
    expect(body["status"] == "unknown" and not body.get("balance_minor"), f"it says {body}")
    found = await hub.caller.get(f"/gift-cards/holds/{hub.ids.uuid7()}")
    expect_problem(found, 404, "not-found", "a hold that was never asked for")
    return "unknown"
