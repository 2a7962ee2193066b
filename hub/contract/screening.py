"""Card data in messages: every text that a person can type is looked at, on every side.

Identifiers that machines make are not free text, and article numbers aren't either (one in ten
EAN-13s passes the Luhn check); what else a device, a person or a cloud can put into a message is.
"""

from __future__ import annotations

import re
from functools import cache

from pydantic import BaseModel, SecretStr

from hub.domain import cards
from hub.domain.checkdigits import gs1_valid
from hub.domain.errors import CardDataRefused

NOT_FREE_TEXT = frozenset(
    {
        "code",
        "gtin",
        "kind",
        "auth",
        "disposition",
        "last4",
        "pin",
        "csr",
        "certificate",
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
"""``code`` is looked at where it is read as a barcode; the others can hold no such number, or are
identifiers (UUIDs)."""
_ARTICLES = frozenset({"sku", "skus"})
_HEXADECIMAL = re.compile(r"(?=.*[A-Za-z])[0-9A-Fa-f-]+")
_GTIN_DIGITS = frozenset((8, 12, 13, 14))


def screen(message: BaseModel) -> None:
    """Errors: :class:`CardDataRefused`, which never contains the value."""
    _walk(message, "", article=False)


def is_card_id(text: str) -> bool:
    """Whether what should be an opaque identifier (a key, a session, a kind) is card data.

    Random hexadecimal digits with letters among them look like a card now and then, and are none.
    """
    return cards.find_card_data(text) is not None and not _HEXADECIMAL.fullmatch(text)


@cache
def _open_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """The fields of a model that can hold free text, directly or inside."""
    return tuple(
        name
        for name, info in model.model_fields.items()
        if name not in NOT_FREE_TEXT and info.annotation not in (int, bool)
    )


def _is_gtin(text: str) -> bool:
    return len(text) in _GTIN_DIGITS and text.isascii() and text.isdecimal() and gs1_valid(text)


def _walk(value: object, path: str, *, article: bool) -> None:
    match value:
        case str():
            if cards.find_card_data(value) is not None and not (article and _is_gtin(value)):
                raise CardDataRefused(
                    f"The field {path} holds what looks like card data. Never type a card number: "
                    "take the card with its terminal and send the token or the last four digits."
                )
        case BaseModel():
            for name in _open_fields(type(value)):
                inner = getattr(value, name)
                if inner is not None and type(inner) is not int:
                    where = f"{path}.{name}" if path else name
                    _walk(inner, where, article=name in _ARTICLES)
        case tuple() | list():
            for index, item in enumerate(value):
                _walk(item, f"{path}[{index}]", article=article)
        case dict():
            for key, item in value.items():
                _walk(str(key), path, article=False)
                _walk(item, f"{path}.{key}", article=False)
        case SecretStr() | None | _:
            return
