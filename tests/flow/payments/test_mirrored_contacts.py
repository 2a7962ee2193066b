"""How to reach the customer of a stored payment is kept twice, too, and goes by the same rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.clock import SystemRandomness
from hub.contract.keeping import COPY_CHARS_MAX
from hub.domain import cards
from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.work import WorkKind
from hub.security.vault import TOKEN_BYTES_MAX, PaymentVault
from hub.service.handlers.mirroring import (
    MarkMirrored,
    TakeCopies,
    ToMirror,
    copy_of,
    to_mirror,
)
from hub.service.handlers.paymentkeys import RewrapTokens
from hub.service.payments import owing
from hub.storage import relinkrows, secretrows
from tests.flow.payments.test_found_by_review import changed_copy
from tests.support.copies import from_cloud
from tests.support.paying import rules
from tests.support.payingwork import HOUR_MS, WorkingShop, token_of

CONTACT = {"email": "dora.kunde@mail.example.org", "phone": "+491701234567"}


class MirroringShop(WorkingShop):
    """One whose second keeper the tests speak for; all of them have the same escrowed keys."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.vault = PaymentVault.open(
            directory.parent / "keys", b"m" * 32, b"c" * 32, SystemRandomness()
        )
        terms = rules(vault=self.vault, mirror="till-2", links=True)
        super().__init__(directory, payments=terms)

    def waiting(self) -> ToMirror:
        (one,) = to_mirror(self.rows, 4)
        return one

    def mirror(self) -> tuple[str, str]:
        """The second keeper gets its copy, and has it."""
        one = self.waiting()
        copy = (one.row.payment_id, copy_of(one, self.vault))
        mark = MarkMirrored(copy[0], one.token.key_id if one.token else "", one.contact)
        assert self.internal(mark) is True
        return copy

    def contact(self, payment: Any) -> dict[str, str] | None:
        sealed = secretrows.get(self.rows, self.row(payment).id, owing.CONTACT)
        if sealed is None:
            return None
        opened = self.vault.unseal(payment["payment_id"], sealed, owing.CONTACT)
        return dict(json.loads(opened))

    def stored_with(self, **changed: Any) -> Any:
        return self.stored(token=token_of(self.id()), contact=CONTACT, device="till-2", **changed)

    def set_contact(self, payment: Any, contact: dict[str, str] | None) -> None:
        body = {"payment_id": payment["payment_id"]} | ({"contact": contact} if contact else {})
        self.ok("till-1", "payment/contact", body)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[MirroringShop]:
    made = MirroringShop(tmp_path / "lost")
    yield made
    made.check_laws()
    made.close()


@pytest.fixture
def other(tmp_path: Path, shop: MirroringShop) -> Iterator[MirroringShop]:
    """The box in the place of the lost one."""
    made = MirroringShop(tmp_path / "other")
    made.tx(lambda tx: relinkrows.set_fork(tx, fork="f1", fence="", machine_hash="m"))
    yield made
    made.check_laws()
    made.close()


def test_the_customer_can_be_reached_though_the_box_is_lost(
    shop: MirroringShop, other: MirroringShop
) -> None:
    payment = shop.stored_with()
    copy = shop.mirror()
    assert "dora" not in str(copy)
    assert not any(one.isdigit() for one in copy[1])
    assert cards.find_card_data(copy[1]) is None
    other.internal(TakeCopies((copy,)))
    assert other.contact(payment) == CONTACT
    other.do(WorkKind.LOOK_UP, "captured", psp_ref="psp-1")
    assert other.contact(payment) is None, "and it goes as soon as nothing can be owed"


@pytest.mark.parametrize("told", ["stored", "declined"])
def test_what_the_cloud_told_first_gets_what_is_sealed_from_the_second_keeper(
    shop: MirroringShop, other: MirroringShop, told: str
) -> None:
    payment = shop.stored_with()
    copy = shop.mirror()
    shop.sold(payment, device="till-2")
    if told == "declined":
        shop.do(WorkKind.CHARGE, "declined", code=DeclineCode.FRAUD, psp_ref="psp-1")
    other.internal(from_cloud(shop))
    assert (other.row(payment).state, other.contact(payment)) == ("forward_unknown", None)
    assert other.internal(TakeCopies((copy,))) == ()
    assert other.contact(payment) == CONTACT
    assert other.has_token(payment)
    assert other.row(payment).state == "forward_unknown"
    with other.unchanged():
        other.internal(TakeCopies((copy,)))


