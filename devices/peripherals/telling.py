"""What peripherals say, written down and brought to the broker.

Each has a row among the devices and the topics of one below ``hub/``: retained ``state`` and
``meta``, and ``evt/{type}``.  States are written one after the other and coalesced: what counts is
how a peripheral is, not each step of the way there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from devices.peripherals.desk import REFUSED, Desk, Ears, Post
from devices.peripherals.model import Entry, Misread, Phase, Scanned, Weight
from hub.contract.base import CONTRACT_VERSION
from hub.contract.conditions import CONDITIONS
from hub.contract.envelope import DeviceMeta, DevicePresence, DeviceState
from hub.contract.peripherals import PeripheralEvent
from hub.contract.problems import Refusal
from hub.contract.scans import SCAN_COMMAND
from hub.contract.topics import Topics
from hub.service.caller import HUB
from hub.service.gate import Gate
from hub.service.internal import InternalCommand, MarkMeta, MarkPresence
from hub.service.scans import misread_message, scan_message
from hub.storage.errors import StorageError

log = logging.getLogger(__name__)

SESSION: Final = "hub"
"""Of every peripheral's state: the hub itself is the connection."""
LEFT_OPEN_S: Final = 60.0
RETRY_S: Final = 5.0
TEXT_MAX: Final = 64
LEFT_MAX: Final = 64
CAPABILITIES_MAX: Final = 64


class Air(Protocol):
    """The way to the broker."""

    @property
    def topics(self) -> Topics:
        """The shop's."""

    def publish(self, topic: str, payload: bytes, **options: Any) -> bool:
        """False when there is no session: nothing was sent."""


