"""What hangs on the hub's own box, with the real daemon: paper, scans, weights, lent printers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from devices.kit import HubClient, IdentityStore, Refused
from hub.clock import SystemRandomness
from hub.contract.documents import SaleFacts, facts_of
from hub.contract.lending import LentPrinter, PieceTaken
from hub.contract.peripherals import Shown, ShowText
from hub.contract.printing import GetPrintJob, PrintJobDetails
from hub.contract.sale import SaleDone
from hub.contract.scales import Weigh, WeightView
from hub.contract.scans import Scan
from hub.documents.returncode import PURPOSE, Signer
from hub.security.secrets_box import SecretsBox
from tests.support.hubbox import GOODS, Box, open_box, sale_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("hub-peripherals"),
]
ATTACHED: dict[str, dict[str, Any]] = {
    "printer-counter": {"driver": "simulated-printer", "name": "Counter"},
    "drawer-1": {"driver": "simulated-drawer", "serves": ["till-01"]},
    "display-1": {"driver": "simulated-display"},
    "scale-1": {"driver": "simulated-scale", "options": {"grams": 455}},
    "scanner-1": {
        "driver": "simulated-scanner",
        "serves": ["till-01"],
        "options": {"codes": GOODS[0].gtin, "every_ms": 500},
    },
    "broken-1": {"driver": "simulatd-printer"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box() -> AsyncIterator[Box]:
    printer: dict[str, Any] = dict(ATTACHED["printer-counter"])
    attached = ATTACHED | {"printer-counter": printer}
    settings: dict[str, dict[str, Any]] = {
        "printing": {"receipts": True},
        "peripherals": attached,
    }
    async with open_box(settings=settings, started=False) as box:
        base = box.rig.base
        printer["options"] = {"file": str(base / "paper.txt"), "faults": str(base / "faults")}
        await box.start()
        yield box


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def till(box: Box) -> AsyncIterator[HubClient]:
    store = await box.pair()
    assert store.load().device_id == "till-01"
    async with box.client(store) as hub:
        await box.stock_up(hub)
        yield hub


async def sell(hub: HubClient) -> SaleDone:
    """A sale that wants its receipt."""
    wanted = sale_of(hub.ids.uuid7()).model_copy(update={"print_receipt": True})
    done = await hub.submit(wanted, SaleDone)
    assert done.receipt_printed
    return done


def jobs(box: Box, state: str) -> list[tuple[Any, ...]]:
    """Documents in a state, each with its printer and title."""
    sql = "SELECT title, printer_id FROM print_jobs WHERE state = ? AND kind = 'sale' ORDER BY id"
    return box.rows(sql, state)


def paper(box: Box) -> str:
    file = box.rig.base / "paper.txt"
    return file.read_text() if file.exists() else ""


async def attached(box: Box, name: str) -> dict[str, Any]:
    (found,) = (one for one in await box.cli_json("peripherals", "list") if one["id"] == name)
    return dict(found)


async def is_ready(box: Box, name: str, **options: Any) -> bool:
    """Whether it is driven as it was set up, and there."""
    found = [one for one in await box.cli_json("peripherals", "list") if one["id"] == name]
    return any(one["phase"] == "ready" and one.get("options", {}) == options for one in found)


async def test_a_sale_s_receipt_comes_out_of_its_printer_once(box: Box, till: HubClient) -> None:
    done = await sell(till)
    await box.until(lambda: (done.receipt_no, "printer-counter") in jobs(box, "printed"))
    assert paper(box).count(done.receipt_no) >= 1
    assert paper(box).count("cut") == 1


async def test_a_printer_out_of_paper_is_told_and_prints_when_it_has_some(
    box: Box, till: HubClient
) -> None:
    faults = box.rig.base / "faults"
    faults.write_text("paper-empty")

    async def said() -> Any:
        findings = (await box.status())["health"]["findings"]
        (found,) = (one for one in findings if one["key"] == "peripherals")
        return "out of paper" in found["summary"]

    await box.until(said)
    done = await sell(till)
    assert (done.receipt_no, "printer-counter") not in jobs(box, "printed")
    faults.write_text("")
    await box.until(lambda: (done.receipt_no, "printer-counter") in jobs(box, "printed"))


async def test_a_scan_reaches_the_till_of_its_scanner_with_the_product(
    box: Box, till: HubClient
) -> None:
    heard: asyncio.Queue[Scan] = asyncio.Queue()
    till.on_scan(heard.put_nowait)
    async with asyncio.timeout(60):
        scan = await heard.get()
    assert scan.scanner == "scanner-1"
    assert scan.product is not None
    assert (scan.product.sku, scan.why_not) == (GOODS[0].sku, None)


async def test_a_till_weighs_and_shows_but_only_on_what_is_its_own(
    box: Box, till: HubClient
) -> None:
    weight = await till.request(Weigh(), WeightView)
    assert (weight.scale_id, weight.grams, weight.stable) == ("scale-1", 455, True)
    shown = await till.request(ShowText(lines=("Pen", "2.49")), Shown)
    assert shown.display_id == "display-1"
    with pytest.raises(Refused) as refused:
        await till.request(ShowText(lines=("x",), display_id="scale-1"), Shown)
    assert refused.value.problem.code == "not-found"


async def test_a_peripheral_is_a_device_to_whoever_listens_and_nobody_may_speak_for_it(
    box: Box, till: HubClient
) -> None:
    store = await box.pair(kind="kiosk")
    async with box.raw(store) as raw:
        topic = f"sh/1/{box.rig.store}/hub/dev/printer-counter/state"
        raw.client.subscribe(topic, 1)
        async with asyncio.timeout(60):
            heard, state = "", b""
            while heard != topic:
                heard, state, _, _ = await raw.inbox.get()
        assert json.loads(state)["state"] == "ready"
        lie = json.dumps({"state": "lost", "session": "hub"}).encode()
        assert await raw.publish(topic, lie, retain=True) != "Success"
    devices = {one["device_id"]: one for one in (await box.status())["devices"]}
    printer = devices["printer-counter"]
    assert (printer["kind"], printer["auth"], printer["presence"]) == ("printer", "hub", "ready")
    assert "revoke" not in await box.cli(
        "devices", "revoke", "printer-counter", "--reason", "x", "--yes", code=1
    )


async def test_a_driver_that_isn_t_there_is_said_so_and_the_rest_is_driven(box: Box) -> None:
    broken = await attached(box, "broken-1")
    assert broken["phase"] == "refused"
    assert "did you mean 'simulated-printer'?" in broken["reason"]
    answer = await box.cli("peripherals", "remove", "broken-1", "--yes", code=1)
    assert "[[peripherals]]" in answer


async def test_a_drawer_whose_printer_is_away_says_what_it_waits_for(
    box: Box, till: HubClient
) -> None:
    nobody = "usb://04b8:0e15/NOT-THERE"
    await box.cli("peripherals", "add", "printer-away", "escpos-printer", nobody)
    await box.cli("peripherals", "add", "drawer-away", "printer-drawer", "--via", "printer-away")
    said = await box.cli("peripherals", "test", "drawer-away", code=1)
    assert "drawer-away isn't ready: waits for printer-away" in said
    for name in ("drawer-away", "printer-away"):
        await box.cli("peripherals", "remove", name, "--yes")


async def test_a_job_is_printed_again_seen_and_cancelled_from_the_shell(
    box: Box, till: HubClient
) -> None:
    nobody = "usb://04b8:0e15/NOT-THERE"
    await box.cli("peripherals", "add", "printer-away", "escpos-printer", nobody)
    done = await sell(till)
    ended = "SELECT job_id FROM print_jobs WHERE kind = 'sale' AND subject = ? AND confirmed = 1"
    ((job_id,),) = await box.until(lambda: box.rows(ended, done.sale_id))
    assert done.receipt_no in await box.cli("print", "list", "--all")
    await box.cli("print", "again", job_id[-12:], "--printer", "printer-away")
    (copy,) = json.loads(await box.cli("print", "list", "--json"))
    assert (copy["copy_no"], copy["of_job"], copy["state"]) == (1, job_id, "queued")
    short = copy["job_id"][-12:]
    assert "is queued" in await box.cli("print", "settle", short, "forget", code=1)
    assert "won't be printed" in await box.cli("print", "cancel", short)
    assert "Nothing waits" in await box.cli("print", "list")
    await box.cli("peripherals", "remove", "printer-away", "--yes")


async def test_a_receipt_s_code_is_known_here_and_its_key_at_the_cloud(
    box: Box, till: HubClient
) -> None:
    done = await sell(till)
    sold = "SELECT document FROM print_jobs WHERE kind = 'sale' AND subject = ?"
    facts = facts_of(box.rows(sold, done.sale_id)[0][0])
    assert isinstance(facts, SaleFacts)
    key_file = box.rig.hub_database.parent / "tls" / "box.key"
    secrets = SecretsBox.open(key_file, SystemRandomness())
    store = till.session.topics.store
    code = Signer(store, secrets.derive(PURPOSE)).code_of(facts)
    found = await till.scanned(code, "]Q1")
    assert found.why_not == "receipt"
    assert found.receipt is not None
    assert (found.receipt.sale_id, found.receipt.state) == (done.sale_id, "completed")
    known = "SELECT value FROM policies WHERE key = ?"
    ((keys,),) = await box.until(lambda: box.rows(known, f"return_keys.{store}"))
    assert json.loads(keys) == [(await box.cli("receipts", "key")).strip()]


async def test_shelf_labels_come_out_from_the_shell(box: Box, till: HubClient) -> None:
    goods = GOODS[0]
    said = await box.cli("print", "label", goods.gtin, goods.sku, "--copies", "2")
    assert said.count(goods.sku) == 2
    printed = (
        "SELECT count(*) FROM print_jobs WHERE kind = 'shelf-label' AND state = 'printed'"
        " AND printer_id = 'printer-counter'"
    )
    await box.until(lambda: box.rows(printed) == [(4,)])
    assert f"ean13 {goods.gtin[1:]}" in paper(box)
    assert "labels[1] (no-such)" in await box.cli("print", "label", goods.sku, "no-such", code=1)
    refused = await box.cli("print", "label", goods.sku, "--printer", "scale-1", code=1)
    assert "isn't a printer: choose one of printer-counter" in refused
    assert "ask in parts" in await box.cli("print", "label", *["x"] * 6, "--copies", "20", code=1)


async def test_one_is_added_tried_changed_and_removed_while_the_hub_runs(
    box: Box, till: HubClient
) -> None:
    short = await box.cli("peripherals", "add", "s2", "simulated-scale", code=1)
    assert "3 to 40 of a-z, 0-9 and '-'" in short
    await box.cli("peripherals", "add", "scale-2", "simulated-scale", "--option", "grams=77")

    await box.until(lambda: is_ready(box, "scale-2", grams=77))
    assert "77 g" in await box.cli("peripherals", "test", "scale-2")
    bad = await box.cli(
        "peripherals", "add", "scale-2", "simulated-scale", "--option", "x=1", code=1
    )
    assert "knows no option 'x'" in bad
    await box.cli("peripherals", "add", "scale-2", "simulated-scale", "--option", "grams=5")
    await box.until(lambda: is_ready(box, "scale-2", grams=5))
    assert "5 g" in await box.cli("peripherals", "test", "scale-2")
    assert box.rows("SELECT kind, auth FROM devices WHERE device_id = 'scale-2'") == [
        ("scale", "hub")
    ]
    await box.cli("peripherals", "remove", "scale-2", "--yes")
    await box.until(lambda: not box.rows("SELECT 1 FROM devices WHERE device_id = 'scale-2'"))


async def test_a_printer_that_a_till_lends_prints_the_receipt(box: Box, till: HubClient) -> None:
    store = await box.pair()
    name = store.load().device_id
    printed: list[bytes] = []

    async def print_(data: bytes) -> PieceTaken:
        printed.append(data)
        return PieceTaken(outcome="printed", confirmed=True)

    async def look() -> LentPrinter:
        return LentPrinter(ready=True, maker="Kiosk", model="K-1")

    async with box.client(store) as hub:
        hub.lend_printer(print_, look=look)
        address = f"device:{name}"
        await box.cli("peripherals", "add", "lent-1", "lent-printer", address, "--serves", name)
        await box.until(lambda: is_ready(box, "lent-1"))
        done = await sell(hub)
        await box.until(lambda: (done.receipt_no, "lent-1") in jobs(box, "printed"))
        assert len(printed) == 1
        assert done.receipt_no.encode() in printed[0]
        view = await attached(box, "lent-1")
        assert (view["phase"], view["maker"], view["confirms"]) == ("ready", "Kiosk", True)


async def stored(box: Box, store: IdentityStore) -> set[str]:
    """Topics below the hub's that the broker has something stored for."""
    marker = f"sh/1/{box.rig.store}/hub/dev/scale-1/meta"
    heard: list[str] = []
    async with box.raw(store) as raw:  # it hears all of the hub's
        await raw.subscribed.wait()
        raw.client.subscribe(marker, 1)  # told anew, behind all else
        async with asyncio.timeout(60):
            while heard.count(marker) < 2:
                heard.append((await raw.inbox.get())[0])
    return set(heard)


