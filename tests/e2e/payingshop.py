"""A shop in the middle of an offline day: payments in every state, some of which need somebody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from hub.domain.payments.states import PaymentState as S
from hub.service.handlers import collect
from hub.service.shop import PaymentRules
from hub.storage.rows import Tx
from tests.e2e.richshop import rich_shop
from tests.hubparts import SHOP, HubParts
from tests.support.cardrows import add_payment
from tests.support.paying import PlainVault

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
TERMINALS: Final = {"terminal-1": "Card terminal at the door", "terminal-2": "Card terminal, back"}
CARD: Final[dict[str, Any]] = {"last4": "0051", "scheme": "mastercard"}
MANUAL, LOST, DECLINED, LATE, NO_SALE, STORED = 1, 2, 3, 4, 5, 6
"""Numbers of payments that tests look at."""


@asynccontextmanager
async def paying_shop(
    root: Path, *, days: int = 2, rules: PaymentRules | None = None, **options: Any
) -> AsyncIterator[HubParts]:
    """Some days of trade, then :func:`an_offline_day`; everything can be done on the page."""
    usual = PaymentRules(processor=True, vault=PlainVault(), links=True)
    shop = replace(SHOP, payments=rules or usual)
    async with rich_shop(root, days=days, handlers=collect, shop=shop, **options) as hub:
        await hub.write(name_terminals)
        await hub.write(an_offline_day)
        yield hub


def name_terminals(tx: Tx) -> None:
    """Two card terminals on the box, and a second manager."""
    for terminal_id, name in TERMINALS.items():
        tx.run(
            "INSERT INTO devices (device_id, name, kind, auth, number, paired_at_ms)"
            " VALUES (?, ?, 'terminal', 'hub', (SELECT max(number) + 1 FROM devices), ?)",
            terminal_id,
            name,
            tx.now_ms,
        )
    tx.run(
        "INSERT INTO staff SELECT generation, 'max', 'Max', role, pin_hash, active FROM staff"
        " WHERE staff_id = 'mia'"
    )


def an_offline_day(tx: Tx) -> None:
    """What needs somebody, what is under way, what has ended."""
    sales = [
        row[0] for row in tx.all("SELECT sale_id FROM sales WHERE state = 'completed' ORDER BY id")
    ]
    sold: dict[str, Any] = {"in_sale": 1}
    add_payment(tx, MANUAL, S.MANUAL, amount_minor=4799, age_ms=40 * MINUTE_MS)
    add_payment(
        tx,
        LOST,
        S.LOST,
        amount_minor=1290,
        custody="terminal",
        terminal_id="terminal-2",
        device_id="till-2",
        age_ms=9 * HOUR_MS,
        sale_id=sales[0],
        **sold,
        **CARD,
    )
    add_payment(
        tx,
        DECLINED,
        S.RECOVERY,
        amount_minor=8950,
        age_ms=5 * HOUR_MS,
        sale_id=sales[1],
        decline_code="stolen-or-lost",
        **sold,
    )
    add_payment(
        tx, LATE, S.RECOVERY, amount_minor=2000, age_ms=30 * HOUR_MS, sale_id=sales[2], **sold
    )
    tx.run("UPDATE payments SET decline_code = '' WHERE id = (SELECT max(id) FROM payments)")
    add_payment(tx, NO_SALE, S.STORED, amount_minor=1549, age_ms=50 * MINUTE_MS)
    add_payment(
        tx, STORED, S.STORED, amount_minor=2499, age_ms=3 * HOUR_MS, sale_id=sales[3], **sold
    )
    _under_way(tx, sales[4:], sold)
    _ended(tx, sales, sold)


def a_good_day(tx: Tx) -> None:
    """All charged, but for two that wait for their turn."""
    rows = tx.all("SELECT sale_id FROM sales WHERE state = 'completed' ORDER BY id DESC LIMIT 9")
    for number, (sale_id,) in enumerate(rows):
        add_payment(
            tx,
            100 + number,
            S.STORED if number < 2 else S.CAPTURED,
            amount_minor=499 + 731 * number,
            age_ms=(2 + number * 9) * MINUTE_MS,
            sale_id=sale_id,
            in_sale=1,
        )


def _under_way(tx: Tx, sales: list[str], sold: dict[str, Any]) -> None:
    for number in range(10, 22):
        add_payment(
            tx,
            number,
            S.STORED,
            amount_minor=199 + 1117 * number % 8800,
            terminal_id="terminal-2" if number % 3 else "terminal-1",
            device_id="till-2" if number % 3 else "till-1",
            age_ms=(150 - 7 * (number - 10)) * MINUTE_MS,
            **sold,
        )
    for number, state in enumerate(
        (S.FORWARDING, S.FORWARD_UNKNOWN, S.RETRY_WAIT, S.VOID_PENDING), 30
    ):
        add_payment(
            tx,
            number,
            state,
            amount_minor=number * 113,
            age_ms=(number - 20) * MINUTE_MS,
            sale_id=sales[0] if state is S.FORWARDING else "",
            void_asked=int(state is S.VOID_PENDING),
            **sold,
        )


def _ended(tx: Tx, sales: list[str], sold: dict[str, Any]) -> None:
    final = (S.CAPTURED, S.SETTLED, S.REFUSED, S.VOIDED, S.REFUNDED, S.RECOVERED, S.WRITTEN_OFF)
    for number, state in enumerate((*final, *(S.CAPTURED,) * 20), 50):
        add_payment(
            tx,
            number,
            state,
            amount_minor=499 + 731 * number % 9000,
            age_ms=(number - 20) * 20 * MINUTE_MS,
            sale_id=sales[-1] if number == 50 else "",
            **(sold if state is S.CAPTURED else {}),
        )
    add_payment(tx, 90, S.AT_TERMINAL, amount_minor=3120)  # a terminal does one thing at a time
