"""What the cloud says of gift cards by its command ``gift_card.allotted``."""

from __future__ import annotations

from pydantic import ValidationError

from hub.contract.oms import Command as CloudCommand
from hub.contract.oms_value import GiftCardAllotted
from hub.service.payments import allotments
from hub.service.unit import Unit


def allotted(unit: Unit, one: CloudCommand) -> tuple[str, str]:
    """Take it in, in the transaction that moves the cursor; a repeat changes nothing.

    Errors: ValueError for data that isn't the contract's, and at the bound.
    """
    try:
        told = GiftCardAllotted.model_validate(one.data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "data"
        raise ValueError(f"{where[:64]}: {first['msg']}") from None
    if unit.shop.payments.vault is None:
        raise ValueError("this hub can't tell cards apart: its vault can't be opened")
    return "done", "" if allotments.granted(unit, told) else "nothing new"
