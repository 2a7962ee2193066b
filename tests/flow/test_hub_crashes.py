"""Kill a whole hub and its broker: what was answered stays, what is under way is done once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from devices.kit import IdentityStore
from hub.contract.sale import SaleDone
from tests.support.hubbox import GOODS, Box, open_box, sale_of, sell

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-crashes")]
restarts = pytest.mark.may_leak  # the module's hub, started again

TILLS = 3
RESTATE_S = 1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    async with open_box(settings={"broker": {"restate_s": RESTATE_S}}) as opened:
        till = await opened.pair(name="Stock")
        async with opened.client(till) as hub:
            await opened.stock_up(hub, 100_000)
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tills(box: Box) -> list[IdentityStore]:
    return [await box.pair(name=f"Till {n}") for n in range(TILLS)]


async def selling(
    box: Box, tills: list[IdentityStore], harm: Callable[[], Awaitable[None]]
) -> dict[str, SaleDone]:
    """Every till sells without pause, harm is done meanwhile, and each sells on afterwards; the
    answers by sale id."""
    answered: dict[str, SaleDone] = {}
    enough = asyncio.Event()

    async def till(store: IdentityStore) -> None:
        async with box.client(store) as hub:
            after = 0
            while after < 3:
                sale_id = hub.ids.uuid7()
                goods = GOODS[len(answered) % len(GOODS)]
                answered[sale_id] = await hub.submit(sale_of(sale_id, goods), SaleDone)
                after += enough.is_set()

    async with asyncio.timeout(240), asyncio.TaskGroup() as shop:
        for store in tills:
            shop.create_task(till(store))
        await box.until(lambda: len(answered) > 10)
        await harm()
        enough.set()
    return answered


async def settled(box: Box, answered: dict[str, SaleDone], before: dict[str, int]) -> None:
    """Every answered sale is there once, nothing else is, and the cloud has the same."""
    expected = before | {sale_id: done.total_minor for sale_id, done in answered.items()}
    assert box.sales() == expected
    await box.same_as_cloud()
    receipts = box.rows("SELECT receipt_no, count(*) FROM sales GROUP BY 1 HAVING count(*) > 1")
    assert receipts == []


async def test_a_killed_broker_costs_nothing_that_was_answered(
    box: Box, tills: list[IdentityStore]
) -> None:
    before, restarts = box.sales(), (await box.status())["broker"]["restarts"]

    async def harm() -> None:
        for _ in range(2):
            await another_broker(box, box.rig.kill_broker())
            await box.until(lambda: is_connected(box))

    await settled(box, await selling(box, tills, harm), before)
    assert (await box.status())["broker"]["restarts"] == restarts + 2


async def another_broker(box: Box, killed: int | None) -> None:
    assert killed is not None
    await box.until(lambda: box.rig.broker_pid() not in {None, killed})


async def is_connected(box: Box) -> bool:
    return bool((await box.status())["broker"]["connected"])


@restarts
async def test_a_killed_hub_takes_its_broker_along_and_every_sale_is_done_once(
    box: Box, tills: list[IdentityStore]
) -> None:
    before = box.sales()

    async def harm() -> None:
        await box.rig.hub.kill()
        await box.until(lambda: box.rig.broker_pid() is None)
        await box.start_hub()

    await settled(box, await selling(box, tills, harm), before)


@restarts
async def test_the_answer_to_a_key_survives_the_death_of_the_hub(
    box: Box, tills: list[IdentityStore]
) -> None:
    async with box.client(tills[0]) as hub:
        sale_id, key = hub.ids.uuid7(), hub.new_key()
        first = await hub.request(sale_of(sale_id), SaleDone, key=key)
        await box.rig.hub.kill()
        await box.start_hub()
        again = await hub.request(sale_of(sale_id), SaleDone, key=key)
        assert again == first


async def test_devices_restate_themselves_to_a_broker_that_came_back(
    box: Box, tills: list[IdentityStore]
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(box.client(store, None)) for store in tills]
        ids = {store.load().device_id for store in tills}
        await box.until(lambda: all_are(box, ids, "ready"))
        box.rig.kill_broker()
        await box.until(lambda: all(hub.session.connections > 1 for hub in clients))
        await box.until(lambda: is_connected(box))
        await box.until(lambda: all_are(box, ids, "ready"))
        await asyncio.sleep(RESTATE_S * 2)
        assert await all_are(box, ids, "ready")
    await box.until(lambda: all_are(box, ids, "disconnected"))


async def all_are(box: Box, ids: set[str], presence: str) -> bool:
    found = {one["device_id"]: one["presence"] for one in (await box.status())["devices"]}
    return all(found[device] == presence for device in ids)


async def test_a_device_that_is_not_back_after_a_restart_is_shown_lost(
    box: Box, tills: list[IdentityStore]
) -> None:
    device = tills[0].load().device_id
    async with box.raw(tills[0]) as raw:  # it never connects a second time
        await raw.say_ready("0-only-once", kind="till", model="x", firmware="1", contract=[1, 1])
        await box.until(lambda: all_are(box, {device}, "ready"))
        box.rig.kill_broker()
        await raw.cut()
        await box.until(lambda: all_are(box, {device}, "lost"))


@restarts
async def test_a_stop_is_quick_and_leaves_no_process(box: Box, tills: list[IdentityStore]) -> None:
    async with box.client(tills[0]) as hub:
        await sell(hub)
        broker, daemon = box.rig.broker_pid(), box.rig.hub.pid
        assert await box.rig.hub.stop(timeout_s=60), box.rig.hub.tail()
        assert box.rig.hub.exit_code == 0
        assert box.rig.broker_pid() is None
        await box.until(lambda: not Path(f"/proc/{broker}").exists())
        assert not Path(f"/proc/{daemon}").exists()
        await box.start_hub()
        await sell(hub)


@restarts
async def test_a_stop_in_the_middle_of_a_request_answers_it_or_does_it_later(
    box: Box, tills: list[IdentityStore]
) -> None:
    before = box.sales()

    async def harm() -> None:
        await box.stop_hub()
        await box.start_hub()

    await settled(box, await selling(box, tills, harm), before)


async def test_a_second_hub_on_the_same_state_says_what_to_do(box: Box) -> None:
    told = await box.cli("run", code=1)
    assert "another hub runs" in told
    assert "stop it first" in told
    assert (await box.status())["broker"]["connected"]


async def test_a_missing_broker_is_named_with_its_cure(box: Box) -> None:
    nowhere = str(box.rig.base / "elsewhere")
    for binary in ("/nowhere/mosquitto", "mosquitto-that-nobody-has"):
        told = await box.cli(
            *("--set", f"broker.binary={binary}", "--set", f"paths.state={nowhere}"),
            *("--set", f"paths.run={nowhere}", "run"),
            code=1,
        )
        assert "apt-get install mosquitto" in told
        assert "Traceback" not in told


async def test_a_taken_port_is_shown_and_the_hub_recovers_when_it_is_free(box: Box) -> None:
    with taken(box) as thief:
        status = await box.until(lambda: broker_detail(box, "in use"))
        assert status["state"] in {"backoff", "starting"}
        await box.until(lambda: broker_problem(box))  # between two starts there is none to tell
        thief.close()
    await box.until(lambda: is_connected(box))


@contextlib.contextmanager
def taken(box: Box) -> Any:
    """Take the broker's port in the moment it dies."""
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until_s = time.monotonic() + 60.0
        while not took(thief, box.rig.ports.mtls):
            assert time.monotonic() < until_s, "the port is never free"
            box.rig.kill_broker()  # again, when the next one was quicker than we
        thief.listen()
        yield thief


