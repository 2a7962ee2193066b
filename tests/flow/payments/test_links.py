"""What the shop is owed for a card: the customer's contact, the link, and what is paid by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.clock import SystemRandomness
from hub.contract.oms import Command as CloudCommand
from hub.contract.settlement import ImportSettlement
from hub.domain.payments.declines import DeclineCode
from hub.domain.payments.states import MAY_BE_OWED, TRANSITIONS, PaymentEvent, PaymentState
from hub.domain.payments.work import Hand, WorkKind
from hub.security.vault import PaymentVault
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.cloud import ApplyCommands
from hub.service.handlers.paymentkeys import RewrapTokens
from hub.service.payments import owing
from hub.storage import linkrows, secretrows
from hub.storage.linkrows import LinkRow
from tests.support.gatebench import now
from tests.support.paying import rules
from tests.support.payingwork import HOUR_MS, MINUTE_MS, WorkingShop
from tests.support.shop import Shop

CONTACT = {"email": "dora.kunde@mail.example.org", "phone": "+491701234567"}


@pytest.fixture
def vault(tmp_path: Path) -> PaymentVault:
    return PaymentVault.open(tmp_path / "keys", b"m" * 32, b"c" * 32, SystemRandomness())


@pytest.fixture
def shop(tmp_path: Path, vault: PaymentVault) -> Iterator[WorkingShop]:
    made = WorkingShop(tmp_path, payments=rules(vault=vault, links=True))
    made.sign_in("till-3", "ben")
    yield made
    made.check_laws()
    made.close()


def owed(shop: WorkingShop, **changed: Any) -> Any:
    """A payment that was declined for good after its sale, with a contact."""
    payment = shop.kept(contact=CONTACT, **changed)
    shop.do(WorkKind.CHARGE, "declined", code=DeclineCode.FRAUD, psp_ref="psp-1")
    assert shop.row(payment).state == "recovery"
    return payment


def links(shop: WorkingShop, payment: Any) -> list[LinkRow]:
    return linkrows.of_payment(shop.rows, shop.row(payment).id)


def link(shop: WorkingShop, payment: Any) -> LinkRow:
    (found,) = links(shop, payment)
    return found


def ask(shop: WorkingShop, payment: Any) -> Any:
    return shop.ok("till-1", "payment/send-link", {"payment_id": payment["payment_id"]})


def sent(shop: WorkingShop, payment: Any, **said: Any) -> LinkRow:
    """A link that the OMS has sent."""
    ask(shop, payment)
    assert shop.say(shop.next(Hand.LINKS), "sent", url="https://pay.example/l/1", **said)
    return link(shop, payment)


def told_paid(shop: Shop, payment: Any, key: str = "", **changed: Any) -> dict[str, int]:
    """What becomes of the cloud's word that a link (the payment's first) was paid."""
    first = shop.one(
        "SELECT link_key FROM payment_links l JOIN payments p ON p.id = l.payment"
        " WHERE p.payment_id = ? ORDER BY l.id LIMIT 1",
        payment["payment_id"],
    )
    data = {
        "payment_id": payment["payment_id"],
        "key": key or (first[0] if first else "link-1"),
        "psp_ref": "pl-1",
        "amount_minor": 499,
        "at_ms": 1,
    }
    one = CloudCommand(
        cursor="c",
        id=shop.id(),
        type="payment.link_paid",
        data=data | changed,
        issued_at_ms=1,
    )
    counts: dict[str, int] = shop.internal(ApplyCommands((one,), "c")).counts
    return counts


def has_contact(shop: WorkingShop, payment: Any) -> bool:
    return secretrows.get(shop.rows, shop.row(payment).id, owing.CONTACT) is not None


def everywhere(tmp_path: Path) -> bytes:
    """All that is on the disk of this shop, its database's log too."""
    return b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())


# Contacts ----------------------------------------------------------------------------------------


def test_what_may_be_owed_is_what_leads_to_recovery() -> None:
    leads = {PaymentState.RECOVERY}
    late = (PaymentEvent.LATE_APPROVAL, PaymentEvent.VOID_DEFERRED)
    ended = (PaymentState.ABANDONED, PaymentState.REFUSED)
    while True:
        more = {
            before
            for (before, event), after in TRANSITIONS.items()
            if after in leads and event not in late and before not in ended
        }
        if more <= leads:
            break
        leads |= more
    leads -= {PaymentState.VOID_PENDING}  # it is to be voided: nobody owes it
    assert leads == MAY_BE_OWED


