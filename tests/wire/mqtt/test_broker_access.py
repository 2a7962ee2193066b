"""Who may do what at a real broker, judged by what is delivered, not by what is granted."""

from __future__ import annotations

import asyncio

import pytest

from hub.mqtt.dynsec import HUB_USERNAME
from hub.mqtt.dynsec_control import RESPONSE_TOPIC, ControlFailed, DynsecControl
from hub.mqtt.endpoint import Subscription
from tests.wire.mqtt.broker_peer import WAIT_S, peer
from tests.wire.mqtt.broker_shop import HUB_PASSWORD, TOPICS, Authority, Shop, device_access

OWN, OTHER = "till-1", "till-2"
WRITABLE = ("state", "meta", "req/sale/commit", "evt/scan", "cmd-rep")
READ_ONLY = ("rep", "cmd/open-drawer")
EVERYTHING = (Subscription(f"{TOPICS.prefix}/#", stored=False), Subscription(RESPONSE_TOPIC))


async def watch_everything(shop: Shop) -> None:
    await shop.session.stop()
    await shop.connect(subscriptions=EVERYTHING)


async def until(shop: Shop, sentinel: str) -> list[str]:
    """The topics that reached the hub before ``sentinel``."""
    seen: list[str] = []
    while (topic := (await shop.next())[0]) != sentinel:
        seen.append(topic)
    return seen


async def test_a_device_reaches_the_hub_on_its_own_topics_only(shop: Shop) -> None:
    await watch_everything(shop)
    allowed = [f"{TOPICS.device(OWN)}/{tail}" for tail in WRITABLE]
    refused = [
        *(f"{TOPICS.device(OTHER)}/{tail}" for tail in WRITABLE + READ_ONLY),
        *(f"{TOPICS.device(OWN)}/{tail}" for tail in READ_ONLY),
        TOPICS.device(OWN),
        f"{TOPICS.device(OWN)}/state/more",
        TOPICS.hub_state,
        TOPICS.broadcast("stock"),
        f"{TOPICS.prefix}/anything",
        "sh/1/other-store/dev/till-1/state",
        "elsewhere",
    ]
    async with shop.password_peer(OWN) as till:
        for topic in refused:
            for retain in (False, True):
                assert await till.publish(topic, retain=retain) == "Not authorized", topic
        for topic in allowed:
            assert await till.publish(topic) == "Success", topic
        assert await till.publish(TOPICS.fact(OWN, "end")) == "Success"
        assert await until(shop, TOPICS.fact(OWN, "end")) == allowed


async def test_a_device_hears_only_what_is_meant_for_it(shop: Shop) -> None:
    patterns = [
        "#", "+/#", f"{TOPICS.prefix}/#", f"{TOPICS.prefix}/dev/#", f"{TOPICS.prefix}/dev/+/rep",
        f"{TOPICS.device(OTHER)}/#", TOPICS.reply(OTHER), TOPICS.every_command(OTHER),
        TOPICS.state(OTHER), f"$share/group/{TOPICS.reply(OTHER)}", f"{TOPICS.device(OWN)}/#",
        TOPICS.every_state, "$SYS/#", "$CONTROL/#", RESPONSE_TOPIC,
    ]  # fmt: skip
    async with shop.password_peer(OTHER) as other:
        await other.publish(TOPICS.state(OTHER), b"ready", retain=True)
    async with shop.password_peer(OWN) as till:
        for pattern in patterns:
            await till.subscribe(pattern)
        for pattern in (
            TOPICS.reply(OWN), TOPICS.every_command(OWN), f"{TOPICS.prefix}/hub/#",
            TOPICS.every_broadcast,
        ):  # fmt: skip
            assert await till.subscribe(pattern) == "Granted QoS 1"
        mine = [
            TOPICS.reply(OWN), TOPICS.command(OWN, "print"), TOPICS.hub_state,
            TOPICS.broadcast("stock"),
        ]  # fmt: skip
        for topic in (TOPICS.reply(OTHER), TOPICS.command(OTHER, "print"), TOPICS.state(OTHER)):
            shop.session.publish(topic, b"secret", qos=1)
        await shop.control.device_ids()  # answers on $CONTROL are not for devices either
        for topic in mine:
            shop.session.publish(topic, b"yours", qos=1)
        heard = [await till.next() for _ in mine]
        assert sorted(message.topic for message in heard) == sorted(mine)
        assert {message.payload for message in heard} == {b"yours"}
        assert till.messages.empty()


