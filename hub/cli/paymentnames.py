"""How a payment is named in a shell, and its money told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from hub.cli.common import fail
from hub.cli.reading import open_rows

if TYPE_CHECKING:
    from hub.storage.readers import LoopReader

NEEDLE_MIN: Final = 6
staff_option = click.option(
    "--staff", "staff_no", default="", help="Your staff number; asked for without it."
)


def named(text: str) -> str:
    """The whole id of a payment, read in the hub's database."""
    with open_rows() as rows:
        return whole_id(rows, text)


def whole_id(rows: LoopReader, text: str) -> str:
    """The whole id of a payment that is named by the end of its id; anything else ends the
    command."""
    from hub.storage import paymentrows

    if paymentrows.get(rows, text) is not None:
        return text
    known = dict.fromkeys(
        row.payment_id
        for row in (*paymentrows.open_ones(rows, 1000), *paymentrows.latest(rows, limit=1000))
    )
    found = [one for one in known if len(text) >= NEEDLE_MIN and one.endswith(text)]
    if len(found) != 1:
        fail(
            f"{len(found)} payments end in {text!r}" if found else f"there is no payment {text!r}",
            next_step="`store-hub payments list --all` names them",
        )
    return found[0]


def money(amount_minor: int, currency: str) -> str:
    """``4.99 EUR``."""
    from hub.domain.money import format_minor

    return format_minor(amount_minor, currency)
