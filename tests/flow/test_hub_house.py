"""A whole hub's everyday: people at tills, a technician's shell, its appetite, its name."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509

from devices.kit import (
    DeviceMeta,
    HubClient,
    IdentityStore,
    PairingLink,
    Refused,
    pair,
    renew,
)
from hub.app.hub import Hub
from hub.clock import SystemClock, SystemIds, SystemRandomness
from hub.config import Settings
from hub.contract.admin import OpenPairing
from hub.contract.basket import Baskets, ListBaskets
from hub.contract.sale import SaleDone, SaleVoided, VoidSale
from hub.contract.staff import (
    Approval,
    Approvals,
    ApprovalSubject,
    DecideApproval,
    ListApprovals,
    RequestApproval,
    SignedIn,
    SignIn,
)
from hub.discovery import Status
from hub.logs import Recent
from hub.service.caller import Caller, CallerKind
from tests.support.hubbox import (
    CASHIER,
    GOODS,
    MANAGER,
    SECOND,
    SUPERVISOR,
    Box,
    open_box,
    sale_of,
    sell,
    sign_in,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("hub-house")]
SECRET = "aHVzaC1odXNoLXNlY3JldC1vZi10aGUtY2xvdWQ="
restarts = pytest.mark.may_leak  # the module's hub, started again


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    signing = {"signing": "standard-webhooks", "signing_secret": f"whsec_{SECRET}"}
    async with open_box(settings={"cloud": signing}) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tills(box: Box, tills: list[IdentityStore]) -> list[IdentityStore]:
    """The front one has sold."""
    async with box.client(tills[0]) as hub:
        await sell(hub)
    return tills


async def refused(asking: Any) -> str:
    with pytest.raises(Refused) as caught:
        await asking
    return str(caught.value.problem.code)


# People -------------------------------------------------------------------------------------------


async def test_nobody_sells_at_a_till_before_signing_in(
    box: Box, tills: list[IdentityStore]
) -> None:
    async with box.client(tills[1], None) as hub:
        command = sale_of(hub.ids.uuid7())
        assert await refused(hub.request(command, SaleDone)) == "unauthenticated"
        await sign_in(hub, SECOND)
        await hub.request(command, SaleDone)


async def test_a_pin_guessed_too_often_locks_that_person_out_at_that_till_only(
    box: Box, tills: list[IdentityStore]
) -> None:
    wrong = SignIn.model_validate({"staff_id": SECOND[0], "pin": "0000"})
    right = SignIn.model_validate({"staff_id": SECOND[0], "pin": SECOND[1]})
    async with box.client(tills[0], None) as front, box.client(tills[1], None) as back:
        for _ in range(5):
            assert await refused(front.request(wrong, SignedIn)) == "unauthenticated"
        with pytest.raises(Refused) as locked:
            await front.request(right, SignedIn)
        assert locked.value.problem.code in {"unauthenticated", "forbidden", "busy"}
        assert "PIN" not in str(locked.value.problem.context)
        assert (await back.request(right, SignedIn)).staff_id == SECOND[0]
    assert SECOND[1] not in box.rig.hub.log.read_text()


async def test_a_manager_approves_on_another_till(box: Box, tills: list[IdentityStore]) -> None:
    async with box.client(tills[0], CASHIER) as front, box.client(tills[1], SUPERVISOR) as back:
        done = await sell(front)
        void = VoidSale(sale_id=done.sale_id, reason="wrong goods")
        with pytest.raises(Refused) as needed:
            await front.request(void, SaleVoided)
        assert needed.value.problem.approval is not None
        ask = RequestApproval(
            approval_id=front.ids.uuid7(),
            permission=needed.value.problem.approval.permission,
            subject=ApprovalSubject(
                sale_id=done.sale_id, amount_minor=needed.value.problem.approval.amount_minor
            ),
            reason="wrong goods",
        )
        await front.request(ask, Approval)
        waiting = await back.request(ListApprovals(), Approvals)
        assert [one.approval_id for one in waiting.approvals] == [ask.approval_id]

        def decide(person: tuple[str, str]) -> DecideApproval:
            return DecideApproval.model_validate(
                {
                    "approval_id": ask.approval_id,
                    "approve": True,
                    "staff_id": person[0],
                    "pin": person[1],
                }
            )

        assert await refused(back.request(decide(CASHIER), Approval)) == "forbidden"
        decided = await back.request(decide(MANAGER), Approval)
        assert (decided.state, decided.decided_by) == ("approved", MANAGER[0])
        approved = void.model_copy(update={"approval_id": ask.approval_id})
        voided = await front.request(approved, SaleVoided)
        assert voided.sale_id == done.sale_id
        # It is spent: another sale isn't voided by it.
        other = await sell(front)
        again = approved.model_copy(update={"sale_id": other.sale_id})
        assert await refused(front.request(again, SaleVoided)) == "conflict"


async def test_the_audit_log_is_whole_and_names_who_did_what(
    box: Box, tills: list[IdentityStore]
) -> None:
    async with box.client(tills[0]) as hub:
        await sign_in(hub, MANAGER)
    verdict = await box.cli_json("audit", "verify")
    assert verdict["whole"]
    listed = await box.cli_json("audit", "list", "--limit", "500")
    actions = {one["action"] for one in listed}
    assert {"device.pair", "pairing.open"} <= actions
    assert MANAGER[0] in json.dumps(listed)
    text = json.dumps(listed)
    for person in (CASHIER, SECOND, SUPERVISOR, MANAGER):
        assert f'"{person[1]}"' not in text


# The shell ----------------------------------------------------------------------------------------

READS: tuple[tuple[str, ...], ...] = (
    ("stock", "level", GOODS[0].sku),
    ("stock", "ledger", GOODS[0].sku),
    ("stock", "verify"),
    ("sales", "list"),
    ("outbox", "status"),
    ("cloud", "status"),
    ("audit", "verify"),
    ("catalog", "search", "a"),
    ("config", "show"),
)


@restarts
async def test_everything_can_be_read_while_the_hub_runs_and_while_it_does_not(
    box: Box, tills: list[IdentityStore]
) -> None:
    await box.told_all()
    running = await box.cli_each(*READS)
    (sale, *_) = await box.cli_json("sales", "list")
    shown = await box.cli_json("sales", "show", sale["sale_id"])
    assert shown["total_minor"] == sale["total_minor"]
    assert len(await box.cli_json("devices", "list")) == len(tills)
    assert "certificate" in await box.cli("devices", "list")
    await box.stop_hub()
    stopped = await box.cli_each(*READS)
    for command, before, after in zip(READS, running, stopped, strict=True):
        if command[0] not in {"cloud", "outbox", "audit"}:
            assert before == after, command
    told = await box.cli("devices", "list", code=1)
    assert "the hub isn't running" in told
    assert "store-hub run" in told
    await box.start_hub()


async def test_the_settings_are_shown_without_their_secrets(box: Box) -> None:
    for arguments in (("config", "show"), ("config", "show", "--json")):
        shown = await box.cli(*arguments)
        assert SECRET not in shown
        assert (box.rig.base / "token").read_text().strip() not in shown
        assert "signing_secret" in shown
    assert (box.rig.base / "token").read_text().strip() not in box.rig.hub.log.read_text()


async def test_unknown_things_are_named_with_a_next_step(box: Box) -> None:
    for arguments, word in (
        (("sales", "show", "no-such-sale"), "store-hub sales list"),
        (("stock", "ledger", "NO-SUCH-SKU"), "store-hub catalog search"),
        (("devices", "revoke", "till-99", "--reason", "x", "--yes"), "store-hub devices list"),
        (("restore", "/nowhere", "--yes"), "/nowhere"),
    ):
        told = await box.cli(*arguments, code=2 if arguments[0] == "restore" else 1)
        assert word in told, told
        assert "Traceback" not in told


# Appetite -----------------------------------------------------------------------------------------


def appetite(pid: int) -> dict[str, int]:
    """Threads and open files of a process."""
    return {
        "threads": len(list(Path(f"/proc/{pid}/task").iterdir())),
        "files": len(list(Path(f"/proc/{pid}/fd").iterdir())),
    }


async def test_selling_makes_no_threads_and_keeps_no_files_open(
    box: Box, tills: list[IdentityStore]
) -> None:
    async with box.client(tills[0]) as hub:
        await many(hub, 40)
        before = appetite(box.rig.hub.pid)
        await many(hub, 200)
        await box.told_all()

        def as_before() -> bool:  # some of the cloud's connections may be busy just now
            after = appetite(box.rig.hub.pid)
            return all(after[what] <= count + 2 for what, count in before.items())

        await box.until(as_before)


async def many(hub: HubClient, count: int) -> None:
    for start in range(0, count, 10):
        async with asyncio.TaskGroup() as group:
            for n in range(start, start + 10):
                command = sale_of(hub.ids.uuid7(), GOODS[n % len(GOODS)])
                group.create_task(hub.request(command, SaleDone))


# In this process ----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def hub_here(settings: Settings) -> AsyncIterator[Hub]:
    """The hub's own object, so that a test can reach its clockwork."""
    clock, randomness = SystemClock(), SystemRandomness()
    ids = SystemIds(clock, randomness)
    hub = Hub(settings, clock=clock, ids=ids, randomness=randomness, recent=Recent())
    await hub.start()
    try:
        yield hub
    finally:
        await hub.stop()