def test_a_contact_is_sealed_masked_and_gone_when_the_money_is_there(
    shop: WorkingShop, tmp_path: Path
) -> None:
    payment = shop.kept(contact=CONTACT)
    assert shop.payment(payment)["contact_kept"] is True
    assert "dora" not in str(shop.payment(payment))
    assert has_contact(shop, payment)
    disk = everywhere(tmp_path)
    assert b"dora" not in disk
    assert b"1701234567" not in disk
    shop.do(WorkKind.CHARGE, "approved", psp_ref="psp-1")
    assert has_contact(shop, payment), "it may still be declined when it is captured"
    shop.do(WorkKind.CAPTURE, "captured")
    assert not has_contact(shop, payment)
    assert shop.payment(payment)["contact_kept"] is False


@pytest.mark.parametrize("ends", ["refused", "not-done", "given up", "voided"])
def test_a_contact_goes_with_the_payment(shop: WorkingShop, ends: str) -> None:
    if ends == "voided":
        payment = shop.stored(token="tok_1", contact=CONTACT)
        shop.give_up(payment)
    elif ends == "given up":
        payment = shop.own(contact=CONTACT)
        shop.give_up(payment)
    else:
        payment = shop.own(contact=CONTACT)
        shop.report(payment, ends)
    assert not has_contact(shop, payment)


def test_a_manager_sees_no_more_than_whom_it_is_about(shop: WorkingShop) -> None:
    payment = owed(shop)
    row = shop.row(payment)
    sealed = secretrows.get(shop.rows, row.id, owing.CONTACT)
    seen = owing.masked(row, sealed, shop.rules.payments)
    assert seen == "d***@m***.org, +49***67"
    assert owing.masked(row, sealed, rules(vault=None)) == "***"
    assert owing.masked(row, None, shop.rules.payments) == ""


def test_a_contact_that_is_given_later_by_somebody_who_may_refund(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.FRAUD)
    body = {"payment_id": payment["payment_id"], "contact": {"email": "a@b.org"}}
    shop.ok("till-1", "payment/contact", body)
    assert has_contact(shop, payment)
    assert shop.audited("payment.contact_kept") == [{"by": "anna"}]
    shop.ok("till-1", "payment/contact", {"payment_id": payment["payment_id"]})
    assert not has_contact(shop, payment)
    done = shop.captured()
    problem = shop.no("till-1", "payment/contact", body | {"payment_id": done["payment_id"]})
    assert problem["code"] == "conflict"


@pytest.mark.parametrize(
    ("contact", "code"),
    [
        ({}, "validation"),
        ({"email": "nobody"}, "validation"),
        ({"phone": "0170 1234567"}, "validation"),
        ({"email": "4111111111111111@example.org"}, "card-data-refused"),
    ],
)
def test_what_is_no_contact_is_refused_without_being_told(
    shop: WorkingShop, contact: dict[str, str], code: str
) -> None:
    problem = shop.no("till-1", "payment/start", shop.starting(contact=contact, terminal="own"))
    assert problem["code"] == code
    assert not any(value in str(problem) for value in contact.values())


def test_a_hub_without_its_keys_takes_the_payment_and_keeps_no_contact(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path, payments=rules(vault=None, links=True))
    payment = shop.own(contact=CONTACT)
    assert payment["contact_kept"] is False
    body = {"payment_id": payment["payment_id"], "contact": CONTACT}
    assert "escrow" in shop.no("till-1", "payment/contact", body)["detail"]
    shop.close()


def test_contacts_move_under_the_new_key(shop: WorkingShop, vault: PaymentVault) -> None:
    payment = owed(shop)
    new = vault.rotate()
    done = shop.internal(RewrapTokens())
    assert done.needed == {new}
    vault.forget(done.needed)
    sealed = secretrows.get(shop.rows, shop.row(payment).id, owing.CONTACT)
    assert sealed is not None
    assert b"dora" in vault.unseal(payment["payment_id"], sealed, owing.CONTACT)


# Links -------------------------------------------------------------------------------------------


def test_a_link_is_asked_for_sent_and_paid(shop: WorkingShop, tmp_path: Path) -> None:
    payment = owed(shop)
    ask(shop, payment)
    assert link(shop, payment).state == "wanted"
    work = shop.next(Hand.LINKS)
    assert (work.kind, work.amount_minor, work.reason) == (WorkKind.LINK, 499, "declined")
    assert work.token is not None
    assert "dora" not in repr(work)
    assert shop.work(Hand.LINKS) == ()
    later = shop.clock.wall_ms() + HOUR_MS
    assert shop.say(work, "sent", url="https://pay.example/l/1", expires_at_ms=later)
    assert not shop.say(work, "sent")
    row = link(shop, payment)
    assert (row.state, row.by, row.expires_at_ms) == ("sent", "anna", later)
    assert told_paid(shop, payment) == {"done": 1}
    assert told_paid(shop, payment) == {"done": 1}
    assert shop.row(payment).state == "recovered"
    assert (link(shop, payment).state, link(shop, payment).psp_ref) == ("paid", "pl-1")
    assert shop.told(payment)[-1] == "recovered"
    assert not has_contact(shop, payment)
    assert b"dora" not in everywhere(tmp_path)


