"""Card data is refused at the door: every text that a person can type is looked at.

Identifiers and product codes are not free text (one in ten EAN-13s passes the Luhn check); all
other texts of a command are.
"""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel, SecretStr

from hub.contract.base import Command
from hub.domain import cards
from hub.domain.errors import CardDataRefused

NOT_FREE_TEXT = frozenset(
    {
        "code",
        "sku",
        "skus",
        "gtin",
        "kind",
        "auth",
        "bucket",
        "permission",
        "disposition",
        "last4",
        "pin",
        "csr",
        "certificate",
        "device_id",
        "rekey_device_id",
        "basket_id",
        "sale_id",
        "return_id",
        "receipt_id",
        "adjustment_id",
        "count_id",
        "approval_id",
        "payment_id",
    }
)


def screen(command: Command) -> None:
    """Errors: :class:`CardDataRefused`, which never contains the value."""
    _walk(command, "")


@cache
def _open_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """The fields of a model that can hold free text, directly or inside."""
    return tuple(
        name
        for name, info in model.model_fields.items()
        if name not in NOT_FREE_TEXT and info.annotation not in (int, bool)
    )


def _walk(value: object, path: str) -> None:
    match value:
        case str():
            if cards.find_card_data(value) is not None:
                raise CardDataRefused(
                    f"The field {path} holds what looks like card data. Never type a card number: "
                    "take the card with its terminal and send the token or the last four digits."
                )
        case BaseModel():
            for name in _open_fields(type(value)):
                inner = getattr(value, name)
                if inner is not None and type(inner) is not int:
                    _walk(inner, f"{path}.{name}" if path else name)
        case tuple() | list():
            for index, item in enumerate(value):
                _walk(item, f"{path}[{index}]")
        case dict():
            for key, item in value.items():
                _walk(str(key), path)
                _walk(item, f"{path}.{key}")
        case SecretStr() | None | _:
            return
