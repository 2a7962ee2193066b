"""Card data in messages: every text that a person can type is looked at, on every side.

Identifiers that machines make are not free text, and article numbers aren't either (one in ten
EAN-13s passes the Luhn check); what else a device, a person or a cloud can put into a message is.
"""

from __future__ import annotations

import re
import types
import typing
from functools import cache
from types import MappingProxyType
from typing import Any, get_args, get_origin

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
        "nonce",
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
_TOKENS = frozenset({"token"})
"""Opaque to everybody but the processor: random letters and digits."""
NUMBERS_OF_THE_CLOUD = frozenset({"order_id", "number"})
"""Made by the cloud's machines, digits set apart in their own way: a card's number counts where it
is written as on cards."""
_HEXADECIMAL = re.compile(r"(?=.*[A-Za-z])[0-9A-Fa-f-]+")
_LOOKS = MappingProxyType(
    dict.fromkeys(_TOKENS, cards.find_in_token)
    | dict.fromkeys(NUMBERS_OF_THE_CLOUD, cards.find_in_reference)
)
"""Fields that are looked at in a way of their own."""
_GTIN_DIGITS = frozenset((8, 12, 13, 14))


def screen(message: BaseModel) -> None:
    """Errors: :class:`CardDataRefused`, which never contains the value."""
    place = _find(message)
    if place is not None:
        raise CardDataRefused(
            f"The field {place.removeprefix('.')} holds what looks like card data. Never type a "
            "card number: take the card with its terminal and send the token or the last four "
            "digits."
        )


def is_card_id(text: str) -> bool:
    """Whether what should be an opaque identifier (a key, a session, a kind) is card data.

    Random hexadecimal digits with letters among them look like a card now and then, and are none.
    """
    return _HEXADECIMAL.fullmatch(text) is None and cards.find_card_data(text) is not None


@cache
def _open_fields(kind: Any) -> tuple[tuple[str, bool], ...]:
    """The fields of a model that can hold free text, directly or inside, and whether each holds
    articles; other types have none."""
    if not issubclass(kind, BaseModel):
        return ()
    return tuple(
        (name, name in _ARTICLES)
        for name, info in kind.model_fields.items()
        if name not in NOT_FREE_TEXT and not _is_numeric(info.annotation)
    )


def _is_numeric(annotation: Any) -> bool:
    """Whether every value of this type is a number, a truth value or nothing."""
    match get_origin(annotation):
        case typing.Annotated:
            return _is_numeric(get_args(annotation)[0])
        case typing.Union | types.UnionType:
            return all(map(_is_numeric, get_args(annotation)))
        case _:
            return annotation in (int, bool, types.NoneType)


def _is_gtin(text: str) -> bool:
    return len(text) in _GTIN_DIGITS and text.isascii() and text.isdecimal() and gs1_valid(text)


def _find(value: Any, *, article: bool = False) -> str | None:
    """Where in a value the first card data is (``.lines[0].reason``); None if there is none."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, str):
        is_card = cards.find_card_data(value) is not None and not (article and _is_gtin(value))
        return "" if is_card else None
    if isinstance(value, tuple | list):
        for index, item in enumerate(value):
            rest = _find(item, article=article)
            if rest is not None:
                return f"[{index}]{rest}"
    elif isinstance(value, dict):
        for key, item in value.items():
            if _find(str(key)) is not None:
                return ""
            rest = _find(item)
            if rest is not None:
                return f".{key}{rest}"
    elif value is not None:
        return _find_in_fields(value)
    return None


def _find_in_fields(value: BaseModel) -> str | None:
    for name, article in _open_fields(type(value)):
        inner = getattr(value, name)
        look = _LOOKS.get(name)
        if inner and look is not None and isinstance(inner, str):
            if look(inner) is not None:
                return f".{name}"
        elif inner:
            rest = _find(inner, article=article)
            if rest is not None:
                return f".{name}{rest}"
    return None