def took(thief: socket.socket, port: int) -> bool:
    """Whether the port could be had within half a second."""
    until_s = time.monotonic() + 0.5
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError):
            thief.bind(("127.0.0.1", port))
            return True
    return False


async def broker_detail(box: Box, word: str) -> dict[str, Any] | None:
    broker: dict[str, Any] = (await box.status())["broker"]
    return broker if word in broker["detail"] else None


async def broker_problem(box: Box) -> str | None:
    problems: list[str] = (await box.status())["problems"]
    return next((one for one in problems if "broker" in one.lower()), None)


# A broker of the site's own -----------------------------------------------------------------------

ACL = """\
user hub
topic readwrite sh/1/#

pattern readwrite sh/1/367/dev/%u/state
pattern readwrite sh/1/367/dev/%u/meta
pattern write sh/1/367/dev/%u/req/#
pattern write sh/1/367/dev/%u/evt/#
pattern read sh/1/367/dev/%u/rep
pattern read sh/1/367/hub/#
"""


async def run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == 0


@contextlib.asynccontextmanager
async def foreign_broker(folder: Path, port: int, users: dict[str, str]) -> AsyncIterator[None]:
    """A mosquitto that the site runs, with passwords and an access list."""
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "acl").write_text(ACL)
    (folder / "passwords").touch()
    for user, password in users.items():
        await run("mosquitto_passwd", "-b", str(folder / "passwords"), user, password)
    (folder / "conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\nuser root\n"
        f"password_file {folder}/passwords\nacl_file {folder}/acl\n"
    )
    process = await asyncio.create_subprocess_exec(
        "/usr/sbin/mosquitto", "-c", str(folder / "conf"), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.usefixtures("box")
async def test_a_shop_sells_through_the_sites_own_broker() -> None:
    async with open_box(cloud=False, started=False) as box:
        port = box.rig.ports.password
        url = f"mqtt://127.0.0.1:{port}"
        users = {"hub": "hubs-own", "kiosk-01": "kiosks-own"}
        box.rig.write_config()
        mine = f'mode = "external"\nurl = "{url}"\nusername = "hub"\npassword = "hubs-own"\n'
        text = box.rig.config_file.read_text().replace("[broker]\n", f"[broker]\n{mine}")
        box.rig.config_file.write_text(text)
        async with foreign_broker(box.rig.base / "broker", port, users):
            await box.start_hub()
            status = (await box.status())["broker"]
            assert (status["mode"], status["connected"]) == ("external", True)
            kiosk = await box.pair(kind="kiosk", auth="password")
            assert kiosk.load().mqtt_port == port
            async with box.raw(kiosk, password="kiosks-own", tls=None) as raw:
                assert (await raw.ask("stock/levels", {"skus": ["a"]}))["ok"]
        await box.until(lambda: is_away(box))


async def is_away(box: Box) -> bool:
    return not await is_connected(box)
