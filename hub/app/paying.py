"""Card payments of a running hub: the vault of their tokens, and their second keeper."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hub.app.mirroring import Ask, Mirror
from hub.app.vaulting import KeyDesk, open_vault, payment_rules
from hub.clock import Randomness
from hub.config import Settings
from hub.health.mending import Action
from hub.security.secrets_box import SecretsBox
from hub.service.gate import Gate
from hub.service.shop import PaymentRules


class CardPayments:
    """Made before the gate, which takes its rules; :meth:`connect` comes after it."""

    def __init__(self, settings: Settings, box: SecretsBox, randomness: Randomness) -> None:
        self._settings = settings
        self._randomness = randomness
        self.vault = open_vault(settings, box, randomness)

    def rules(self, terminal_of: Callable[[str], str | None]) -> PaymentRules:
        """What handlers need to know."""
        return payment_rules(self._settings, self.vault, terminal_of)

    def connect(self, gate: Gate, ask: Ask) -> None:
        """Give it the gate, and the way to devices."""
        keeper = self._settings.payments.mirror
        self._mirror = Mirror(keeper, gate, ask, self._randomness)
        self._desk = KeyDesk(self.vault, gate)

    async def start(self) -> None:
        """Begin; what hangs on the hub and the link to the cloud are there."""
        self._mirror.start()

    async def stop(self) -> None:
        """End."""
        await self._mirror.stop()

    def notify(self, told: Iterable[object]) -> None:
        """Take what committed requests left to be told."""
        self._mirror.notify(told)

    def actions(self) -> list[Action]:
        """What people can have done."""
        return self._desk.actions()