async def test_a_last_will_on_a_foreign_topic_is_not_delivered(shop: Shop) -> None:
    await watch_everything(shop)
    foreign = TOPICS.state(OTHER)
    async with shop.password_peer(OWN, will=(foreign, b"lost")) as till:
        sock = till.client.socket()
        if sock is not None:
            sock.close()
    async with shop.password_peer(OWN) as till:
        await till.publish(TOPICS.fact(OWN, "end"))
    assert foreign not in await until(shop, TOPICS.fact(OWN, "end"))


async def test_a_certificate_names_the_device_whatever_else_it_says(shop: Shop) -> None:
    tablet = shop.authority.issue_device("tablet-1")
    async with shop.mtls_peer(tablet, username="tablet-2", client_id="tablet-2") as one:
        assert await one.connected == "Success"
        assert await one.publish(TOPICS.fact("tablet-1", "scan"), b"mine") == "Success"
        assert await one.publish(TOPICS.fact("tablet-2", "scan"), b"theirs") == "Not authorized"
        assert (await shop.next())[:2] == (TOPICS.fact("tablet-1", "scan"), b"mine")


@pytest.mark.parametrize("password", [None, "", "guess", "tablet-1"])
async def test_a_device_with_a_certificate_cannot_log_in_with_a_password(
    shop: Shop, password: str | None
) -> None:
    async with shop.password_peer("tablet-1", password=password) as thief:
        assert await thief.connected in ("Not authorized", "Bad user name or password")
    async with peer(
        str(shop.plan.ws_socket), 1, username="tablet-1", password=password, transport="unix"
    ) as thief:
        assert await thief.connected in ("Not authorized", "Bad user name or password")


async def test_nobody_logs_in_without_a_name_or_with_a_wrong_password(shop: Shop) -> None:
    for given in (
        {"username": None, "password": None},
        {"username": "till-1", "password": "pw-2"},
        {"username": "till-1", "password": ""},
        {"username": "nobody", "password": "pw-1"},
        {"username": HUB_USERNAME, "password": ""},
    ):
        async with shop.password_peer("till-1", **given) as thief:
            assert await thief.connected != "Success", given


async def test_a_certificate_of_another_authority_is_refused(shop: Shop) -> None:
    elsewhere = shop.authority.directory / "elsewhere"
    elsewhere.mkdir()
    certificate = Authority(elsewhere).issue_device("tablet-1")
    async with shop.mtls_peer(certificate) as thief:
        assert await thief.connected != "Success"


async def test_the_hubs_session_cannot_be_taken_over_by_its_client_id(shop: Shop) -> None:
    tablet = shop.authority.issue_device("tablet-1")
    async with (
        shop.password_peer("till-1", client_id=HUB_USERNAME) as till,
        shop.password_peer("till-2", client_id="till-1") as other,
        shop.mtls_peer(tablet, client_id=HUB_USERNAME) as tab,
        peer(
            str(shop.plan.ws_socket), 1, username=HUB_USERNAME, password="guess",
            client_id=HUB_USERNAME, transport="unix",
        ) as thief,
    ):  # fmt: skip
        assert await till.connected == await other.connected == await tab.connected == "Success"
        assert await thief.connected != "Success"
        assert await till.publish(TOPICS.fact("till-1", "still-me")) == "Success"
        assert (await shop.next())[0] == TOPICS.fact("till-1", "still-me")
    assert shop.session.is_up
    assert shop.downs == []


async def test_a_message_over_the_bound_ends_its_sender_and_nobody_else(shop: Shop) -> None:
    async with shop.password_peer("till-1") as till, shop.password_peer("till-2") as other:
        till.client.publish(TOPICS.request("till-1", "sale", "commit"), b"x" * 10_000_000, 1)
        async with asyncio.timeout(WAIT_S):
            await till.gone.wait()
        assert await other.publish(TOPICS.fact("till-2", "end")) == "Success"
        assert (await shop.next())[0] == TOPICS.fact("till-2", "end")
    assert shop.session.is_up


