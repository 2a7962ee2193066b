"""Small parts of the device library."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.kit.backoff import Backoff
from devices.kit.codec import BODY_BYTES_MAX, encode, holds_secrets, read_result
from devices.kit.errors import BadAnswer, TooMuch
from devices.kit.hubtime import HubClock
from devices.kit.pairing import PairingLink, normal_fingerprint
from hub.clock import SystemIds, uuid7_wall_ms
from hub.contract.catalog import LookUp
from hub.contract.sale import CommitSale, SaleDone, SaleLine, Tender
from hub.contract.staff import SignIn
from tests.fakes import FakeClock, SeededRandomness

FP = "ab" * 32
UID = "0190b8e2-0000-7000-8000-000000000001"


@given(tries=st.integers(0, 40), floor_s=st.floats(0, 100))
def test_a_pause_is_never_above_its_cap_nor_below_its_floor(tries: int, floor_s: float) -> None:
    pause = Backoff(SeededRandomness(), base_s=0.1, cap_s=10.0)
    for _ in range(tries):
        pause.next_s()
    assert floor_s <= pause.next_s(floor_s) <= 10.0 + floor_s
    assert pause.tries == tries + 1


def test_pauses_grow_and_begin_anew_after_a_reset() -> None:
    class Highest:
        def uniform(self, low: float, high: float) -> float:
            return high

        def token_bytes(self, count: int) -> bytes:
            raise AssertionError

    pause = Backoff(Highest(), base_s=1.0, cap_s=5.0)
    assert [pause.next_s() for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    pause.reset()
    assert pause.next_s() == 1.0


def test_a_live_message_sets_the_hubs_time_both_ways(fake_clock: FakeClock) -> None:
    hub = HubClock(fake_clock)
    now_ms = fake_clock.wall_ms()
    hub.heard(now_ms + 90_000, retained=False)
    assert hub.wall_ms() == now_ms + 90_000
    hub.heard(now_ms - 5_000, retained=False)
    assert hub.wall_ms() == now_ms - 5_000


def test_a_retained_message_only_mends_a_clock_that_is_behind(fake_clock: FakeClock) -> None:
    hub = HubClock(fake_clock)
    hub.heard(fake_clock.wall_ms() - 3_600_000, retained=True)
    assert hub.offset_ms == 0
    fake_clock.jump_wall(-50 * 365 * 86_400)
    hub.heard(1_767_261_600_000, retained=True)
    assert hub.wall_ms() == 1_767_261_600_000


def test_keys_carry_the_hubs_time(fake_clock: FakeClock) -> None:
    hub = HubClock(fake_clock)
    hub.heard(1_800_000_000_000, retained=False)
    assert uuid7_wall_ms(SystemIds(hub, SeededRandomness()).uuid7()) == 1_800_000_000_000


def test_a_pin_goes_on_the_wire_and_never_into_the_journal() -> None:
    command = SignIn.model_validate({"staff_id": "anna", "pin": "1234"})
    assert json.loads(encode(command)) == {"staff_id": "anna", "pin": "1234"}
    assert holds_secrets(command)
    assert not holds_secrets(LookUp(code="1"))


def test_defaults_are_left_out_for_hubs_that_do_not_know_them() -> None:
    sale = CommitSale(
        sale_id=UID,
        lines=(SaleLine(code="A", qty=1, unit_price_minor=100),),
        total_minor=100,
        tenders=(Tender(kind="cash", amount_minor=100),),
    )
    body = encode(sale)
    assert "note" not in json.loads(body)
    assert CommitSale.model_validate_json(body) == sale


def test_a_request_larger_than_the_contract_is_refused_here() -> None:
    lines = tuple(
        SaleLine(code="A" * 500, qty=1, unit_price_minor=1, discount_minor=1, reason="r" * 200)
        for _ in range(500)
    )
    sale = CommitSale(sale_id=UID, lines=lines, total_minor=0, tenders=())
    with pytest.raises(TooMuch, match=str(BODY_BYTES_MAX)):
        encode(sale)


def test_an_answer_that_lacks_fields_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="SaleDone"):
        read_result({"sale_id": UID}, SaleDone)


def test_a_pairing_link_is_read() -> None:
    link = PairingLink.parse(f"storehub://pair?host=10.0.0.5&port=8443&fp={FP}&code=ABCD2345&x=1")
    assert (link.host, link.port, link.fingerprint) == ("10.0.0.5", 8443, FP)
    assert link.code == "ABCD2345"
    assert "ABCD" not in repr(link)


@pytest.mark.parametrize(
    "text",
    [
        "https://pair?host=a&port=1&fp=x&code=y",
        f"storehub://pair?host=a&port=0&fp={FP}&code=ABCD2345",
        f"storehub://pair?host=a&port=99999&fp={FP}&code=ABCD2345",
        f"storehub://pair?host=a&host=b&port=1&fp={FP}&code=ABCD2345",
        "storehub://pair?host=a&port=1&fp=abc&code=ABCD2345",
        "storehub://pair?" + "x" * 2000,
    ],
)
def test_a_bad_pairing_link_is_explained(text: str) -> None:
    with pytest.raises(ValueError, match=r".{10,}"):
        PairingLink.parse(text)


def test_a_fingerprint_may_be_typed_with_colons() -> None:
    assert normal_fingerprint(":".join(["AB"] * 32)) == FP
