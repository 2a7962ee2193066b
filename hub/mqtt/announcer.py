"""Telling devices what changed: the hub's state, and change notices of stock, catalogue and so on.

Everything is coalesced: many changes within a moment become one message.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from hub.clock import Clock
from hub.contract.envelope import HubMode, HubState
from hub.contract.topics import Topics
from hub.mqtt.session import PublishRefused
from hub.service import notices
from hub.service.gate import Gate
from hub.service.handlers.catalog import levels_json
from hub.service.handlers.house import mode_of
from hub.storage import hubrow, outbox, stockrows

log = logging.getLogger(__name__)

GATHER_S = 0.1
STATE_REFRESH_S = 30.0
LEVELS_PER_MESSAGE = 100
LEVELS_MAX = 2000


class Announcer:
    """Publishes ``hub/state`` (retained) and ``bcast/…``; started once the session is made."""

    def __init__(
        self,
        gate: Gate,
        topics: Topics,
        clock: Clock,
        publish: Callable[..., None],
        *,
        session_id: str,
        cloud_up: Callable[[], bool],
        refresh_s: float = STATE_REFRESH_S,
    ) -> None:
        self._gate = gate
        self._topics = topics
        self._clock = clock
        self._publish = publish
        self._session_id = session_id
        self._connection = 0
        self._cloud_up = cloud_up
        self._refresh_s = refresh_s
        self._wake = asyncio.Event()
        self._skus: dict[str, None] = {}
        self._resync = False
        self._other: deque[tuple[str, dict[str, Any]]] = deque()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to publish."""
        self._task = asyncio.create_task(self._run(), name="announcer")

    async def stop(self) -> None:
        """Stop publishing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def state_text(self, *, away: bool = False) -> bytes:
        """The hub's state now; ``away`` for the last will."""
        rows = self._gate.rows
        hub = hubrow.get(rows)
        mode = HubMode.AWAY if away else HubMode(mode_of(hub, cloud_up=self._cloud_up()))
        state = HubState(
            mode=mode,
            session=f"{self._session_id}-{self._connection}",
            incarnation=hub.label,
            epoch=hub.epoch,
            seq=outbox.last_id(rows),
            safe_seq=outbox.safe_id(rows),
            time_ms=self._clock.wall_ms(),
        )
        return state.model_dump_json().encode()

    def new_session(self) -> None:
        """The hub has a new connection: devices restate themselves when they see another session,
        for what they said before it was there is not heard."""
        self._connection += 1
        self._wake.set()

    def wake(self) -> None:
        """Publish the hub's state soon."""
        self._wake.set()

    def notify(self, told: Iterable[object]) -> None:
        """Take what committed requests left to be told."""
        for notice in told:
            match notice:
                case notices.LevelsChanged():
                    self._remember(notice.skus)
                case notices.OutboxGrew() | notices.AckedMoved() | notices.HubChanged():
                    pass
                case notices.ApprovalChanged():
                    self._tell("approvals", _fields(notice))
                case notices.BasketChanged():
                    self._tell("baskets", _fields(notice))
                case notices.PrintJobChanged():
                    self._tell("printing", _fields(notice))
                case notices.PaymentChanged():
                    self._tell("payments", _fields(notice))
                case notices.OrderMoved():
                    self._tell("orders", _fields(notice))
                case notices.DatasetSwapped():
                    self._tell(notice.dataset, _fields(notice))
                case _:
                    continue
            self._wake.set()

    def _remember(self, skus: tuple[str, ...]) -> None:
        if len(self._skus) + len(skus) > LEVELS_MAX:
            self._resync = True
            self._skus.clear()
        else:
            self._skus.update(dict.fromkeys(skus))

    def _tell(self, topic: str, data: dict[str, Any]) -> None:
        if len(self._other) < LEVELS_MAX:
            self._other.append((topic, data))

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._refresh_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(GATHER_S)
            self._wake.clear()
            try:
                self._send_all()
            except PublishRefused as error:
                log.debug("not announced: %s", error)
            except Exception:
                log.exception("announcing failed; the next change tries again")

    def _send_all(self) -> None:
        """Nothing is forgotten before the session takes messages again; what is refused in the
        middle is made up for by ``resync``."""
        self._publish(self._topics.hub_state, self.state_text(), qos=1, retain=True)
        if self._resync:
            self._broadcast("stock", '{"resync":true}')
            self._resync = False
        skus, self._skus = list(self._skus), {}
        try:
            for start in range(0, len(skus), LEVELS_PER_MESSAGE):
                part = skus[start : start + LEVELS_PER_MESSAGE]
                self._broadcast("stock", f'{{"levels":{levels_json(self._gate.rows, part)}}}')
        except Exception:
            self._resync = True
            raise
        while self._other:
            topic, data = self._other.popleft()
            self._broadcast(topic, json.dumps(data, separators=(",", ":")))

    def _broadcast(self, topic: str, data: str) -> None:
        """``data`` is JSON."""
        version = stockrows.ledger_head(self._gate.rows)[0]
        text = f'{{"version":{version},"time_ms":{self._clock.wall_ms()},"data":{data}}}'
        self._publish(self._topics.broadcast(topic), text.encode())


def _fields(notice: Any) -> dict[str, Any]:
    return {name: getattr(notice, name) for name in notice.__slots__}