def test_a_contact_that_somebody_has_entered_since_stays(
    shop: MirroringShop, other: MirroringShop
) -> None:
    payment = shop.stored_with()
    copy = shop.mirror()
    shop.sold(payment, device="till-2")
    other.internal(from_cloud(shop))
    other.set_contact(payment, {"email": "a@b.org"})
    other.internal(TakeCopies((copy,)))
    assert other.has_token(payment)
    assert other.contact(payment) == {"email": "a@b.org"}
    assert len(other.mirror()[1]) < len(copy[1]), "and the keeper gets it"


@pytest.mark.parametrize(("hours", "state"), [(1, "stored"), (21, "manual")])
def test_its_token_is_as_old_as_the_payment(
    shop: MirroringShop, other: MirroringShop, hours: int, state: str
) -> None:
    """The lost hub may have presented it at once."""
    payment = shop.stored_with()
    copy = shop.mirror()
    shop.sold(payment, device="till-2")
    other.wait(shop.clock.wall_ms() - other.clock.wall_ms() + hours * HOUR_MS)
    other.internal(from_cloud(shop))
    other.internal(TakeCopies((copy,)))
    other.do(WorkKind.LOOK_UP, "not-found")
    assert other.row(payment).state == state
    if hours == 1:
        other.do(WorkKind.CHARGE, "captured", psp_ref="psp-1")
        assert other.row(payment).state == "captured"


def test_a_contact_that_is_given_changed_or_forgotten_makes_a_new_copy(
    shop: MirroringShop,
) -> None:
    payment = shop.stored(token=token_of("x"), device="till-2")
    copies = [shop.mirror()]
    shop.sold(payment, device="till-2")
    for contact in (CONTACT, {"email": "a@b.org"}, None):
        shop.set_contact(payment, contact)
        copies.append(shop.mirror())
    assert copies[0] == copies[-1]
    assert len(copies[0][1]) < len(copies[2][1]) < len(copies[1][1])


def test_a_copy_is_not_taken_for_the_newest_when_the_contact_changed_meanwhile(
    shop: MirroringShop,
) -> None:
    payment = shop.stored_with()
    early = shop.waiting()
    shop.set_contact(payment, None)
    assert early.token is not None
    mark = MarkMirrored(payment["payment_id"], early.token.key_id, early.contact)
    assert shop.internal(mark) is False
    assert shop.waiting().contact is None
    shop.mirror()


def test_a_contact_under_a_new_key_makes_a_new_copy(shop: MirroringShop) -> None:
    payment = shop.stored_with()
    shop.mirror()
    new = shop.vault.rotate()
    shop.internal(RewrapTokens())
    waiting = shop.waiting()
    assert waiting.contact is not None
    assert waiting.token is not None
    assert (waiting.token.key_id, waiting.contact.key_id) == (new, new)
    shop.mirror()
    assert shop.contact(payment) == CONTACT


def test_a_keeper_can_t_give_a_payment_another_contact(
    shop: MirroringShop, other: MirroringShop
) -> None:
    first = shop.stored_with()
    mine = shop.mirror()
    shop.stored_with()
    theirs = shop.waiting()
    assert theirs.contact is not None
    named = {"key_id": theirs.contact.key_id, "wrapped": "", "sealed": ""}
    for contact in (named, None, "x"):
        assert other.internal(TakeCopies((changed_copy(mine, contact=contact),))) == ()
    assert other.value("SELECT count(*) FROM payments") == 0
    other.internal(TakeCopies((mine,)))
    assert other.contact(first) == CONTACT


def test_the_largest_copy_fits(shop: MirroringShop) -> None:
    payment = shop.stored_with()
    one = shop.waiting()
    name = payment["payment_id"]
    email = f"{'a' * 64}@{'b' * 185}.org"
    plain = json.dumps({"email": email, "phone": "+" + "1" * 15}).encode()
    longest = ToMirror(
        one.row._replace(psp_ref="p" * 100, terminal_ref="t" * 100, staff_id="s" * 64),
        shop.vault.seal(name, b"t" * TOKEN_BYTES_MAX),
        shop.vault.seal(name, plain, owing.CONTACT),
    )
    assert len(copy_of(longest, shop.vault)) <= COPY_CHARS_MAX
