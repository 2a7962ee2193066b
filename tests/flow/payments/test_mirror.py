"""A second keeper of stored payments: nothing is acknowledged before it has its copy, and a lost
box loses none of them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devices.kit.keeping import Keeping
from hub.app.mirroring import Mirror
from hub.clock import SystemRandomness
from hub.contract import keeping
from hub.domain import cards
from hub.security.vault import PaymentVault
from hub.service.handlers import mirroring
from hub.service.handlers.mirroring import TakeCopies
from hub.service.handlers.paymentkeys import RewrapTokens
from hub.storage import secretrows
from tests.support.paying import PayingShop, rules


class Keeper:
    """A device that keeps copies; ``away``: it can't be reached."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.away = False
        self.asked: list[str] = []
        self.restart()

    def restart(self) -> None:
        """The device was switched off and on."""
        self.keeping = Keeping(self.path)

    async def ask(
        self, device_id: str, operation: str, data: dict[str, Any], _timeout_s: float
    ) -> dict[str, Any]:
        assert device_id == "till-2"
        if self.away:
            raise TimeoutError("nobody answers")
        self.asked.append(operation)
        match operation:
            case keeping.KEEP:
                return await self.keeping.on_keep(data)
            case keeping.DROP:
                return await self.keeping.on_drop(data)
            case _:
                return await self.keeping.on_return(data)

    async def copies(self) -> list[tuple[str, str]]:
        """What it has."""
        answer = keeping.Copies.model_validate(await self.keeping.on_return({}))
        return [(one.payment_id, one.copy_text) for one in answer.copies]


def made(directory: Path) -> PayingShop:
    """A shop whose payments are kept twice."""
    directory.mkdir(exist_ok=True)
    vault = PaymentVault.open(directory / "keys", b"m" * 32, b"c" * 32, SystemRandomness())
    return PayingShop(directory, payments=rules(vault=vault, mirror="till-2"))


def vault_of(shop: PayingShop) -> PaymentVault:
    """Where this shop's tokens are sealed."""
    vault = shop.gate.shop.payments.vault
    assert isinstance(vault, PaymentVault)
    return vault


@pytest.fixture
def shop(tmp_path: Path) -> PayingShop:
    return made(tmp_path / "first")


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path / "kept-payments")


@pytest.fixture
async def mirror(shop: PayingShop, keeper: Keeper) -> AsyncIterator[Mirror]:
    one = Mirror("till-2", shop.gate, keeper.ask, SystemRandomness(), vault_of(shop))
    one.start()
    yield one
    await one.stop()


async def until(condition: Any) -> None:
    """Wait for it."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def poke(mirror: Mirror, shop: PayingShop) -> None:
    """Give the hub's notices on."""
    mirror.notify(shop.writer.notices)
    shop.writer.notices.clear()


async def test_a_payment_may_be_tendered_when_the_second_keeper_has_it(
    shop: PayingShop, keeper: Keeper, mirror: Mirror
) -> None:
    keeper.away = True
    payment = shop.stored(token="tok_twice")
    assert not payment["tenderable"]
    body = shop.selling(payment)
    assert shop.no("till-1", "sale/commit", body)["code"] in ("conflict", "outcome-unknown")
    keeper.away = False
    poke(mirror, shop)
    await until(lambda: shop.payment(payment)["tenderable"])
    shop.sold(payment)
    ((kept, text),) = await keeper.copies()
    assert kept == payment["payment_id"]
    assert not any(char.isdigit() for char in text)
    assert cards.find_card_data(text) is None
    assert "tok_twice" not in keeper.path.read_text()


async def test_what_a_terminal_keeps_itself_needs_no_second_keeper(
    shop: PayingShop, keeper: Keeper, mirror: Mirror
) -> None:
    keeper.away = True
    assert shop.stored()["tenderable"]


async def test_a_lost_box_loses_no_payment(
    tmp_path: Path, shop: PayingShop, keeper: Keeper, mirror: Mirror
) -> None:
    payments = [shop.stored(token=f"tok_{n}", device="till-2") for n in range(3)]
    poke(mirror, shop)
    await until(lambda: all(shop.row(one).mirrored for one in payments))
    sale = shop.sold(payments[0], device="till-2")
    await mirror.stop()
    keeper.restart()
    keys = (tmp_path / "first" / "keys").read_bytes()
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "keys").write_bytes(keys)  # from the escrow
    other = made(tmp_path / "second")
    after = Mirror("till-2", other.gate, keeper.ask, SystemRandomness(), vault_of(other))
    after.start()
    count = "SELECT count(*) FROM payments"
    await until(lambda: other.value(count) == 3)
    await after.stop()
    vault = vault_of(other)
    for n, payment in enumerate(payments):
        back = other.payment(payment)
        assert (back["state"], back["custody"], back["amount_minor"]) == (
            "forward_unknown",
            "hub",
            499,
        )
        token = secretrows.get(other.rows, other.row(payment).id)
        assert token is not None
        assert vault.unseal(payment["payment_id"], token) == f"tok_{n}".encode()
    assert sale["sale_id"] == payments[0]["sale_id"]
    assert other.internal(TakeCopies(tuple(await keeper.copies()))) == ()
    assert other.value(count) == 3


