"""``store-hub payments``: card payments, what is at risk, and what people decide about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hub.cli import settling
from hub.cli.common import (
    config_option,
    fail,
    json_option,
    load_settings,
    print_json,
    print_table,
)
from hub.cli.paymentnames import money, named, staff_option, whole_id
from hub.cli.reading import open_rows

if TYPE_CHECKING:
    from hub.contract.pages.payments import ExposureOnPage, PaymentOnPage, PaymentWhole
    from hub.service.gate import ReadUnit
    from hub.storage.readers import LoopReader

SHOWN = 50


@click.group(short_help="Card payments: what is at risk, what needs a person.")
def command() -> None:
    """Look at card payments, and say how those ended that nobody can look up. Reading works while
    the hub is stopped, too.

    A payment is named by its id, or by any end of it of at least 6 characters that no other open or
    recent payment has. What is decided about money is said in a person's own name: the hub asks for
    staff number and PIN, and where it takes two people, both say it, here or on the page.
    """


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="The latest ones as well, newest first.")
@click.option("--limit", default=SHOWN, show_default=True, type=click.IntRange(1, 200))
@json_option
@config_option
def listed(everything: bool, limit: int, as_json: bool) -> None:
    """List payments that need a person, with what to do, and those under way."""
    from hub.contract.pages.payments import AllPaymentsQuery, PaymentsQuery
    from hub.service.pages import payments

    with open_rows() as rows:
        unit = _unit(rows)
        page = payments.overview(unit, PaymentsQuery())
        found = (
            payments.listed(unit, AllPaymentsQuery(limit=limit)).payments
            if everything
            else (page.people + page.open)[:limit]
        )
    if as_json:
        print_json([one.model_dump(exclude_none=True) for one in found])
        return
    print_table(
        ("payment", "amount", "card", "till", "terminal", "state", "begun", "next"),
        [_row(one, unit) for one in found],
        empty="No card was ever paid with."
        if everything
        else "No card payment waits for anything.",
    )
    for one in page.people:
        assert one.trouble is not None
        click.echo(f"\n! {one.payment_id[-12:]}: {one.trouble.wrong} {one.trouble.means}")
        click.echo(f"  Next step: {one.trouble.next_step}")


@command.command("show")
@click.argument("payment")
@json_option
@config_option
def show(payment: str, as_json: bool) -> None:
    """Show one payment with every step that it took."""
    from hub.contract.pages.payments import PaymentQuery
    from hub.service.pages import payments

    with open_rows() as rows:
        unit = _unit(rows)
        found = payments.one(unit, PaymentQuery(payment_id=whole_id(rows, payment)))
    if as_json:
        print_json(found.model_dump(exclude_none=True))
    else:
        _print_payment(found, unit)


@command.command("exposure")
@json_option
@config_option
def exposure(as_json: bool) -> None:
    """Show what the shop risks on cards just now, how much more it may, and why no more."""
    from hub.service.pages import paymentmeter

    with open_rows() as rows:
        unit = _unit(rows)
        at = paymentmeter.moment(rows, unit.shop, unit.now_ms, unit.budget_ms)
        found = paymentmeter.exposure(at)
    if as_json:
        print_json(found.model_dump(exclude_none=True))
    else:
        _print_exposure(found)


@command.command("decide")
@click.argument("payment")
@click.argument("outcome", type=click.Choice(("approved", "declined", "never-done")))
@click.option(
    "--evidence",
    required=True,
    help="Where you saw it: a line of the processor's portal, of the terminal's journal.",
)
@staff_option
@json_option
@config_option
def decide(payment: str, outcome: str, evidence: str, staff_no: str, as_json: bool) -> None:
    """Say how a payment ended whose outcome nobody can look up.

    \b
    approved    the money is there, or comes
    declined    there is no money; if goods went out, the shop is owed it
    never-done  nobody knows of it: it was never made

    Two people have to say the same, each with what they saw. The hub has to run.
    """
    from hub.cli.staffdoor import ask_as_staff

    wanted = {"payment_id": named(payment), "outcome": outcome, "evidence": evidence}
    _told(ask_as_staff("payment", "decide", wanted, staff_no), as_json)


@command.command("close")
@click.argument("payment")
@click.argument("how", type=click.Choice(("paid", "written-off")))
@click.option("--reason", required=True, help="How it was paid, or why it is given up.")
@staff_option
@json_option
@config_option
def close(payment: str, how: str, reason: str, staff_no: str, as_json: bool) -> None:
    """End what the shop is owed: it was PAID in another way, or is WRITTEN-OFF.

    Writing off takes two people: each says it once. The hub has to run.
    """
    from hub.cli.staffdoor import ask_as_staff

    wanted = {"payment_id": named(payment), "how": how, "reason": reason}
    _told(ask_as_staff("payment", "close-receivable", wanted, staff_no), as_json)


@command.command("contact")
@click.argument("payment")
@click.option("--email", default="", help="The customer's e-mail address.")
@click.option("--phone", default="", help="Telephone number with + and the country code.")
@click.option("--forget", is_flag=True, help="Destroy what is kept.")
@staff_option
@json_option
@config_option
def contact(
    payment: str, email: str, phone: str, forget: bool, staff_no: str, as_json: bool
) -> None:
    """Keep how the customer of a payment can be reached, should it come to be owed.

    It is sealed, and destroyed when the payment can't be owed any more. The hub has to run.
    """
    from hub.cli.staffdoor import ask_as_staff

    given = {name: value for name, value in (("email", email), ("phone", phone)) if value}
    if bool(given) == forget:
        fail("nothing to keep", next_step="give --email, --phone or both; or --forget")
    wanted = {"payment_id": named(payment)} | ({} if forget else {"contact": given})
    now = ask_as_staff("payment", "contact", wanted, staff_no)
    _say(now, as_json, "The contact is forgotten." if forget else "The contact is kept.")


@command.command("link")
@click.argument("payment")
@staff_option
@json_option
@config_option
def link(payment: str, staff_no: str, as_json: bool) -> None:
    """Have the OMS send the customer a link to pay what is owed.

    It goes out as soon as the OMS is in reach; `show` says how it stands. The hub has to run.
    """
    from hub.cli.staffdoor import ask_as_staff

    now = ask_as_staff("payment", "send-link", {"payment_id": named(payment)}, staff_no)
    _say(now, as_json, "The link is on its way.")


command.add_command(settling.settle_link)
command.add_command(settling.settle_refund)


# Reading and printing ----------------------------------------------------------------------------


def _unit(rows: LoopReader) -> ReadUnit:
    from dataclasses import replace

    from hub.app.shopfacts import shop_of
    from hub.app.vaulting import payment_rules
    from hub.clock import SystemClock
    from hub.service.books import Books
    from hub.service.caller import HUB
    from hub.service.gate import ReadUnit
    from hub.storage import hubrow

    settings = load_settings().settings
    shop = replace(shop_of(settings), payments=payment_rules(settings))
    budget_ms = hubrow.get(rows).budget_ms
    return ReadUnit(rows, HUB, shop, Books(shop.currency), SystemClock().wall_ms(), budget_ms)


def _row(one: PaymentOnPage, unit: ReadUnit) -> tuple[object, ...]:
    waits = f"waits for {one.waits_for}" if one.waits_for else ""
    return (
        one.payment_id[-12:],
        money(one.amount_minor, one.currency),
        _card(one),
        one.device_id,
        one.terminal_id,
        one.state + (", goes back" if one.void_asked else ""),
        _instant(one.begun_at_ms, unit),
        f"expires in {_span(one.expires_in_ms)}" if one.expires_in_ms is not None else waits,
    )


def _print_payment(found: PaymentWhole, unit: ReadUnit) -> None:
    one = found.payment
    click.echo(f"{money(one.amount_minor, one.currency)}, {one.state}  ({one.payment_id})")
    facts = {
        "tip": money(one.tip_minor, one.currency) if one.tip_minor else "",
        "surcharge": money(one.surcharge_minor, one.currency) if one.surcharge_minor else "",
        "card": _card(one),
        "left on it": "" if one.balance_minor is None else money(one.balance_minor, one.currency),
        "till": one.device_id,
        "terminal": one.terminal_id,
        "kept by": one.custody if one.approved_offline else "",
        "receipt": one.receipt_no or "none: no sale was made with it",
        "approval code": one.approval_code,
        "processor's reference": one.psp_ref,
        "declined": one.decline_code,
        "given back": money(one.refunded_minor, one.currency) if one.refunded_minor else "",
        "owed": "" if one.owed_minor is None else money(one.owed_minor, one.currency),
        "waits for": one.waits_for,
        "expires in": _span(one.expires_in_ms) if one.expires_in_ms is not None else "",
    }
    for name, value in facts.items():
        if value:
            click.echo(f"  {name}: {value}")
    if one.trouble is not None:
        click.echo(f"\n! {one.trouble.wrong} {one.trouble.means}")
        click.echo(f"  Next step: {one.trouble.next_step}")
    click.echo("\nWhat happened")
    for step in one.steps:
        detail = f": {step.detail}" if step.detail else ""
        click.echo(
            f"  {_instant(step.at_ms, unit)}  {step.before or 'new'} -> {step.after}"
            f"  ({step.event}, by {step.by}{detail})"
        )
    for link in found.links:
        until = f", until {_instant(link.expires_at_ms, unit)}" if link.expires_at_ms else ""
        why = f": {link.reason}" if link.reason else ""
        about = f"{money(link.amount_minor, one.currency)}, {link.state}{until}{why}"
        click.echo(f"  {_instant(link.at_ms, unit)}  payment link: {about}  ({link.link_key})")
    for refund in found.refunds:
        why = f": {refund.reason}" if refund.reason else ""
        about = f"{money(refund.amount_minor, one.currency)} by the {refund.giver}"
        click.echo(
            f"  {_instant(refund.at_ms, unit)}  refund: {about}, {refund.state}{why}"
            f"  ({refund.refund_id})"
        )
    for word in found.words:
        click.echo(
            f"  {_instant(word.at_ms, unit)}  somebody says: {word.outcome} ({word.evidence})"
        )


def _print_exposure(found: ExposureOnPage) -> None:
    click.echo(
        f"{money(found.store_minor, found.currency)} of"
        f" {money(found.store_cap_minor, found.currency)} at risk, {found.store_count} payments:"
        f" {found.meter}"
    )
    if found.store_count:
        click.echo(
            f"The oldest waits for {_span(found.oldest_age_ms)}; at {_span(found.stop_age_ms)} no"
            " more are accepted offline."
        )
    if found.next_expiry_in_ms is not None:
        click.echo(f"The next one expires in {_span(found.next_expiry_in_ms)}.")
    for bar in found.bars:
        click.echo(f"! No card is accepted offline: {bar}")
    print_table(
        ("terminal", "payments", "of", "amount", "of"),
        [
            (
                one.name or one.terminal_id,
                one.count,
                found.terminal_cap_count,
                money(one.minor, found.currency),
                money(found.terminal_cap_minor, found.currency),
            )
            for one in found.terminals
        ],
        empty="No terminal holds anything that is at risk.",
    )


def _say(now: Any, as_json: bool, text: str) -> None:
    if as_json:
        print_json(now)
    else:
        click.echo(text)


def _told(now: Any, as_json: bool) -> None:
    if as_json:
        print_json(now)
    elif now["state"] in {"manual", "lost", "forwarded", "recovery"}:
        click.echo("Noted. Somebody else has to say the same; then it is done.")
    else:
        click.echo(f"Done: the payment is {now['state']}.")


def _card(one: PaymentOnPage) -> str:
    """What it was paid with: the card's scheme, or the kind of a card with value."""
    name = one.scheme if one.kind == "card" else one.kind.replace("_", " ")
    return " ".join(filter(None, (name, one.last4)))


def _span(ms: int) -> str:
    from hub.health.words import ago

    return ago(ms)


def _instant(at_ms: int, unit: ReadUnit) -> str:
    from hub.domain.dayparts import local_time

    return local_time(at_ms, unit.shop.zone).strftime("%Y-%m-%d %H:%M:%S")
