"""A real shop with an observer at its broker, and what its devices may do by the contract.

What is allowed is computed from the published contract (its operations and their replies), never
from the broker's own roles.  The daemon and its broker are the real ones; one account is added to
the broker's, an observer that may hear and say everything.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from devices.kit import IdentityStore
from hub.clock import SystemRandomness
from hub.contract.admin import DeviceKind
from hub.contract.publish import device as contract
from hub.contract.topics import Topics
from hub.security.passwords import hash_password
from tests.support.hubbox import Box, open_box
from tests.support.rawmqtt import Login
from tests.support.tidypaho import TidyClient

OBSERVER: Final = "$observer"
PASSWORD: Final = "observer's own"
WITH_OBSERVER: Final = """
import json, sys
from hub.app import messaging
build = messaging.build_document
def with_observer(*given):
    document = json.loads(build(*given))
    every = [{{"acltype": kind, "topic": topic, "priority": 0, "allow": True}}
             for kind in ("publishClientSend", "publishClientReceive", "subscribePattern")
             for topic in ("#", "$SYS/#", "$CONTROL/#")]
    document["roles"].append({{"rolename": "observer", "acls": every}})
    document["clients"].append({client})
    return json.dumps(document)
messaging.build_document = with_observer
{hole}
from hub.cli import main
sys.exit(main())
"""
HOLE: Final = """
from hub.mqtt import dynsec
narrow = dynsec.device_acls
def wide(topics, device):
    more = [{"acltype": kind, "topic": f"{topics.prefix}/dev/+/rep", "priority": 0, "allow": True}
            for kind in ("publishClientSend", "publishClientReceive", "subscribePattern")]
    return narrow(topics, device) + more
dynsec.device_acls = wide
"""
"""Every device may read and write every other's replies: what the matrix has to notice."""
CONTROL: Final = "$CONTROL/dynamic-security/v1"
WAIT_S: Final = 30.0


# What the contract says --------------------------------------------------------------------------


@dataclass(frozen=True)
class Rights:
    """Addresses of the contract that a device sends to and hears from (``{deviceId}`` is its)."""

    sends: frozenset[str]
    hears: frozenset[str]


def rights() -> Rights:
    """From the operations of the published document and their replies."""
    document = contract.build()
    channels = document["channels"]

    def address(reference: dict[str, str]) -> str:
        return str(channels[reference["$ref"].rsplit("/", 1)[1]]["address"])

    sends: set[str] = set()
    hears: set[str] = set()
    for operation in document["operations"].values():
        here, there = (sends, hears) if operation["action"] == "send" else (hears, sends)
        here.add(address(operation["channel"]))
        if "reply" in operation:
            there.add(address(operation["reply"]["channel"]))
    return Rights(frozenset(sends), frozenset(hears))


def addresses() -> list[str]:
    """Every topic of the contract, with its parameters open."""
    return [str(channel["address"]) for channel in contract.build()["channels"].values()]


def filled(address: str, store: str, device: str) -> str:
    """An address of one device, other parameters set to something."""
    return (
        address.replace("{store}", store)
        .replace("{deviceId}", device)
        .replace("{peripheralId}", "printer-1")
        .replace("{type}", "scan")
        .replace("{operation}", "show-message")
    )


# The shop ----------------------------------------------------------------------------------------


@dataclass
class Observer:
    """Hears everything, and may say anything."""

    client: mqtt.Client
    loop: asyncio.AbstractEventLoop
    up: asyncio.Event = field(default_factory=asyncio.Event)
    heard: dict[bytes, str] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    said: list[Any] = field(default_factory=list)

    def take(self, topic: str, payload: bytes) -> None:
        self.heard[payload] = topic
        self.arrived.set()

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.said.append(self.client.publish(topic, payload, 1, retain))

    async def until(self, payload: bytes) -> None:
        """Everything before ``payload`` is there, too."""
        async with asyncio.timeout(WAIT_S):
            while payload not in self.heard:
                self.arrived.clear()
                await self.arrived.wait()

    async def all_said(self) -> None:
        """The broker has taken everything."""
        said, self.said = self.said, []
        for one in said:
            await asyncio.to_thread(one.wait_for_publish, WAIT_S)


