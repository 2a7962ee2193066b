"""Who of the broker's connections is closed, and who never is."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hub.mqtt.childsockets import Connection, Heard
from hub.mqtt.strangers import NOT_UNDERSTOOD, Patience, Strangers
from tests.fakes import FakeClock

PASSWORD, MTLS = 8883, 8884
SILENT = Heard(received_bytes=0, unread_bytes=0, quiet_s=60.0)
HUB_CAME = b"New client connected from /run/store hub/hub.sock:0 as $hub (p5, c1, k20, u'$hub')."


@dataclass
class Kernel:
    """The broker's connections as a test wants them."""

    there: dict[Connection, Heard] = field(default_factory=dict)
    ended: list[Connection] = field(default_factory=list)
    looks: int = 0
    fault: OSError | None = None
    closed: bool = False

    def connections(self) -> list[Connection]:
        self.looks += 1
        if self.fault is not None:
            raise self.fault
        return list(self.there)

    def end(self, one: Connection, only_if: Callable[[Heard], bool]) -> bool:
        if not only_if(self.there[one]):
            return False
        self.ended.append(one)
        del self.there[one]
        return True

    def close(self) -> None:
        self.closed = True


class Door:
    """The broker's log and its kernel side together."""

    def __init__(self, *, most: int = 100, understood: bool = True) -> None:
        self.clock = FakeClock()
        self.kernel = Kernel()
        self.told: list[str] = []
        self.strangers = Strangers(
            (PASSWORD, MTLS), most, Patience(), self.clock, self.told.append,
            reach=lambda pid: self.kernel,
        )  # fmt: skip
        self.strangers._sockets = self.kernel
        if understood:
            self.strangers.heard(HUB_CAME)
        self._inode = 0

    def accept(
        self, host: str, host_port: int, port: int = PASSWORD, heard: Heard = SILENT
    ) -> Connection:
        self._inode += 1
        one = Connection(20 + self._inode, self._inode, host, host_port, port)
        self.kernel.there[one] = heard
        self.strangers.heard(f"New connection from {host}:{host_port} on port {port}.".encode())
        return one

    def connect(self, one: Connection, name: str = "till-1") -> None:
        text = f"New client connected from {one.host}:{one.host_port} as {name} (p5, c1, k60)."
        self.strangers.heard(text.encode())

    def after(self, seconds: float) -> list[Connection]:
        self.clock.advance(seconds)
        self.strangers.sweep()
        ended, self.kernel.ended = self.kernel.ended, []
        return ended


def test_by_default_everybody_silent_or_dripping_is_gone_within_fifteen_seconds() -> None:
    patience = Patience()

    assert patience.connect_s == 10
    assert patience.dripping_s + patience.look_every_s < 15
    assert patience.connect_s + patience.settle_s <= patience.dripping_s


@pytest.mark.parametrize("port", [PASSWORD, MTLS])
@pytest.mark.parametrize("host", ["192.168.1.9", "fe80::1", "::1"])
def test_a_silent_stranger_is_closed_after_ten_seconds(host: str, port: int) -> None:
    door = Door()
    one = door.accept(host, 40_000, port)

    assert door.after(9.9) == []
    assert door.kernel.looks == 0  # nobody is due: no look at the broker's descriptors
    assert door.after(0.1) == [one]
    assert len(door.strangers) == 0


@pytest.mark.parametrize("word", ["client", "bridge"])
def test_whoever_has_connected_is_never_closed(word: str) -> None:
    door = Door()
    one = door.accept("::1", 40_000)
    text = f"New {word} connected from ::1:40000 as till-1 (p5, c1, k60, u'till-1')."
    door.strangers.heard(text.encode())

    assert door.after(1000) == []
    assert one in door.kernel.there


def test_a_connect_that_is_logged_a_moment_later_is_waited_for() -> None:
    door = Door()
    one = door.accept("10.0.0.2", 40_000, heard=Heard(300, 0, quiet_s=0.02))

    assert door.after(10) == []
    door.connect(one)
    assert door.after(60) == []


def test_bytes_that_the_broker_has_not_read_are_not_the_clients_fault_for_a_while() -> None:
    door = Door()
    one = door.accept("10.0.0.2", 40_000, heard=Heard(300, 300, quiet_s=9.0))

    assert door.after(20) == []
    assert door.after(10) == [one]


def test_one_byte_now_and_then_buys_three_seconds_only() -> None:
    door = Door()
    one = door.accept("10.0.0.2", 40_000, heard=Heard(12, 0, quiet_s=0.1))

    assert door.after(12.9) == []
    assert door.after(0.1) == [one]


def test_a_port_that_is_used_again_has_its_own_ten_seconds() -> None:
    door = Door()
    first = door.accept("10.0.0.2", 40_000)
    door.after(9)
    del door.kernel.there[first]
    second = door.accept("10.0.0.2", 40_000)

    assert door.after(9) == []
    assert door.after(1) == [second]