async def test_a_removed_device_is_cut_off_at_once_and_stays_without_rights(shop: Shop) -> None:
    tablet = shop.authority.issue_device("tablet-1")
    async with shop.mtls_peer(tablet) as tab, shop.password_peer("till-1") as till:
        assert await tab.connected == await till.connected == "Success"
        assert await shop.control.remove_device("tablet-1")
        assert await shop.control.remove_device("till-1")
        async with asyncio.timeout(WAIT_S):
            await asyncio.gather(tab.gone.wait(), till.gone.wait())
    async with shop.password_peer("till-1") as till:
        assert await till.connected != "Success"
    async with shop.mtls_peer(tablet) as tab:  # its certificate isn't on the list yet
        assert await tab.publish(TOPICS.fact("tablet-1", "scan")) == "Not authorized"
    assert not await shop.control.remove_device("tablet-1")
    assert await shop.control.device_ids() == {"till-2", "tablet-2"}
    assert shop.inbox.empty()


async def test_a_device_paired_while_the_broker_runs_can_work_at_once(shop: Shop) -> None:
    await shop.control.ensure_device(shop.add("till-3", "pw-3"), "pw-3")
    await shop.control.ensure_device(shop.add("tablet-3"))
    tablet = shop.authority.issue_device("tablet-3")
    async with shop.password_peer("till-3") as till, shop.mtls_peer(tablet) as tab:
        assert await till.publish(TOPICS.fact("till-3", "scan")) == "Success"
        assert await tab.publish(TOPICS.fact("tablet-3", "scan")) == "Success"
        assert await tab.publish(TOPICS.fact("till-3", "scan")) == "Not authorized"
        await shop.control.ensure_device(shop.devices[-1])  # again: changes nothing, cuts nobody
        await shop.control.ensure_device(shop.devices[-2])
        assert await till.publish(TOPICS.fact("till-3", "scan")) == "Success"
        assert not till.gone.is_set()
        assert not tab.gone.is_set()


async def test_a_new_password_replaces_the_old_one(shop: Shop) -> None:
    await shop.control.ensure_device(device_access("till-1", "new"), "new")
    async with shop.password_peer("till-1") as till:
        assert await till.connected != "Success"
    async with shop.password_peer("till-1", password="new") as till:
        assert await till.connected == "Success"


async def test_a_device_that_moves_to_a_certificate_loses_its_password(shop: Shop) -> None:
    await shop.control.ensure_device(device_access("till-1"))
    async with shop.password_peer("till-1") as till:
        assert await till.connected != "Success"
    async with shop.mtls_peer(shop.authority.issue_device("till-1")) as till:
        assert await till.publish(TOPICS.fact("till-1", "scan")) == "Success"


async def test_a_password_device_needs_its_password_at_a_running_broker(shop: Shop) -> None:
    with pytest.raises(ValueError, match="needs its password"):
        await shop.control.ensure_device(device_access("till-9", "secret"))


async def test_a_silent_broker_is_reported_within_the_bound(shop: Shop) -> None:
    class DeafWire:
        def publish(self, topic: str, payload: bytes, *, qos: int = 0) -> None:
            """Swallow it."""

    control = DynsecControl(TOPICS, DeafWire(), timeout_s=0.05)
    with pytest.raises(ControlFailed, match="did not answer getClient, getRole"):
        await control.remove_device("till-1")
    control.handle_response(b"not json")
    control.handle_response(b'{"responses":[]}')


async def test_a_refusal_of_the_broker_is_named(shop: Shop) -> None:
    shop.session.publish("$CONTROL/dynamic-security/v1", b"nonsense", qos=1)
    with pytest.raises(ControlFailed, match="broker refused createClient: Role not found"):
        await shop.control._run(
            [{"command": "createClient", "username": "till-7", "roles": [{"rolename": "none"}]}]
        )
    assert HUB_PASSWORD not in str(shop.states)


async def test_a_broker_takes_many_new_devices_while_it_runs(shop: Shop) -> None:
    # Mosquitto 2.0.11 with a memory limit turned everybody away after some ten of them.
    assert shop.control is not None
    for number in range(40):
        await shop.control.ensure_device(shop.add(f"scanner-{number}"))
    assert len(await shop.control.device_ids()) == 44
    async with shop.password_peer("till-1") as till:
        assert await till.publish(f"{TOPICS.device('till-1')}/state") == "Success"
