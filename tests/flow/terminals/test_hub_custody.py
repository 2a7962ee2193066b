"""What the terminal approves offline the hub keeps as a token, presented once the sale is made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.clock import SystemRandomness
from hub.contract.payments import GetPayment, PaymentView, StartPayment
from hub.contract.sale import SaleDone, Tender
from scripts.rig import free_port
from scripts.rig.terminal import TerminalRig
from tests.support.hubbox import GOODS, MANAGER, Box, open_box, sale_of

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("hub-custody"),
]
RANDOM = SystemRandomness()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def terminal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TerminalRig]:
    folder = tmp_path_factory.mktemp("cards") / "terminal"
    ports = (free_port(RANDOM), free_port(RANDOM))
    rig = TerminalRig(folder, ports, more=["--custody", "hub"])
    await rig.start()
    yield rig
    await rig.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def box(terminal: TerminalRig) -> AsyncIterator[Box]:
    entry = terminal.entry(options=terminal.options(custody="hub"))
    settings: dict[str, dict[str, Any]] = {
        "peripherals": {"terminal-1": entry},
        "payments": {"processor": "oms"},
    }
    async with open_box(settings=settings) as box:
        yield box


def token_of(terminal: TerminalRig, deed: dict[str, str]) -> bytes:
    """As the simulated terminal makes it."""
    return f"simulated-p2pe.{deed['transaction']}.{deed['service']}".encode()


async def test_a_token_is_sealed_presented_once_the_sale_is_made_and_shredded(
    box: Box, terminal: TerminalRig
) -> None:
    async with box.client(await box.pair(), MANAGER) as till:
        await box.stock_up(till)
        await terminal.usual("offline")
        begin = StartPayment(
            payment_id=till.ids.uuid7(),
            sale_id=till.ids.uuid7(),
            amount_minor=GOODS[0].price_minor,
        )
        asked = GetPayment(payment_id=begin.payment_id)
        await till.request(begin, PaymentView, until_answered=True)

        async def becomes(state: str) -> PaymentView:
            async def is_so() -> PaymentView | None:
                now = await till.request(asked, PaymentView, until_answered=True)
                return now if now.state == state else None

            found = await box.until(is_so)
            assert isinstance(found, PaymentView)
            return found

        stored = await becomes("stored")
        assert (stored.custody, stored.approved_offline) == ("hub", True)
        (deed,) = (await terminal.ledger())["deeds"]
        assert (deed["how"], deed["waits"]) == ("tokenised", False)
        secret = token_of(terminal, deed)
        known = deed["transaction"].encode()
        assert await asyncio.to_thread(holds, box.rig.base, known), "it looks where things are"
        assert not await asyncio.to_thread(holds, box.rig.base, secret)

        tender = Tender(kind="card", amount_minor=begin.amount_minor, payment_id=begin.payment_id)
        await till.submit(sale_of(begin.sale_id, tenders=[tender]), SaleDone)
        await becomes("captured")
        assert box.rows("SELECT count(*) FROM payment_secrets") == [(0,)]


def holds(folder: Path, secret: bytes) -> list[str]:
    """The files that hold it in plain; what the processor has it may have."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and "oms" not in path.name and secret in path.read_bytes()
    ]