def test_a_link_that_may_have_been_sent_is_brought_again_under_its_key(shop: WorkingShop) -> None:
    payment = owed(shop)
    ask(shop, payment)
    first = shop.next(Hand.LINKS)
    assert first.first_sent_at_ms is None
    assert shop.say(first, "unknown")
    shop.wait(MINUTE_MS)
    second = shop.next(Hand.LINKS)
    assert (second.key, second.first_sent_at_ms is not None) == (first.key, True)
    shop.wait(3 * MINUTE_MS)  # whoever had it has died
    third = shop.next(Hand.LINKS)
    assert third.key == first.key
    assert not shop.say(second, "sent")
    assert shop.say(third, "not-sent")
    shop.wait(HOUR_MS)
    shop.recover()
    assert shop.say(shop.next(Hand.LINKS), "sent")
    assert link(shop, payment).tries == 1


def test_an_oms_that_can_never_say_is_asked_a_bounded_number_of_times(shop: WorkingShop) -> None:
    payment = owed(shop)
    ask(shop, payment)
    asked = 0
    while link(shop, payment).state != "refused":
        shop.say(shop.next(Hand.LINKS), "unknown")
        asked += 1
        shop.wait(HOUR_MS)
    assert asked == 50


def test_what_was_refused_says_why_and_may_be_asked_again(shop: WorkingShop) -> None:
    payment = owed(shop)
    ask(shop, payment)
    shop.say(shop.next(Hand.LINKS), "declined", reason="the address takes no messages")
    assert link(shop, payment).state == "refused"
    assert "takes no messages" in link(shop, payment).reason
    ask(shop, payment)
    assert [one.state for one in links(shop, payment)] == ["refused", "wanted"]


def test_one_link_at_a_time_and_few_in_all(shop: WorkingShop) -> None:
    payment = owed(shop)
    body = {"payment_id": payment["payment_id"]}
    ask(shop, payment)
    assert "on its way" in shop.no("till-1", "payment/send-link", body)["detail"]
    soon = shop.clock.wall_ms() + HOUR_MS
    shop.say(shop.next(Hand.LINKS), "sent", expires_at_ms=soon)
    assert "still be paid" in shop.no("till-1", "payment/send-link", body)["detail"]
    shop.wait(HOUR_MS)
    for _ in range(4):
        ask(shop, payment)
        shop.say(shop.next(Hand.LINKS), "declined")
    assert "another way" in shop.no("till-1", "payment/send-link", body)["detail"]


def test_a_link_without_an_end_does_not_stand_in_the_way_for_ever(shop: WorkingShop) -> None:
    payment = owed(shop)
    ask = {"payment_id": payment["payment_id"]}
    shop.ok("till-1", "payment/send-link", ask)
    shop.say(shop.next(Hand.LINKS), "sent")
    assert "can still be paid" in shop.no("till-1", "payment/send-link", ask)["detail"]
    shop.wait(7 * 24 * HOUR_MS)
    shop.sign_in("till-1", "anna")
    shop.ok("till-1", "payment/send-link", ask)


def test_why_no_link_can_be_sent(tmp_path: Path) -> None:
    shop = WorkingShop(tmp_path)
    payment = shop.declined(DeclineCode.FRAUD)
    body = {"payment_id": payment["payment_id"]}
    assert "No OMS is set up" in shop.no("till-1", "payment/send-link", body)["detail"]
    assert shop.work(Hand.LINKS) == ()
    shop.close()


def test_without_a_contact_nobody_is_asked(shop: WorkingShop) -> None:
    payment = shop.declined(DeclineCode.FRAUD)
    body = {"payment_id": payment["payment_id"]}
    assert "how to reach" in shop.no("till-1", "payment/send-link", body)["detail"]
    kept = shop.kept(contact=CONTACT)
    problem = shop.no("till-1", "payment/send-link", {"payment_id": kept["payment_id"]})
    assert "isn't owed" in problem["detail"]


