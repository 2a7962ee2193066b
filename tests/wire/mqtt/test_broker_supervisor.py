"""Keeping a real Mosquitto alive."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import stat
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hub.mqtt import deathwatch
from hub.mqtt.config import BadPlan, BrokerMissing, find_broker, render
from hub.mqtt.leftover import remember_broker
from hub.mqtt.supervisor import BrokerState, _until_answering
from scripts.rig import free_port
from tests.wire.mqtt.broker_peer import WAIT_S
from tests.wire.mqtt.broker_shop import RANDOM, TOPICS, Shop, make_supervisor


@contextlib.asynccontextmanager
async def running(shop: Shop) -> AsyncIterator[None]:
    try:
        await shop.start()
        yield
    finally:
        await shop.stop()


async def reach(shop: Shop, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.02)


def presented_serial(shop: Shop) -> int:
    context = shop.authority.client_context()
    assert shop.plan.password_port is not None
    with (
        socket.create_connection(("127.0.0.1", shop.plan.password_port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        certificate = tls.getpeercert()
        assert certificate is not None
        return int(str(certificate["serialNumber"]), 16)


async def test_a_killed_broker_comes_back_and_everybody_with_it(shop: Shop) -> None:
    for round_number in (1, 2):
        pid = shop.supervisor.status.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await reach(shop, lambda n=round_number: shop.session.connects == n + 1)  # type: ignore[misc]
        status = shop.supervisor.status
        assert (status.state, status.restarts) == (BrokerState.RUNNING, round_number)
        assert status.pid != pid
        assert len(shop.downs) == round_number
    async with shop.password_peer("till-1") as till:
        assert await till.publish(TOPICS.fact("till-1", "scan")) == "Success"
        assert (await shop.next())[0] == TOPICS.fact("till-1", "scan")
    down = next(status for status in shop.states if status.state is BrokerState.BACKOFF)
    assert down.reason == "broker ended by SIGKILL"


async def test_a_broker_that_hangs_is_restarted_too(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.mqtt.supervisor._STOP_TIMEOUT_S", 0.3)
    pid = shop.supervisor.status.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    shop.supervisor.restart("it hangs")
    await reach(shop, lambda: shop.session.connects == 2)
    assert shop.supervisor.status.pid != pid


async def test_its_files_and_sockets_are_for_the_hubs_user_only(shop: Shop) -> None:
    await shop.control.ensure_device(shop.add("till-8", "pw"), "pw")  # the plugin rewrites its file
    for path in (
        shop.plan.dynsec_file, shop.plan.config_file, shop.plan.hub_socket, shop.plan.ws_socket,
    ):  # fmt: skip
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_a_planned_restart_keeps_retained_messages(shop: Shop) -> None:
    async with shop.password_peer("till-1") as till:
        await till.publish(TOPICS.state("till-1"), b"ready", retain=True)
    assert (await shop.next())[2].retain is False
    pid = shop.supervisor.status.pid
    shop.supervisor.restart("the test wants it")
    shop.supervisor.restart("twice is once")
    topic, payload, properties = await shop.next()
    assert (topic, payload, properties.retain) == (TOPICS.state("till-1"), b"ready", True)
    assert shop.supervisor.status.pid != pid
    assert shop.supervisor.status.restarts == 1


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_broker_left_by_a_crashed_hub_is_replaced(
    shop_on_paper: Shop, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    if hangs:
        monkeypatch.setattr("hub.mqtt.leftover._TERM_WAIT_S", 0.5)
    shop = shop_on_paper
    async with running(shop):
        pass
    leftover = await asyncio.create_subprocess_exec(
        find_broker().executable, "-c", shop.plan.config_file, stderr=asyncio.subprocess.DEVNULL
    )
    remember_broker(shop.plan.pid_file, leftover.pid)
    async with asyncio.timeout(WAIT_S):
        await _until_answering(shop.plan.hub_socket)
    if hangs:
        leftover.send_signal(signal.SIGSTOP)
    async with running(shop):
        assert await leftover.wait() == (-signal.SIGKILL if hangs else 0)
        assert shop.supervisor.status.restarts == 0


async def test_a_foreign_process_with_the_old_number_is_left_alone(shop_on_paper: Shop) -> None:
    shop = shop_on_paper
    shop.plan.state_dir.mkdir(parents=True)
    sleeper = await asyncio.create_subprocess_exec("sleep", "300")
    try:
        remember_broker(shop.plan.pid_file, sleeper.pid)
        async with running(shop):
            assert sleeper.returncode is None
            Path(f"/proc/{sleeper.pid}").stat()
    finally:
        sleeper.kill()
        await sleeper.wait()


@pytest.mark.parametrize("damage", [b"", b"\0" * 4096, b"garbage" * 1000, None])
async def test_a_damaged_database_is_set_aside(shop_on_paper: Shop, damage: bytes | None) -> None:
    shop = shop_on_paper
    async with running(shop):
        await shop.connect()
        async with shop.password_peer("till-1") as till:
            await till.publish(TOPICS.state("till-1"), b"ready", retain=True)
    database = shop.plan.database_file
    whole = database.read_bytes()
    database.write_bytes(damage if damage is not None else whole[: len(whole) - 7])
    async with running(shop):
        assert shop.supervisor.status.state is BrokerState.RUNNING
        if damage:
            assert shop.supervisor.status.restarts == 1
            aside = list(shop.plan.state_dir.glob("mosquitto.db.damaged-*"))
            assert [path.read_bytes() for path in aside] == [damage]


async def test_a_port_that_is_taken_is_named_until_it_is_free(shop_on_paper: Shop) -> None:
    shop = shop_on_paper
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        assert shop.plan.mtls_port is not None
        thief.bind(("127.0.0.1", shop.plan.mtls_port))
        thief.listen()
        shop.supervisor = make_supervisor(shop)
        shop.supervisor.start()
        await reach(shop, lambda: shop.supervisor.status.state is BrokerState.BACKOFF)
        assert "Address already in use" in shop.supervisor.status.reason
    try:
        async with asyncio.timeout(WAIT_S):
            await shop.supervisor.wait_running()
    finally:
        await shop.supervisor.stop()


async def test_accounts_that_cannot_be_read_are_reported_and_tried_again(
    shop_on_paper: Shop,
) -> None:
    shop = shop_on_paper
    shop.devices.append(shop.devices[0])
    shop.supervisor = make_supervisor(shop)
    shop.supervisor.start()
    try:
        await reach(shop, lambda: shop.supervisor.status.state is BrokerState.BACKOFF)
        assert shop.supervisor.status.reason == "device till-1 is listed twice"
        shop.devices.pop()
        async with asyncio.timeout(WAIT_S):
            await shop.supervisor.wait_running()
    finally:
        await shop.supervisor.stop()


async def test_stopping_ends_the_broker_and_frees_its_ports(shop_on_paper: Shop) -> None:
    shop = shop_on_paper
    async with running(shop):
        pid = shop.supervisor.status.pid
    assert shop.supervisor.status.state is BrokerState.STOPPED
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)
    assert not shop.plan.pid_file.exists()
    assert shop.plan.password_port is not None
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", shop.plan.password_port)) != 0


async def test_a_broker_that_ignores_the_end_is_killed(
    shop_on_paper: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.mqtt.supervisor._STOP_TIMEOUT_S", 0.2)
    async with running(shop_on_paper):
        pid = shop_on_paper.supervisor.status.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("same_second", [False, True])
async def test_a_revoked_certificate_is_refused_after_a_reload(
    shop: Shop, same_second: bool
) -> None:
    tablet = shop.authority.issue_device("tablet-1")
    other = shop.authority.issue_device("tablet-2")
    async with shop.mtls_peer(tablet) as tab:
        assert await tab.connected == "Success"
    async with shop.mtls_peer(other) as stays:
        shop.authority.revoked.append(tablet[2])
        shop.authority.issue_crl(shop.authority.crl_updated if same_second else None)
        shop.supervisor.reload_certificates()

        async def refused() -> bool:
            async with shop.mtls_peer(tablet) as tab:
                return await tab.connected != "Success"

        async with asyncio.timeout(WAIT_S):
            while not await refused():
                await asyncio.sleep(0.1)
        assert await stays.publish(TOPICS.fact("tablet-2", "scan")) == "Success"
        assert not stays.gone.is_set()
    assert shop.session.is_up
    assert shop.downs == []


async def test_a_new_server_certificate_is_shown_after_a_reload(shop: Shop) -> None:
    before = await asyncio.to_thread(presented_serial, shop)
    after = shop.authority.issue_server()
    assert before != after
    shop.supervisor.reload_certificates()
    async with asyncio.timeout(WAIT_S):
        while await asyncio.to_thread(presented_serial, shop) != after:
            await asyncio.sleep(0.05)
    assert shop.supervisor.status.restarts == 0


async def test_an_old_tls_version_is_refused(shop: Shop) -> None:
    context = shop.authority.client_context()
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    def shake() -> None:
        assert shop.plan.password_port is not None
        with (
            socket.create_connection(("127.0.0.1", shop.plan.password_port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost"),
        ):
            pass

    with pytest.raises(OSError, match=r"alert|EOF|protocol|reset"):
        await asyncio.to_thread(shake)


async def test_a_program_under_the_deathwatch_dies_with_its_parent() -> None:
    script = (
        "import subprocess, sys, os\n"
        f"p = subprocess.Popen([sys.executable, '-I', '-S', {deathwatch.__file__!r},"
        " str(os.getpid()), '/bin/sleep', '300'])\n"
        "print(p.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    command = Path(f"/proc/{child}/cmdline")
    async with asyncio.timeout(WAIT_S):
        while not command.read_bytes().startswith(b"/bin/sleep"):
            await asyncio.sleep(0.01)
    parent.kill()
    await parent.communicate()

    def gone() -> bool:  # or a zombie, where nobody reaps orphans
        try:
            return not command.read_bytes()
        except OSError:
            return True

    async with asyncio.timeout(WAIT_S):
        while not gone():
            await asyncio.sleep(0.01)


def test_a_missing_broker_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(BrokerMissing, match="apt-get install mosquitto"):
        find_broker(executable=tmp_path / "mosquitto")
    with pytest.raises(BrokerMissing, match="apt-get install --reinstall mosquitto"):
        find_broker(plugin=tmp_path / "plugin.so")


async def test_a_runtime_directory_with_a_long_name_is_refused_at_once(shop_on_paper: Shop) -> None:
    shop = shop_on_paper
    shop.plan = replace(shop.plan, run_dir=Path("/run") / ("r" * 100))
    with pytest.raises(BadPlan, match="a unix socket allows 107"):
        make_supervisor(shop)


async def test_the_broker_accepts_the_configuration_without_tls_ports(shop_on_paper: Shop) -> None:
    shop = shop_on_paper
    shop.plan = replace(shop.plan, password_port=None, mtls_port=None, tls=None)
    assert "8883" not in render(shop.plan, find_broker())
    async with running(shop):
        await shop.connect()
        assert await shop.control.device_ids() == {"till-1"}


async def test_the_socket_path_may_have_its_full_length(shop_on_paper: Shop) -> None:
    shop = shop_on_paper
    name = "x" * (107 - len("/hub.sock") - len(str(shop.plan.run_dir)) - 1)
    shop.plan = replace(
        shop.plan, run_dir=shop.plan.run_dir / name, password_port=free_port(RANDOM)
    )
    assert len(str(shop.plan.hub_socket)) == 107
    async with running(shop):
        await shop.connect()
