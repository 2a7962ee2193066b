"""Small parts of the web door, with a clock that only the test moves."""

from __future__ import annotations

import pytest

from hub.web.limits import ADDRESSES_MAX, RateLimit
from hub.web.listener import network_of
from hub.web.technician import LIFE_S, TRIES_MAX, TechnicianCode
from tests.fakes import FakeClock, SeededRandomness


def test_a_bucket_empties_and_refills(fake_clock: FakeClock) -> None:
    limit = RateLimit(fake_clock, capacity=3, refill_s=30)
    assert [limit.take("a") for _ in range(3)] == [0, 0, 0]
    assert limit.take("a") == pytest.approx(10)
    assert limit.take("b") == 0
    fake_clock.advance(10)
    assert limit.take("a") == 0
    assert limit.take("a") > 0


def test_a_wrong_guess_costs_more_and_never_less_than_nothing(fake_clock: FakeClock) -> None:
    limit = RateLimit(fake_clock, capacity=10, refill_s=10)
    limit.take("a")
    limit.charge("a", 100)
    assert limit.take("a") == pytest.approx(1)


def test_only_so_many_addresses_are_remembered(fake_clock: FakeClock) -> None:
    limit = RateLimit(fake_clock, capacity=1, refill_s=60)
    limit.take("first")
    for number in range(ADDRESSES_MAX):
        limit.take(f"a{number}")
    assert limit.take("first") == 0
    assert limit.take(f"a{ADDRESSES_MAX - 1}") > 0


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("?", "?"),
    ],
)
def test_an_ipv6_host_counts_as_its_network(address: str, counted_as: str) -> None:
    assert network_of(address) == counted_as


@pytest.fixture
def technician(fake_clock: FakeClock, seeded_randomness: SeededRandomness) -> TechnicianCode:
    return TechnicianCode(fake_clock, seeded_randomness)


def test_a_technicians_code_is_spent_by_its_use(technician: TechnicianCode) -> None:
    assert not technician.spend("ZZZZZZZZ")
    code = technician.open()
    assert technician.spend(f"{code[:4]}-{code[4:]}".lower())
    assert not technician.spend(code)


def test_a_technicians_code_ends_with_its_day_its_tries_or_its_successor(
    technician: TechnicianCode, fake_clock: FakeClock
) -> None:
    first, second = technician.open(), technician.open()
    assert not technician.spend(first)
    assert technician.spend(second)
    third = technician.open()
    fake_clock.advance(LIFE_S)
    assert not technician.spend(third)
    fourth = technician.open()
    for _ in range(TRIES_MAX):
        assert not technician.spend("ZZZZZZZZ")
    assert not technician.spend(fourth)