@contextlib.asynccontextmanager
async def observing(box: Box) -> AsyncIterator[Observer]:
    """On the unix socket that WebSockets are handed to."""
    client = TidyClient(
        CallbackAPIVersion.VERSION2, OBSERVER, protocol=mqtt.MQTTv5, transport="unix",
        reconnect_on_failure=False,
    )  # fmt: skip
    client.username_pw_set(OBSERVER, PASSWORD)
    client.max_inflight_messages_set(20)
    loop = asyncio.get_running_loop()
    it = Observer(client, loop)

    def call(function: Any, *given: Any) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(function, *given)

    client.on_connect = lambda c, *_: c.subscribe([("#", 1), ("$CONTROL/#", 1)])
    client.on_subscribe = lambda *_: call(it.up.set)
    client.on_message = lambda _c, _u, m: call(it.take, m.topic, bytes(m.payload))
    client.connect_async(str(box.rig.run_dir / "ws.sock"), 1)
    client.loop_start()
    try:
        async with asyncio.timeout(WAIT_S):
            await it.up.wait()
        yield it
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)


@dataclass
class World:
    """Devices by what they are, and who can get in at all."""

    box: Box
    observer: Observer
    logins: dict[str, Login]
    strangers: dict[str, Login]
    other: str
    rights: Rights = field(default_factory=rights)

    def topics(self, device: str) -> dict[str, str | None]:
        """Every topic to be tried → its address in the contract, None for what is foreign."""
        store = self.box.rig.store
        found: dict[str, str | None] = {}
        for address in addresses():
            found[filled(address, store, device)] = address
            found.setdefault(filled(address, store, self.other), None)
        root = f"sh/1/{store}"
        foreign = (
            root, f"{root}/dev", f"{root}/dev/{device}", f"{root}/dev/{device}/state/more",
            f"{root}/dev/{device}/rep/more", f"{root}/anything", f"{root}/dev/{device}x/rep",
            f"sh/1/other/dev/{device}/state", f"sh/2/{store}/dev/{device}/evt/scan", "elsewhere",
            f"/{root}/hub/state", f"{root}/dev//rep",
        )  # fmt: skip
        return {**found, **dict.fromkeys(foreign)}

    @property
    def hub_state(self) -> str:
        return Topics(self.box.rig.store).hub_state

    def may(self, side: frozenset[str], topics: dict[str, str | None]) -> set[str]:
        return {topic for topic, address in topics.items() if address in side}


@contextlib.asynccontextmanager
async def world(kinds: Iterable[str] = tuple(DeviceKind), hole: str = "") -> AsyncIterator[World]:
    """A shop with a device of each kind; ``hole`` is code that the daemon runs first."""
    async with open_box(cloud=False, started=False) as box:
        hashed = hash_password(PASSWORD, SystemRandomness()).fields()
        client = {"username": OBSERVER, "roles": [{"rolename": "observer"}], **hashed}
        arguments = box.rig.hub.arguments
        arguments[arguments.index("-c") + 1] = WITH_OBSERVER.format(client=repr(client), hole=hole)
        await box.start()
        async with observing(box) as observer:
            yield await furnished(box, observer, kinds)


async def furnished(box: Box, observer: Observer, kinds: Iterable[str]) -> World:
    """A device of each kind, and everybody who must not get in."""
    stores: dict[str, IdentityStore] = {}
    for kind in kinds:
        stores[f"mtls {kind}"] = await box.pair(kind=kind)
    stores["password"] = await box.pair(auth="password")
    logins = {name: box.login(store) for name, store in stores.items()}
    over_web = await box.pair(kind="kiosk", auth="password")
    logins["websocket"] = replace(box.login(over_web), port=box.rig.ports.https, websocket=True)
    revoked = await box.pair()
    other = (await box.pair(kind="service")).load().device_id
    known = logins["password"]
    strangers = {
        "revoked": box.login(revoked),
        "unpaired": replace(known, device_id="till-99", password="guess"),
        "anonymous": replace(known, password=None),
        "wrong password": replace(known, password="guess"),
        "the hub's name": replace(known, device_id="$hub", password=""),
        "anonymous over WebSocket": replace(logins["websocket"], password=None),
    }
    await box.cli(
        "devices", "revoke", strangers["revoked"].device_id, "--reason", "stolen", "--yes"
    )
    return World(box, observer, logins, strangers, other)