def test_a_shop_may_have_links_sent_at_once(tmp_path: Path, vault: PaymentVault) -> None:
    payments = rules(vault=vault, links=True, link_at_once=True)
    shop = WorkingShop(tmp_path, payments=payments)
    payment = owed(shop)
    assert link(shop, payment).by == "hub"
    bare = shop.declined(DeclineCode.FRAUD)
    assert links(shop, bare) == []
    late = shop.kept(contact=CONTACT)
    shop.wait(25 * HOUR_MS)
    shop.expire()
    assert [one.state for one in links(shop, late)] == ["wanted"]
    assert {one.reason for one in shop.work(Hand.LINKS)} == {"declined", "expired"}
    shop.close()


def test_a_link_that_nobody_needs_any_more_is_not_sent(shop: WorkingShop) -> None:
    payment = owed(shop)
    ask(shop, payment)
    close = {"payment_id": payment["payment_id"], "how": "paid", "reason": "cash"}
    shop.ok("till-1", "payment/close-receivable", close)
    assert link(shop, payment).state == "dropped"
    assert shop.work(Hand.LINKS) == ()


def test_a_link_in_doubt_is_not_brought_again_once_it_is_paid_otherwise(shop: WorkingShop) -> None:
    payment = owed(shop)
    ask(shop, payment)
    shop.say(shop.next(Hand.LINKS), "unknown")
    close = {"payment_id": payment["payment_id"], "how": "paid", "reason": "cash"}
    shop.ok("till-1", "payment/close-receivable", close)
    shop.wait(HOUR_MS)
    while link(shop, payment).state == "unknown":  # its request may yet arrive
        work = shop.next(Hand.LINKS)
        assert work.kind is WorkKind.UNLINK
        assert shop.say(work, "not-found")
        shop.wait(HOUR_MS)
    assert link(shop, payment).state == "dropped"
    told_paid(shop, payment)
    assert link(shop, payment).state == "surplus", "it had gone out all the same"


# Paid, and not owed ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["paid", "written-off"])
def test_what_is_paid_by_a_link_too_is_a_persons_matter_until_one_says_so(
    shop: WorkingShop, how: str
) -> None:
    payment = owed(shop)
    sent(shop, payment)
    close = {"payment_id": payment["payment_id"], "how": how, "reason": "cash"}
    for till in ("till-1", "till-2"):
        shop.ask(till, "payment/close-receivable", close)
    state = shop.row(payment).state
    assert told_paid(shop, payment) == {"done": 1}
    assert shop.row(payment).state == state, "the book says what it said"
    assert link(shop, payment).state == "surplus"
    (noted,) = shop.audited("payment.link_surplus")
    assert (noted["psp_ref"], noted["state"]) == ("pl-1", state)
    body = {"payment_id": payment["payment_id"], "how": "given-back", "reason": "in the portal"}
    shop.ok("till-1", "payment/settle-link", body)
    assert link(shop, payment).state == "settled"
    assert shop.no("till-1", "payment/settle-link", body)["code"] == "conflict"


def test_another_amount_than_is_owed_ends_nothing(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    told_paid(shop, payment, amount_minor=300)
    assert shop.row(payment).state == "recovery"
    assert link(shop, payment).state == "surplus"


def test_a_hub_put_back_from_a_copy_takes_in_what_it_knows_no_link_of(shop: WorkingShop) -> None:
    payment = owed(shop)
    assert told_paid(shop, payment, key="another-key") == {"done": 1}
    assert shop.row(payment).state == "recovered"
    assert told_paid(shop, {"payment_id": shop.id()}) == {"failed": 1}
    assert shop.noted("payment.link_paid_unknown") == 1


def test_a_link_of_another_payment_ends_nothing(shop: WorkingShop) -> None:
    payment, other = owed(shop), owed(shop)
    sent(shop, payment)
    counts = told_paid(shop, other, key=link(shop, payment).link_key)
    assert counts == {"failed": 1}
    assert shop.row(other).state == "recovery"


def test_what_a_link_paid_is_no_late_approval_of_the_card(shop: WorkingShop) -> None:
    payment = owed(shop)
    sent(shop, payment)
    told_paid(shop, payment)
    assert not shop.learn(payment, "captured", psp_ref="pl-1")
    line = {
        "kind": "payment",
        "payment_id": payment["payment_id"],
        "psp_ref": "pl-1",
        "amount_minor": 499,
        "currency": "EUR",
        "at_ms": 1,
    }
    command = ImportSettlement.model_validate(
        {"processor": "oms", "name": "report", "lines": [line]}
    )
    done = now(shop.gate.run(Caller(CallerKind.CLI, "root"), command))
    assert done.verdicts == {"matched": 1}
    assert shop.row(payment).state == "recovered"