@pytest.mark.may_leak  # the hub of the other tests is another process now
async def test_one_that_the_settings_drop_leaves_nothing_at_the_broker(
    box: Box, till: HubClient
) -> None:
    store = await box.pair(kind="kiosk")
    topic = f"sh/1/{box.rig.store}/hub/dev/broken-1"
    assert {f"{topic}/state", f"{topic}/meta"} <= await stored(box, store)
    await box.stop_hub()
    text = box.rig.config_file.read_text()
    section = '[[peripherals]]\nid = "broken-1"\ndriver = "simulatd-printer"\n'
    assert section in text
    box.rig.config_file.write_text(text.replace(section, ""))
    await box.rig.hub.start()
    await box.rig.hub.ready()

    async def is_gone() -> bool:
        return not any(one.startswith(topic) for one in await stored(box, store))

    await box.until(is_gone)
    assert not box.rows("SELECT 1 FROM devices WHERE device_id = 'broken-1'")


@pytest.mark.may_leak
async def test_what_was_set_up_is_there_again_after_a_start(box: Box, till: HubClient) -> None:
    await box.cli("peripherals", "add", "display-2", "simulated-display", "--name", "Window")
    await box.stop_hub()
    await box.start_hub()

    await box.until(lambda: is_ready(box, "display-2"))
    done = await sell(till)
    await box.until(lambda: (done.receipt_no, "printer-counter") in jobs(box, "printed"))


async def test_a_till_reads_its_own_documents_and_no_other_s(box: Box, till: HubClient) -> None:
    done = await sell(till)
    sold = "SELECT job_id FROM print_jobs WHERE kind = 'sale' AND subject = ?"
    asked = GetPrintJob(job_id=box.rows(sold, done.sale_id)[0][0])
    assert (await till.request(asked, PrintJobDetails)).document["sale_id"] == done.sale_id
    other = await box.pair(name="another till")
    async with box.client(other) as stranger:
        with pytest.raises(Refused) as refused:
            await stranger.request(asked, PrintJobDetails)
    assert refused.value.problem.code == "forbidden"