async def test_tip_and_surcharge_come_back_with_a_copy_and_nobody_swaps_them(
    tmp_path: Path, shop: PayingShop, keeper: Keeper, mirror: Mirror
) -> None:
    payments: list[Any] = []
    for added in ({"tip_minor": 15}, {"surcharge_minor": 15}, {"tip_minor": 1}, {}):
        payment = shop.own(499)
        shop.report(payment, "approved-offline", card=added, token=f"tok_{len(payments)}")
        payments.append(payment)
    poke(mirror, shop)
    await until(lambda: all(shop.row(one).mirrored for one in payments))
    await mirror.stop()
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "keys").write_bytes((tmp_path / "first" / "keys").read_bytes())
    other = made(tmp_path / "second")
    copies = await keeper.copies()
    swapped = [(name, changed(text)) for name, text in copies]
    assert other.internal(TakeCopies(tuple(swapped))) == ()
    assert other.value("SELECT count(*) FROM payments") == 1, "only the one that has neither"
    other.internal(TakeCopies(tuple(copies)))
    figures = [other.row(one) for one in payments]
    assert [(one.amount_minor, one.tip_minor, one.surcharge_minor) for one in figures] == [
        (514, 15, 0),
        (514, 0, 15),
        (500, 1, 0),
        (499, 0, 0),
    ]
    assert [one.surcharge_unasked for one in figures] == [0, 1, 0, 0]


def changed(text: str) -> str:
    """A copy in which a tip is called a surcharge, and the other way round."""
    plain = base64.b32decode(text.translate(mirroring._FROM_LETTERS))
    facts = json.loads(plain)
    tip, surcharge = facts.pop("tip_minor", 0), facts.pop("surcharge_minor", 0)
    facts |= {"tip_minor": surcharge} if surcharge else {}
    facts |= {"surcharge_minor": tip} if tip else {}
    again = json.dumps(facts, separators=(",", ":")).encode()
    return base64.b32encode(again).decode().translate(mirroring._TO_LETTERS)


async def test_a_new_box_without_the_keys_counts_the_copies_that_it_can_not_take(
    tmp_path: Path, shop: PayingShop, keeper: Keeper, mirror: Mirror
) -> None:
    payment = shop.stored(token="tok_lost", device="till-2")
    poke(mirror, shop)
    await until(lambda: shop.row(payment).mirrored)
    await mirror.stop()
    keeper.restart()
    other = await asyncio.to_thread(made, tmp_path / "second")  # with keys of its own
    after = Mirror("till-2", other.gate, keeper.ask, SystemRandomness(), vault_of(other))
    assert after.refused() == 0
    after.start()
    await until(lambda: after.refused() == 1)
    await after.stop()
    assert len(await keeper.copies()) == 1


async def test_a_copy_goes_when_the_payment_is_over(
    shop: PayingShop, keeper: Keeper, mirror: Mirror
) -> None:
    payment = shop.stored(token="tok_over")
    poke(mirror, shop)
    await until(lambda: shop.row(payment).mirrored)
    shop.give_up(payment)
    poke(mirror, shop)
    async with asyncio.timeout(30):
        while await keeper.copies():
            await asyncio.sleep(0.01)
    keeper.restart()
    assert await keeper.copies() == []


async def test_copies_are_made_anew_when_the_key_changes(
    shop: PayingShop, keeper: Keeper, mirror: Mirror
) -> None:
    payment = shop.stored(token="tok_key")
    poke(mirror, shop)
    await until(lambda: shop.row(payment).mirrored)
    before = await keeper.copies()
    vault = vault_of(shop)
    await asyncio.to_thread(vault.rotate)
    shop.internal(RewrapTokens())
    assert not shop.row(payment).mirrored
    poke(mirror, shop)
    await until(lambda: shop.row(payment).mirrored)
    assert await keeper.copies() != before


async def test_a_copy_that_was_changed_is_not_taken_in(shop: PayingShop, keeper: Keeper) -> None:
    payment_id = shop.id()
    assert shop.internal(TakeCopies(((payment_id, "PMRHAYLZNVSW"),))) == ()
    assert shop.value("SELECT count(*) FROM payments") == 0


async def test_a_device_says_so_when_it_can_keep_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.kit.keeping.COPIES_MAX", 2)
    monkeypatch.setattr("devices.kit.keeping._SLACK", 3)
    kept = Keeping(tmp_path / "kept")
    names = [f"0199f3a2-7711-7e33-9d44-5f6a7b8c9d0{n}" for n in range(3)]
    for name in names[:2]:
        await kept.on_keep({"payment_id": name, "copy_text": "AB"})
    with pytest.raises(Exception, match="keeps 2 payments") as refused:
        await kept.on_keep({"payment_id": names[2], "copy_text": "AB"})
    assert refused.value.problem.code == "storage-full"  # type: ignore[attr-defined]
    for n in range(20):
        await kept.on_keep({"payment_id": names[0], "copy_text": f"A{chr(65 + n)}"})
    lines = [one for one in (tmp_path / "kept").read_text().splitlines() if one]
    assert len(lines) <= 6
    with (tmp_path / "kept").open("a") as file:
        file.write('["torn')
    again = Keeping(tmp_path / "kept")
    answer = keeping.Copies.model_validate(await again.on_return({}))
    assert [one.copy_text for one in answer.copies] == ["AT", "AB"]
    assert (await again.on_drop({"payment_ids": names}))["kept"] == 0
