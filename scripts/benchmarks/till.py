"""A till as lean as can be: the device kit's connection without journal, repeats or typed replies.

The same till talks to a hub and to the echo that is its floor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from devices.kit.dial import dial
from devices.kit.hubtime import HubClock
from devices.kit.identity import trust_only
from devices.kit.link import Greeting, Link, Message
from devices.kit.scans import Scans
from hub.clock import SystemClock
from hub.contract.envelope import DevicePresence, DeviceState
from hub.contract.scans import SCAN_COMMAND
from hub.contract.topics import Topics

HOST = "127.0.0.1"
_OPEN_S = 10.0
_ANSWER_S = 30.0
_EXPIRY_S = 30


@dataclass(frozen=True, slots=True)
class TillKey:
    """Who a till is: ``file`` holds its key and certificate, ``ca`` the hub's authority (PEM)."""

    device_id: str
    store: str
    file: Path
    ca: str


class Till:
    """One connection; as many requests at once as are asked.  ``on_notice`` hears the topic of
    whatever is told without having been asked for, ``scans`` those of scanners at the hub."""

    def __init__(self, link: Link, topics: Topics, device_id: str) -> None:
        self.device_id = device_id
        self.on_notice: Callable[[str], None] = lambda topic: None
        self.scans = Scans(HubClock(SystemClock()))
        self._link = link
        self._topics = topics
        self._scan_topic = topics.command(device_id, SCAN_COMMAND)
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._asked = 0

    @classmethod
    async def open(cls, key: TillKey, port: int) -> Till:
        """Connect to the mutual-TLS listener of a broker on this machine."""
        topics, device_id = Topics(key.store), key.device_id
        context = trust_only(key.ca)
        context.load_cert_chain(key.file)
        heard: list[Till] = []

        def on_message(message: Message) -> None:
            if heard:
                heard[0]._heard(message)

        sock = await dial(HOST, port, context, _OPEN_S)
        gone = DeviceState(state=DevicePresence.LOST, session="bench").model_dump_json().encode()
        link = Link(
            sock,
            Greeting(
                client_id=device_id,
                username=None,
                password=None,
                will_topic=topics.state(device_id),
                will=gone,
                topics=(
                    topics.reply(device_id),
                    topics.every_command(device_id),
                    topics.every_broadcast,
                ),
            ),
            on_message,
        )
        await link.open()
        till = cls(link, topics, device_id)
        heard.append(till)
        return till

    async def ask(self, service: str, operation: str, body: bytes, key: str | None = None) -> bytes:
        """The reply's bytes.  Errors: TimeoutError, LinkLost."""
        self._asked += 1
        correlation = str(self._asked)
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[correlation] = reply
        try:
            self._link.publish(
                self._topics.request(self.device_id, service, operation),
                body,
                correlation=correlation,
                key=key,
                expiry_s=_EXPIRY_S,
            )
            async with asyncio.timeout(_ANSWER_S):
                return await reply
        finally:
            del self._waiting[correlation]

    async def sell(self, sale: tuple[str, bytes]) -> float:
        """One sale; how many seconds it took.  RuntimeError when it is refused."""
        key, body = sale
        start_s = perf_counter()
        answer = await self.ask("sale", "commit", body, key)
        spent_s = perf_counter() - start_s
        if not answer.startswith(b'{"ok":true'):
            raise RuntimeError(f"a sale was refused: {answer.decode()}")
        return spent_s

    async def echo(self, sale: tuple[str, bytes]) -> float:
        """The same bytes to an echo; how many seconds it took."""
        key, body = sale
        start_s = perf_counter()
        await self.ask("sale", "commit", body, key)
        return perf_counter() - start_s

    async def close(self) -> None:
        """Say goodbye."""
        await self._link.bye()

    def _heard(self, message: Message) -> None:
        if message.topic == self._scan_topic:
            self.scans.heard(message.payload)
            return
        if message.correlation is None:
            self.on_notice(message.topic)
            return
        reply = self._waiting.get(message.correlation)
        if reply is not None and not reply.done():
            reply.set_result(message.payload)
