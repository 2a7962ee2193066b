"""The broker's accounts and configuration as text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hub.clock import SystemRandomness
from hub.mqtt.config import BadPlan, BrokerPlan, BrokerProgram, TlsFiles, render
from hub.mqtt.dynsec import (
    DeviceAccess,
    HubAccess,
    build_document,
    device_acls,
)
from hub.mqtt.endpoint import TcpEndpoint, UnixEndpoint, parse_endpoint
from hub.mqtt.topics import Topics
from hub.security.passwords import PasswordHash, hash_password

RANDOM = SystemRandomness()
TOPICS = Topics("s1")
PROGRAM = BrokerProgram(Path("/usr/sbin/mosquitto"), Path("/usr/lib/plugin.so"))
PLAN = BrokerPlan(
    run_dir=Path("/run/store-hub"),
    state_dir=Path("/var/lib/store-hub/mqtt"),
    tls=TlsFiles(Path("/t/ca"), Path("/t/cert"), Path("/t/key"), Path("/t/crl")),
)


def test_a_password_hash_is_pbkdf2_with_its_own_salt() -> None:
    first, second = (str(hash_password("secret", RANDOM)) for _ in range(2))
    assert first != second
    parsed = PasswordHash.parse(first)
    expected = hashlib.pbkdf2_hmac("sha512", b"secret", parsed.salt, parsed.iterations, 64)
    assert parsed.digest == expected
    assert str(parsed) == first


@pytest.mark.parametrize(
    "text", ["", "secret", "$6$1$AAAA$AAAA", "$7$0$AAAA$AAAA", "$7$x$AAAA$AAAA", "$7$1$%$%"]
)
def test_a_malformed_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|invalid|Incorrect|base64|padding"):
        PasswordHash.parse(text)


def test_an_empty_password_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        hash_password("", RANDOM)


def test_a_device_has_a_hash_exactly_when_it_has_a_password() -> None:
    with pytest.raises(ValueError, match="goes with"):
        DeviceAccess("till-1", "password")
    with pytest.raises(ValueError, match="goes with"):
        DeviceAccess("till-1", "mtls", str(hash_password("x", RANDOM)))
    with pytest.raises(ValueError, match="expected"):
        DeviceAccess("$hub", "mtls")


def test_a_devices_rights_are_spelled_out() -> None:
    rights = {(acl["acltype"], acl["topic"]) for acl in device_acls(TOPICS, "till-1")}
    root = "sh/1/s1/dev/till-1"
    writes = {f"{root}/{tail}" for tail in ("state", "meta", "req/#", "evt/#", "cmd-rep/#")}
    reads = {f"{root}/rep", f"{root}/cmd/#", "sh/1/s1/hub/#", "sh/1/s1/bcast/#"}
    assert rights == (
        {("publishClientSend", topic) for topic in writes}
        | {("publishClientReceive", topic) for topic in reads}
        | {("subscribePattern", topic) for topic in reads}
    )


def test_the_document_denies_by_default_and_gives_certificates_no_password() -> None:
    devices = [
        DeviceAccess("till-1", "password", str(hash_password("x", RANDOM))),
        DeviceAccess("tablet-1", "mtls"),
    ]
    document = json.loads(
        build_document(TOPICS, HubAccess(str(hash_password("h", RANDOM))), devices)
    )
    assert not document["defaultACLAccess"]["publishClientSend"]
    assert not document["defaultACLAccess"]["publishClientReceive"]
    assert not document["defaultACLAccess"]["subscribe"]
    clients = {client["username"]: client for client in document["clients"]}
    assert set(clients) == {"$hub", "till-1", "tablet-1"}
    assert "password" in clients["till-1"]
    assert "password" not in clients["tablet-1"]
    assert clients["tablet-1"]["roles"] == [{"rolename": "device-tablet-1"}]


def test_the_configuration_binds_each_listener() -> None:
    text = render(replace(PLAN, bind="127.0.0.1", user="store-hub"), PROGRAM)
    lines = text.splitlines()
    listeners = [line for line in lines if line.startswith("listener")]
    assert listeners == [
        "listener 8883 127.0.0.1",
        "listener 8884 127.0.0.1",
        "listener 0 /run/store-hub/ws.sock",
        "listener 0 /run/store-hub/hub.sock",
    ]
    assert lines.count("use_username_as_clientid true") == 4
    assert "max_keepalive" not in text
    assert "user store-hub" in lines
    assert "plugin /usr/lib/plugin.so" in lines


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run_dir": Path("/run/" + "r" * 100)}, "allows 107"),
        ({"run_dir": Path("relative")}, "absolute"),
        ({"state_dir": Path("/a\nlistener 1883")}, "control characters"),
        ({"tls": None}, "certificate files"),
        ({"mtls_port": 0}, "1-65535"),
        ({"bind": "a b"}, "one word"),
        ({"user": "a\nb"}, "one word"),
    ],
)
def test_a_plan_that_cannot_be_written_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(BadPlan, match=message):
        render(replace(PLAN, **change), PROGRAM)  # type: ignore[arg-type]


def test_broker_urls() -> None:
    assert parse_endpoint("mqtt://broker") == TcpEndpoint("broker", 1883)
    secure = parse_endpoint("mqtts://broker:1234")
    assert isinstance(secure, TcpEndpoint)
    assert (secure.port, str(secure)) == (1234, "mqtts://broker:1234")
    assert secure.tls is not None
    assert parse_endpoint("unix:///run/b.sock") == UnixEndpoint(Path("/run/b.sock"))
    for bad in ("http://broker", "broker", "mqtts://", "unix://x"):
        with pytest.raises(ValueError, match="expected mqtts"):
            parse_endpoint(bad)
    with pytest.raises(ValueError, match="credentials"):
        parse_endpoint("mqtts://me:secret@broker")
