"""The times the shop was cut off: when they begin and end, and what is reported of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.contract.pages.history import OutageQuery
from hub.contract.problems import Refusal
from hub.service.caller import HUB
from hub.service.pages import outages
from hub.storage import historyrows
from hub.storage.rows import Tx
from tests.fakes import SeededRandomness
from tests.support.chronicled import Told, open_told

DEVICE_STATE = "com.storehub.device.state.v1"


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    made = open_told(tmp_path)
    yield made
    made.shop.close()


def test_an_outage_begins_after_a_minute_and_dates_from_the_last_contact(told: Told) -> None:
    told.passes(120)
    told.turns(False, "internet")
    went_ms = told.now_ms()
    told.passes(55)
    assert told.outages() == ()
    told.passes(5)
    (outage,) = told.outages()
    assert (outage.began_at_ms, outage.ended_at_ms) == (went_ms, None)
    assert (outage.place, outage.level, outage.drill) == ("internet", "warning", False)


def test_half_a_minute_of_cloud_ends_it_and_it_ended_when_that_began(told: Told) -> None:
    told.turns(False, "dns")
    told.passes(300)
    told.turns(True)
    came_ms = told.now_ms()
    told.passes(25)
    assert told.outages()[0].ended_at_ms is None
    told.passes(5)
    assert told.outages()[0].ended_at_ms == came_ms
    assert told.outages()[0].level == "ok"


def test_a_link_that_flickers_makes_one_outage_of_it_and_short_cuts_make_none(told: Told) -> None:
    for _ in range(10):
        told.turns(False)
        told.passes(40)
        told.turns(True)
        told.passes(40)
    assert told.outages() == ()
    told.turns(False)
    told.passes(100)
    for _ in range(10):
        told.turns(True)
        told.passes(20)
        told.turns(False)
        told.passes(20)
    assert [one.ended_at_ms for one in told.outages()] == [None]


def test_the_place_found_most_often_is_the_outage_s(told: Told) -> None:
    told.turns(False, "internet")
    told.passes(300)
    told.link.place = "router"  # somebody switches it off and on
    told.passes(60)
    told.link.place = "internet"
    told.passes(120)
    told.turns(True)
    told.passes(60)
    assert told.outages()[0].place == "internet"
    assert "internet" in {one.place for one in told.link_history().changes}


def test_an_outage_goes_on_over_a_restart(told: Told) -> None:
    told.passes(60)
    told.turns(False, "lan")
    went_ms = told.now_ms()
    told.passes(600)
    told.link.up = False
    told.restart(20)
    told.link.place = "lan"
    told.passes(600)
    told.turns(True)
    came_ms = told.now_ms()
    told.passes(60)
    (outage,) = told.outages()
    assert (outage.began_at_ms, outage.ended_at_ms, outage.place) == (went_ms, came_ms, "lan")
    assert [one.kind for one in told.report().happened] == ["restart"]


def test_a_hub_that_was_off_was_cut_off(told: Told) -> None:
    told.passes(130)
    seen_ms = told.now_ms()
    told.restart(3600)
    came_ms = told.now_ms() + 5000
    told.passes(60)
    (outage,) = told.outages()
    assert (outage.began_at_ms, outage.ended_at_ms, outage.place) == (seen_ms, came_ms, "hub-off")
    down = [one for one in told.link_history().changes if one.place == "hub-off"]
    assert [one.at_ms for one in down] == [seen_ms]
    hole = [one for one in told.link_history().points if seen_ms < one.at_ms < came_ms - 300_000]
    assert hole == []


def test_a_restart_is_no_outage_but_is_seen_as_a_change(told: Told) -> None:
    told.passes(90)
    told.restart(40)
    told.passes(120)
    assert told.outages() == ()
    ups = [one.up for one in told.link_history().changes]
    assert ups == [True, False, True]


def test_a_killed_hub_knows_when_it_was_last_seen(told: Told) -> None:
    told.passes(130)
    seen_ms = told.now_ms()  # as the clock guard has it persisted
    told.shop.close()
    told.shop.clock.advance(600)
    told.shop._open()
    told.begin(seen_at_ms=seen_ms)
    told.passes(60)
    assert [one.began_at_ms for one in told.outages()] == [seen_ms]


def test_without_a_trusted_clock_nobody_says_how_long_the_hub_was_off(told: Told) -> None:
    told.passes(130)
    told.shop.run("UPDATE hub SET clock_suspect = 'it went back'")
    told.restart(86_400)
    told.passes(60)
    assert told.outages() == ()


def test_without_a_cloud_nobody_is_cut_off(told: Told) -> None:
    told.link.configured = False
    told.begin()
    told.turns(False)
    told.passes(300)
    told.restart(3600)
    told.passes(300)
    assert told.outages() == ()
    assert not [one for one in told.link_history().changes[1:] if one.place != "hub-off"]


def test_an_outage_ends_when_the_cloud_is_taken_out_of_the_settings(told: Told) -> None:
    told.turns(False)
    told.passes(300)
    told.link.configured = False
    told.restart(10)
    assert [one.ended_at_ms for one in told.outages()] == [told.now_ms()]


def test_a_drill_is_known_as_one(told: Told) -> None:
    told.link.drill = True
    told.turns(False)
    told.passes(600)
    assert told.outages()[0].level == "notice"
    told.link.drill = False
    told.turns(True)
    told.passes(60)
    assert told.outages()[0].drill
    told.turns(False)
    told.passes(120)
    assert [one.drill for one in told.outages()] == [False, True]


def test_a_clock_set_back_makes_no_outage_longer_or_end_before_it_began(told: Told) -> None:
    told.passes(60)
    told.turns(False)
    told.passes(600)
    told.shop.clock.jump_wall(-7200)
    told.passes(600)
    told.turns(True)
    came_ms = told.now_ms()
    told.passes(60)
    (outage,) = told.outages()
    assert (outage.began_at_ms, outage.ended_at_ms) == (came_ms - 1_200_000, came_ms)
    told.restart(10)
    told.shop.clock.jump_wall(-86_400)
    told.turns(False)
    told.passes(600)
    told.restart(10)
    told.shop.clock.jump_wall(-86_400)
    told.turns(True)
    told.passes(60)
    for one in told.outages():
        assert one.ended_at_ms is not None
        assert one.began_at_ms <= one.ended_at_ms


# The report --------------------------------------------------------------------------------------


def tells(told: Told, device: str, state: str) -> None:
    told.shop.tx(
        lambda tx: told.shop.gate._unit(tx, HUB).emit(
            "telemetry",
            DEVICE_STATE,
            device,
            {"device_id": device, "state": state},
            told.shop.id(),
        )
    )


def test_the_report_tells_what_was_sold_and_lost_and_what_needs_a_person(told: Told) -> None:
    shop = told.shop
    shop.sell("till-1", "tea", 1, 499)
    told.sends()
    told.passes(60)
    told.turns(False, "internet")
    told.passes(120)
    voided = shop.sell("till-1", "tea", 1, 499)
    for _ in range(3):
        shop.sell("till-1", "tea", 2, 499)
    shop.sign_in("till-1", "mia")
    shop.ok("till-1", "sale/void", {"sale_id": voided["sale_id"], "reason": "mistake"})
    line = {"code": "tea", "qty": 30, "unit_price_minor": 499}
    over = shop.sale(line, total_minor=30 * 499) | {"stock_override": {"reason": "on the shelf"}}
    shop.ok("till-1", "sale/commit", over)
    for state in ("lost", "lost", "ready", "lost"):
        tells(told, "till-2", state)
    told.passes(120)
    open_report = told.report()
    waits = open_report.waiting.still_waiting
    assert waits > 5
    assert open_report.waiting.highest_depth == waits
    told.turns(True)
    told.passes(10)
    told.sends()
    told.passes(60)

    report = told.report()
    assert report.sales.model_dump() == {
        "count": 5,
        "total_minor": 36 * 499,
        "currency": "EUR",
        "voids": 1,
        "returns": 0,
    }
    assert report.outage.sales == 5
    assert report.waiting.model_dump() == {
        "highest_depth": waits,
        "told": waits,
        "still_waiting": 0,
        "parked": 0,
    }
    assert report.caught_up_at_ms is not None
    assert report.outage.ended_at_ms is not None
    assert report.caught_up_at_ms - report.outage.ended_at_ms == 15_000
    assert [(one.device_id, one.times) for one in report.devices_lost] == [("till-2", 2)]
    assert {one.text for one in report.happened} >= {"A sale was voided."}
    (need,) = report.needs
    assert (need.key, need.count, need.link) == ("below-zero", 1, "#/stock/tea")
    assert (report.outage.needs_person, report.outage.level) == (1, "warning")


def test_what_was_mended_needs_nobody_any_more(told: Told) -> None:
    shop = told.shop
    told.turns(False)
    told.passes(120)
    shop.sign_in("till-1", "mia")
    line = {"code": "tea", "qty": 30, "unit_price_minor": 499}
    over = shop.sale(line, total_minor=30 * 499) | {"stock_override": {"reason": "on the shelf"}}
    shop.ok("till-1", "sale/commit", over)
    told.turns(True)
    told.passes(60)
    assert [one.key for one in told.report().needs] == ["below-zero"]
    count = shop.id()
    shop.ok("till-1", "stock/open-count", {"count_id": count, "sku": "tea"})
    shop.ok("till-1", "stock/close-count", {"count_id": count, "counted_qty": 4})
    assert told.report().needs == ()
    assert told.outages()[0].level == "ok"


def test_each_need_belongs_to_its_own_outage(told: Told) -> None:
    shop = told.shop
    for _ in range(2):
        told.turns(False)
        told.passes(120)
        shop.sell("till-1", "tea", 1, 499)
        told.turns(True)
        told.passes(60)
    shop.run(
        "INSERT INTO parked SELECT id, source, stream, seq, event_id, type, aggregate, at_ms,"
        " data, 'bad', 1, NULL FROM outbox ORDER BY id DESC LIMIT 1"
    )
    shop.run("UPDATE hub SET clock_suspect = 'it went back'")
    newest, older = told.report(0), told.report(1)
    assert [one.key for one in newest.needs] == ["parked", "clock"]
    assert newest.waiting.parked == 1
    assert older.needs == ()
    assert [one.needs_person for one in told.outages()] == [2, 0]


def test_catching_up_is_noticed_after_a_restart_too(told: Told) -> None:
    told.turns(False)
    told.passes(120)
    told.shop.sell("till-1", "tea", 1, 499)
    told.turns(True)
    told.passes(60)
    assert told.report().caught_up_at_ms is None
    told.restart(10)
    told.passes(10)
    assert told.report().caught_up_at_ms is None
    told.sends()
    told.passes(5)
    assert told.report().caught_up_at_ms == told.now_ms()


def test_an_outage_that_the_next_one_overtook_catches_up_with_it(told: Told) -> None:
    for _ in range(2):
        told.turns(False)
        told.passes(120)
        told.shop.sell("till-1", "tea", 1, 499)
        told.turns(True)
        told.passes(60)
    told.sends()
    told.passes(5)
    caught_up = [told.report(index).caught_up_at_ms for index in (0, 1)]
    assert caught_up == [told.now_ms()] * 2


def test_what_was_counted_while_nothing_could_be_written_is_no_minute_s(told: Told) -> None:
    told.passes(60)
    told.shop.gate.storage_full = True
    told.link.requests += 5000
    told.passes(120)
    told.shop.gate.storage_full = False
    told.link.requests += 7
    told.passes(60)
    newest = historyrows.minutes(told.shop.rows, told.now_ms() - 60_000, told.now_ms())
    assert [one.requests for one in newest] == [7]


def test_trade_does_not_drown_what_happened(told: Told) -> None:
    def notes(tx: Tx) -> None:
        unit = told.shop.gate._unit(tx, HUB)
        unit.note("pairing.open", "till-9")
        for number in range(2100):
            unit.note("return.completed", str(number))

    told.turns(False)
    told.shop.tx(notes)
    told.passes(120)
    assert [one.text for one in told.report().happened] == ["Somebody opened pairing."]


def test_an_outage_that_nobody_knows_is_not_found(told: Told) -> None:
    with pytest.raises(Refusal, match="newest 400"):
        outages.one(told.unit(), OutageQuery(outage_id=told.shop.id()))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_link_hub_and_disk_do_the_story_stays_whole(told: Told, seed: int) -> None:
    chance = SeededRandomness(seed)
    began_ms = told.now_ms()
    for _ in range(60):
        what = chance.uniform(0, 10)
        if what < 4:
            told.turns(not told.link.up, ("", "dns", "router")[int(chance.uniform(0, 3))])
        elif what < 5:
            told.restart(chance.uniform(0, 900), killed=chance.uniform(0, 1) < 0.5)
        elif what < 6:
            told.shop.gate.storage_full = not told.shop.gate.storage_full
        told.passes(chance.uniform(0, 200))
    told.shop.gate.storage_full = False
    told.turns(False)
    told.turns(True)
    told.passes(100)
    found = told.outages(limit=200)
    assert all(one.ended_at_ms is not None for one in found)
    for newer, older in itertools.pairwise(found):
        assert older.ended_at_ms is not None
        assert older.ended_at_ms <= newer.began_at_ms
    for one in found:
        assert one.ended_at_ms is not None
        assert began_ms <= one.began_at_ms <= one.ended_at_ms <= told.now_ms()
        assert one.ended_at_ms - one.began_at_ms >= 60_000
        outages.one(told.unit(), OutageQuery(outage_id=one.outage_id))
    kept = told.link_history()
    assert all(a.at_ms <= b.at_ms for a, b in itertools.pairwise(kept.changes))
    assert all(0 <= one.up_share <= 1 for one in kept.points)


def test_money_that_went_back_twice_around_a_restore_needs_a_person(told: Told) -> None:
    """The cloud and the tills tell it after the outage is over."""
    told.passes(130)
    told.restart(3600)
    told.passes(30)
    told.turns(True)
    told.passes(300)
    sale_id = told.shop.id()
    told.shop.run(
        "INSERT INTO audit (at_ms, caller, action, subject, data, hash) VALUES"
        " (?1, 'hub', 'sale.given_back_twice', ?2, '{}', x''),"
        " (?1, 'hub', 'payment.of_two_sales', 'payment-1', '{}', x'')",
        told.now_ms(),
        sale_id,
    )
    (need,) = told.report().needs
    assert (need.key, need.count, need.link) == ("given-back", 2, "#/sales")
    assert "1 sale went back twice" in need.text
    assert told.outages()[0].needs_person == 2
