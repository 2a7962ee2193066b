"""Staying connected: a link is opened again for ever, with jittered and capped pauses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from devices.kit.backoff import Backoff
from devices.kit.dial import dial
from devices.kit.errors import KitError, LinkLost
from devices.kit.identity import Identity, IdentityStore
from devices.kit.link import Connection, Greeting, Link, Message
from hub.clock import Clock, Ids, Randomness
from hub.contract.conditions import Condition
from hub.contract.envelope import DeviceMeta, DevicePresence, DeviceState
from hub.contract.topics import Topics

_log = logging.getLogger(__name__)

_PAUSE_BASE_S = 0.5
_PAUSE_CAP_S = 8.0
_STABLE_S = 10.0
_DIAL_S = 10.0
_BYE_S = 2.0

Connect = Callable[[Identity, Greeting, Callable[[Message], None]], Awaitable[Connection]]
"""Opens a connection; raises OSError, TimeoutError or KitError."""


class Session:
    """A device's standing connection to the broker.

    Each connection has its own session number (a UUIDv7, so later ones sort later): a last will
    that arrives late can't be taken for the newer connection's.  ``failures`` counts attempts that
    failed in a row, ``last_error`` says why the last one did.  ``connect`` takes the place of MQTT
    over TLS.
    """

    def __init__(
        self,
        store: IdentityStore,
        meta: DeviceMeta,
        on_message: Callable[[Message], None],
        *,
        clock: Clock,
        ids: Ids,
        randomness: Randomness,
        connect: Connect | None = None,
    ) -> None:
        self._connect = connect or self._dial
        self._store = store
        self._meta = meta
        self._on_message = on_message
        self._clock = clock
        self._ids = ids
        self._pause = Backoff(randomness, base_s=_PAUSE_BASE_S, cap_s=_PAUSE_CAP_S)
        self._link: Connection | None = None
        self._up = asyncio.Event()
        self._session = ""
        self._presence = DevicePresence.READY
        self._conditions: tuple[Condition, ...] | None = None
        self._load()
        self.topics = Topics(self.identity.store)
        self.connections = 0
        self.last_error = ""

    @property
    def connected(self) -> bool:
        return self._link is not None

    @property
    def failures(self) -> int:
        return self._pause.tries

    async def link(self) -> Connection:
        """The link, as soon as there is one."""
        while self._link is None:
            await self._up.wait()
        return self._link

    def publish(self, topic: str, payload: bytes, *, correlation: str) -> None:
        """Send now, or raise LinkLost when there is no link."""
        if self._link is None:
            raise LinkLost(self.last_error or "not connected yet")
        self._link.publish(topic, payload, correlation=correlation)

    async def renewed(self, why: str) -> None:
        """Read the identity from disk again and open a new link with it."""
        await asyncio.to_thread(self._load)
        self.reconnect(why)

    def reconnect(self, why: str) -> None:
        """Drop the link so that it is opened anew, soon: it didn't fail."""
        if self._link is not None:
            self._pause.reset()
            self._link.drop(why)

    async def run(self) -> None:
        """Stay connected until cancelled; then say ``disconnected`` and close."""
        try:
            while True:
                began_s = self._clock.monotonic_s()
                if await self._connect_once() and self._clock.monotonic_s() - began_s > _STABLE_S:
                    self._pause.reset()
                await asyncio.sleep(self._pause.next_s())
        finally:
            await self._leave()

    async def announce(self, presence: DevicePresence) -> None:
        """Publish this device's retained state (``ready`` is said by itself on each connection)."""
        link = await self.link()
        self._presence = presence
        await link.publish(self._state_topic, self._state(presence), retain=True)

    def tell_conditions(self, conditions: tuple[Condition, ...]) -> None:
        """Tell what is the matter with what is attached, now and with every later connection."""
        if conditions != self._conditions:
            self._conditions = conditions
            self.restate()

    def restate(self) -> None:
        """Say again what this device is and how it is: the hub has a new session and may not have
        heard it."""
        link = self._link
        if link is None:
            return
        with suppress(KitError):
            self._say(link, self._presence)

    async def _connect_once(self) -> bool:
        """Open a link and stay until it is lost; False when it could not be opened."""
        try:
            link = await self._open()
        except (OSError, TimeoutError, KitError) as error:
            known, self.last_error = self.last_error, str(error) or type(error).__name__
            news = isinstance(error, KitError) and self.last_error != known
            level = logging.WARNING if news else logging.INFO
            _log.log(level, "no connection to the hub's broker: %s", self.last_error)
            return False
        self._link = link
        self.connections += 1
        self._up.set()
        why = await asyncio.shield(link.closed)
        self._link = None
        self._up.clear()
        self.last_error = why
        _log.info("the connection to the hub's broker is lost: %s", why)
        return True

    async def _dial(
        self, identity: Identity, greeting: Greeting, on_message: Callable[[Message], None]
    ) -> Link:
        sock = await dial(identity.mqtt_host, identity.mqtt_port, self._context, _DIAL_S)
        link = Link(sock, greeting, on_message)
        await link.open()
        return link

    async def _open(self) -> Connection:
        identity = self.identity
        self._session = self._ids.uuid7()
        link = await self._connect(identity, self._greeting(identity), self._on_message)
        try:
            self._presence = DevicePresence.READY
            self._say(link, self._presence)
        except KitError:
            link.drop("the device could not say that it is ready")
            raise
        return link

    def _say(self, link: Connection, presence: DevicePresence) -> None:
        link.publish(self._state_topic, self._state(presence), retain=True)
        meta = self._meta.model_dump_json().encode()
        link.publish(self.topics.meta(self.identity.device_id), meta, retain=True)

    def _load(self) -> None:
        self.identity = self._store.load()
        mtls = self.identity.auth == "mtls"
        self._context = self._store.tls_context(with_certificate=mtls)

    def _greeting(self, identity: Identity) -> Greeting:
        return Greeting(
            client_id=identity.device_id,
            username=identity.username if identity.auth == "password" else None,
            password=identity.password if identity.auth == "password" else None,
            will_topic=self._state_topic,
            will=self._state(DevicePresence.LOST),
            topics=self._subscriptions(identity.device_id),
        )

    def _subscriptions(self, device_id: str) -> Sequence[str]:
        topics = self.topics
        return (
            topics.reply(device_id),
            topics.every_command(device_id),
            f"{topics.prefix}/hub/#",
            topics.every_broadcast,
        )

    @property
    def _state_topic(self) -> str:
        return self.topics.state(self.identity.device_id)

    def _state(self, presence: DevicePresence) -> bytes:
        speaking = presence in (DevicePresence.READY, DevicePresence.SLEEPING)
        state = DeviceState(
            state=presence,
            session=self._session,
            conditions=self._conditions if speaking else None,
        )
        return state.model_dump_json(exclude_none=True).encode()

    async def _leave(self) -> None:
        link, self._link = self._link, None
        self._up.clear()
        if link is None:
            return
        with suppress(LinkLost, TimeoutError):
            async with asyncio.timeout(_BYE_S):
                gone = self._state(DevicePresence.DISCONNECTED)
                await link.publish(self._state_topic, gone, retain=True)
        await link.bye()
