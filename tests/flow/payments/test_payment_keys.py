"""Stored payments under a new key."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.app.vaulting import KeyDesk
from hub.clock import SystemRandomness
from hub.security.errors import SealBroken
from hub.security.vault import PaymentVault
from hub.service.caller import Caller, CallerKind
from hub.service.handlers.paymentkeys import REWRAP_MAX, Rewrapped, RewrapTokens
from hub.service.pages.payments import status
from hub.storage import secretrows
from tests.support.paying import PayingShop, rules


@pytest.fixture
def vault(tmp_path: Path) -> PaymentVault:
    return PaymentVault.open(tmp_path / "keys", b"m" * 32, b"c" * 32, SystemRandomness())


@pytest.fixture
def shop(tmp_path: Path, vault: PaymentVault) -> PayingShop:
    return PayingShop(tmp_path, payments=rules(vault=vault))


def test_tokens_move_under_the_new_key_and_the_old_one_goes(
    shop: PayingShop, vault: PaymentVault
) -> None:
    payment = shop.stored(token="tok_first")
    before = secretrows.get(shop.rows, shop.row(payment).id)
    assert before is not None
    old = vault.current
    new = vault.rotate()
    done = shop.internal(RewrapTokens())
    assert done == Rewrapped(frozenset({new}), left=0, broken=0)
    assert vault.forget(done.needed) == (old,)
    after = secretrows.get(shop.rows, shop.row(payment).id)
    assert after is not None
    assert vault.unseal(payment["payment_id"], after) == b"tok_first"
    with pytest.raises(SealBroken):
        vault.unseal(payment["payment_id"], before)
    assert shop.noted("payments.rewrapped") == 1


def test_a_rotation_that_is_cut_short_is_taken_up_again(
    shop: PayingShop, vault: PaymentVault
) -> None:
    payment = shop.stored(token="tok_first")
    vault.rotate()
    second = vault.rotate()  # nobody rewrapped in between
    done = shop.internal(RewrapTokens())
    assert done.needed == {second}
    assert shop.internal(RewrapTokens()) == done
    kept = secretrows.get(shop.rows, shop.row(payment).id)
    assert kept is not None
    assert vault.unseal(payment["payment_id"], kept) == b"tok_first"


def test_a_token_that_no_key_opens_is_left_and_its_key_is_still_needed(
    shop: PayingShop, vault: PaymentVault
) -> None:
    broken, fine = shop.stored(token="tok_broken"), shop.stored(token="tok_fine")
    shop.run("UPDATE payment_secrets SET key_id = 'gone' WHERE payment = ?", shop.row(broken).id)
    new = vault.rotate()
    done = shop.internal(RewrapTokens())
    assert done == Rewrapped(frozenset({"gone", new}), left=0, broken=1)
    kept = secretrows.get(shop.rows, shop.row(fine).id)
    assert kept is not None
    assert vault.unseal(fine["payment_id"], kept) == b"tok_fine"


def test_what_no_key_here_opens_is_counted(shop: PayingShop) -> None:
    broken = shop.stored(token="tok_broken", contact={"email": "a@b.org"})
    shop.stored(token="tok_fine")

    def seen() -> tuple[int, int, int]:
        budget_ms = int(shop.value("SELECT budget_ms FROM hub"))
        now = status(shop.rows, shop.rules, shop.clock.wall_ms(), budget_ms)
        return now.sealed, now.keyless, now.keyless_contacts

    assert seen() == (2, 0, 0)
    for table in ("payment_secrets", "payment_contacts"):
        sql = f"UPDATE {table} SET key_id = 'gone' WHERE payment = ?"
        shop.run(sql, shop.row(broken).id)
    assert seen() == (2, 1, 1)


def test_many_tokens_take_several_rounds(
    shop: PayingShop, vault: PaymentVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.service.handlers.paymentkeys.REWRAP_MAX", 2)
    assert REWRAP_MAX > 2
    for n in range(5):
        shop.stored(token=f"tok_{n}", device="till-2")
    vault.rotate()
    rounds = []
    while (done := shop.internal(RewrapTokens())).left:
        rounds.append(done)
    assert len(rounds) == 2
    assert done.needed == {vault.current}


def test_a_token_is_shredded_with_the_final_outcome(shop: PayingShop) -> None:
    payment = shop.stored(token="tok_gone")
    number = shop.row(payment).id
    assert secretrows.get(shop.rows, number) is not None
    shop.give_up(payment)
    assert secretrows.get(shop.rows, number) is None


def test_neither_the_file_nor_its_log_holds_a_token_in_plain(shop: PayingShop) -> None:
    shop.stored(token="tok_canary_7f3a91")
    for path in shop.path.parent.iterdir():
        if path.is_file():
            assert b"tok_canary_7f3a91" not in path.read_bytes(), path.name


async def test_the_key_is_changed_from_the_page_without_stopping_the_loop(
    shop: PayingShop, vault: PaymentVault
) -> None:
    payment = shop.stored(token="tok_page")
    (action,) = KeyDesk(vault, shop.gate).actions()
    assert action.why_not() == ""
    old = vault.current
    done = await action.run(Caller(CallerKind.WEB, "page"))
    assert "1 old keys are destroyed" in done.text
    assert vault.key_ids == (vault.current,) != (old,)
    kept = secretrows.get(shop.rows, shop.row(payment).id)
    assert kept is not None
    assert vault.unseal(payment["payment_id"], kept) == b"tok_page"
    (locked,) = KeyDesk(None, shop.gate).actions()
    assert "can't be opened" in locked.why_not()
