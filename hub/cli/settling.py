"""``store-hub payments settle-link`` and ``settle-refund``: what people say became of money that
the hub can't see to.

The hub is told by name which link or refund is meant, so that a word that is said twice says
nothing of the next one.  Without a name it has to be the only one that can be meant: also those of
which the same was said before count.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import click

from hub.cli.common import config_option, fail, json_option, print_json
from hub.cli.paymentnames import money, staff_option, whole_id
from hub.cli.reading import open_rows


class _Meant(NamedTuple):
    """A link or refund that a word may be about; ``is_said``: the same was said of it before."""

    name: str
    amount: str
    is_said: bool


@click.command("settle-link")
@click.argument("payment")
@click.argument("how", type=click.Choice(("given-back", "kept")))
@click.option("--reason", required=True, help="Where it was given back, or for what it is kept.")
@click.option("--link", default="", help="Which link's money (`show` names it), if several are.")
@staff_option
@json_option
@config_option
def settle_link(
    payment: str, how: str, reason: str, link: str, staff_no: str, as_json: bool
) -> None:
    """Say what became of money paid by a link that wasn't owed: GIVEN-BACK in the OMS, or KEPT.

    Saying it again changes nothing. The hub has to run.
    """
    payment_id, found = _links(payment, how)
    one = _the_one(found, link, "--link")
    wanted = {"payment_id": payment_id, "link_key": one.name, "how": how, "reason": reason}
    _say("settle-link", wanted, one, staff_no, as_json=as_json)


@click.command("settle-refund")
@click.argument("payment")
@click.argument("how", type=click.Choice(("given-back", "otherwise")))
@click.option("--reason", required=True, help="Where it was given back, or how.")
@click.option(
    "--refund", default="", help="Which one (settlement report, `show`), if there are several."
)
@staff_option
@json_option
@config_option
def settle_refund(
    payment: str, how: str, reason: str, refund: str, staff_no: str, as_json: bool
) -> None:
    """Say what became of money of a return that a till never told of, or that was refused.

    GIVEN-BACK to the card, at a terminal or in the processor's portal; or OTHERWISE, in cash.
    Saying it again changes nothing. The hub has to run.
    """
    payment_id, found = _refunds(payment, how)
    one = _the_one(found, refund, "--refund")
    wanted = {"payment_id": payment_id, "refund_id": one.name, "how": how, "reason": reason}
    _say("settle-refund", wanted, one, staff_no, as_json=as_json)


def _links(payment: str, how: str) -> tuple[str, list[_Meant]]:
    """The payment's id, and its links that this word may be about."""
    from hub.storage import linkrows, paymentrows

    with open_rows() as rows:
        row = paymentrows.get(rows, whole_id(rows, payment))
        assert row is not None
        return row.payment_id, [
            _Meant(one.link_key, money(one.paid_minor, row.currency), one.state == "settled")
            for one in linkrows.of_payment(rows, row.id)
            if one.state == "surplus" or linkrows.is_settled(one, how)
        ]


def _refunds(payment: str, how: str) -> tuple[str, list[_Meant]]:
    """The payment's id, and its refunds that this word may be about."""
    from hub.storage import paymentrows, refundrows

    with open_rows() as rows:
        row = paymentrows.get(rows, whole_id(rows, payment))
        assert row is not None
        waiting = {one.refund_id for one in refundrows.unsettled(rows, row.id)}
        return row.payment_id, [
            _Meant(
                one.refund_id, money(one.amount_minor, row.currency), one.refund_id not in waiting
            )
            for one in refundrows.of_payment(rows, row.id)
            if one.refund_id in waiting or refundrows.is_settled(one, how)
        ]


def _the_one(found: list[_Meant], name: str, option: str) -> _Meant:
    """The one that is named, or the only one; else the command ends and names them all."""
    if not found:
        fail(
            "no money of this payment waits for such a word",
            next_step="`store-hub payments show` says how it stands",
        )
    meant = [one for one in found if name in ("", one.name)]
    if len(meant) != 1:
        names = "; ".join(
            f"{one.name} ({one.amount}{', said before' if one.is_said else ''})" for one in found
        )
        fail(
            f"{name} is none of this payment's" if name else f"{len(found)} may be meant",
            next_step=f"name one with {option}: {names}",
        )
    return meant[0]


def _say(
    operation: str, wanted: dict[str, Any], one: _Meant, staff_no: str, *, as_json: bool
) -> None:
    from hub.cli.staffdoor import ask_as_staff

    now = ask_as_staff("payment", operation, wanted, staff_no)
    if as_json:
        print_json(now)
    elif one.is_said:
        click.echo(f"That was said before of {one.amount} ({one.name}): nothing has changed.")
    else:
        click.echo(f"It is written down of {one.amount} ({one.name}).")
