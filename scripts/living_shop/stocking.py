"""The opening stock: the manager receives all the demo shop's products on one of the tills."""

from __future__ import annotations

from cloud_link.sandbox import demo
from devices.kit import DeviceMeta, HubClient, IdentityStore
from hub.contract.base import Nothing
from hub.contract.staff import SignedIn, SignIn, SignOut
from hub.contract.stock import ReceivedLine, ReceiveStock, StockBooked

MANAGER_ID, _, _, MANAGER_PIN = demo.DEMO_STAFF[-1]
PIECES = 80
"""Of everything; weighed goods in whole kilograms."""
RECEIPT_LINES = 500
_MARKER = "stocked"


def is_stocked(store: IdentityStore) -> bool:
    """Whether the opening stock was received on this till."""
    return (store.folder / _MARKER).exists()


async def receive_opening_stock(store: IdentityStore, skus: int) -> int:
    """Book ``PIECES`` of each of the demo shop's ``skus`` products in; how many products.

    Receipts are journalled: one that was cut short goes on at the next start, and is booked once.
    """
    rows = [
        ReceivedLine(sku=row["sku"], qty=PIECES * 10 ** row["scale"])
        for row, _ in demo.products(skus)
    ]
    meta = DeviceMeta(kind="till", model="virtual till", firmware="1")
    async with HubClient(store, meta) as hub:
        person = SignIn.model_validate({"staff_id": MANAGER_ID, "pin": MANAGER_PIN})
        await hub.request(person, SignedIn, until_answered=True)
        for start in range(0, len(rows), RECEIPT_LINES):
            command = ReceiveStock(
                receipt_id=hub.ids.uuid7(),
                reference="opening stock",
                lines=tuple(rows[start : start + RECEIPT_LINES]),
            )
            await hub.submit(command, StockBooked)
        await hub.request(SignOut(), Nothing, until_answered=True)
    (store.folder / _MARKER).touch()
    return len(rows)
