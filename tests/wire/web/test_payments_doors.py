"""Card payments at the page's doors: what is told of them, and who may decide what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.domain.payments.exposure import Caps
from hub.domain.payments.states import PaymentState as S
from hub.service.handlers import collect
from hub.service.shop import PaymentRules
from hub.storage import linkrows, paymentrows, refundrows
from hub.storage.rows import Tx
from tests.hubparts import SHOP, HubParts, hub_parts
from tests.support.cardrows import WAYS, add_payment, payment_id
from tests.support.paying import PlainVault
from tests.wire.web.staffed import PIN, at_the_page, hire

HOUR_MS = 3_600_000
SECRETS = ("token", "wrapped", "sealed", "hash", "fence")


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubParts]:
    """A shop with a processor, and its staff."""
    caps = Caps(store_minor=100_00, terminal_minor=80_00)
    shop = replace(SHOP, payments=PaymentRules(caps=caps, processor=True))
    async with hub_parts(tmp_path, handlers=collect, shop=shop) as parts:
        await hire(parts)
        await parts.write(
            lambda tx: tx.run(
                "INSERT INTO staff SELECT generation, '1005', 'Name 1005', role, pin_hash, active"
                " FROM staff WHERE staff_id = '1003'"
            )
        )
        yield parts


async def read(hub: HubParts, path: str, who: str = "1002") -> Any:
    async with at_the_page(hub, who) as (http, _), http.get(f"/api/1/{path}") as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Cache-Control"] == "no-store"
        return await answer.json()


async def post(hub: HubParts, who: str, address: str, body: dict[str, Any]) -> tuple[int, Any]:
    async with at_the_page(hub, who) as (http, csrf):
        key = {"Idempotency-Key": f"page-test-{who}-{address}"}
        async with http.post(f"/api/1/{address}", json=body, headers=csrf | key) as answer:
            return answer.status, await answer.json()


def every_state(tx: Tx) -> None:
    """One payment in each; a terminal does one thing at a time, so what is at one comes last."""
    states = [state for state in S if state is not S.AT_TERMINAL]
    for number, state in enumerate((*states, S.AT_TERMINAL), 1):
        add_payment(tx, number, state, amount_minor=100 + number, custody="hub", in_sale=1)


async def test_every_state_is_shown_with_its_steps_and_nothing_secret(hub: HubParts) -> None:
    await hub.write(every_state)
    page = await read(hub, "payments")
    assert {one["state"] for one in page["people"]} == {"manual", "lost", "recovery", "expired"}
    assert all(one["trouble"]["next_step"].endswith(".") for one in page["people"])
    assert {one["state"] for one in page["open"]} == {
        *("intent", "at_terminal", "unknown", "stored", "void_pending", "forwarding"),
        *("forward_unknown", "forwarded", "declined", "retry_wait"),
    }
    assert page["counts"]["receivable"] == 1
    every = (await read(hub, "payments/all?limit=200"))["payments"]
    assert {one["state"] for one in every} == set(WAYS) == set(S)
    for one in every:
        whole = await read(hub, f"payments/{one['payment_id']}")
        assert [step["event"] for step in whole["payment"]["steps"]] == [*WAYS[S(one["state"])]]
        assert not any(word in str(whole) for word in SECRETS)


async def test_the_meter_is_the_tills_meter_with_each_terminal_s_share(hub: HubParts) -> None:
    await hub.write(
        lambda tx: [
            add_payment(tx, 1, S.STORED, amount_minor=4000, in_sale=1, age_ms=2 * HOUR_MS),
            add_payment(tx, 2, S.STORED, amount_minor=4500, in_sale=1, terminal_id="terminal-2"),
            add_payment(tx, 3, S.FORWARDED, amount_minor=1, in_sale=1, age_ms=9 * HOUR_MS),
        ]
    )
    found = (await read(hub, "payments"))["exposure"]
    assert (found["meter"], found["store_count"], found["store_minor"]) == ("near", 3, 8501)
    assert [(one["terminal_id"], one["minor"]) for one in found["terminals"]] == [
        ("terminal-2", 4500),
        ("terminal-1", 4001),
    ]
    assert 21.9 * HOUR_MS < found["next_expiry_in_ms"] <= 22 * HOUR_MS
    status, told = await post(hub, "1003", "payment/exposure", {})
    assert status == 200
    for name in ("meter", "store_minor", "store_cap_minor", "bars"):
        assert told[name] == found[name]
    assert told["next_expiry_in_ms"] == pytest.approx(found["next_expiry_in_ms"], abs=60_000)
    status_now = await hub.status.fresh()
    assert status_now.payments.exposure_minor == 8501
    assert status_now.payments.states == {"stored": 2, "forwarded": 1}


async def test_payments_are_found_by_what_became_of_them(hub: HubParts) -> None:
    await hub.write(every_state)

    async def states(which: str) -> set[str]:
        page = await read(hub, f"payments/all?which={which}&limit=200")
        return {one["state"] for one in page["payments"]}

    assert await states("back") == {"voided", "reversed", "refunded"}
    assert await states("failed") == {
        *("refused", "declined", "expired", "recovery", "recovered", "written_off"),
    }
    assert "stored" in await states("offline")
    assert "captured" not in await states("offline")
    first = await read(hub, "payments/all?limit=10")
    rest = await read(hub, f"payments/all?limit=200&cursor={first['next_cursor']}")
    ids = [one["id"] for one in first["payments"] + rest["payments"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == len(set(ids)) == len(S)


async def test_two_managers_decide_each_with_evidence(hub: HubParts) -> None:
    await hub.write(lambda tx: add_payment(tx, 1, S.MANUAL))
    body = {"payment_id": payment_id(1), "outcome": "never-done", "evidence": "portal, 14:12"}
    status, problem = await post(hub, "1002", "payment/decide", body)
    assert status == 403
    assert problem["context"]["right"] == "payments"
    status, now = await post(hub, "1003", "payment/decide", body)
    assert (status, now["state"]) == (200, "manual")
    (word,) = (await read(hub, f"payments/{payment_id(1)}", "1003"))["words"]
    assert (word["outcome"], word["evidence"], word["yours"]) == (
        *("never-done", "portal, 14:12", True),
    )
    assert not (await read(hub, f"payments/{payment_id(1)}", "1005"))["words"][0]["yours"]
    status, now = await post(hub, "1005", "payment/decide", body)
    assert (status, now["state"]) == (200, "abandoned")
    assert (await read(hub, "payments"))["people"] == []


async def test_a_contact_is_shown_masked_and_to_managers_only(tmp_path: Path) -> None:
    payments = PaymentRules(vault=PlainVault(), links=True)
    async with hub_parts(
        tmp_path, handlers=collect, shop=replace(SHOP, payments=payments)
    ) as parts:
        await hire(parts)
        await parts.write(lambda tx: add_payment(tx, 1, S.RECOVERY, in_sale=1))
        path = f"payments/{payment_id(1)}"
        before = (await read(parts, path, "1003"))["payment"]
        assert before["acts"] == ["paid", "write-off", "contact"]
        assert "how to reach the customer" in before["link_why_not"]
        body = {"payment_id": payment_id(1), "contact": {"email": "dora@example.org"}}
        assert (await post(parts, "1002", "payment/contact", body))[0] == 403
        status, now = await post(parts, "1003", "payment/contact", body)
        assert (status, now["contact_kept"]) == (200, True)
        seen = await read(parts, path, "1003")
        assert seen["contact"] == "d***@e***.org"
        assert seen["payment"]["acts"] == ["paid", "write-off", "send-link", "contact"]
        theirs = await read(parts, path, "1002")
        assert (theirs["contact"], theirs["payment"]["contact_kept"]) == ("", True)
        assert "dora" not in f"{seen}{theirs}{await read(parts, 'payments')}"
        del body["contact"]
        status, _ = await post(parts, "1003", "payment/send-link", body)
        assert status == 200
        (link,) = (await read(parts, path))["links"]
        assert (link["state"], link["by"]) == ("wanted", "1003")


async def test_money_of_a_link_that_was_not_owed_is_shown_until_somebody_says(
    hub: HubParts,
) -> None:
    def paid(tx: Tx) -> None:
        row = add_payment(tx, 1, S.WRITTEN_OFF, in_sale=1)
        link = linkrows.add(tx, "key-1", row.id, 499, "1003")
        linkrows.change(tx, link, state="surplus", psp_ref="pl-1", paid_minor=499)

    await hub.write(paid)
    (one,) = (await read(hub, "payments"))["people"]
    assert (one["trouble"]["kind"], one["acts"]) == ("paid-twice", ["settle-link"])
    assert (one["link_key"], one["link_minor"]) == ("key-1", 499)
    assert (await hub.status.fresh()).payments.needs == {"paid-twice": 1}
    body = {"payment_id": payment_id(1), "how": "given-back", "reason": "portal, pl-1"}
    assert (await post(hub, "1003", "payment/settle-link", body))[0] == 200
    assert (await read(hub, "payments"))["people"] == []


async def test_a_technician_s_code_answers_for_no_money(hub: HubParts) -> None:
    await hub.write(lambda tx: add_payment(tx, 1, S.RECOVERY, in_sale=1))
    body = {"payment_id": payment_id(1), "how": "written-off", "reason": "not known"}
    async with hub.technician() as (http, csrf):
        key = {"Idempotency-Key": "page-test-technician"}
        async with http.post(
            "/api/1/payment/close-receivable", json=body, headers=csrf | key
        ) as answer:
            assert answer.status == 403


async def test_the_command_line_decides_in_a_person_s_own_name(
    hub: HubParts, tmp_path: Path
) -> None:
    await hub.write(lambda tx: add_payment(tx, 1, S.RECOVERY, in_sale=1))
    config = tmp_path / "config.toml"
    config.write_text(
        '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
        f'[paths]\nstate = "{hub.state}"\nrun = "{hub.run}"\n'
        f'[web]\nport = {hub.web.port}\n[cloud]\nurl = "https://oms.example"\n'
    )

    async def say(staff_no: str, pin: str = PIN) -> Result:
        from hub.cli.program import root

        words = ["close", payment_id(1), "written-off", "--reason", "customer not known"]
        return await asyncio.to_thread(
            CliRunner().invoke,
            root,
            ["--config", str(config), "payments", *words],
            input=f"{staff_no}\n{pin}\n",
        )

    assert "wrong" in (await say("1003", "000000")).output
    first = await say("1003")
    assert first.exit_code == 0, first.output
    assert "Somebody else has to say the same" in first.output
    again = await say("1003")
    assert "Somebody else" in again.output
    second = await say("1005")
    assert "Done: the payment is written_off." in second.output


def busy_day(tx: Tx) -> None:
    """More entries of the audit log than anybody looks through for one that counts."""
    tx.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
        " INSERT INTO audit SELECT (SELECT max(seq) FROM audit) + i, ?, 'device:till-1', NULL,"
        " 'staff.signed_in', 'anna', '{}', zeroblob(32) FROM n",
        tx.now_ms,
    )


def add_refused(tx: Tx, number: int) -> None:
    """A refund of the payment with this number that was refused."""
    payment = paymentrows.get(tx, payment_id(number))
    assert payment is not None
    refund_id = payment_id(1000 + number)
    refund = refundrows.add(tx, refund_id, payment.id, "return", 100)
    refundrows.change(tx, refund, state="refused", reason="no connection")


NOTED = ("payment.two_refs", "payment.refund_refused", "payment.refund_given_twice")


async def test_what_has_to_be_seen_to_elsewhere_is_shown_for_a_week(hub: HubParts) -> None:
    def noted(tx: Tx, ago_ms: int) -> None:
        for number, action in enumerate(NOTED, 1):
            tx.run(
                "INSERT INTO audit VALUES ((SELECT coalesce(max(seq), 0) + 1 FROM audit), ?,"
                " 'hub:hub', NULL, ?, ?, '{}', zeroblob(32))",
                tx.now_ms - ago_ms,
                action,
                payment_id(number + (10 if ago_ms else 0)),
            )

    for number in (1, 2, 3, 11, 12, 13):
        await hub.write(lambda tx, n=number: add_payment(tx, n, S.CAPTURED, in_sale=1))
        await hub.write(lambda tx, n=number: add_refused(tx, n))
    await hub.write(lambda tx: noted(tx, 8 * 24 * HOUR_MS))
    await hub.write(lambda tx: noted(tx, 0))
    await hub.write(busy_day)
    people = (await read(hub, "payments"))["people"]
    assert [one["trouble"]["kind"] for one in people] == ["twice", "give-back", "given-twice"]
    whole = await read(hub, f"payments/{payment_id(2)}")
    assert "couldn't be given back" in whole["payment"]["trouble"]["wrong"]
    assert "trouble" not in (await read(hub, f"payments/{payment_id(11)}"))["payment"]
    assert (await hub.status.fresh()).payments.needs == {
        "give-back": 1,
        "given-twice": 1,
        "twice": 1,
    }
    shown = whole["payment"]
    assert ("settle-refund" in shown["acts"], shown["refund_minor"]) == (True, 100)
    said = {"payment_id": payment_id(2), "how": "otherwise", "reason": "cash, slip 4"}
    said |= {"refund_id": shown["refund_id"]}
    assert (await post(hub, "1003", "payment/settle-refund", said))[0] == 200
    people = (await read(hub, "payments"))["people"]
    assert [one["trouble"]["kind"] for one in people] == ["twice", "given-twice"], "not again"
