"""``store-hub payments settle-link`` and ``settle-refund``: the shell names what it speaks of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli.program import root
from hub.domain.payments.states import PaymentState as S
from hub.service.handlers import collect
from hub.storage import linkrows, refundrows
from hub.storage.rows import Tx
from tests.hubparts import SHOP, HubParts, hub_parts
from tests.support.cardrows import add_payment, payment_id
from tests.wire.web.staffed import PIN, hire

Say = Callable[..., Awaitable[Result]]
REFUNDS = (payment_id(1001), payment_id(1002))
LINKS = ("key-1", "key-2")


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubParts]:
    async with hub_parts(tmp_path, handlers=collect, shop=SHOP) as parts:
        await hire(parts)
        yield parts


@pytest.fixture
def say(hub: HubParts, tmp_path: Path) -> Say:
    config = tmp_path / "config.toml"
    config.write_text(
        '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
        f'[paths]\nstate = "{hub.state}"\nrun = "{hub.run}"\n'
        f'[web]\nport = {hub.web.port}\n[cloud]\nurl = "https://oms.example"\n'
    )

    async def run(*words: str) -> Result:
        command = ["--config", str(config), "payments", *words]
        return await asyncio.to_thread(CliRunner().invoke, root, command, input=f"1003\n{PIN}\n")

    return run


def add_refunds(tx: Tx, count: int) -> None:
    row = add_payment(tx, 1, S.CAPTURED, in_sale=1)
    for refund_id in REFUNDS[:count]:
        refundrows.add(tx, refund_id, row.id, "return", 100, "till")


def add_links(tx: Tx, count: int) -> None:
    row = add_payment(tx, 1, S.WRITTEN_OFF, in_sale=1)
    for number, key in enumerate(LINKS[:count], 1):
        link = linkrows.add(tx, key, row.id, 499, "1003")
        linkrows.change(tx, link, state="surplus", psp_ref=f"pl-{number}", paid_minor=499)


async def refund_states(hub: HubParts) -> Any:
    return await hub.write(lambda tx: [one.state for one in refundrows.of_payment(tx, 1)])


async def link_states(hub: HubParts) -> Any:
    return await hub.write(lambda tx: [one.state for one in linkrows.of_payment(tx, 1)])


async def test_a_refund_that_is_settled_twice_is_told_as_said_before(
    hub: HubParts,
    say: Say,
) -> None:
    await hub.write(lambda tx: add_refunds(tx, 1))
    words = ("settle-refund", payment_id(1), "otherwise", "--reason", "cash, slip 4")
    first = await say(*words)
    assert f"It is written down of 1.00 EUR ({REFUNDS[0]})." in first.output
    again = await say(*words)
    assert f"said before of 1.00 EUR ({REFUNDS[0]})" in again.output
    assert (again.exit_code, await refund_states(hub)) == (0, ["refused"])


async def test_where_several_refunds_may_be_meant_the_shell_asks_which(
    hub: HubParts,
    say: Say,
) -> None:
    await hub.write(lambda tx: add_refunds(tx, 2))
    words = ("settle-refund", payment_id(1), "given-back", "--reason", "journal, slip 4")
    unnamed = await say(*words)
    assert (unnamed.exit_code, await refund_states(hub)) == (1, ["wanted", "wanted"])
    assert all(one in unnamed.output for one in REFUNDS)
    named = await say(*words, "--refund", REFUNDS[1])
    assert named.exit_code == 0, named.output
    unnamed = await say(*words)
    assert (unnamed.exit_code, await refund_states(hub)) == (1, ["wanted", "done"])
    assert f"{REFUNDS[1]} (1.00 EUR, said before)" in unnamed.output
    shown = (await say("show", payment_id(1))).output
    assert all(one in shown for one in REFUNDS)


async def test_a_links_money_that_is_settled_twice_is_told_as_said_before(
    hub: HubParts,
    say: Say,
) -> None:
    await hub.write(lambda tx: add_links(tx, 1))
    words = ("settle-link", payment_id(1), "kept", "--reason", "for the delivery")
    first = await say(*words)
    assert "It is written down of 4.99 EUR (key-1)." in first.output
    again = await say(*words)
    assert "said before of 4.99 EUR (key-1)" in again.output
    assert (again.exit_code, await link_states(hub)) == (0, ["settled"])


async def test_where_several_links_may_be_meant_the_shell_asks_which(
    hub: HubParts,
    say: Say,
) -> None:
    await hub.write(lambda tx: add_links(tx, 2))
    words = ("settle-link", payment_id(1), "kept", "--reason", "for the delivery")
    unnamed = await say(*words)
    assert (unnamed.exit_code, await link_states(hub)) == (1, ["surplus", "surplus"])
    named = await say(*words, "--link", "key-2")
    assert named.exit_code == 0, named.output
    assert await link_states(hub) == ["surplus", "settled"]
    wrong = await say(*words, "--link", "key-3")
    assert "key-3 is none of this payment's" in wrong.output


async def test_what_waits_for_nobodys_word_is_said_so_without_a_pin(
    hub: HubParts,
    say: Say,
) -> None:
    await hub.write(lambda tx: add_refunds(tx, 0))
    words = ("settle-refund", payment_id(1), "otherwise", "--reason", "cash")
    found = await say(*words)
    assert found.exit_code == 1
    assert "PIN" not in found.output
