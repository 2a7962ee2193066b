"""The messages and pure functions both sides share."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.contract.digests import (
    EMPTY_HASH,
    bucket_digests,
    differing_buckets,
    digest_bucket,
    level_line,
)
from hub.contract.oms import CALLS, OMS_MEANINGS, Hello, OmsCode
from hub.contract.oms_datasets import row_key
from hub.contract.oms_envelope import CloudEvent, EventSource, rfc3339, sequence_text
from hub.contract.oms_events import STOCK_MOVED, Movement, StockMoved, movements_of, parse_data
from hub.contract.oms_facts import PHYSICAL_BUCKETS
from hub.contract.oms_signing import sign, verify

LEVELS = st.dictionaries(
    st.text("ABC0123.-", min_size=1, max_size=8),
    st.dictionaries(st.sampled_from(PHYSICAL_BUCKETS), st.integers(-5, 5)),
    max_size=30,
)


@given(LEVELS)
def test_digests_do_not_depend_on_order_or_on_zeros(levels: dict[str, dict[str, int]]) -> None:
    there = bucket_digests(levels.items())
    back = bucket_digests(reversed(list(levels.items())))
    filled = bucket_digests(
        (sku, {name: row.get(name, 0) for name in PHYSICAL_BUCKETS}) for sku, row in levels.items()
    )
    assert there == back == filled
    assert sum(row.rows for row in there) == sum(any(row.values()) for row in levels.values())
    assert differing_buckets(there, back) == ()


@given(LEVELS, st.text("ABC", min_size=1, max_size=3))
def test_one_changed_level_shows_in_exactly_its_bucket(
    levels: dict[str, dict[str, int]], sku: str
) -> None:
    changed = levels | {sku: {**levels.get(sku, {}), "staged": 99}}
    mine, theirs = bucket_digests(levels.items()), bucket_digests(changed.items())
    assert differing_buckets(mine, theirs) == (digest_bucket(sku),)


def test_the_hash_is_what_the_contract_writes_down() -> None:
    (row,) = bucket_digests([("A", {"sellable": 3, "transit_in": -1}), ("B", {"staged": 0})])
    assert row.hash == hashlib.sha256(b"A|3|0|0|0|0|-1\n").hexdigest()
    assert (row.bucket, row.rows) == (hashlib.sha256(b"A").digest()[0], 1)
    assert level_line("B", {"staged": 0}) is None
    assert hashlib.sha256().hexdigest() == EMPTY_HASH


def test_a_source_says_who_wrote_a_row() -> None:
    plain = EventSource("shop-1", "hub.1", 4)
    forked = EventSource("shop-1", "hub.1", 4, "k7")
    assert plain.uri == "/stores/shop-1/hubs/hub.1/4"
    assert forked.uri == "/stores/shop-1/hubs/hub.1/4~k7"
    assert [EventSource.parse(one.uri) for one in (plain, forked)] == [plain, forked]


@pytest.mark.parametrize(
    "uri", ["", "/stores/s/hubs/h/01", "/stores/s/hubs/h/1~", "/stores/s/hubs/h/1\n", "/stores/s"]
)
def test_what_is_no_source_is_quoted(uri: str) -> None:
    with pytest.raises(ValueError, match="is not /stores/"):
        EventSource.parse(uri)


def test_sequences_sort_as_text() -> None:
    assert sequence_text(9) < sequence_text(10)
    assert len(sequence_text(2**53 - 1)) == 20
    with pytest.raises(ValueError, match="not 0"):
        sequence_text(0)


def test_instants_are_written_with_milliseconds() -> None:
    assert rfc3339(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"


def _event(kind: str, data: dict[str, Any]) -> CloudEvent:
    return CloudEvent.model_validate(
        {
            "id": "e-1",
            "source": EventSource("s", "h", 1).uri,
            "type": kind,
            "stream": "stock",
            "sequence": sequence_text(1),
            "partitionkey": "A",
            "data": data,
        }
    )


MOVE = {"seq": 1, "sku": "A", "qty": 2, "from": "supplier", "to": "sellable", "type": "receive"}


def test_movements_of_known_and_unknown_types_are_read() -> None:
    for kind in (STOCK_MOVED, "com.storehub.something.new.v1"):
        fact = parse_data(_event(kind, {"movements": [MOVE], "added_later": True}))
        assert [(one.from_, one.to) for one in movements_of(fact)] == [("supplier", "sellable")]


@pytest.mark.parametrize(
    "wrong", [{"qty": 0}, {"qty": "2"}, {"qty": 1.5}, {"to": "supplier"}, {"from": "nowhere"}]
)
def test_a_movement_that_moves_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StockMoved.model_validate({"movements": [MOVE | wrong]})


def test_a_movement_travels_with_from_and_to() -> None:
    sent = Movement.model_validate(MOVE).model_dump(by_alias=True)
    assert (sent["from"], sent["to"]) == ("supplier", "sellable")


def test_a_misspelt_field_of_a_request_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Hello.model_validate(
            {"hub_id": "h", "nonce": "n" * 16, "machine_id_hash": "a" * 8, "incarnation": 0,
             "reason": "start", "forck": ""}
        )  # fmt: skip


def test_every_code_has_a_meaning_and_every_path_once() -> None:
    assert set(OMS_MEANINGS) == set(OmsCode)
    assert len({(call.method, call.path) for call in CALLS}) == len(CALLS)


def test_a_role_change_is_a_change_of_the_same_row() -> None:
    before, after = ({"kind": "staff", "staff_id": "1", "role": role} for role in ("a", "b"))
    assert row_key("staff", before) == row_key("staff", after)
    assert row_key("staff", {"kind": "role", "role": "a"}) != row_key("staff", before)
    starts = [{"sku": "A", "valid_from_ms": at} for at in (None, 5)]
    assert row_key("prices", starts[0]) != row_key("prices", starts[1])


# The example of the Standard Webhooks specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'


def test_signatures_are_those_of_standard_webhooks() -> None:
    headers = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330_000, BODY)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert verify(SECRET, headers, BODY, 1_614_265_330_000) is None
    rotated = headers | {"webhook-signature": "v1,old " + headers["webhook-signature"]}
    assert verify(SECRET, rotated, BODY, 1_614_265_330_000) is None


@pytest.mark.parametrize(
    ("changed", "body", "later_s", "says"),
    [
        ({}, BODY + b" ", 0, "does not match"),
        ({}, BODY, 301, "set the clock"),
        ({"webhook-id": ""}, BODY, 0, "are needed"),
        ({"webhook-timestamp": "soon"}, BODY, 0, "not a number"),
        ({"webhook-id": "other"}, BODY, 0, "does not match"),
    ],
)
def test_a_wrong_signature_is_told(
    changed: dict[str, str], body: bytes, later_s: int, says: str
) -> None:
    headers = sign(SECRET, "msg-1", 1_614_265_330_000, BODY) | changed
    told = verify(SECRET, headers, body, 1_614_265_330_000 + later_s * 1000)
    assert told is not None
    assert says in told
