"""What is on a gift card: asked of the cloud for a till that waits, not for one that guesses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from cloud_link.http import OmsClient
from cloud_link.payments.issuer import balance_of
from hub.clock import Clock
from hub.contract.payments import AskBalance, BalanceView
from hub.contract.problems import Code, refuse
from hub.service.caller import Caller

ASKED_MAX: Final = 10
WITHIN_S: Final = 600.0
CALLERS_MAX: Final = 1000
"""So many devices are counted; those that haven't asked lately are forgotten first."""


class Balances:
    """``client``: that of the present session with the cloud, or None while there is none."""

    def __init__(self, client: Callable[[], OmsClient | None], clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}

    async def ask(self, caller: Caller, asked: AskBalance) -> BalanceView:
        """Errors: ``conflict`` for whoever asks too often, ``unavailable`` without an answer."""
        self._count(caller.key)
        found = await balance_of(self._client(), asked)
        if found is None:
            raise refuse(
                Code.UNAVAILABLE,
                "The cloud can't be asked about this card just now: repeat later.",
                retry_after_ms=5000,
            )
        return found

    def _count(self, caller: str) -> None:
        now_s = self._clock.monotonic_s()
        if caller not in self._asked and len(self._asked) >= CALLERS_MAX:
            self._asked = {
                name: times for name, times in self._asked.items() if times[-1] > now_s - WITHIN_S
            }
        times = self._asked.setdefault(caller, deque(maxlen=ASKED_MAX))
        if len(times) == ASKED_MAX and times[0] > now_s - WITHIN_S:
            raise refuse(
                Code.CONFLICT,
                f"This device has asked {ASKED_MAX} times in {int(WITHIN_S / 60)} minutes: wait, or"
                " take the card as a payment.",
            )
        times.append(now_s)
