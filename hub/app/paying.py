"""Card payments of a running hub: the vault of their tokens, their second keeper, the way to
the processor, and the sender of payment links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cloud_link.link import CloudLink
from cloud_link.payments.forwarder import Forwarder, Tempo
from hub.app.balances import Balances
from hub.app.comparing import DailyComparison
from hub.app.forwarding import (
    has_issuer,
    make_forwarder,
    make_issuer_forwarder,
    make_link_sender,
)
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

_S = PaymentState
_OWED_OR_NO_MORE = frozenset(
    {
        *(_S.RECOVERY, _S.RECOVERED, _S.WRITTEN_OFF, _S.VOIDED),
        *(_S.CAPTURED, _S.SETTLED, _S.REVERSED),
    }
)


class CardPayments:
    """Made before the gate, which takes its rules; :meth:`connect` comes after it."""

    def __init__(
        self, settings: Settings, box: SecretsBox, clock: Clock, randomness: Randomness
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._randomness = randomness
        self.vault = open_vault(settings, box, randomness)
        self._link: CloudLink | None = None

    def rules(self, terminal_of: Callable[[str], str | None]) -> PaymentRules:
        """What handlers need to know."""
        rules = payment_rules(self._settings, self.vault, terminal_of)
        return replace(rules, issuer=has_issuer(self._settings), issuer_ready=self._is_issuer_there)

    def _is_issuer_there(self) -> bool:
        """Asked in the writer's thread: a word that is a moment old does no harm."""
        link = self._link
        return link is not None and link.client is not None and not link.held

    def connect(self, gate: Gate, ask: Ask, link: CloudLink, recovered: Callable[[], bool]) -> None:
        """Give it the gate, and the ways to devices and to the cloud.  ``recovered``: whether what
        was under way before the start is settled; nothing is forwarded earlier."""
        keeper = self._settings.payments.mirror
        self._mirror = Mirror(keeper, gate, ask, self._randomness, self.vault)
        self._desk = KeyDesk(self.vault, gate)
        tempo = Tempo(self._clock, self._randomness)
        self.forwarder = make_forwarder(self._settings, gate, self.vault, link, tempo, recovered)
        self._links = make_link_sender(self._settings, gate, self.vault, link, tempo, recovered)
        self._link = link
        self.issuer = make_issuer_forwarder(
            self._settings, gate, self.vault, link, tempo, recovered
        )
        gate.live.processor = self._way
        if has_issuer(self._settings):
            gate.live.balance = Balances(lambda: link.client, self._clock).ask
        gate.live.copies_refused = self._mirror.refused
        self._comparison = DailyComparison(gate)

    async def start(self) -> None:
        """Begin; what hangs on the hub and the link to the cloud are there."""
        self._mirror.start()
        self._comparison.start()
        for way in self._ways():
            await way.start()

    async def stop(self) -> None:
        """End."""
        for way in reversed(self._ways()):
            await way.stop()
        await self._mirror.stop()
        await self._comparison.stop()

    def look(self) -> None:
        """The link to the cloud has changed."""
        for way in self._ways():
            way.look()

    def notify(self, told: Sequence[object]) -> None:
        """Take what committed requests left to be told."""
        self._mirror.notify(told)
        for way in (self.forwarder, self.issuer):
            if way is not None:
                way.notify(told)
        if self._links is not None:
            self._links.notify(one for one in told if may_be_asked(one))

    def _ways(self) -> list[Forwarder]:
        """To the processor, to whoever keeps gift cards, and to whoever sends payment links."""
        return [way for way in (self.forwarder, self.issuer, self._links) if way is not None]

    def _way(self) -> tuple[str, str]:
        """How the way to the processor is, and what a person has to mend."""
        if self.forwarder is None:
            return "", ""
        status = self.forwarder.status()
        return status.state, status.problem

    def actions(self) -> list[Action]:
        """What people can have done."""
        return self._desk.actions()


def may_be_asked(notice: object) -> bool:
    """Whether there may be a payment link to send, or to call back."""
    return isinstance(notice, PaymentChanged) and notice.state in _OWED_OR_NO_MORE
