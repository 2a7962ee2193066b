"""Who hears and says what: every kind of client at every topic of the contract, by delivery."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hub.contract.topics import Topics
from tests.support.aclworld import CONTROL, HOLE, WAIT_S, World, addresses, filled, rights, world
from tests.support.rawmqtt import Login, Raw, raw_device
from tests.support.tidypaho import TidyClient


def test_every_topic_has_an_expectation() -> None:
    known = rights()
    for address in addresses():
        said = (address in known.sends) + (address in known.hears)
        assert said == 1, f"nobody says who may use {address}: add an operation to the contract"


def test_every_topic_that_the_code_can_build_is_in_the_contract() -> None:
    topics = Topics("s")
    built = [
        topics.hub_state, topics.state("till"), topics.meta("till"), topics.reply("till"),
        topics.request("till", "sale", "commit"), topics.fact("till", "scan"),
        topics.command("till", "show-message"), topics.command_reply("till"),
        topics.broadcast("stock"),
    ]  # fmt: skip
    there = {filled(address, "s", "till") for address in addresses()}
    assert set(built) <= there


# The matrix --------------------------------------------------------------------------------------


def canary() -> bytes:
    return b"canary " + uuid.uuid4().hex.encode()


async def cells_of_saying(it: World, name: str, login: Login) -> int:
    """Publish to everything, plain and retained; what the observer gets is what may be said."""
    topics = it.topics(login.device_id)
    tried: dict[bytes, str] = {}
    async with raw_device(login, it.box.rig.store, subscribe=False) as raw:
        assert await raw.outcome == "Success", name
        for topic in topics:
            for retain in (False, True):
                payload = canary()
                tried[payload] = topic
                raw.client.publish(topic, payload, 1, retain)
        async with asyncio.timeout(WAIT_S):
            for _ in tried:
                await raw.acks.get()
        plugin = {"commands": [{"command": "createRole", "rolename": f"by {login.device_id}"}]}
        await raw.publish(CONTROL, json.dumps(plugin).encode())
        await raw.publish("$SYS/broker/uptime", mine := canary())
    await fence(it)
    passed = {topic for payload, topic in tried.items() if payload in it.observer.heard}
    expected = it.may(it.rights.sends, topics)
    assert passed == expected, (name, "said too much", passed - expected, expected - passed)
    both = [payload for payload, topic in tried.items() if topic in expected]
    assert all(payload in it.observer.heard for payload in both), (name, "retained or not")
    assert mine not in it.observer.heard
    assert all(it.observer.heard[payload] == tried[payload] for payload in both)
    return len(tried) + 2


async def fence(it: World) -> None:
    """What was sent before has been routed."""
    mark = canary()
    it.observer.say("fence", mark)
    await it.observer.until(mark)


def tricks(it: World, device: str) -> Iterator[str]:
    """Patterns that could catch more than they should."""
    root = f"sh/1/{it.box.rig.store}"
    yield from ("#", "+", "+/#", "+/+/+/+/+/#", "sh/#", "sh/+/+/dev/#", f"{root}/#", f"{root}/+/#")
    yield from (f"{root}/dev/#", f"{root}/dev/+/rep", f"{root}/dev/+/+", f"{root}/dev/+/cmd/+")
    yield from (f"{root}/dev/+/req/#", f"{root}/dev/+/state", f"{root}/dev/{device}/#")
    yield from (f"{root}/dev/{it.other}/#", f"{root}/dev/{it.other}/cmd/#", "$SYS/#", "$CONTROL/#")
    yield from (f"{CONTROL}/response", "$SYS/broker/clients/connected")
    for pattern in ("#", f"{root}/#", f"{root}/dev/{it.other}/rep", f"{root}/dev/+/evt/#"):
        yield f"$share/group/{pattern}"
    yield f"$share/{device}/{root}/dev/{it.other}/cmd/show-message"


async def cells_of_hearing(it: World, name: str, login: Login, *, sly: bool) -> int:
    """Subscribe to every topic (and every trick); only what is meant for the device arrives."""
    topics = it.topics(login.device_id)
    patterns = [*topics, *(tricks(it, login.device_id) if sly else ())]
    expected = it.may(it.rights.hears, topics)
    stored = {canary(): topic for topic in topics}
    for payload, topic in stored.items():
        it.observer.say(topic, payload, retain=True)
    await it.observer.all_said()
    async with raw_device(login, it.box.rig.store, subscribe=False) as raw:
        assert await raw.outcome == "Success", name
        for pattern in patterns if sly else sorted(expected):
            raw.subscribed.clear()
            raw.client.subscribe(pattern, 1)
            async with asyncio.timeout(WAIT_S):
                await raw.subscribed.wait()
        live = {canary(): topic for topic in topics}
        for payload, topic in live.items():
            it.observer.say(topic, payload)
        end = canary()
        it.observer.say(f"sh/1/{it.box.rig.store}/dev/{login.device_id}/rep", end)
        heard = await until_heard(raw, end)
    for what, sent in (("live", live), ("stored", stored)):
        got = {topic for payload, topic in sent.items() if payload in heard}
        # The hub may have stated itself anew meanwhile, which replaces what is stored.
        needed = expected - ({it.hub_state} if what == "stored" else set())
        assert needed <= got <= expected, (name, what, got - expected, needed - got)
    strange = [one for one in heard.values() if one.startswith("$")]
    assert not strange, (name, strange)
    return len(stored) + len(live)


async def until_heard(raw: Raw, end: bytes) -> dict[bytes, str]:
    heard: dict[bytes, str] = {}
    async with asyncio.timeout(WAIT_S):
        while end not in heard:
            topic, payload, _, _ = await raw.inbox.get()
            heard[payload] = topic
    return heard


async def cells_of_wills(it: World, name: str, login: Login) -> int:
    """A connection that breaks leaves its last will; only on topics that its device may say."""
    topics = it.topics(login.device_id)
    shown = one_request_only(topics)
    left: dict[bytes, str] = {}
    for topic in shown:
        payload = canary()
        left[payload] = topic
        await leave_will(login, topic, payload)
    expected = it.may(it.rights.sends, topics) & set(shown)
    for payload, topic in left.items():
        if topic in expected:
            await it.observer.until(payload)
    await fence(it)
    passed = {topic for payload, topic in left.items() if payload in it.observer.heard}
    assert passed == expected, (name, "will", passed - expected, expected - passed)
    return len(left)


def one_request_only(topics: Iterable[str]) -> list[str]:
    """One operation of each device stands for all others: they share a rule."""
    return [topic for topic in topics if "/req/" not in topic or topic.endswith("/sale/commit")]


async def leave_will(login: Login, topic: str, payload: bytes) -> None:
    """Connect with a will, then let the connection break."""
    client = TidyClient(
        CallbackAPIVersion.VERSION2, login.device_id, protocol=mqtt.MQTTv5,
        transport="websockets" if login.websocket else "tcp", reconnect_on_failure=False,
    )  # fmt: skip
    if login.websocket:
        client.ws_set_options("/mqtt")
    if login.password is not None:
        client.username_pw_set(login.device_id, login.password)
    assert login.tls is not None
    client.tls_set_context(login.tls)
    client.will_set(topic, payload, 1, retain=False)

    def broken() -> None:
        up: list[int] = []
        client.on_connect = lambda _c, _u, _f, code, _p: up.append(code.value)
        client.connect("127.0.0.1", login.port)
        for _ in range(200):
            client.loop(0.1)
            if up:
                break
        assert up == [0], (topic, up)
        sock: Any = client.socket()
        with contextlib.suppress(OSError):
            raw = getattr(sock, "_socket", sock)
            raw.shutdown(socket.SHUT_RDWR)
        client.loop(0.01)

    await asyncio.to_thread(broken)


@pytest.mark.may_block  # paho's own connecting in threads
async def test_everybody_hears_and_says_what_the_contract_allows_and_nothing_else() -> None:
    async with world() as it:
        cells = 0
        for name, login in it.logins.items():
            cells += await cells_of_saying(it, name, login)
            cells += await cells_of_hearing(it, name, login, sly=True)
            cells += await cells_of_hearing(it, name, login, sly=False)
        for name in ("mtls till", "password", "websocket"):
            cells += await cells_of_wills(it, name, it.logins[name])
        for name, login in it.strangers.items():
            async with raw_device(login, it.box.rig.store, subscribe=False) as raw:
                assert await raw.outcome != "Success", name
                cells += 2 * len(it.topics(login.device_id))
        await no_role_was_made(it)
        assert cells > 3000


async def no_role_was_made(it: World) -> None:
    """What devices wrote to the plugin's topic was not done; the observer's own question is."""
    it.observer.heard.clear()
    it.observer.say(CONTROL, b'{"commands":[{"command":"listRoles"}]}')
    async with asyncio.timeout(WAIT_S):
        while not (
            found := [one for one, at in it.observer.heard.items() if at.endswith("response")]
        ):
            it.observer.arrived.clear()
            await it.observer.arrived.wait()
    roles = json.loads(found[0])["responses"][0]["data"]["roles"]
    assert "observer" in roles
    assert not [role for role in roles if role.startswith("by ")]


@pytest.mark.may_block
async def test_a_hole_in_the_roles_is_noticed() -> None:
    async with world(("till",), HOLE) as it:
        name, login = next(iter(it.logins.items()))
        with pytest.raises(AssertionError, match="said too much"):
            await cells_of_saying(it, name, login)
        with pytest.raises(AssertionError, match="live"):
            await cells_of_hearing(it, name, login, sly=True)
