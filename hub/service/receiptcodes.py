"""The signed code of a receipt, scanned: whose sale it is, and whether to believe it.

A shop's own keys are in its database; those of other shops come with the cloud's policies.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hub.contract.oms_datasets import RETURN_KEYS_POLICY
from hub.contract.oms_events import HUB_RETURN_KEY
from hub.contract.scans import ScannedReceipt, ScanResolved, WhyNot
from hub.documents import returncode
from hub.documents.returncode import BadCode, ReturnCode
from hub.domain.cards import find_card_data
from hub.service.gate import ReadUnit
from hub.service.unit import Unit
from hub.storage import catalogrows, returnkeyrows, salerows
from hub.storage.rows import Rows

KEYS_MAX: Final = 16
"""So many keys of one shop are tried."""
STREAM: Final = "orders"
AGGREGATE: Final = "hub"
_STORE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def is_one(code: str) -> bool:
    """Whether a scanned code says that it is a receipt's."""
    return code.startswith(returncode.PREFIX)


def resolve(unit: ReadUnit, code: str) -> ScanResolved:
    """What a receipt's code is here; ``why_not`` is ``receipt`` when it can be believed."""
    try:
        claimed = returncode.read(code)
    except BadCode as error:
        return _said(code, "malformed", str(error))
    ours = claimed.store == unit.shop.store
    keys = _keys(unit, claimed.store, ours=ours)
    if not keys:
        return _said(
            code,
            "unknown-shop",
            f"This says it is a receipt of {_shop(claimed)}, whose key isn't known here: ask"
            " that shop or the office about the sale.",
        )
    try:
        returncode.verify(code, keys)
    except BadCode:
        return _said(
            code,
            "not-genuine",
            f"This code wasn't signed by {_shop(claimed)}: don't take anything back for it"
            " without another proof.",
        )
    return _found(unit, code, claimed, ours=ours)


def keep_own_key(unit: Unit) -> None:
    """Tell the cloud the public key of this hub's return codes, once for each key."""
    key = unit.shop.return_key
    if not key or returnkeyrows.is_known(unit.tx, key):
        return
    returnkeyrows.add(unit.tx, key)
    unit.emit(
        STREAM,
        HUB_RETURN_KEY,
        AGGREGATE,
        {"public_key": key, "algorithm": "ed25519", "since_ms": unit.now_ms},
        key,
    )


def _keys(unit: ReadUnit, store: str, *, ours: bool) -> list[bytes]:
    said: list[Any] = []
    if ours:
        said = [unit.shop.return_key, *returnkeyrows.listed(unit.rows)]
    of_cloud = _policy(unit.rows, store)
    said += of_cloud if isinstance(of_cloud, list) else []
    known = dict.fromkeys(returncode.key_of(one) for one in said[:KEYS_MAX] if isinstance(one, str))
    return [one for one in known if one is not None]


def _policy(rows: Rows, store: str) -> Any:
    return catalogrows.policy(rows, f"{RETURN_KEYS_POLICY}{store}")


def _found(unit: ReadUnit, code: str, claimed: ReturnCode, *, ours: bool) -> ScanResolved:
    sale = salerows.get(unit.rows, claimed.sale_id) if ours else None
    has_price = claimed.currency != returncode.NO_CURRENCY
    receipt = ScannedReceipt(
        store=claimed.store,
        ours=ours,
        receipt_no=claimed.receipt_no,
        sale_id=claimed.sale_id,
        business_day=claimed.day,
        total_minor=claimed.total_minor if has_price else None,
        currency=claimed.currency if has_price else None,
        state=sale.state if sale is not None else None,
    )
    where = "this shop" if ours else f"shop {claimed.store}"
    detail = f"This is receipt {claimed.receipt_no} of {where}"
    if sale is not None and sale.state == "voided":
        detail += ", which was voided: nothing can be taken back for it."
    elif sale is not None:
        detail += ": take back by it what comes back."
    else:
        detail += ": its sale isn't in this hub, ask the office what was taken back for it."
    return _said(code, "receipt", detail, receipt)


def _shop(claimed: ReturnCode) -> str:
    """A name for people; nothing that nobody has signed is repeated unless it looks like an id."""
    looks_right = _STORE.fullmatch(claimed.store) and find_card_data(claimed.store) is None
    return f"shop {claimed.store}" if looks_right else "a shop"


def _said(
    code: str, why_not: WhyNot, detail: str, receipt: ScannedReceipt | None = None
) -> ScanResolved:
    return ScanResolved(code=code, why_not=why_not, detail=detail, receipt=receipt)
