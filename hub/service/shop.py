"""The fixed facts of this shop that handlers need, taken from the settings once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Protocol

from hub.domain.basket import NO_CASH_ROUNDING, CashRounding
from hub.domain.payments.exposure import Caps
from hub.domain.payments.tokens import SealedToken


def no_drawer(_device_id: str) -> bool:
    """A shop without drawers."""
    return False


def never() -> bool:
    """It isn't so, ever."""
    return False


def no_terminal(_device_id: str) -> str | None:
    """A shop whose hub drives no card terminals."""
    return None


class Vault(Protocol):
    """Where tokens are sealed; asked in the writer's thread."""

    def seal(self, payment_id: str, token: bytes, what: str = "token") -> SealedToken:
        """Seal a token (or ``what`` else) for this payment alone."""

    def unseal(self, payment_id: str, token: SealedToken, what: str = "token") -> bytes:
        """What was sealed.  Errors: whatever the vault raises when it can't be opened."""

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The names of all keys that are here."""

    @property
    def current(self) -> str:
        """The name of the key for what is new."""

    def rewrap(self, payment_id: str, token: SealedToken) -> SealedToken:
        """The same token under the current key."""

    def stamp(self, payment_id: str, token: SealedToken, facts: bytes) -> str:
        """Says that whoever wrote these facts beside a token had the vault."""

    def card_ref(self, card: str) -> str:
        """A keyed hash: the same card gives the same text, and nobody finds the card by it."""


@dataclass(frozen=True, slots=True)
class PaymentRules:
    """``processor``: the hub has a connection to one.  ``terminal_of``: the terminal that serves a
    till, if the hub drives one.  ``vault`` None: this hub keeps no tokens.  ``links``: there is an
    OMS that can be asked to send payment links; ``link_at_once``: it is, without a person.
    ``issuer``: there is a cloud that keeps the value of gift cards; ``issuer_ready``: it can be
    asked just now (asked in the writer's thread); ``misses``: when (budget) tills were refused a
    gift card without asking it, the last few each.  ``surcharge_max_bp``: what terminals may add
    to a payment, in basis points of it; 0: nothing."""

    caps: Caps = field(default_factory=Caps)
    offline: bool = True
    processor: bool = False
    mirror: str = ""
    terminal_of: Callable[[str], str | None] = no_terminal
    vault: Vault | None = None
    links: bool = False
    link_at_once: bool = False
    issuer: bool = False
    issuer_ready: Callable[[], bool] = never
    misses: dict[str, deque[int]] = field(default_factory=dict, compare=False)
    tips: bool = False
    tip_max_percent: int = 30
    surcharge_max_bp: int = 0


@dataclass(frozen=True, slots=True)
class Shop:
    """Configuration of the rules; instants and amounts as their names say."""

    store: str
    name: str
    hub_name: str
    currency: str
    zone: tzinfo
    timezone: str
    version: str
    training: bool = False
    day_cutover_hour: int = 0
    hold_ttl_ms: int = 15 * 60_000
    cash_rounding: CashRounding = NO_CASH_ROUNDING
    sign_in_ttl_ms: int = 12 * 3_600_000
    approval_ttl_ms: int = 10 * 60_000
    pairing_ttl_ms: int = 10 * 60_000
    pairing_tries: int = 5
    pairings_open_max: int = 50
    device_certificate_days: int = 397
    print_receipts: bool = False
    print_jobs_max: int = 500
    orders_kept_days: int = 400
    has_drawer: Callable[[str], bool] = no_drawer
    """Whether a till has a cash drawer that the hub can open; asked in the writer's thread."""
    payments: PaymentRules = PaymentRules()
    return_key: str = ""
    """The public key of this hub's return codes, base64url; empty: it signs none."""
    web_url: str = ""
    file_peripherals: frozenset[str] = frozenset()
    """Those that the settings' file sets up."""
    own_settings: Mapping[str, str] = field(default_factory=dict)
    """Settings that the box itself sets, which the cloud can't change: key → where it is set."""
