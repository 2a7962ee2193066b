"""What central IT asks of a hub by commands: done once, told once, and refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.contract.oms import Command
from hub.contract.oms_events import COMMAND_ENDED, DRILL_ENDED
from hub.service.caller import CLOUD
from hub.service.handlers.cloud import ApplyCommands, apply_commands
from hub.service.handlers.drill import EndDrill, FinishDrill
from hub.service.handlers.remote import (
    BeginSupport,
    EndSupport,
    next_support,
    values_in_force,
)
from hub.storage import drillrows, remoterows
from tests.support.shop import Shop

MINUTE_S = 60


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    made = Shop(tmp_path, own_settings={"pairing.tries": "/etc/store-hub/config.toml:12"})
    made.product("tea", 499, stock=20)
    yield made
    made.close()


def command(shop: Shop, number: int, kind: str, data: Any, *, age_s: int = 0) -> Command:
    issued_at_ms = shop.clock.wall_ms() - age_s * 1000
    return Command(
        cursor=f"c{number}", id=f"cmd-{number}", type=kind, data=data, issued_at_ms=issued_at_ms
    )


def send(shop: Shop, *commands: Command) -> dict[str, int]:
    page = ApplyCommands(commands, commands[-1].cursor)
    return shop.tx(lambda tx: apply_commands(shop.gate._unit(tx, CLOUD), page)).counts


def told(shop: Shop) -> list[tuple[str, str, str]]:
    return [(one["command_id"], one["outcome"], one["why"]) for one in shop.events(COMMAND_ENDED)]


def in_force(shop: Shop) -> dict[str, Any]:
    found = values_in_force(shop.rows, shop.rules.own_settings, shop.gate.budget.budget_ms())
    return {key: one.value for key, one in found.items()}


def config(key: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"key": key, "value": value, **more}


# Settings ----------------------------------------------------------------------------------------


def test_a_setting_is_changed_told_and_written_down_with_who_asked(shop: Shop) -> None:
    data = config("stock.hold_ttl_s", 300, asked_by="it/anna")
    assert send(shop, command(shop, 1, "config.changed", data)) == {"done": 1}
    assert in_force(shop) == {"stock.hold_ttl_s": 300}
    assert told(shop) == [("cmd-1", "done", "")]
    (noted,) = shop.audited("config.changed")
    assert (noted["value"], noted["command_id"]) == (300, "cmd-1")
    (noted,) = shop.audited("cloud.command")
    assert (noted["asked_by"], noted["outcome"]) == ("it/anna", "done")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (config("stock.hold_ttl", 300), 'Did you mean "stock.hold_ttl_s"?'),
        (config("cloud.url", "https://elsewhere.example"), "can't be changed from afar"),
        (config("cloud.token", "x" * 30), "can't be changed from afar"),
        (config("stock.hold_ttl_s", "300"), "needs a whole number"),
        (config("stock.hold_ttl_s", True), "needs a whole number"),
        (config("stock.hold_ttl_s", -1), "needs a whole number"),
        (config("printing.receipts", 1), "needs true or false"),
        (config("cloud.poll_wait_s", 300), "at most 50"),
        (config("log.level", "loud", for_s=60), '"debug"'),
        (config("log.level", "debug"), "for a while only"),
        (config("log.level", "debug", for_s=1), "for_s"),
        (config("pairing.tries", 3), "set on the box itself (/etc/store-hub/config.toml:12)"),
        (config("stock.hold_ttl_s", 300, colour="red"), "colour"),
        ({"value": 3}, "key"),
        ({}, "key"),
    ],
)
def test_what_may_not_be_changed_fails_with_a_reason_that_the_cloud_is_told(
    shop: Shop, data: Any, why: str
) -> None:
    assert send(shop, command(shop, 1, "config.changed", data)) == {"failed": 1}
    assert in_force(shop) == {}
    ((command_id, outcome, said),) = told(shop)
    assert (command_id, outcome) == ("cmd-1", "failed")
    assert why in said
    (noted,) = shop.audited("cloud.command_failed")
    assert noted["type"] == "config.changed"


def test_the_command_issued_later_is_in_force_in_whichever_order_they_come(shop: Shop) -> None:
    older = command(shop, 1, "config.changed", config("pairing.code_ttl_s", 120), age_s=60)
    newer = command(shop, 2, "config.changed", config("pairing.code_ttl_s", 240))
    assert send(shop, newer, older) == {"done": 2}
    assert in_force(shop) == {"pairing.code_ttl_s": 240}
    assert send(shop, older, newer) == {"done": 2}  # the log began anew
    assert in_force(shop) == {"pairing.code_ttl_s": 240}
    assert [one[0] for one in told(shop)] == ["cmd-2", "cmd-1"]


def test_a_setting_is_given_back_and_an_old_command_does_not_bring_it_again(shop: Shop) -> None:
    older = command(shop, 1, "config.changed", config("printing.receipts", True), age_s=60)
    newer = command(shop, 2, "config.changed", config("printing.receipts", None))
    assert send(shop, older) == {"done": 1}
    assert in_force(shop) == {"printing.receipts": True}
    shop.run("DELETE FROM commands")  # long forgotten
    assert send(shop, newer, older) == {"done": 2}
    assert in_force(shop) == {}


def test_a_setting_for_a_while_ends_whatever_the_wall_clock_does(shop: Shop) -> None:
    data = config("log.level", "debug", for_s=600)
    assert send(shop, command(shop, 1, "config.changed", data)) == {"done": 1}
    shop.clock.jump_wall(-86_400)
    shop.clock.advance(599)
    assert in_force(shop) == {"log.level": "debug"}
    shop.clock.advance(2)
    assert in_force(shop) == {}


def test_a_value_that_is_no_longer_good_is_passed_over_and_said_so_once(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """As after an older version was put back; it is looked at every few seconds."""
    send(shop, command(shop, 1, "config.changed", config("cloud.batch_events", 50)))
    shop.run("UPDATE remote_settings SET value = '5000'")
    for _ in range(3):
        assert in_force(shop) == {}
    assert len([one for one in caplog.messages if "passed over" in one]) == 1


# Drills ------------------------------------------------------------------------------------------


def test_a_drill_is_begun_once_however_often_it_is_asked_for(shop: Shop) -> None:
    asked = command(shop, 1, "drill.requested", {"minutes": 5, "asked_by": "it/anna"})
    assert send(shop, asked, asked) == {"done": 1}
    assert send(shop, asked) == {"done": 1}
    row = drillrows.running(shop.rows)
    assert row is not None
    assert (row.length_ms, row.asked_by, row.command_id) == (300_000, "cloud:it/anna", "cmd-1")
    assert told(shop) == [("cmd-1", "done", "")]
    other = command(shop, 2, "drill.requested", {})
    assert send(shop, other) == {"failed": 1}
    assert told(shop)[-1] == ("cmd-2", "failed", "A drill is running already.")


@pytest.mark.parametrize("minutes", [0, 61, -5, True, "5", 2.5, None])
def test_a_drill_has_its_bounds(shop: Shop, minutes: Any) -> None:
    asked = command(shop, 1, "drill.requested", {"minutes": minutes})
    assert send(shop, asked) == {"failed": 1}
    assert drillrows.last(shop.rows) is None


def test_a_drill_that_was_asked_for_long_ago_is_no_longer_wanted(shop: Shop) -> None:
    asked = command(shop, 1, "drill.requested", {}, age_s=16 * MINUTE_S)
    assert send(shop, asked) == {"failed": 1}
    assert "16 min after it was issued" in told(shop)[0][2]


@pytest.mark.parametrize(
    ("age_s", "doubt", "why"),
    [(60, "it went back", "doubts its clock"), (-6 * MINUTE_S, "", "6 min from now")],
)
def test_no_drill_of_which_nobody_knows_how_old_it_is(
    shop: Shop, age_s: int, doubt: str, why: str
) -> None:
    """As after days without the cloud, on a box whose clock stood still meanwhile."""
    shop.run("UPDATE hub SET clock_suspect = ?", doubt)
    send(shop, command(shop, 1, "drill.requested", {}, age_s=age_s))
    assert drillrows.last(shop.rows) is None
    assert why in told(shop)[0][2]
    send(shop, command(shop, 2, "support.requested", {}, age_s=age_s))
    assert next_support(shop.rows) is not None, "a bundle does no harm"


def test_no_drill_follows_another_within_ten_minutes(shop: Shop) -> None:
    send(shop, command(shop, 1, "drill.requested", {"minutes": 1}))
    row = drillrows.running(shop.rows)
    assert row is not None
    shop.sign_in("till-1")
    shop.sell("till-1", "tea", 1, 499)
    shop.clock.advance(MINUTE_S)
    assert shop.internal(EndDrill(row.drill_id, "time"))
    assert not shop.internal(EndDrill(row.drill_id, "time"))
    shop.clock.advance(9 * MINUTE_S)
    assert send(shop, command(shop, 2, "drill.requested", {})) == {"failed": 1}
    shop.internal(FinishDrill(row.drill_id, 2_000))
    shop.internal(FinishDrill(row.drill_id, 9_000))
    (outcome,) = shop.events(DRILL_ENDED)
    assert (outcome["sales"], outcome["total_minor"], outcome["devices_selling"]) == (1, 499, 1)
    assert (outcome["how"], outcome["caught_up_ms"]) == ("time", 2_000)
    shop.clock.advance(2 * MINUTE_S)
    assert send(shop, command(shop, 3, "drill.requested", {})) == {"done": 1}


@pytest.mark.parametrize("fence", ["restored", "superseded"])
def test_there_is_no_drill_behind_a_fence(shop: Shop, fence: str) -> None:
    shop.run("UPDATE hub SET fence = ?", fence)
    assert send(shop, command(shop, 1, "drill.requested", {})) == {"failed": 1}
    assert drillrows.last(shop.rows) is None


# Bundles -----------------------------------------------------------------------------------------


def test_a_bundle_is_asked_for_once_and_told_when_it_has_arrived(shop: Shop) -> None:
    asked = command(shop, 1, "support.requested", {"reason": "slow till", "asked_by": "it/anna"})
    assert send(shop, asked) == {"done": 1}
    send(shop, asked)
    assert told(shop) == []
    waiting = next_support(shop.rows)
    assert waiting is not None
    assert waiting.command_id == "cmd-1"
    assert shop.internal(BeginSupport("cmd-1"))
    shop.internal(EndSupport("cmd-1", "", 1000))
    shop.internal(EndSupport("cmd-1", "", 1000))
    assert next_support(shop.rows) is None
    assert told(shop) == [("cmd-1", "done", "")]
    send(shop, asked)
    assert next_support(shop.rows) is None
    shop.run("DELETE FROM commands")  # long forgotten
    send(shop, asked)
    assert next_support(shop.rows) is None


def test_more_than_twenty_bundles_do_not_wait(shop: Shop) -> None:
    many = [command(shop, n, "support.requested", {}) for n in range(remoterows.WAITING_MAX + 1)]
    assert send(shop, *many) == {"done": remoterows.WAITING_MAX, "failed": 1}


def test_a_bundle_that_can_never_be_made_fails_after_some_tries(shop: Shop) -> None:
    send(shop, command(shop, 1, "support.requested", {}))
    tries = 0
    while shop.internal(BeginSupport("cmd-1")):
        tries += 1
    assert tries == 20
    assert told(shop)[0][:2] == ("cmd-1", "failed")
    assert next_support(shop.rows) is None


# Devices, and all of them ------------------------------------------------------------------------


def test_a_revoked_device_is_told_of_once_and_an_unknown_one_fails(shop: Shop) -> None:
    good = command(shop, 1, "device.revoked", {"device_id": "till-1", "reason": "stolen"})
    bad = command(shop, 2, "device.revoked", {"device_id": "till-77"})
    assert send(shop, good, bad) == {"done": 1, "failed": 1}
    assert send(shop, bad, good) == {"done": 1, "failed": 1}
    assert [(one[0], one[1]) for one in told(shop)] == [("cmd-1", "done"), ("cmd-2", "failed")]
    (status,) = shop.one("SELECT status FROM devices WHERE device_id = 'till-1'") or ("",)
    assert status == "revoked"


def test_nothing_of_a_page_is_done_when_its_cursor_cannot_be_kept(shop: Shop) -> None:
    """The data and the cursor are one transaction."""
    page = ApplyCommands(
        (
            command(shop, 1, "config.changed", config("pairing.code_ttl_s", 120)),
            command(shop, 2, "drill.requested", {}),
        ),
        "c2",
    )

    def cut(tx: Any) -> None:
        apply_commands(shop.gate._unit(tx, CLOUD), page)
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        shop.tx(cut)
    assert in_force(shop) == {}
    assert drillrows.last(shop.rows) is None
    assert told(shop) == []


def test_a_card_number_in_a_command_is_kept_nowhere(shop: Shop) -> None:
    pan = "4111111111111111"
    for number, data in enumerate(({"key": pan}, {"reason": pan}, {"asked_by": pan}), start=1):
        send(shop, command(shop, number, "support.requested", data))
    assert next_support(shop.rows) is None
    assert all(pan not in str(one) for one in told(shop))
    assert pan not in str(shop.all("SELECT data, subject FROM audit"))