@pytest.mark.usefixtures("box")
async def test_the_hub_announces_the_ports_it_really_listens_on(
    make_settings: Callable[..., Settings],
) -> None:
    nowhere = {"enabled": True, "interfaces": ["no-such-net"]}
    async with hub_here(make_settings(discovery=nowhere)) as hub:
        assert hub.advertiser is not None
        told = hub.advertiser.advertisement
        assert told.https_port == hub.web.port
        assert (told.mqtt_port, told.mtls_port) == (
            hub.messaging.ports.password,
            hub.messaging.ports.mtls,
        )
        assert told.ca_fingerprint == hub.authority.fingerprint
        for port in (told.https_port, told.mqtt_port, told.mtls_port):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        async with asyncio.timeout(60):
            await hub.advertiser.wait_for(lambda state: state.status is not Status.STOPPED)
        assert hub.parts.discovery().state == "waiting"


async def paired_here(hub: Hub, folder: Path) -> IdentityStore:
    opened = await hub.web.desk.open(Caller(CallerKind.CLI, "test"), OpenPairing(kind="kiosk"))
    link, store = PairingLink.parse(opened.qr), IdentityStore(folder)
    await pair(
        store,
        host="127.0.0.1",
        port=hub.web.port,
        ca_fingerprint=link.fingerprint,
        code=link.code,
    )
    return store


