"""The facts about the shop, as the settings say them."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import hub
from hub.app.vaulting import payment_rules
from hub.config import Settings
from hub.documents.returncode import PURPOSE, key_text, public_key
from hub.domain.basket import CashRounding
from hub.domain.money import Rounding
from hub.security.secrets_box import SecretsBox
from hub.service.shop import PaymentRules, Shop, no_drawer


def shop_of(
    settings: Settings,
    has_drawer: Callable[[str], bool] = no_drawer,
    box: SecretsBox | None = None,
    payments: PaymentRules | None = None,
) -> Shop:
    """The facts that handlers need.  Without ``box`` no return codes are signed, without
    ``payments`` no tokens kept."""
    cash = settings.cash
    return Shop(
        store=settings.store.id,
        name=settings.store.name,
        hub_name=settings.store.hub_name,
        currency=settings.store.currency,
        zone=ZoneInfo(settings.store.timezone),
        timezone=settings.store.timezone,
        version=hub.__version__,
        training=settings.store.training,
        hold_ttl_ms=settings.stock.hold_ttl_s * 1000,
        cash_rounding=CashRounding(
            max(1, cash.rounding_step_minor), Rounding(cash.rounding.replace("-", "_"))
        ),
        sign_in_ttl_ms=settings.staff.sign_in_ttl_s * 1000,
        pairing_ttl_ms=settings.pairing.code_ttl_s * 1000,
        pairing_tries=settings.pairing.tries,
        device_certificate_days=settings.pairing.device_cert_days,
        print_receipts=settings.printing.receipts,
        orders_kept_days=settings.orders.keep_days,
        has_drawer=has_drawer,
        payments=payments or payment_rules(settings),
        return_key="" if box is None else _return_key(box),
        file_peripherals=frozenset(one.id for one in settings.peripherals),
    )


def _return_key(box: SecretsBox) -> str:
    """The public key of the return codes that this box signs, as text."""
    return key_text(public_key(box.derive(PURPOSE)))
