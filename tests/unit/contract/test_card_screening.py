"""Which fields are looked at for card data in a way of their own."""

from __future__ import annotations

from hub.contract.oms_orders import ORDER_COMMANDS
from hub.contract.registry import OPERATIONS
from hub.contract.screening import NUMBERS_OF_THE_CLOUD


def test_only_numbers_that_the_cloud_gave_may_be_grouped_unlike_a_card_s() -> None:
    """What people type is looked at however its digits are set apart."""
    held = {
        (address, name)
        for address, operation in OPERATIONS.items()
        for name, field in operation.command.model_fields.items()
        if name in NUMBERS_OF_THE_CLOUD and field.annotation is not int
    }
    assert held == {(("order", "get"), "order_id")}
    for command in ORDER_COMMANDS.values():
        typed = command.model_fields.keys() - NUMBERS_OF_THE_CLOUD
        assert {"note", "customer_name", "reason"} & typed
