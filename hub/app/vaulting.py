"""The vault of stored payments: opened at the start, its key changed when somebody asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from hub.clock import Randomness
from hub.config import Settings
from hub.contract.problems import Code, refuse
from hub.health.mending import Action, Done
from hub.security.errors import VaultLocked
from hub.security.secrets_box import SecretsBox
from hub.security.vault import CARD_PURPOSE, FILE, PURPOSE, PaymentVault
from hub.service.caller import Caller
from hub.service.gate import Gate
from hub.service.handlers.paymentkeys import Rewrapped, RewrapTokens
from hub.service.shop import PaymentRules, no_terminal

log = logging.getLogger(__name__)

ROUNDS_MAX: Final = 200
PAUSE_S: Final = 30.0


def open_vault(settings: Settings, box: SecretsBox, randomness: Randomness) -> PaymentVault | None:
    """The vault; None when its file can't be opened: the shop sells on, and keeps no tokens.

    Without ``payments.key`` its master key is the box's; when that setting comes later, the file is
    sealed under it from then on.
    """
    own = box.derive(PURPOSE)
    given = settings.payments.key
    master = own
    if given is not None:
        master = sha256(b"store-hub payments\0" + given.get_secret_value().encode()).digest()
    path = settings.paths.state / "tls" / FILE
    try:
        return PaymentVault.open(path, master, box.derive(CARD_PURPOSE), randomness, former=own)
    except (VaultLocked, OSError) as error:
        log.error("%s", error)
        return None


def payment_rules(
    settings: Settings,
    vault: PaymentVault | None = None,
    terminal_of: Callable[[str], str | None] = no_terminal,
) -> PaymentRules:
    """How this shop takes cards.  A hub for training never reaches a processor."""
    payments = settings.payments
    return PaymentRules(
        caps=payments.caps(),
        offline=payments.offline,
        processor=payments.processor != "none" and not settings.store.training,
        mirror=payments.mirror,
        terminal_of=terminal_of,
        vault=vault,
        links=settings.cloud.url is not None and not settings.store.training,
        link_at_once=payments.link_at_once,
        tips=payments.tips,
        tip_max_percent=payments.tip_max_percent,
        surcharge_max_bp=round(payments.surcharge_max_percent * 100),
    )


class KeyDesk:
    """Rotates the vault's key: new one first, then every token under it, then the old ones go."""

    def __init__(self, vault: PaymentVault | None, gate: Gate) -> None:
        self._vault = vault
        self._gate = gate

    def actions(self) -> list[Action]:
        """What people can have it do."""
        return [
            Action(
                "payments.rotate-key",
                "Change the payments' key",
                "Makes a new key, puts every stored payment under it and destroys the old ones:"
                " what older backups hold of payments can't be opened any more. Put the hub's keys"
                " in escrow again afterwards (store-hub escrow).",
                "Change the key? Without a new escrow, a box that replaces this one can't forward"
                " what is stored from now on.",
                run=self.rotate,
                why_not=self._why_not,
                pause_s=PAUSE_S,
            )
        ]

    async def rotate(self, caller: Caller) -> Done:
        """Errors: ``conflict`` when too many old keys are still needed."""
        vault = self._need()
        try:
            current = await asyncio.to_thread(vault.rotate)
        except VaultLocked as error:
            raise refuse(Code.CONFLICT, str(error)) from None
        for _ in range(ROUNDS_MAX):
            after: Rewrapped = await self._gate.internal(caller, RewrapTokens())
            if not after.left:
                break
        gone = await asyncio.to_thread(vault.forget, after.needed)
        text = f"New payments are under the key {current}; {len(gone)} old keys are destroyed."
        if after.broken:
            text += f" {after.broken} tokens can't be opened by any key: see the payments page."
        return Done("done", text)

    def _why_not(self) -> str:
        return "" if self._vault is not None else "The vault's file can't be opened: see the log."

    def _need(self) -> PaymentVault:
        if self._vault is None:
            raise refuse(Code.CONFLICT, self._why_not())
        return self._vault
