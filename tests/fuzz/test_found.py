"""Inputs that once showed a fault."""

from __future__ import annotations

import json

import pytest

from hub.contract.publish import oms_samples, samples
from hub.contract.registry import OPERATIONS
from tests.fuzz.engine import Runner
from tests.fuzz.table import all_targets, close

HUGE = 2**64
OK = b"\0\0\0"


def _at(service: str, operation: str, body: object) -> bytes:
    index = list(OPERATIONS).index((service, operation))
    admin = 2 if service == "outbox" else 0
    return bytes((index, admin, 0, 0)) + json.dumps(body).encode()


def _page(**changed: object) -> bytes:
    command = {"cursor": "c", "id": "cmd-1", "type": "config.changed", "issued_at_ms": 1}
    page = {"commands": [command | changed], "cursor": "c-2", "oms_incarnation": "oms-1"}
    return OK + json.dumps(page).encode()


def _hello(**changed: object) -> bytes:
    return OK + json.dumps({**oms_samples.REPLIES["HelloReply"], **changed}).encode()


def _digest(**changed: object) -> bytes:
    reply = {**oms_samples.REPLIES["DigestReply"], "oms_incarnation": "oms-1", **changed}
    return OK + json.dumps(reply).encode() + b"\n-----\n" + OK + b"{}"


def _price(**changed: object) -> bytes:
    return b"\1" + json.dumps({"sku": "A-100", "price_minor": 249, **changed}).encode()


_FACT = {**samples.ENVELOPES["Fact"], "occurred_at_ms": HUGE}
_IDENTITY = {
    "device_id": "till-1",
    "name": "",
    "kind": "till",
    "store": "367",
    "auth": "password",
    "host": "h",
    "https_port": 1,
    "mqtt_host": "h",
    "mqtt_port": 2,
    "ca_fingerprint": "5f",
    "username": "till-1",
    "password": "p",
    "certificate_until_ms": "soon",
}

FOUND = {
    "a number of 5000 digits in the settings": ("settings", b"[web]\nport = " + b"1" * 5000),
    "brackets without end in the settings": ("settings", b"[web]\nport = " + b"[" * 5000),
    "a secret's file with a NUL in its name": ("settings", b'[cloud]\ntoken_file = "/a\\u0000"'),
    "an identity whose field has another type": ("kit-identity", json.dumps(_IDENTITY).encode()),
    "a mark before a sector of zeros": (
        "kit-journal",
        bytes((0, 0, 0, 0x2D, 0, 0)) + b"\x89SHJ" + bytes(60),
    ),
    "a backup whose database is empty": ("backup", b"\2"),
    "a price from beyond all time": ("import-rows", _price(valid_from_ms=HUGE)),
    "the same from the cloud": ("cloud-snapshot", _price(valid_from_ms=HUGE)),
    "an outbox number over 64 bits": ("command", _at("outbox", "retry", {"outbox_id": HUGE})),
    "a page of sales before a number over 64 bits": (
        "command",
        _at("sale", "list", {"before_seq": HUGE}),
    ),
    "a fact from beyond all time": (
        "message",
        b"sh/1/367/dev/till-1/evt/scan\n\0\0" + json.dumps(_FACT).encode(),
    ),
    "a request from a name that is none": ("message", b"sh/1/367/dev/T!/req/stock/levels\n\0\0{}"),
    "an incarnation over 64 bits": ("cloud-hello", _hello(incarnation=HUGE)),
    "an incarnation that no source can name": ("cloud-hello", _hello(incarnation=10**9)),
    "a command from beyond all time": ("cloud-commands", _page(issued_at_ms=HUGE)),
    "a bucket that there is not": (
        "cloud-digest",
        _digest(status="differs", differing=[17, 4711, -1]),
    ),
}


@pytest.mark.may_block  # targets run their own loop
@pytest.mark.may_leak  # and keep it for the next
@pytest.mark.parametrize("name", list(FOUND))
def test_a_fault_that_was_mended_stays_so(name: str) -> None:
    target_name, data = FOUND[name]
    target = next(one for one in all_targets() if one.name == target_name)
    runner = Runner((target,))
    try:
        runner.try_one(target, data)
    finally:
        close()
    found = [f"{one.what}\n{one.trace}" for one in runner.findings.values()]
    assert not found, found
