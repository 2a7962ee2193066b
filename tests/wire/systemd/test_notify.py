"""What the service manager hears, on a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.notify import Notifier, watchdog_interval_s


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(60)
        yield listener


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def test_each_message_says_what_systemd_expects(manager: socket.socket) -> None:
    with Notifier(manager.getsockname()) as notifier:
        for sent, expected in (
            (notifier.ready("selling"), ["READY=1", "STATUS=selling"]),
            (notifier.ready(), ["READY=1"]),
            (notifier.status("3 devices"), ["STATUS=3 devices"]),
            (notifier.watchdog(), ["WATCHDOG=1"]),
            (notifier.reloading(12.5), ["RELOADING=1", "MONOTONIC_USEC=12500000"]),
            (notifier.stopping("saving"), ["STOPPING=1", "STATUS=saving"]),
            (notifier.extend_timeout(30), ["EXTEND_TIMEOUT_USEC=30000000"]),
        ):
            assert sent
            assert heard(manager) == expected


def test_an_abstract_socket_is_reached_too() -> None:
    name = f"store-hub-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(60)
        with Notifier("@" + name) as notifier:
            assert notifier.ready()
        assert heard(listener) == ["READY=1"]


def test_a_status_cannot_pose_as_another_message(manager: socket.socket) -> None:
    with Notifier(manager.getsockname()) as notifier:
        notifier.status("shop\nSTOPPING=1 " + "x" * 5000)

    (line,) = heard(manager)
    assert line.startswith("STATUS=shop STOPPING=1 xxx")
    assert len(line) <= 600


def test_without_a_service_manager_nothing_happens() -> None:
    notifier = Notifier.from_environment({})

    assert not notifier.enabled
    assert not notifier.ready()


def test_children_do_not_inherit_the_socket(manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "HOME": "/"}

    with Notifier.from_environment(environ) as notifier:
        assert notifier.watchdog()

    assert environ == {"HOME": "/"}


def test_a_manager_that_went_away_costs_a_message_and_one_complaint(
    manager: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    with Notifier(manager.getsockname()) as notifier:
        os.unlink(manager.getsockname())
        assert not notifier.watchdog()
        assert not notifier.watchdog()

    assert len(caplog.records) == 1


def test_a_full_socket_never_makes_the_hub_wait(manager: socket.socket) -> None:
    with Notifier(manager.getsockname()) as notifier:
        sent = 0
        while notifier.status("again"):
            sent += 1
            assert sent < 100_000
        heard(manager)
        assert notifier.status("once more")


def test_an_address_of_another_kind_is_refused_and_said(caplog: pytest.LogCaptureFixture) -> None:
    assert not Notifier("vsock:2:1234").ready()
    assert "vsock:2:1234" in caplog.text


@pytest.mark.parametrize(
    ("environ", "expected_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
    ],
)
def test_signs_of_life_are_due_twice_as_often_as_systemd_demands(
    environ: dict[str, str], expected_s: float | None
) -> None:
    assert watchdog_interval_s(environ, pid=42) == expected_s
