"""What joins the simulated hub to the others: its broker session and its HTTP client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from cloud_link.errors import Transient
from cloud_link.transport import HttpReply, HttpRequest
from hub.mqtt.frames import InboundProperties
from hub.mqtt.session import MessageTooLarge, SessionDown
from tests.simulation.kernel import Lost, Process
from tests.simulation.shop.messages import Connect, Publish

BROKER = "broker"
OMS = "oms"
BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 15.0
NOTICED_S = (0.0, 0.05)
FRAME_OVERHEAD_BYTES = 16


class SimSession:
    """The face of :class:`~hub.mqtt.session.HubSession`.

    The connection is a local one to one run of the broker: it comes up when the broker runs, and
    falls when that run ends.  What is published while it is down is refused, as the real one does.
    """

    def __init__(
        self,
        process: Process,
        topics: tuple[str, ...],
        on_message: Callable[[str, bytes, InboundProperties], None],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        packet_bytes: int,
    ) -> None:
        self._process = process
        self._topics = topics
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self._packet_bytes = packet_bytes
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self.connects = 0
        self.down_reason = "not connected yet"

    @property
    def is_up(self) -> bool:
        """True while messages are taken."""
        return self._up.is_set()

    async def wait_up(self) -> None:
        """Return once connected."""
        await self._up.wait()

    def start(self) -> None:
        """Begin to connect."""
        if self._task is None:
            self._task = self._process.spawn(self._run(), "hub-mqtt-session")

    async def stop(self) -> None:
        """Leave."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        correlation: bytes | None = None,
        user_properties: Iterable[tuple[str, str]] = (),
        expiry_s: int | None = None,
    ) -> None:
        """Hand a message to the broker.  Errors: as the real one's."""
        if not self._up.is_set():
            raise SessionDown(self.down_reason)
        if len(payload) + len(topic) * 4 + FRAME_OVERHEAD_BYTES > self._packet_bytes:
            raise MessageTooLarge(f"a message of {len(payload)} bytes on {topic}")
        message = Publish(self._process.name, topic, payload, correlation, None, expiry_s, retain)
        self._process.world.network.send(self._process, BROKER, message)

    def receive(self, sender: str, message: Any) -> None:
        """What the network brings."""
        if sender == BROKER and isinstance(message, Publish) and self._up.is_set():
            properties = InboundProperties(
                message.correlation,
                message.idk,
                message.expiry_s,
                1,
                message.retain,
                record=message.record,
            )
            self._on_message(message.topic, message.payload, properties)

    async def _run(self) -> None:
        attempt = 0
        try:
            while True:
                broker = self._process.world.machine(BROKER)
                if broker.up and broker.process is not None:
                    attempt = 0
                    await self._live(broker.process)
                else:
                    attempt += 1
                    self.down_reason = "the broker does not run"
                ceiling = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(attempt, 10))
                await asyncio.sleep(self._process.randomness.uniform(ceiling / 2, ceiling))
        finally:
            self._up.clear()

    async def _live(self, broker: Process) -> None:
        self._over = over = asyncio.Event()
        broker.at_death(lambda: self._ended(over))
        self._process.world.network.send(
            self._process, BROKER, Connect(self._process.name, self._topics)
        )
        self.connects += 1
        self._up.set()
        self._on_up()
        await over.wait()
        self._up.clear()
        self.down_reason = "the broker has gone"
        self._on_down(self.down_reason)

    def _ended(self, over: asyncio.Event) -> None:
        if self._process.alive:
            self._process.later(self._process.randomness.uniform(*NOTICED_S), over.set)


class SimTransport:
    """HTTP to the cloud: see :class:`cloud_link.transport.Transport`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def send(self, request: HttpRequest) -> HttpReply:
        """The reply.  Errors: :class:`Transient` when there is none."""
        try:
            reply: HttpReply = await self._process.world.network.call(
                self._process, OMS, request, request.timeout_s
            )
        except Lost as lost:
            raise Transient(str(lost)) from None
        if len(reply.body) > request.max_bytes:
            raise Transient(f"the answer has more than {request.max_bytes} bytes")
        return reply

    async def close(self) -> None:
        """Nothing is held open."""
