"""Stored payments' tokens are put under the vault's current key."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from hub.contract.base import Command
from hub.service.gate import Handler, Reader
from hub.service.internal import InternalCommand
from hub.service.payments import book
from hub.service.shop import Vault
from hub.service.unit import Unit
from hub.storage import paymentrows, secretrows

log = logging.getLogger(__name__)

REWRAP_MAX = 100


@dataclass(frozen=True, slots=True)
class RewrapTokens(InternalCommand):
    """Put up to 100 tokens under the current key; the value: :class:`Rewrapped`.  Those that no key
    opens are left as they are."""

    background: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """``needed``: the keys that tokens still need; ``left``: how many wait under other keys than
    the current one and could be put under it; ``broken``: how many no key opens."""

    needed: frozenset[str]
    left: int
    broken: int


def rewrap_tokens(unit: Unit, _command: RewrapTokens) -> Rewrapped:
    """See :class:`RewrapTokens`."""
    vault = unit.shop.payments.vault
    if vault is None:
        return Rewrapped(secretrows.keys_in_use(unit.tx), 0, 0)
    done, broken, full = _rewrap(unit, vault, "token")
    contacts, closed, more = _rewrap(unit, vault, "contact")
    done, broken = done + contacts, broken + closed
    if done:
        unit.note("payments.rewrapped", vault.current, {"tokens": done, "broken": broken})
    return Rewrapped(secretrows.keys_in_use(unit.tx), int((full or more) and done > 0), broken)


def _rewrap(unit: Unit, vault: Vault, kind: secretrows.Kind) -> tuple[int, int, bool]:
    """``(done, broken, perhaps there are more)``."""
    broken = done = 0
    found = secretrows.not_under(unit.tx, vault.current, REWRAP_MAX, kind)
    for payment, payment_id, sealed in found:
        try:
            secretrows.put(unit.tx, payment, vault.rewrap(payment_id, sealed), kind)
            row = paymentrows.numbered(unit.tx, payment)
            if row is not None:  # a copy elsewhere is under the old key
                book.mirror_again(unit, row)
            done += 1
        except Exception:  # its key is gone, or it was changed: a person decides about it
            log.exception("the %s of payment %s can't be put under another key", kind, payment_id)
            broken += 1
    return done, broken, len(found) == REWRAP_MAX


WRITES: dict[type[Command], Handler] = {}
READS: dict[type[Command], Reader] = {}
SLOW_READS: dict[type[Command], Reader] = {}
INTERNAL: dict[type[Any], Callable[[Unit, Any], Any]] = {RewrapTokens: rewrap_tokens}