class Telling:
    """``tills``: the paired tills and kiosks; ``printers``: hears what the spooler has to know."""

    def __init__(
        self,
        desk: Desk,
        gate: Gate,
        air: Air,
        tills: Callable[[], Sequence[str]],
        *,
        printer_ready: Callable[[str], None],
        printers_changed: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._air = air
        self._tills = tills
        self._dirty: dict[str, None] = {}
        self._meta: dict[str, DeviceMeta] = {}
        self._grams: dict[str, int] = {}
        self._left: dict[str, None] = {}
        self._left_open: dict[str, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.ears = Ears(
            changed=lambda post: self._mark(post.entry.id),
            gone=self._gone,
            scanned=self._scanned,
            moved=self._moved,
            weighed=self._weighed,
            ready=printer_ready,
            able=printers_changed,
        )

    def start(self) -> None:
        """Begin to tell."""
        self._task = asyncio.create_task(self._run(), name="peripherals-told")

    async def stop(self) -> None:
        """Say of all that nobody drives them now, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for timer in self._left_open.values():
            timer.cancel()
        for post in self._desk.posts:
            away = DeviceState(state=DevicePresence.DISCONNECTED, session=SESSION)
            self._retain(post.entry.id, "state", away.model_dump_json(exclude_none=True))

    def restate(self) -> None:
        """There is a new session with the broker: what was said before may be lost."""
        self._meta.clear()
        self.forget(tuple(self._left))
        for post in self._desk.posts:
            self._mark(post.entry.id)

    def forget(self, names: Sequence[str]) -> None:
        """These are no more: nothing of them is left at the broker, once there is one."""
        for name in names:
            self._left.pop(name, None)
            if self._desk.post(name) is not None:
                continue
            if not all(self._retain(name, leaf, "") for leaf in ("state", "meta")):
                self._left[name] = None
        while len(self._left) > LEFT_MAX:
            self._left.pop(next(iter(self._left)))

    # -- states -------------------------------------------------------------------------------

    def _mark(self, peripheral_id: str) -> None:
        self._dirty[peripheral_id] = None
        self._wake.set()

    def _gone(self, entry: Entry) -> None:
        self._dirty.pop(entry.id, None)
        self._meta.pop(entry.id, None)
        self._grams.pop(entry.id, None)
        self._shut(entry.id)
        self.forget((entry.id,))

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            names, self._dirty = list(self._dirty), {}
            for name in names:
                post = self._desk.post(name)
                if post is not None and not await self._tell(post):
                    self._dirty[name] = None
            if self._dirty:
                await asyncio.sleep(RETRY_S)
                self._wake.set()

    async def _tell(self, post: Post) -> bool:
        """Write down and publish how it is; False when it couldn't be written."""
        name, state, meta = post.entry.id, state_of(post), meta_of(post)
        told = MarkPresence(name, state.state.value, SESSION, state.conditions)
        if not await self._write(told):
            return False
        if meta != self._meta.get(name):
            text = meta.model_dump_json()
            if not await self._write(MarkMeta(name, meta.model, meta.firmware, text)):
                return False
            if self._retain(name, "meta", text):
                self._meta[name] = meta
        self._retain(name, "state", state.model_dump_json(exclude_none=True))
        return True

    async def _write(self, command: InternalCommand) -> bool:
        try:
            await self._gate.internal(HUB, command)
        except (StorageError, Refusal) as error:
            log.warning("how a peripheral is can't be written yet: %s", error)
            return False
        return True

    def _retain(self, peripheral_id: str, leaf: str, text: str) -> bool:
        topic = f"{self._air.topics.peripheral(peripheral_id)}/{leaf}"
        return self._air.publish(topic, text.encode(), qos=1, retain=True)

    # -- events -------------------------------------------------------------------------------

    def _event(self, peripheral_id: str, kind: str, **data: bool | int | str) -> None:
        told = PeripheralEvent(at_ms=self._gate.clock.wall_ms(), data=data)
        topic = self._air.topics.peripheral_event(peripheral_id, kind)
        self._air.publish(topic, told.model_dump_json().encode())

    def _scanned(self, post: Post, read: Scanned | Misread) -> None:
        name, topics = post.entry.id, self._air.topics
        if isinstance(read, Scanned):
            told = scan_message(self._gate, name, read)
        else:
            told = misread_message(self._gate, name, read)
        tills = post.entry.serves or self._desk.tills_of(post, self._tills())
        if not tills:
            log.warning("a scan of %s belongs to no till: name its till in `serves`", name)
        for till in tills:
            topic = topics.command(till, SCAN_COMMAND)
            self._air.publish(topic, told.command_for(till), expiry_s=told.expiry_s)
        if told.event is not None:
            self._air.publish(topics.peripheral_event(name, "scan"), told.event)

    def _moved(self, post: Post, opened: bool) -> None:
        name = post.entry.id
        self._shut(name)
        self._event(name, "drawer-opened" if opened else "drawer-closed")
        if opened:
            loop = asyncio.get_running_loop()
            self._left_open[name] = loop.call_later(LEFT_OPEN_S, self._still_open, name)

    def _still_open(self, name: str) -> None:
        self._left_open.pop(name, None)
        post = self._desk.post(name)
        if post is not None and post.opened:
            log.warning("the drawer %s is left open", name)
            self._event(name, "drawer-left-open", open_s=int(LEFT_OPEN_S))

    def _shut(self, name: str) -> None:
        timer = self._left_open.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _weighed(self, post: Post, weight: Weight) -> None:
        name = post.entry.id
        if weight.stable and self._grams.get(name) != weight.grams:
            self._grams[name] = weight.grams
            self._event(name, "weight", grams=weight.grams, zero=weight.zero)


def state_of(post: Post) -> DeviceState:
    """As a device would tell it."""
    held = tuple(one for one in CONDITIONS if one in post.held)
    return DeviceState(
        state=presence_of(post), session=SESSION, conditions=held if post.ready else None
    )


def presence_of(post: Post) -> DevicePresence:
    """``lost`` also before it was ever there, once a try has failed."""
    if post.phase == REFUSED:
        return DevicePresence.DISCONNECTED
    match Phase(post.phase):
        case Phase.READY:
            return DevicePresence.READY
        case Phase.LOST:
            return DevicePresence.LOST
        case Phase.CLAIMING:
            return DevicePresence.LOST if post.reason else DevicePresence.INIT


def meta_of(post: Post) -> DeviceMeta:
    """As a device would tell it."""
    identity = post.state.identity if post.state is not None else None
    model = " ".join(filter(None, (identity.maker, identity.model))) if identity else ""
    return DeviceMeta(
        kind=post.kind or "service",
        model=_plain(model or post.entry.driver),
        firmware=_plain(identity.firmware) if identity else "",
        contract=(CONTRACT_VERSION, CONTRACT_VERSION),
        capabilities=tuple(sorted(post.capabilities.names))[:CAPABILITIES_MAX],
    )


def _plain(text: str) -> str:
    """What strangers' firmware says of itself, fit for a list."""
    return "".join(char for char in text if char.isprintable())[:TEXT_MAX]