def test_a_stranger_who_left_is_forgotten() -> None:
    door = Door()
    del door.kernel.there[door.accept("10.0.0.2", 40_000)]

    assert door.after(10) == []
    assert len(door.strangers) == 0


def test_unix_sockets_and_other_listeners_are_left_alone() -> None:
    door = Door()
    door.strangers.heard(b"New connection from /run/store hub/ws.sock:0 on port 0.")
    door.accept("10.0.0.2", 40_000, port=1883)

    assert len(door.strangers) == 0
    assert door.after(60) == []


def test_of_two_with_one_address_and_port_a_client_is_safe_and_silence_is_not() -> None:
    door = Door()  # on two addresses of this box; the log tells one of them only
    client = door.accept("10.0.0.2", 40_000, heard=Heard(300, 0, quiet_s=50))
    door.connect(client)
    silent = door.accept("10.0.0.2", 40_000)

    assert door.after(10) == [silent]
    assert client in door.kernel.there


def test_a_client_id_that_looks_like_a_log_line_changes_nothing() -> None:
    door = Door()
    one = door.accept("10.0.0.2", 40_000)
    other = door.accept("10.0.0.3", 40_001)
    door.connect(one, "New client connected from 10.0.0.3:40001 as x (p5, c1, k60)")

    assert door.after(10) == [other]


def test_nobody_is_closed_before_the_log_was_understood_once() -> None:
    door = Door(understood=False)
    one = door.accept("10.0.0.2", 40_000)

    assert door.after(60) == []
    door.strangers.heard(HUB_CAME)
    assert door.after(1) == [one]


def test_a_broker_with_other_words_is_left_alone_and_this_is_said() -> None:
    door = Door()
    door.accept("10.0.0.2", 40_000)
    door.strangers.heard(b"New client connected: till-1 from 10.0.0.2, port 40000")
    door.accept("10.0.0.2", 40_001)

    assert door.told == [NOT_UNDERSTOOD]
    assert door.after(60) == []
    assert len(door.strangers) == 0


def test_a_full_table_lets_those_go_who_have_left() -> None:
    door = Door(most=50)
    stays = [door.accept("10.0.0.2", 1000 + n) for n in range(5)]
    for n in range(10_000):
        del door.kernel.there[door.accept("10.0.0.66", 2000 + n)]
        assert len(door.strangers) <= 50

    assert door.kernel.looks <= 10_000 / 40
    assert door.after(10) == stays


def test_a_full_table_of_present_strangers_watches_no_more_of_them() -> None:
    door = Door(most=50)
    for n in range(200):
        door.accept("10.0.0.66", 2000 + n)

    assert door.kernel.looks == 1
    assert len(door.after(10)) == 50


def test_a_crowd_is_one_line_in_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    door = Door(most=1000)
    with caplog.at_level(logging.INFO, "hub.mqtt.broker"):
        for n in range(300):
            door.accept("10.0.0.66", 2000 + n)
            door.after(0.5)
        door.after(60)

    lines = [record.getMessage() for record in caplog.records]
    assert 3 <= len(lines) <= 5
    assert lines[0].endswith("after 10 s without CONNECT: 1, last from 10.0.0.66")
    assert sum(int(line.split(": ")[1].split(",")[0]) for line in lines) == 300


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES, errno.ENOSYS])
async def test_a_refusal_ends_the_watch_with_one_sentence(code: int) -> None:
    door = Door()
    door.accept("10.0.0.2", 40_000)
    door.kernel.fault = OSError(code, os.strerror(code))

    await door.strangers.watch(1)

    (told,) = door.told
    assert os.strerror(code) in told
    assert "pidfd_getfd" in told
    assert door.kernel.closed
    door.accept("10.0.0.2", 40_001)
    assert len(door.strangers) == 0


async def test_any_other_failure_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    clock, kernel = FakeClock(), Kernel(fault=OSError(errno.EMFILE, "Too many open files"))
    told: list[str] = []
    strangers = Strangers(
        (PASSWORD,), 10, Patience(look_every_s=0.01), clock, told.append, reach=lambda pid: kernel
    )
    strangers.heard(HUB_CAME)
    strangers.heard(b"New connection from 10.0.0.2:40000 on port 8883.")
    one = Connection(9, 9, "10.0.0.2", 40_000, PASSWORD)
    clock.advance(10)
    watch = asyncio.create_task(strangers.watch(1))
    async with asyncio.timeout(30):
        while kernel.looks < 3:
            await asyncio.sleep(0.01)
        kernel.there, kernel.fault = {one: SILENT}, None
        while not kernel.ended:
            await asyncio.sleep(0.01)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)

    assert told == []
    assert len([r for r in caplog.records if "Too many open files" in r.getMessage()]) == 1


async def test_a_broker_that_ended_is_no_refusal() -> None:
    told: list[str] = []

    def gone(pid: int) -> Kernel:
        raise ProcessLookupError(errno.ESRCH, "No such process")

    strangers = Strangers((PASSWORD,), 10, Patience(), FakeClock(), told.append, reach=gone)
    await strangers.watch(1)

    assert told == []
