"""The codes of store credit: made from the vault's key and the return's id, so that they are kept
nowhere, and a copy of the receipt bears the same one."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

from hub.security.alphabet import UNAMBIGUOUS
from hub.service.shop import Shop
from hub.storage import valuerows
from hub.storage.rows import Rows

_GROUPS: Final = 3
_GROUP_CHARS: Final = 5


def account_of(return_id: str) -> str:
    """The name of the credit that a return gave."""
    return f"credit-{return_id}"


def hidden(document: dict[str, Any]) -> dict[str, Any]:
    """A return's facts as people may look at them: whoever knows the code can spend the credit."""
    code = str(document.get("credit_code") or "")
    return document | {"credit_code": f"****-{code[-4:]}"} if code else document


def code_for_copy(rows: Rows, shop: Shop, return_id: str) -> str:
    """What the credit's receipt says; empty where this hub can't tell any more (a new box has other
    keys, and what was lost comes back without it)."""
    account = valuerows.get(rows, account_of(return_id))
    vault = shop.payments.vault
    if account is None or vault is None:
        return ""
    code = code_of(shop, return_id)
    same = vault.card_ref(sha256(code.encode()).hexdigest()) == account.token_ref
    return code if same else ""


def code_of(shop: Shop, return_id: str) -> str:
    """``SC-`` and 15 characters that nobody guesses (74 bits), with four digits to tell it by."""
    vault = shop.payments.vault
    assert vault is not None
    secret = sha256(vault.card_ref(f"store-credit {return_id}").encode()).digest()
    number = int.from_bytes(secret)
    chars = ""
    for _ in range(_GROUPS * _GROUP_CHARS):
        number, rest = divmod(number, len(UNAMBIGUOUS))
        chars += UNAMBIGUOUS[rest]
    groups = [chars[n : n + _GROUP_CHARS] for n in range(0, len(chars), _GROUP_CHARS)]
    return "-".join(("SC", *groups, f"{number % 10_000:04}"))
