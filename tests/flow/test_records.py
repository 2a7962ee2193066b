"""Which changes have a record, and which records are believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.contract.envelope import MAX_RECORD_CHARS
from hub.service.caller import Caller, CallerKind
from hub.service.records import Recorder
from hub.storage.outbox import Emitted
from tests.support.copies import Copies, Till, facts_of
from tests.support.shop import Shop

DAY_S = 86_400.0


# Who is believed ---------------------------------------------------------------------------------


def _broken(till: Till) -> str:
    record = till.kept[0][3]
    assert record is not None
    at = len(record) // 2
    return f"{record[:at]}{'A' if record[at] != 'A' else 'B'}{record[at + 1 :]}"


def _of_another_hub(till: Till) -> str:
    _, body, key, _ = till.kept[0]
    del body
    made = Recorder(b"x" * 32, till.shop.rules.store).make("till-1", key, b"", (), "{}")
    assert made is not None
    return made


@pytest.mark.parametrize(
    "forged",
    [
        _broken,
        _of_another_hub,
        lambda _till: "A" * (MAX_RECORD_CHARS + 1),
        lambda _till: "A" * 40_000,
        lambda _till: "not base64 ü",
        lambda _till: "A",
    ],
)
def test_a_record_that_this_hub_never_made_is_judged_as_if_it_were_new(
    shop: Shop, copies: Copies, forged: Callable[[Till], str]
) -> None:
    copy = copies.take(shop)
    till = Till(shop)
    till.sell()
    till.sell()
    restored = copies.put_back(copy, shop)
    restored.run("DELETE FROM sign_ins")
    record = forged(till)
    for address, body, key, _ in till.kept:
        assert restored.ask("till-1", address, body, key=key, record=record).code == (
            "unauthenticated"
        )
    assert restored.audited("record.not_ours") == [{}], "noted once for each device"
    assert restored.value("SELECT count(*) FROM sales") == 0


def test_a_record_is_good_for_its_own_device_key_and_request_only(
    shop: Shop, copies: Copies
) -> None:
    copy = copies.take(shop)
    till = Till(shop)
    till.sell()
    restored = copies.put_back(copy, shop)
    restored.run("DELETE FROM sign_ins")
    address, body, key, record = till.kept[0]
    cheaper = body | {"note": "another one"}
    assert restored.ask("till-2", address, body, key=key, record=record).code == "unauthenticated"
    assert restored.ask("till-1", address, body, record=record).code == "unauthenticated"
    fresh = restored.ask("till-1", address, cheaper, key=key, record=record)
    assert fresh.code == "unauthenticated"
    assert restored.value("SELECT count(*) FROM sales") == 0


def test_a_revoked_device_is_not_believed(shop: Shop, copies: Copies) -> None:
    copy = copies.take(shop)
    till = Till(shop)
    till.sell()
    restored = copies.put_back(copy, shop)
    restored.run("DELETE FROM sign_ins")
    restored.run("UPDATE devices SET status = 'revoked' WHERE device_id = 'till-1'")
    assert till.offer(restored).code == "unauthenticated"


def test_a_record_outlives_the_memory_of_keys(shop: Shop, copies: Copies) -> None:
    copy = copies.take(shop)
    till = Till(shop)
    first = till.sell()
    shop.clock.advance(40 * DAY_S)
    restored = copies.put_back(copy, shop)
    address, body, key, record = till.kept[0]
    late = restored.ask("till-1", address, body, key=key)
    assert late.code == "idempotency-expired"
    assert till.offer(restored).result == first.result
    restored.housekeep()
    assert till.offer(restored).result == first.result
    assert restored.value("SELECT count(*) FROM sales") == 1
    assert record is not None


def test_what_cannot_be_taken_in_is_judged_as_if_it_were_new(shop: Shop, copies: Copies) -> None:
    """A record that an older version made, of something this one doesn't hold to be one."""
    copy = copies.take(shop)
    till = Till(shop)
    till.sell()
    address, body, key, record = till.kept[0]
    restored = copies.put_back(copy, shop)
    recorder = Recorder(bytes(32), shop.rules.store)
    asked: list[Any] = []
    reading = restored.gate._recorder.read

    def keep(record: str, caller: Any, key: str, body_hash: bytes) -> Any:
        asked.append((caller, body_hash))
        return reading(record, caller, key, body_hash)

    object.__setattr__(restored.gate._recorder, "read", keep)
    restored.ask("till-1", address, body, key=key, record=record)
    _, body_hash = asked[0]
    other = copies.put_back(copy, shop)
    event = shop.all("SELECT stream, type, aggregate, event_id, at_ms FROM outbox")[-1]
    odd = recorder.make(
        "till-1", key, body_hash, [Emitted._make((*event, '{"sale_id":"x"}'))], "{}"
    )
    assert other.ask("till-1", address, body, key=key, record=odd).ok, "anna is signed in"
    assert len(other.audited("record.failed")) == 1
    assert other.value("SELECT count(*) FROM sales") == 1


