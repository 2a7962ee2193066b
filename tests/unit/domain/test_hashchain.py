"""A changed, missing, added or moved row is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.errors import DomainError, Json
from hub.domain.hashchain import GENESIS, ChainRow, canonical, chain_hash, verify


def chain(payloads: list[Json]) -> list[ChainRow]:
    rows, previous = [], GENESIS
    for seq, payload in enumerate(payloads, 1):
        previous = chain_hash("audit", previous, payload)
        rows.append(ChainRow(seq, payload, previous))
    return rows


ROWS = chain([{"n": n, "who": "Zoë"} for n in range(5)])


def test_an_untouched_chain_holds() -> None:
    assert verify("audit", ROWS) is None
    assert verify("audit", []) is None
    assert verify("audit", ROWS, head=(5, ROWS[4].hash)) is None
    assert verify("audit", ROWS[2:], first_seq=3, previous=ROWS[1].hash) is None


def test_the_first_broken_position_is_named() -> None:
    changed = [*ROWS[:2], ChainRow(3, {"n": 99}, ROWS[2].hash), *ROWS[3:]]
    assert verify("audit", changed) == 3
    assert verify("audit", [*ROWS[:1], *ROWS[2:]]) == 2
    assert verify("audit", [ROWS[1], ROWS[0]]) == 1
    assert verify("stock", ROWS) == 1


def test_a_cut_or_rewritten_chain_shows_by_the_head_kept_elsewhere() -> None:
    assert verify("audit", ROWS[:3], head=(5, ROWS[4].hash)) == 4
    assert verify("audit", chain([{"n": 7}] * 5), head=(5, ROWS[4].hash)) == 5


@given(st.lists(st.integers() | st.text(st.characters(codec="utf-8")), min_size=1), st.data())
def test_any_changed_payload_is_found(payloads: list[Json], data: st.DataObject) -> None:
    rows = chain(payloads)
    at = data.draw(st.integers(0, len(rows) - 1))
    rows[at] = ChainRow(at + 1, [payloads[at]], rows[at].hash)
    assert verify("audit", rows) == at + 1


def test_canonical_bytes_do_not_depend_on_the_order_of_keys() -> None:
    assert canonical({"b": 1, "a": [True, None, "é"]}) == '{"a":[true,null,"é"],"b":1}'.encode()


@pytest.mark.parametrize("value", [1.5, {"a": {"b": 0.1}}, {1: 2}, b"x", "\ud800"])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(DomainError):
        canonical(value)  # type: ignore[arg-type]


def test_endless_nesting_is_refused() -> None:
    value: Json = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(DomainError, match="nested"):
        canonical(value)
