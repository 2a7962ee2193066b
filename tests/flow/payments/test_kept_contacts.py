"""The contact of what may be owed is kept twice, without the token, until nobody owes it: a lost
box doesn't lose whom to ask."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hub.app.mirroring import Mirror
from hub.clock import SystemRandomness
from hub.domain import cards
from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import WorkKind
from hub.service.handlers import mirroring
from hub.service.handlers.mirroring import MarkMirrored, TakeCopies, is_needed, to_mirror
from hub.service.handlers.recovery import FinishRecovery, Recovered
from hub.storage import database, hubrow
from tests.flow.payments.test_found_by_review import changed_copy
from tests.flow.payments.test_mirror import Keeper, poke, until
from tests.flow.payments.test_mirrored_contacts import CONTACT, MirroringShop, other, shop
from tests.support.copies import from_cloud
from tests.support.payingwork import HOUR_MS

__all__ = ["other", "shop"]  # fixtures


def expired(shop: MirroringShop, payment: Any) -> None:
    """Its deadline passes."""
    shop.sold(payment, device="till-2")
    shop.wait(25 * HOUR_MS)
    shop.expire()
    for till in ("till-1", "till-2"):
        shop.sign_in(till, "anna")
    assert shop.row(payment).state == "recovery"


def owed(shop: MirroringShop) -> Any:
    """What its deadline has made a receivable; the keeper has it as it was stored."""
    payment = shop.stored_with()
    shop.mirror()
    expired(shop, payment)
    return payment


def looked_up(shop: MirroringShop, payment: Any) -> None:
    """The processor has declined it."""
    shop.do(WorkKind.LOOK_UP, "declined", code=DeclineCode.FRAUD)
    assert shop.row(payment).state == "recovery"


def close(shop: MirroringShop, payment: Any) -> None:
    body = {"payment_id": payment["payment_id"], "how": "paid", "reason": "cash"}
    shop.ok("till-1", "payment/close-receivable", body)


def test_the_contact_of_a_receivable_is_kept_twice_without_its_token(shop: MirroringShop) -> None:
    payment = shop.stored_with()
    whole = shop.mirror()
    shop.sold(payment, device="till-2")
    assert to_mirror(shop.rows, 4) == []
    shop.do(WorkKind.CHARGE, "declined", code=DeclineCode.FRAUD, psp_ref="psp-1")
    assert shop.row(payment).state == "recovery"
    assert shop.waiting().token is None
    alone = shop.mirror()
    assert alone[0] == payment["payment_id"]
    assert len(alone[1]) < len(whole[1]) / 2
    assert not any(one.isdigit() for one in alone[1])
    assert cards.find_card_data(alone[1]) is None
    assert to_mirror(shop.rows, 4) == []
    assert is_needed(shop.rows, payment["payment_id"])


def test_a_box_in_the_place_of_a_lost_one_knows_whom_to_ask(
    shop: MirroringShop, other: MirroringShop
) -> None:
    payment = owed(shop)
    copy = shop.mirror()
    other.internal(from_cloud(shop))
    assert other.contact(payment) is None
    assert other.internal(TakeCopies((copy,))) == ()
    assert other.contact(payment) == CONTACT
    looked_up(other, payment)
    other.ok("till-1", "payment/send-link", {"payment_id": payment["payment_id"]})
    with other.unchanged():
        assert other.internal(TakeCopies((copy,))) == ()
    assert other.mirror() == copy, "and the keeper goes on keeping it"


def test_a_copy_that_was_not_made_anew_yet_tells_whom_to_ask_and_brings_no_token(
    shop: MirroringShop, other: MirroringShop
) -> None:
    payment = shop.stored_with()
    whole = shop.mirror()
    expired(shop, payment)
    other.internal(from_cloud(shop))
    looked_up(other, payment)
    other.internal(TakeCopies((whole,)))
    assert other.contact(payment) == CONTACT
    assert not other.has_token(payment)
    assert other.row(payment).state == "recovery"


def test_a_contact_of_what_the_cloud_has_not_told_yet_stays_where_it_is(
    shop: MirroringShop, other: MirroringShop
) -> None:
    payment = owed(shop)
    copy = shop.mirror()
    assert other.internal(TakeCopies((copy,))) == ()
    assert other.value("SELECT count(*) FROM payments") == 0
    other.internal(from_cloud(shop))
    other.internal(TakeCopies((copy,)))
    assert other.contact(payment) == CONTACT


def test_a_contact_comes_back_to_books_that_are_older_than_it(shop: MirroringShop) -> None:
    payment = owed(shop)
    copy = shop.mirror()
    shop.set_contact(payment, None)  # as in a copy of the books made before somebody entered it
    shop.tx(lambda tx: hubrow.set_fence(tx, "restored"))
    assert shop.internal(TakeCopies((copy,))) == ()
    assert shop.contact(payment) == CONTACT
    shop.tx(lambda tx: hubrow.set_fence(tx, ""))


def test_a_contact_that_somebody_had_the_hub_forget_goes_at_the_keeper_too(
    shop: MirroringShop,
) -> None:
    payment = owed(shop)
    copy = shop.mirror()
    shop.set_contact(payment, None)
    assert not is_needed(shop.rows, payment["payment_id"])
    assert to_mirror(shop.rows, 4) == []
    shop.restart()  # and the keeper was away
    assert shop.internal(TakeCopies((copy,))) == (payment["payment_id"],)
    assert shop.contact(payment) is None


def test_a_contact_that_was_forgotten_after_the_cloud_told_of_it_stays_forgotten(
    shop: MirroringShop, other: MirroringShop
) -> None:
    payment = owed(shop)
    copy = shop.mirror()
    other.internal(from_cloud(shop))
    other.internal(TakeCopies((copy,)))
    looked_up(other, payment)
    other.sign_in("till-1", "anna")
    other.set_contact(payment, None)
    other.restart()  # and the keeper was away
    other.internal(TakeCopies((copy,)))
    assert other.contact(payment) is None
    assert not is_needed(other.rows, payment["payment_id"])


def test_a_contact_that_is_entered_for_a_receivable_is_kept_twice(shop: MirroringShop) -> None:
    payment = owed(shop)
    shop.mirror()
    shop.set_contact(payment, {"email": "a@b.org"})
    assert shop.waiting().token is None
    shop.mirror()
    assert to_mirror(shop.rows, 4) == []


def test_nothing_is_kept_of_what_nobody_owes_any_more(
    shop: MirroringShop, other: MirroringShop
) -> None:
    payment = owed(shop)
    copy = shop.mirror()
    close(shop, payment)
    assert not is_needed(shop.rows, payment["payment_id"])
    assert to_mirror(shop.rows, 4) == []
    other.internal(from_cloud(shop))
    assert other.internal(TakeCopies((copy,))) == (payment["payment_id"],)
    assert other.contact(payment) is None


def test_a_keeper_can_t_give_a_receivable_another_contact(
    shop: MirroringShop, other: MirroringShop
) -> None:
    copies, payments = [], []
    for _ in range(2):
        payments.append(owed(shop))
        copies.append(shop.mirror())
    mine, theirs = payments
    other.internal(from_cloud(shop))
    swapped = (mine["payment_id"], copies[1][1])
    for copy in (swapped, changed_copy(copies[0], payment_id=theirs["payment_id"])):
        assert other.internal(TakeCopies((copy,))) == ()
    stolen = (theirs["payment_id"], changed_copy(copies[0], payment_id=theirs["payment_id"])[1])
    other.internal(TakeCopies((stolen,)))
    assert [other.contact(one) for one in (mine, theirs)] == [None, None]
    other.internal(TakeCopies(tuple(copies)))
    assert [other.contact(one) for one in (mine, theirs)] == [CONTACT, CONTACT]


def test_a_contact_whose_copy_an_older_version_let_go_of_is_kept_twice_again(
    shop: MirroringShop,
) -> None:
    payment = owed(shop)
    shop.mirror()
    (step,) = [one for one in database.migrations() if one.name == "contacts_are_kept_twice"]
    shop.tx(lambda tx: tx.run(step.sql))
    assert shop.mirror()[0] == payment["payment_id"]


def test_contacts_leave_the_keeper_room_for_stored_payments(
    shop: MirroringShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirroring, "CONTACTS_MAX", 1)
    first = owed(shop)
    shop.mirror()
    second = owed(shop)
    assert to_mirror(shop.rows, 4) == []
    assert is_needed(shop.rows, first["payment_id"])
    assert not is_needed(shop.rows, second["payment_id"]), "its copy has the token"
    shop.stored_with()
    assert shop.waiting().token is not None
    shop.mirror()
    close(shop, first)
    assert shop.mirror()[0] == second["payment_id"]


def test_a_word_about_the_token_is_none_about_the_contact_alone(shop: MirroringShop) -> None:
    payment = shop.stored_with()
    early = shop.waiting()
    assert early.token is not None
    shop.mirror()
    expired(shop, payment)
    mark = MarkMirrored(payment["payment_id"], early.token.key_id, early.contact)
    assert shop.internal(mark) is False
    assert shop.waiting().token is None


async def test_the_keeper_has_the_contact_until_the_receivable_is_closed(
    shop: MirroringShop, other: MirroringShop, tmp_path: Path
) -> None:
    keeper = Keeper(tmp_path / "kept")
    mirror = Mirror("till-2", shop.gate, keeper.ask, SystemRandomness(), shop.vault)
    mirror.start()
    payment = shop.stored_with()
    poke(mirror, shop)
    await until(lambda: shop.row(payment).mirrored)
    ((_, whole),) = await keeper.copies()
    expired(shop, payment)
    poke(mirror, shop)
    await until(lambda: shop.row(payment).mirrored)
    ((_, alone),) = await keeper.copies()
    assert len(alone) < len(whole) / 2

    new = Mirror("till-2", other.gate, keeper.ask, SystemRandomness(), other.vault)
    new.start()
    await until(lambda: new.refused() == 1)  # the cloud hasn't told of it yet
    other.internal(from_cloud(shop))
    other.internal(FinishRecovery({}, Recovered()))
    poke(new, other)
    await until(lambda: other.contact(payment) == CONTACT)
    await until(lambda: new.refused() == 0)
    await new.stop()

    close(shop, payment)
    poke(mirror, shop)
    async with asyncio.timeout(30):
        while await keeper.copies():
            await asyncio.sleep(0.01)
    await mirror.stop()