# What has a record -------------------------------------------------------------------------------


def test_only_a_device_whose_change_was_told_gets_a_record(shop: Shop) -> None:
    till = Till(shop)
    assert "record" in till.sell().body
    opened = shop.ask("till-1", "basket/open", {"basket_id": shop.id()})
    queried = shop.ask("till-1", "stock/levels", {"skus": ["tea"]})
    refused = shop.ask("till-1", "sale/void", {"sale_id": shop.id(), "reason": "x"})
    assert not any("record" in one.body for one in (opened, queried, refused))


def test_a_repeat_has_the_same_record_as_long_as_the_events_are_kept(shop: Shop) -> None:
    till = Till(shop)
    first = till.sell()
    assert till.offer(shop).text == first.text
    other = shop.ask("till-2", "sale/commit", till.kept[0][1])
    assert other.result == first.result
    assert "record" in other.body, "the till that repeats it keeps it, too"
    shop.sell("till-1", "tea", 1, 499)
    shop.run("UPDATE streams SET acked_seq = head_seq")
    shop.run("UPDATE outbox SET at_ms = 0 WHERE id <= ?", first.seq)
    shop.housekeep()
    again = till.offer(shop)
    assert "record" not in again.body
    assert again.result == first.result


def test_the_repeat_of_another_till_brings_the_sale_back(shop: Shop, copies: Copies) -> None:
    copy = copies.take(shop)
    front, back = Till(shop, "till-1"), Till(shop, "till-2")
    front.sell()
    back.ask("sale/commit", front.kept[0][1])
    restored = copies.put_back(copy, shop)
    restored.run("DELETE FROM sign_ins")
    assert back.offer(restored).ok
    assert front.offer(restored).ok
    assert facts_of(restored) == facts_of(shop)


def test_records_are_not_kept_in_the_database(shop: Shop) -> None:
    till = Till(shop)
    record = till.sell().body["record"]
    assert shop.value("SELECT count(*) FROM requests WHERE instr(reply, ?)", record[:40]) == 0
    assert shop.value("SELECT events FROM requests WHERE idk = ?", till.kept[0][2]) == 1


def test_a_record_that_a_device_could_not_send_is_not_given(shop: Shop) -> None:
    small = Recorder(bytes(32), shop.rules.store, packet_bytes=3_000)
    event = Emitted("sales", "x", "a", "b", 1, '{"text":"ABC"}')
    assert small.make("till-1", "key-0001", b"", [event], "{}")
    assert small.make("till-1", "key-0001", b"", [event] * 20, "{}") is None


def test_a_record_from_before_secrets_counted_is_good_for_its_request_still() -> None:
    till, recorder = Caller(CallerKind.DEVICE, "till-1"), Recorder(bytes(32), "367")
    plain, keyed = b"p" * 32, recorder.keyed(b"secret")
    assert keyed != recorder.keyed(b"another")
    assert keyed != Recorder(b"k" * 32, "367").keyed(b"secret")
    for known, asked, good in (
        (plain, plain, True),
        (plain, plain + keyed, True),
        (plain + keyed, plain + keyed, True),
        (plain + keyed, plain + b"x" * 16, False),
        (plain + keyed, plain, False),
        (b"o" * 32, plain + keyed, False),
    ):
        record = recorder.make("till-1", "k-1", known, (), "{}")
        assert record is not None
        assert (recorder.read(record, till, "k-1", asked) is not None) is good
