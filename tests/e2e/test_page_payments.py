"""The page of card payments in a real browser: the meter, what needs somebody, who decides what,
one payment with its steps; on a phone and on a desktop, by day and by night, by keyboard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.storage.rows import Rows
from tests.e2e.pagekit import DESKTOP, Seen, barriers, go, opened, settled, sign_in, sticking_out
from tests.e2e.payingshop import DECLINED, LATE, LOST, MANUAL, NO_SALE, STORED, paying_shop
from tests.hubparts import HubParts
from tests.support.cardrows import payment_id
from tests.support.gatebench import PIN

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("page-payments")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HubParts]:
    root: Path = tmp_path_factory.mktemp("payments")
    async with paying_shop(root) as made:
        async with made.client() as http:  # whoever checks PINs is there from now on
            await http.post("/api/1/session", json={"staff_no": "mia", "pin": PIN})
        yield made


async def by_pin(page: Any, staff_no: str) -> None:
    """Sign in as a member of staff."""
    await page.check("#way-pin", force=True)
    await page.fill("#staff-no", staff_no)
    await page.fill("#pin", PIN)
    await page.click("#sign-in-form button")
    await page.wait_for_selector("#verdict-title")


async def state(hub: HubParts, number: int) -> str:
    def look(rows: Rows) -> Any:
        sql = "SELECT state, void_asked FROM payments WHERE payment_id = ?"
        return rows.one(sql, payment_id(number))

    found, void_asked = await hub.gate.read(look)
    return f"{found}, goes back" if void_asked else str(found)


def card(number: int) -> str:
    return f".problem[data-payment='{payment_id(number)}']"


async def test_what_needs_somebody_says_what_is_wrong_and_what_to_do(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    await sign_in(page, hub)
    await page.wait_for_selector(".problem[data-key=payments]")
    await page.wait_for_selector(".payments-tile:has-text('Needs somebody')")
    await go(page, "payments")
    for number, words in (
        (MANUAL, "Nobody could find out whether this payment was made."),
        (LOST, "The terminal that kept this payment is gone."),
        (DECLINED, "the card is reported lost or stolen"),
        (LATE, "It expired before it could be presented."),
        (NO_SALE, "no sale was made with it"),
    ):
        await page.wait_for_selector(f"{card(number)}:has-text('{words}')")
        assert "What to do:" in await page.inner_text(card(number))
    assert await page.locator("[data-act]").count() == 0
    assert "sign in as a manager" in await page.inner_text("#page-payments")
    assert seen.errors == []


async def test_the_meter_counts_down_to_the_next_expiry_and_shows_each_terminal(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    await sign_in(page, hub)
    await go(page, "payments")
    await page.wait_for_selector(".expiry:has-text('20 hr')")
    meters = page.locator("[role=meter]")
    assert await meters.count() == 4
    for one in await meters.all():
        assert 0 <= int(await one.get_attribute("aria-valuenow")) <= 100
        assert " of " in await one.get_attribute("aria-valuetext")
    text = await page.inner_text(".exposure")
    assert "Card terminal at the door" in text
    assert "€10,000.00" in text
    await page.click(".exposure summary")
    assert "A payment expires after" in await page.inner_text(".exposure")
    widths = await page.eval_on_selector_all(
        ".meter-fill", "all => all.map((one) => one.getBoundingClientRect().width)"
    )
    assert all(width > 0 for width in widths)
    assert seen.errors == []


async def test_two_managers_decide_one_after_the_other(
    browser: Any, hub: HubParts, seen: Seen
) -> None:
    for staff_no, told in (("mia", "Somebody else has to say the same"), ("max", "It is decided")):
        async with opened(browser, hub, seen) as page:
            await by_pin(page, staff_no)
            await go(page, "payments")
            await page.focus(f"{card(MANUAL)} [data-act=decide]")
            await page.keyboard.press("Enter")
            await page.wait_for_selector("dialog[open]")
            faults = [*await barriers(page), *await sticking_out(page)]
            assert faults == []
            await page.select_option("dialog [name=outcome]", "never-done")
            await page.fill("dialog [name=evidence]", "Portal, 14:12: nothing")
            await page.keyboard.press("Enter")
            await page.wait_for_selector(f".toast:has-text('{told}')")
            if staff_no == "mia":
                await go(page, f"payments/{payment_id(MANUAL)}")
                await page.wait_for_selector("text=It was never made")
                await page.wait_for_selector("text=Portal, 14:12: nothing")
    assert await state(hub, MANUAL) == "abandoned"
    assert seen.errors == []


async def test_a_customer_is_asked_by_a_link_once_somebody_knows_how_to_reach_them(
    browser: Any, hub: HubParts, seen: Seen
) -> None:
    async with opened(browser, hub, seen) as page:
        await by_pin(page, "mia")
        await go(page, "payments")
        await page.wait_for_selector(f"{card(LATE)} .link-why-not:has-text('how to reach')")
        await page.click(f"{card(LATE)} [data-act=contact]")
        await page.wait_for_selector("dialog[open]")
        assert [*await barriers(page), *await sticking_out(page)] == []
        await page.fill("dialog [name=email]", "dora@example.org")
        await page.click("dialog [type=submit]")
        await page.wait_for_selector(".toast:has-text('The contact is kept')")
        await page.click(f"{card(LATE)} [data-act=send-link]")
        await page.click("dialog .primary")
        await page.wait_for_selector(".toast:has-text('The link is on its way')")
        await go(page, f"payments/{payment_id(LATE)}")
        await page.wait_for_selector("text=d***@e***.org")
        await page.wait_for_selector(".mini-list:has-text('Asked for')")
        await page.wait_for_selector(".link-why-not:has-text('on its way already')")
        assert "dora" not in await page.inner_text("body")
        assert [*await barriers(page), *await sticking_out(page)] == []
    assert seen.errors == []


async def test_a_receivable_is_paid_or_written_off_and_a_payment_given_up(
    browser: Any, hub: HubParts, seen: Seen
) -> None:
    async with opened(browser, hub, seen) as page:
        await by_pin(page, "mia")
        await go(page, "payments")
        await page.click(f"{card(DECLINED)} [data-act=paid]")
        await page.fill("dialog [name=reason]", "cash, receipt 417")
        await page.click("dialog [type=submit]")
        await page.wait_for_selector(".toast:has-text('It is marked as paid')")
        await page.wait_for_selector(card(DECLINED), state="detached")
        await page.click(f"{card(LATE)} [data-act=write-off]")
        await page.fill("dialog [name=reason]", "customer not known")
        await page.click("dialog [type=submit]")
        await page.wait_for_selector(".toast:has-text('Somebody else has to say the same')")
        await page.click(f"{card(NO_SALE)} [data-act=give-up]")
        await page.click("dialog .plain")  # on second thoughts
        assert await state(hub, NO_SALE) == "stored"
        await page.click(f"{card(NO_SALE)} [data-act=give-up]")
        await page.click("dialog .danger")
        await page.wait_for_selector(".toast:has-text('The payment is given up')")
        await page.wait_for_selector(card(NO_SALE), state="detached")
    assert await state(hub, DECLINED) == "recovered"
    assert await state(hub, LATE) == "recovery"
    assert (await state(hub, NO_SALE)).startswith("voided")
    done = await hub.gate.read(
        lambda rows: {row[0] for row in rows.all("SELECT action FROM audit")}
    )
    assert "payment.paid_otherwise" in done
    assert seen.errors == []


async def test_a_refusal_stays_in_the_dialog_in_plain_words(
    browser: Any, hub: HubParts, seen: Seen
) -> None:
    async with opened(browser, hub, seen) as page:
        await by_pin(page, "mia")
        await go(page, "payments")
        await page.click(f"{card(LOST)} [data-act=decide]")
        await page.select_option("dialog [name=outcome]", "approved")
        await page.fill("dialog [name=evidence]", "card 4111 1111 1111 1111")
        await page.click("dialog [type=submit]")
        await page.wait_for_selector("dialog .error:not(:empty)")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="detached")
    assert await state(hub, LOST) == "lost"


async def test_one_payment_is_shown_with_its_steps_and_its_sale_leads_back(
    page: Any, hub: HubParts, seen: Seen
) -> None:
    await sign_in(page, hub)
    await go(page, "payments")
    await page.select_option("#payments-which", "offline")
    await page.wait_for_selector("tr:has-text('Accepted offline')")
    await go(page, f"payments/{payment_id(STORED)}")
    await page.wait_for_selector("h1:has-text('Payment of €24.99')")
    steps = await page.locator(".steps .step-name").all_inner_texts()
    assert steps == ["Sent to the terminal", "Approved by the terminal, offline"]
    assert "Visa •••• 4242" in await page.inner_text("#page-payments")
    await page.click("#page-payments .card-link a")
    await page.wait_for_selector("#page-sales .sale-payments:has-text('Accepted offline')")
    await page.click(".sale-payments a")
    await page.wait_for_selector("#page-payments h1:has-text('€24.99')")
    assert seen.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_pages_of_payments_are_open_to_everybody_and_fit(
    browser: Any, hub: HubParts, seen: Seen, scheme: str
) -> None:
    faults: list[str] = []
    async with opened(browser, hub, seen, color_scheme=scheme) as page:
        await by_pin(page, "mia")
        for where in ("payments", f"payments/{payment_id(LOST)}", f"payments/{payment_id(30)}"):
            await go(page, where)
            await settled(page)
            faults += [f"{where}: {one}" for one in await barriers(page)]
            faults += [f"{where}: {one}" for one in await sticking_out(page)]
            await page.set_viewport_size(DESKTOP)
            faults += [f"{where}, desktop: {one}" for one in await sticking_out(page)]
            await page.set_viewport_size({"width": 360, "height": 740})
    assert faults == []
    assert seen.errors == []
    assert all(url.startswith(hub.base) for url in seen.requests), seen.requests
