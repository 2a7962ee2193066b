"""The topic tree: what can be built can be read, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mqtt.topics import (
    CommandReplyTopic,
    CommandTopic,
    FactTopic,
    MetaTopic,
    RequestTopic,
    StateTopic,
    Topics,
)

T = Topics("s1")


def test_topics_are_those_of_the_contract() -> None:
    assert T.hub_state == "sh/1/s1/hub/state"
    assert T.broadcast("stock") == "sh/1/s1/bcast/stock"
    assert T.state("till-1") == "sh/1/s1/dev/till-1/state"
    assert T.meta("till-1") == "sh/1/s1/dev/till-1/meta"
    assert T.request("till-1", "sale", "commit") == "sh/1/s1/dev/till-1/req/sale/commit"
    assert T.reply("till-1") == "sh/1/s1/dev/till-1/rep"
    assert T.fact("till-1", "scan") == "sh/1/s1/dev/till-1/evt/scan"
    assert T.command("till-1", "print") == "sh/1/s1/dev/till-1/cmd/print"
    assert T.command_reply("till-1") == "sh/1/s1/dev/till-1/cmd-rep"
    assert T.every_request == "sh/1/s1/dev/+/req/+/+"
    assert T.every_command("till-1") == "sh/1/s1/dev/till-1/cmd/#"


def test_what_a_device_writes_is_read_back() -> None:
    request = RequestTopic("till-1", "sale", "commit")
    assert T.parse_request(T.request(*request)) == T.parse(T.request(*request)) == request
    assert T.parse(T.fact("till-1", "scan")) == FactTopic("till-1", "scan")
    assert T.parse(T.state("till-1")) == StateTopic("till-1")
    assert T.parse(T.meta("till-1")) == MetaTopic("till-1")
    assert T.parse(T.command_reply("till-1")) == CommandReplyTopic("till-1")
    assert T.parse_command(T.command("till-1", "print")) == CommandTopic("till-1", "print")


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "sh/1/s1",
        "sh/1/s2/dev/till-1/req/sale/commit",
        "sh/1/s1x/dev/till-1/req/sale/commit",
        "sh/2/s1/dev/till-1/req/sale/commit",
        "x/sh/1/s1/dev/till-1/req/sale/commit",
        "sh/1/s1/dev//req/sale/commit",
        "sh/1/s1/dev/till-1/req",
        "sh/1/s1/dev/till-1/req/sale",
        "sh/1/s1/dev/till-1/req//commit",
        "sh/1/s1/dev/till-1/req/sale/",
        "sh/1/s1/dev/till-1/req/sale/commit/more",
        "sh/1/s1/dev/till-1/rep",
        "sh/1/s1/dev/till-1/cmd/print",
        "sh/1/s1/dev/till-1/state/",
        "sh/1/s1/dev/till-1/evt/a/b",
        "sh/1/s1/hub/state",
    ],
)
def test_other_topics_are_not_read(topic: str) -> None:
    assert T.parse_request(topic) is None
    assert T.parse(topic) is None


def test_commands_are_read_only_where_they_are() -> None:
    assert T.parse_command("sh/1/s2/dev/till-1/cmd/print") is None
    assert T.parse_command("sh/1/s1/dev/till-1/cmd") is None
    assert T.parse_command("sh/1/s1/dev/till-1/cmd/a/b") is None
    assert T.parse_command("sh/1/s1/dev/till-1/cmd/") is None


@pytest.mark.parametrize(
    "name", ["", "+", "#", "a/b", "a+", "#a", "a b", "a\0", "ä", "till-1/../x"]
)
def test_a_name_cannot_step_out_of_its_level(name: str) -> None:
    for build in (
        lambda: Topics(name),
        lambda: T.state(name),
        lambda: T.every_command(name),
        lambda: T.request("till-1", name, "x"),
        lambda: T.request("till-1", "x", name),
        lambda: T.broadcast(name),
    ):
        with pytest.raises(ValueError, match="expected"):
            build()


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    T.parse(text)
    T.parse(f"sh/1/s1/dev/{text}")
    T.parse_request(f"sh/1/s1/dev/{text}")
    T.parse_command(f"sh/1/s1/dev/{text}")
