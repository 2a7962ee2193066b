"""Printing at the page's doors: the receipt as a page that runs nothing, and who may do what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.documents.returncode import Signer
from hub.documents.templates import Template
from hub.web.reads import Sources
from tests.hubparts import HubParts, hub_parts
from tests.storage.freeze import trade
from tests.support.shop import Shop
from tests.wire.web.staffed import at_the_page, hire

JOB = "0199f3a2-7f01-7a2b-8c3d-4e5f6a7b8c10"
ACTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("print/settle", {"job_id": JOB, "answer": "printed"}),
    ("print/cancel", {"job_id": JOB}),
    ("print/reprint", {"job_id": JOB}),
    ("print/gift-receipt", {"sale_id": JOB}),
    ("print/label", {"labels": [{"code": "tea"}]}),
    ("print/test", {"printer_id": "printer-1"}),
    ("drawer/open", {"reason": "to look", "device_id": "till-1"}),
    ("peripheral/configure", {"id": "printer-1", "driver": "escpos-printer"}),
    ("peripheral/remove", {"id": "printer-1"}),
    ("peripheral/find", {}),
    ("peripheral/try", {"id": "printer-1"}),
)


def furnish(state: Path) -> None:
    shop = Shop(state)
    trade(shop)
    shop.close()


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubParts]:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    await asyncio.to_thread(furnish, state)
    async with hub_parts(tmp_path) as parts:
        yield parts


async def test_a_receipt_is_shown_as_a_copy_that_can_run_and_ask_for_nothing(
    hub: HubParts,
) -> None:
    sales = await hub.gate.read(
        lambda rows: rows.all("SELECT sale_id, receipt_no, state FROM sales ORDER BY id")
    )
    assert {state for _, _, state in sales} == {"completed", "voided"}
    async with hub.technician() as (http, _):
        for sale_id, receipt_no, state in sales:
            async with http.get(f"/api/1/sales/{sale_id}/receipt") as answer:
                assert answer.status == 200
                text = await answer.text()
                assert answer.content_type == "text/html"
                assert answer.headers["Cache-Control"] == "no-store"
                assert answer.headers["X-Frame-Options"] == "DENY"
                policy = answer.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
                assert "sandbox" in policy
            assert receipt_no in text, state
            assert "copy" in text.lower()
            assert "<script" not in text


async def test_codes_that_goods_are_returned_by_stand_on_paper_only(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    await asyncio.to_thread(furnish, state)
    template = Template("Corner Shop", signer=Signer("367", bytes(32)))
    async with hub_parts(tmp_path, sources=Sources(template=template)) as hub:
        row = await hub.gate.read(
            lambda rows: rows.one("SELECT sale_id FROM sales WHERE state = 'completed'")
        )
        assert row is not None
        path = f"/api/1/sales/{row[0]}/receipt"
        async with hub.technician() as (http, _), http.get(path) as answer:
            text = await answer.text()
    assert text.count("<svg") == 1  # the receipt's number
    assert "return in any" not in text.lower()


async def test_whoever_only_looks_sees_what_is_printed_and_changes_nothing(
    tmp_path: Path,
) -> None:
    async with hub_parts(tmp_path) as hub:
        await hire(hub)
        await _looks_only(hub)


async def _looks_only(hub: HubParts) -> None:
    async with at_the_page(hub, "1002") as (http, csrf):
        for path in ("peripherals", "printing", "printing/ended"):
            async with http.get(f"/api/1/{path}") as answer:
                assert answer.status == 200, path
        for number, (address, body) in enumerate(ACTS):
            key = {"Idempotency-Key": f"page-test-{number}"}
            async with http.post(f"/api/1/{address}", json=body, headers=csrf | key) as answer:
                assert answer.status == 403, address
                assert (await answer.json())["context"]["right"] in {"printing", "peripherals"}


async def test_peripherals_that_nobody_drives_just_now_are_said_so(hub: HubParts) -> None:
    async with hub.technician() as (http, _), http.get("/api/1/peripherals") as answer:
        assert await answer.json() == {"kept": False, "peripherals": []}
