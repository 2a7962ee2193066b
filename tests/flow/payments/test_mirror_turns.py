"""The second keeper goes on being asked for the rest when a part of it can't be done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.app.mirroring import AT_ONCE, Mirror
from hub.clock import SystemRandomness
from hub.contract import keeping
from hub.domain.payments.tokens import SealedToken
from hub.service.handlers.recovery import FinishRecovery, Recovered
from hub.service.payments import owing
from hub.storage import secretrows
from tests.flow.payments.test_kept_contacts import close, owed
from tests.flow.payments.test_mirror import Keeper, poke, until
from tests.flow.payments.test_mirrored_contacts import CONTACT, MirroringShop, other, shop
from tests.support.copies import Copies, from_cloud
from tests.support.payingwork import HOUR_MS

__all__ = ["other", "shop"]  # fixtures


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path / "kept")


def mirror_of(shop: MirroringShop, keeper: Any) -> Mirror:
    return Mirror("till-2", shop.gate, keeper.ask, SystemRandomness(), shop.vault)


async def test_a_keeper_without_room_is_told_what_it_may_let_go_of(
    shop: MirroringShop, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.kit.keeping.COPIES_MAX", 1)
    mirror = mirror_of(shop, keeper)
    mirror.start()
    over, waiting = shop.stored_with(), shop.stored_with()
    poke(mirror, shop)
    await until(lambda: keeper.asked.count(keeping.KEEP) >= 2)
    shop.give_up(over, device="till-2")
    poke(mirror, shop)
    await until(lambda: shop.row(waiting).mirrored)
    assert [name for name, _ in await keeper.copies()] == [waiting["payment_id"]]
    await mirror.stop()


def expired(shop: MirroringShop) -> None:
    """The deadline of all that is stored passes."""
    shop.wait(25 * HOUR_MS)
    shop.expire()
    for till in ("till-1", "till-2"):
        shop.sign_in(till, "anna")


def broken(shop: MirroringShop, payment: Any) -> None:
    """Its contact is sealed under a key that is lost."""
    row = shop.row(payment)
    sealed = secretrows.get(shop.rows, row.id, owing.CONTACT)
    assert sealed is not None
    lost = SealedToken("lost", sealed.wrapped, sealed.sealed)
    shop.tx(lambda tx: secretrows.put(tx, row.id, lost, owing.CONTACT))


async def test_contacts_that_no_key_opens_keep_no_other_from_the_keeper(
    shop: MirroringShop, keeper: Keeper
) -> None:
    payments = []
    for _ in range(AT_ONCE + 1):
        payments.append(shop.stored_with())
        shop.mirror()
        shop.sold(payments[-1], device="till-2")
    *shut, last = payments
    expired(shop)
    for payment in shut:
        broken(shop, payment)
    mirror = mirror_of(shop, keeper)
    mirror.start()
    await until(lambda: shop.row(last).mirrored)
    assert [name for name, _ in await keeper.copies()] == [last["payment_id"]]
    asked = len(keeper.asked)
    for payment in shut:
        close(shop, payment)
    poke(mirror, shop)
    await until(lambda: len(keeper.asked) > asked)
    assert keeper.asked[asked:] == [keeping.DROP]
    await mirror.stop()


async def test_the_keeper_is_asked_again_when_the_cloud_tells_more_while_it_is_asked(
    shop: MirroringShop, other: MirroringShop, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.kit.keeping.COPIES_PER_ANSWER", 1)
    payments = [owed(shop)]
    copies = [shop.mirror()]
    payments.append(owed(shop))
    copies.append(shop.mirror())
    for name, text in copies:
        await keeper.keeping.on_keep({"payment_id": name, "copy_text": text})
    mirror: Mirror

    async def ask(device_id: str, operation: str, data: Any, timeout_s: float) -> Any:
        if keeper.asked == [keeping.RETURN]:  # of the first the cloud had told nothing yet
            other.internal(from_cloud(shop))
            other.internal(FinishRecovery({}, Recovered()))
            poke(mirror, other)
        return await keeper.ask(device_id, operation, data, timeout_s)

    mirror = Mirror("till-2", other.gate, ask, SystemRandomness(), other.vault)
    mirror.start()
    await until(lambda: other.value("SELECT count(*) FROM payment_contacts") == 2)
    await mirror.stop()
    assert [other.contact(one) for one in payments] == [CONTACT, CONTACT]


async def test_a_hub_put_back_gets_the_token_of_what_its_copy_has_as_begun(
    shop: MirroringShop, keeper: Keeper, tmp_path: Path
) -> None:
    copies = Copies(tmp_path)
    payment = shop.own(499, device="till-2")
    copy = copies.take(shop)
    shop.report(payment, "approved-offline", device="till-2", card={}, token="tok_1")
    name, text = shop.mirror()
    await keeper.keeping.on_keep({"payment_id": name, "copy_text": text})
    terms = shop.gate.shop.payments
    restored = copies.put_back(copy, shop, payments=terms)
    mirror = Mirror("till-2", restored.gate, keeper.ask, SystemRandomness(), shop.vault)
    mirror.start()
    await until(lambda: keeper.asked == [keeping.RETURN])
    restored.internal(from_cloud(shop))
    restored.internal(FinishRecovery({}, Recovered()))
    mirror.notify(restored.writer.notices)
    await until(lambda: restored.value("SELECT count(*) FROM payment_secrets") == 1)
    await mirror.stop()
    restored.close()
