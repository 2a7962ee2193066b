"""Everything MQTT: the broker, its accounts, the hub's session, the router and the announcer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hub import events
from hub.app.brokerwiring import access_of, broker_plan, broker_program, session_config
from hub.app.periodic import Periodic
from hub.app.ports import choose_ports
from hub.clock import Clock, Randomness
from hub.config import Settings
from hub.contract.local import BrokerStatus
from hub.contract.problems import Code, refuse
from hub.contract.topics import Topics
from hub.mqtt.announcer import Announcer
from hub.mqtt.bridge import BridgeLimits, WebSocketBridge
from hub.mqtt.commander import Commander
from hub.mqtt.dynsec import HubAccess, build_document
from hub.mqtt.dynsec_control import RESPONSE_TOPIC, ControlFailed, DynsecControl
from hub.mqtt.router import Router
from hub.mqtt.session import HubSession, PublishRefused
from hub.mqtt.supervisor import BrokerState, BrokerSupervisor
from hub.security.authority import Authority
from hub.security.errors import SecurityError
from hub.security.passwords import hash_password
from hub.service import notices
from hub.service.caller import HUB
from hub.service.gate import Gate
from hub.service.handlers.presence import MarkSilentLost
from hub.storage import devicerows
from hub.storage.errors import StorageError

log = logging.getLogger(__name__)

HANG_S = 90.0
WATCH_S = 10.0
START_S = 20.0
RELOAD_PAUSE_S = 1.0


class Messaging:
    """Made once per run of the hub; ``cloud_up`` is asked for the hub's mode, and
    ``list_revoked`` writes the revocation list anew if it is out of date."""

    def __init__(
        self,
        settings: Settings,
        gate: Gate,
        authority: Authority,
        clock: Clock,
        randomness: Randomness,
        *,
        cloud_up: Callable[[], bool],
        list_revoked: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._list_revoked = list_revoked
        self._gate = gate
        self._authority = authority
        self._clock = clock
        self._randomness = randomness
        self.ports = choose_ports(settings)
        self.topics = Topics(settings.store.id)
        self._password = randomness.token_bytes(24).hex()
        self._since_ms = clock.wall_ms()
        self._up_since_s: float | None = None
        self._down_since_s = clock.monotonic_s()
        self._restated = True
        self.broker: BrokerSupervisor | None = None
        if settings.broker.mode == "managed":
            self.broker = self._supervisor()
        self.announcer = Announcer(
            gate,
            self.topics,
            clock,
            self.publish,
            session_id=randomness.token_bytes(6).hex(),
            cloud_up=cloud_up,
        )
        will = self.announcer.state_text(away=True)
        self.session = HubSession(
            session_config(settings, self.topics, self._password, will),
            randomness,
            self._on_message,
            self._on_up,
            self._on_down,
        )
        self.control = DynsecControl(self.topics, self.session) if self.broker else None
        if self.control is not None:
            self.session.route(RESPONSE_TOPIC, self.control.handle_response)
        self.router = Router(gate, self.topics, clock, self.publish)
        self.commander = Commander(self.topics, gate.ids, self.publish)
        self.router.on_command_reply = self.commander.take_reply
        self.on_up: Callable[[], None] = lambda: None
        self.bridge = self._bridge()
        watch_s = min(WATCH_S, settings.broker.restate_s / 2)
        self._watch = Periodic("mqtt-watch", watch_s, self._look_after)
        self._chores: dict[asyncio.Task[None], None] = {}  # in order, unlike a set
        self._one_account = asyncio.Lock()
        self.stopping = False

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the broker and the session; returns when devices can connect (or after 20 s)."""
        self._refresh_paired()
        self.announcer.start()
        self._watch.start()
        try:
            async with asyncio.timeout(START_S):
                if self.broker is not None:
                    self.broker.start()
                    await self.broker.wait_running()
                self.session.start()
                await self.session.wait_up()
        except TimeoutError:
            self.session.start()
            log.error("no session with the broker yet: %s", self.session.down_reason)

    async def stop(self) -> None:
        """Say goodbye and end, what is under way first."""
        self.stopping = True
        await self._watch.stop()
        await self.router.stop()
        await self.announcer.stop()
        for chore in list(self._chores):
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        if self.bridge is not None:
            await self.bridge.close()
        await self.session.stop()
        if self.broker is not None:
            await self.broker.stop()

    def notify(self, told: Sequence[object]) -> None:
        """Take what committed requests left to be told."""
        for notice in told:
            match notice:
                case notices.DeviceRevoked(device_id):
                    self._refresh_paired()
                    self._chore(self._shut_out(device_id))
                case notices.DeviceChanged(device_id):
                    self._refresh_paired()
                    self._chore(self._changed(device_id))
                case _:
                    continue
        self.announcer.notify(told)

    async def admit(self, device_id: str, password: str | None = None) -> None:
        """Make the running broker know a device.  A password device needs its password in clear
        once; at the next start its hash is in the broker's file."""
        row = devicerows.get(self._gate.rows, device_id)
        if self.control is None or row is None or row.status != "paired":
            return
        if row.auth == "hub" or (row.auth == "password" and password is None):
            return
        try:
            async with self._one_account:
                await self.control.ensure_device(access_of(row), password)
        except (ControlFailed, PublishRefused) as error:
            self._start_broker_again(f"it doesn't know {device_id} yet: {error}")

    def certificates_changed(self, rolled_over: bool) -> None:
        """The files in ``tls/`` are new."""
        if self.broker is None:
            return
        if rolled_over:
            self.broker.restart("the certificate authority was rolled over")
        else:
            self.broker.reload_certificates()
            self._chore(self._reload_again())

    async def _reload_again(self) -> None:
        """The broker loses a signal that comes while it is reading (seen with 2.0.11)."""
        assert self.broker is not None
        await asyncio.sleep(RELOAD_PAUSE_S)
        self.broker.reload_certificates()

    async def restart_broker(self, why: str) -> None:
        """Start our broker again, also one that waits for its next try; not while the hub stops."""
        assert self.broker is not None
        if self.broker.status.state is BrokerState.RUNNING and not self.stopping:
            self.broker.restart(why)
            return
        await self.broker.stop()
        if self.stopping:
            raise refuse(Code.UNAVAILABLE, "The hub is stopping, and its broker with it.")
        self.broker.start()

    async def command(
        self, device_id: str, operation: str, data: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """Ask a device something; see :meth:`Commander.command`."""
        return await self.commander.command(device_id, operation, data, timeout_s)

    def status(self) -> BrokerStatus:
        """For the status page."""
        if self.broker is None:
            return BrokerStatus(
                mode="external",
                state="running" if self.session.is_up else "backoff",
                since_ms=self._since_ms,
                restarts=max(0, self.session.connects - 1),
                connected=self.session.is_up,
                detail="" if self.session.is_up else self.session.down_reason,
            )
        state = self.broker.status
        return BrokerStatus(
            mode="managed",
            state=state.state.value,
            since_ms=state.since_ms,
            restarts=state.restarts,
            connected=self.session.is_up,
            detail=state.reason or state.caution,
        )

    # -- inside -------------------------------------------------------------------------------

    def _supervisor(self) -> BrokerSupervisor:
        return BrokerSupervisor(
            broker_plan(self._settings, self._authority, self.ports),
            broker_program(self._settings.broker.binary),
            accounts=self._accounts,
            clock=self._clock,
            randomness=self._randomness,
        )

    def _accounts(self) -> str:
        hub = HubAccess(str(hash_password(self._password, self._randomness)))
        devices = [access_of(row) for row in devicerows.paired(self._gate.rows)]
        return build_document(self.topics, hub, devices)

    def publish(self, topic: str, payload: bytes, **options: Any) -> None:
        """See :meth:`HubSession.publish`.  Errors: :class:`PublishRefused`."""
        self.session.publish(topic, payload, **options)

    def _bridge(self) -> WebSocketBridge | None:
        if self.broker is None:
            return None
        limits = BridgeLimits(connections=self._settings.broker.ws_max_connections)
        return WebSocketBridge(self._settings.paths.run / "ws.sock", limits)

    def _on_message(self, topic: str, payload: bytes, properties: Any) -> None:
        self.router.on_message(topic, payload, properties)

    def _on_up(self) -> None:
        self._up_since_s = self._clock.monotonic_s()
        self._since_ms = self._clock.wall_ms()
        self._restated = False
        self.announcer.new_session()
        self.on_up()

    def _on_down(self, reason: str) -> None:
        self._up_since_s = None
        self._down_since_s = self._clock.monotonic_s()
        self._since_ms = self._clock.wall_ms()

    async def _look_after(self) -> None:
        """Mark devices lost that did not restate themselves; restart a broker that hangs."""
        now_s = self._clock.monotonic_s()
        if self._up_since_s is not None:
            up_s = now_s - self._up_since_s
            if not self._restated and up_s >= self._settings.broker.restate_s:
                self._restated = True
                before_ms = unheard_before_ms(self._since_ms, self._clock.wall_ms(), up_s)
                lost = await self._gate.internal(HUB, MarkSilentLost(before_ms))
                if lost:
                    log.warning(
                        "%d devices did not come back and are shown lost",
                        lost,
                        extra=events.DEVICES_LOST(count=lost),
                    )
            return
        if self.broker is not None and now_s - self._down_since_s >= HANG_S:
            self._down_since_s = now_s
            self.broker.restart("no session with it for a long time")

    async def _changed(self, device_id: str) -> None:
        """A renewal may have replaced certificates; a new device may have to be let in."""
        await self._keep_list()
        await self.admit(device_id)

    async def _shut_out(self, device_id: str) -> None:
        """Cut a device's connection; forget what it left at the broker, or welcome its new key."""
        await self._keep_list()
        row = devicerows.get(self._gate.rows, device_id)
        welcome = row is not None and row.status == "paired"
        if welcome and row is not None and row.auth == "password":
            return  # its new password, which pairing brings to the broker, cuts the old key off
        if self.control is not None:
            try:
                async with self._one_account:
                    await self.control.remove_device(device_id)
            except (ControlFailed, PublishRefused) as error:
                self._start_broker_again(f"it has not cut {device_id} off yet: {error}")
        if welcome:
            await self.admit(device_id)
            return
        for topic in (self.topics.state(device_id), self.topics.meta(device_id)):
            try:
                self.session.publish(topic, b"", retain=True)
            except PublishRefused as error:
                log.info("what %s left is not cleared: %s", device_id, error)

    async def _keep_list(self) -> None:
        try:
            await self._list_revoked()
        except (OSError, SecurityError) as error:
            log.error("the revocation list is not written: %s", error)

    def _start_broker_again(self, why: str) -> None:
        """Its accounts are written anew at each start."""
        assert self.broker is not None
        log.error("the broker is started again: %s", why)
        self.broker.restart(why)

    def _refresh_paired(self) -> None:
        self.router.paired = frozenset(one.device_id for one in devicerows.paired(self._gate.rows))

    def _chore(self, work: Any) -> None:
        async def run() -> None:
            try:
                await work
            except StorageError as error:
                log.warning("a chore of the broker failed: %s", error)
            except Exception:
                log.exception("a chore of the broker failed")

        task = asyncio.get_running_loop().create_task(run())
        self._chores[task] = None
        task.add_done_callback(lambda done: self._chores.pop(done, None))


def unheard_before_ms(up_at_ms: int, now_ms: int, up_s: float) -> int:
    """The wall instant of the session's start, on whichever side of a jump of the wall clock is
    earlier: whoever was heard since must not count as silent."""
    return min(up_at_ms, now_ms - int(up_s * 1000))
