"""Card payments of a running hub: the vault of their tokens, their second keeper, the way to
the processor, and the sender of payment links."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cloud_link.link import CloudLink
from cloud_link.payments.forwarder import Tempo
from hub.app.comparing import DailyComparison
from hub.app.forwarding import make_forwarder, make_link_sender
from hub.app.mirroring import Ask, Mirror
from hub.app.vaulting import KeyDesk, open_vault, payment_rules
from hub.clock import Clock, Randomness
from hub.config import Settings
from hub.domain.payments.states import PaymentState
from hub.health.mending import Action
from hub.security.secrets_box import SecretsBox
from hub.service.gate import Gate
from hub.service.notices import PaymentChanged
from hub.service.shop import PaymentRules


class CardPayments:
    """Made before the gate, which takes its rules; :meth:`connect` comes after it."""

    def __init__(
        self, settings: Settings, box: SecretsBox, clock: Clock, randomness: Randomness
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._randomness = randomness
        self.vault = open_vault(settings, box, randomness)

    def rules(self, terminal_of: Callable[[str], str | None]) -> PaymentRules:
        """What handlers need to know."""
        return payment_rules(self._settings, self.vault, terminal_of)

    def connect(self, gate: Gate, ask: Ask, link: CloudLink, recovered: Callable[[], bool]) -> None:
        """Give it the gate, and the ways to devices and to the cloud.  ``recovered``: whether what
        was under way before the start is settled; nothing is forwarded earlier."""
        keeper = self._settings.payments.mirror
        self._mirror = Mirror(keeper, gate, ask, self._randomness, self.vault)
        self._desk = KeyDesk(self.vault, gate)
        tempo = Tempo(self._clock, self._randomness)
        self.forwarder = make_forwarder(self._settings, gate, self.vault, link, tempo, recovered)
        self._links = make_link_sender(self._settings, gate, self.vault, link, tempo, recovered)
        gate.live.processor = self._way
        self._comparison = DailyComparison(gate)

    async def start(self) -> None:
        """Begin; what hangs on the hub and the link to the cloud are there."""
        self._mirror.start()
        self._comparison.start()
        if self.forwarder is not None:
            await self.forwarder.start()
        if self._links is not None:
            await self._links.start()

    async def stop(self) -> None:
        """End."""
        if self._links is not None:
            await self._links.stop()
        if self.forwarder is not None:
            await self.forwarder.stop()
        await self._mirror.stop()
        await self._comparison.stop()

    def look(self) -> None:
        """The link to the cloud has changed."""
        if self.forwarder is not None:
            self.forwarder.look()
        if self._links is not None:
            self._links.look()

    def notify(self, told: Sequence[object]) -> None:
        """Take what committed requests left to be told."""
        self._mirror.notify(told)
        if self.forwarder is not None:
            self.forwarder.notify(told)
        if self._links is not None:
            self._links.notify(one for one in told if _may_be_asked(one))

    def _way(self) -> tuple[str, str]:
        """How the way to the processor is, and what a person has to mend."""
        if self.forwarder is None:
            return "", ""
        status = self.forwarder.status()
        return status.state, status.problem

    def actions(self) -> list[Action]:
        """What people can have done."""
        return self._desk.actions()


def _may_be_asked(notice: object) -> bool:
    """Whether there may be a payment link to send."""
    return isinstance(notice, PaymentChanged) and notice.state == PaymentState.RECOVERY
