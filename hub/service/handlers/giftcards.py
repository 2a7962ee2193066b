"""What the cloud says of gift cards: by its command ``gift_card.allotted``, and asked for."""

from __future__ import annotations

from pydantic import ValidationError

from hub.contract.base import Command
from hub.contract.oms import Command as CloudCommand
from hub.contract.oms_value import GiftCardAllotted
from hub.contract.payments import AskBalance, BalanceView
from hub.domain import cards
from hub.domain.errors import CardDataRefused
from hub.service.live import LiveHandler, LiveUnit
from hub.service.payments import allotments, value
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


async def balance(unit: LiveUnit, query: AskBalance) -> BalanceView:
    """See :class:`AskBalance`.  Errors: ``card-data-refused``, and those of whoever asks."""
    if cards.find_in_token(query.value.token.get_secret_value()) is not None:
        raise CardDataRefused(value.NOT_A_GIFT_CARD)
    return await unit.balance(unit.caller, query)


LIVE: dict[type[Command], LiveHandler] = {AskBalance: balance}