async def served(store: IdentityStore, port: int) -> int:
    """The serial number of the certificate that a port serves."""
    context = store.tls_context(with_certificate=False)
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return int(x509.load_der_x509_certificate(der).serial_number)


@pytest.mark.usefixtures("box")
async def test_a_certificate_renewed_while_running_is_served_and_nobody_is_disconnected(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    async with hub_here(make_settings()) as hub:
        store = await paired_here(hub, tmp_path / "kiosk")
        ports = (hub.web.port, hub.messaging.ports.password)
        async with HubClient(store, DeviceMeta(kind="kiosk")) as kiosk:
            await kiosk.request(ListBaskets(), Baskets)
            before = [await served(store, port) for port in ports]
            hub.authority.server_certificate_path.unlink()
            await hub.certificates.keep()
            async with asyncio.timeout(60):
                while before[1] == await served(store, ports[1]):
                    await asyncio.sleep(0.05)
            after = [await served(store, port) for port in ports]
            assert after[0] == after[1] != before[0]
            await kiosk.request(ListBaskets(), Baskets)
            assert kiosk.session.connections == 1


@pytest.mark.usefixtures("box")
async def test_devices_come_back_when_the_authority_changes_while_the_hub_runs(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hub_here(make_settings()) as hub:
        old = await paired_here(hub, tmp_path / "old")
        fingerprint = hub.authority.fingerprint
        async with HubClient(old, DeviceMeta(kind="kiosk")) as kiosk:
            await kiosk.request(ListBaskets(), Baskets)
            monkeypatch.setattr(hub.authority, "_overlap_ms", 25 * 365 * 86_400_000)
            await hub.certificates.keep()
            monkeypatch.undo()
            assert hub.authority.fingerprint != fingerprint
            async with asyncio.timeout(60):
                while kiosk.session.connections < 2:
                    await asyncio.sleep(0.05)
            await kiosk.request(ListBaskets(), Baskets)
        new = await paired_here(hub, tmp_path / "new")
        async with HubClient(new, DeviceMeta(kind="kiosk")) as kiosk:
            await kiosk.request(ListBaskets(), Baskets)
        await renew(old)
        assert old.ca_path.read_text() == new.ca_path.read_text()


@pytest.mark.usefixtures("box")
async def test_a_hub_that_cannot_start_leaves_nothing_behind(
    make_settings: Callable[..., Settings],
) -> None:
    async with hub_here(make_settings()) as first:
        taken = make_settings(
            web={"port": first.web.port},
            paths={"state": first.settings.paths.run / "s", "run": first.settings.paths.run / "r"},
        )
        with pytest.raises(OSError, match="in use"):
            async with hub_here(taken):
                pass
        assert first.web.port
