"""What has to hold of gift cards and store credit: the book, the issuer, the customers' word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.storage.rows import Rows
from tests.simulation.shop.cardloss import OFF
from tests.simulation.shop.giftcards import Purse
from tests.simulation.shop.history import RETURN, History

if TYPE_CHECKING:
    from tests.simulation.shop.scenario import Scenario

TAKEN_BY_HUB: Final = ("captured", "settled", "refunded")
TAKEN_BY_ISSUER: Final = ("captured", "refunded")
LET_GO: Final = ("reversed", "voided", "abandoned", "refused")
CARD_OF_CREDIT: Final = "credit-"


@dataclass(frozen=True, slots=True)
class Held:
    """A hold in the issuer's book."""

    payment_id: str
    account: str
    status: str
    amount_minor: int
    refunded_minor: int

    @property
    def taken_minor(self) -> int:
        """What it has of the card."""
        return self.amount_minor - self.refunded_minor if self.status in TAKEN_BY_ISSUER else 0


@dataclass(frozen=True, slots=True)
class Booked:
    """A payment in the hub's book."""

    payment_id: str
    state: str
    amount_minor: int
    refunded_minor: int
    captures: int = 0

    @property
    def taken_minor(self) -> int:
        """What the shop has of it."""
        return self.amount_minor - self.refunded_minor if self.state in TAKEN_BY_HUB else 0


@dataclass(frozen=True, slots=True)
class Card:
    """One card: what was ever put on it, and where that is by the issuer's book."""

    account: str
    put_minor: int
    free_minor: int
    aside_minor: int


def card_faults(
    cards: Iterable[Card],
    booked: dict[str, Booked],
    held: dict[str, Held],
    account_of: dict[str, str],
    unknown: Iterable[str] = (),
) -> list[str]:
    """At rest: each card's value is where the hub's book says.  ``account_of``: payment → card, by
    those who paid; ``unknown``: payments that a restored hub has never heard of."""
    taken: Counter[str] = Counter()
    found = []
    for name, one in booked.items():
        taken[account_of.get(name, "")] += one.taken_minor
        hold = held.get(name)
        there_minor = hold.taken_minor if hold is not None else 0
        if there_minor != one.taken_minor:
            status = hold.status if hold is not None else "not known"
            found.append(
                f"gift card payment {name} is {one.state} with {one.taken_minor}, its issuer calls"
                f" it {status} with {there_minor}"
            )
        if one.captures > 1:
            found.append(f"gift card payment {name} was captured {one.captures} times")
        if hold is not None and hold.taken_minor and hold.account != account_of.get(name):
            found.append(f"gift card payment {name} was taken from {hold.account}")
    for name in unknown:
        if name in held:
            taken[held[name].account] += held[name].taken_minor
    for card in cards:
        there_minor = card.free_minor + card.aside_minor + taken[card.account]
        if there_minor != card.put_minor:
            found.append(
                f"{card.put_minor} were put on {card.account}: {card.free_minor} is free,"
                f" {card.aside_minor} set aside, {taken[card.account]} taken by the book"
            )
    return found


def aside_faults(
    spent: dict[tuple[str, int], int], granted: dict[tuple[str, int], int]
) -> list[str]:
    """At any moment: (card, epoch) → what payments took without asking, and what was ever set
    aside."""
    return [
        f"{minor} of {account} were taken in epoch {epoch}, {granted.get((account, epoch), 0)}"
        " were set aside"
        for (account, epoch), minor in sorted(spent.items())
        if minor > granted.get((account, epoch), 0)
    ]


def secret_faults(purse: Purse, text: bytes, where: str) -> list[str]:
    """Numbers and PINs of gift cards in what is kept somewhere."""
    return [
        f"{where} holds the number or PIN of {one.account}"
        for one in purse.pieces
        if any(word and word.encode() in text for word in (one.token, one.pin))
    ]


def cards_of_payments(history: History, purse: Purse) -> dict[str, str]:
    """Payment → card, by what the tills asked for."""
    found: dict[str, str] = {}
    for asked in history.asked.values():
        value = asked.body.get("value") if asked.operation == "payment/start" else None
        if value is not None:
            piece = purse.of_token(value["token"])
            found[asked.body["payment_id"]] = piece.account if piece is not None else ""
    return found


def credits_heard(history: History) -> dict[str, int]:
    """Card → what tills were told is on it."""
    return {
        CARD_OF_CREDIT + asked.body["return_id"]: refund["amount_minor"]
        for asked in history.asked.values()
        if asked.operation == RETURN and asked.result is not None
        for refund in asked.result["refund"]
        if refund["kind"] == "store_credit" and refund.get("payment_id") is None  # a new one
    }


class ValueChecker:
    """``during`` at any moment at which the hub is up; ``after`` once, at rest."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._world = shop.world

    def during(self, rows: Rows) -> None:
        """Nothing is below nothing, and no more is taken offline than was set aside."""
        for account, left_minor in rows.all(
            "SELECT account, granted_minor - returned_minor - spent_minor FROM value_accounts"
        ):
            if left_minor < 0:
                self._world.violated(f"the hub has {left_minor} of {account} left")
        for account, minor in self._shop.oms.look(
            "SELECT account, balance_minor FROM value_cards WHERE balance_minor < 0"
        ):
            self._world.violated(f"{minor} is free on {account}")
        for sentence in aside_faults(self._spent(rows), self._granted(rows)):
            self._world.violated(sentence)

    def after(self, rows: Rows) -> None:
        """Nothing is under way."""
        self.during(rows)
        gifts = self._shop.gifts
        assert gifts is not None
        booked, held = _booked(rows), self._held()
        account_of = cards_of_payments(self._shop.history, gifts.purse)
        unknown = account_of.keys() - booked.keys()
        for name in sorted(unknown & held.keys()):
            if held[name].taken_minor:
                self._world.count(OFF + "value taken for what the book has lost")
        cards = list(self._cards(rows))
        for sentence in card_faults(cards, booked, held, account_of, unknown):
            self._world.violated(sentence)
        for account, minor in self._shop.oms.value_missing().items():
            if minor:
                self._world.violated(f"{minor} of {account} is missing at the issuer")
        if not self._shop.plan.loses_storage:
            self._allotments_are_the_same(rows)
        directory = self._world.machine("hub").directory
        for path in sorted(directory.glob("hub.db*")):
            for sentence in secret_faults(gifts.purse, path.read_bytes(), path.name):
                self._world.violated(sentence)
        trace = "\n".join(self._world.trace.last).encode()
        for sentence in secret_faults(gifts.purse, trace, "the trace"):
            self._world.violated(sentence)

    # ---------------------------------------------------------------------------------------------

    def _cards(self, rows: Rows) -> Iterable[Card]:
        """Gift cards as they were made, credits as tills were told of them."""
        gifts = self._shop.gifts
        assert gifts is not None
        put = {one.account: one.put_minor for one in gifts.purse.pieces}
        heard = credits_heard(self._shop.history)
        there = {
            account: (free, over, aside, made)
            for account, free, over, aside, made in self._shop.oms.look(_CARDS)
        }
        returned = {row[0] for row in rows.all("SELECT return_id FROM returns")}
        for account, minor in heard.items():
            if account not in there and account.removeprefix(CARD_OF_CREDIT) in returned:
                self._world.violated(f"the issuer has never heard of {account}: {minor}")
        for account, (free, over, aside, made) in there.items():
            known = account in put or account in heard
            whole = put.get(account, heard.get(account, made))
            if not known and account.removeprefix(CARD_OF_CREDIT) not in returned:
                self._world.violated(f"nobody has given {account}: {made}")
            yield Card(account, whole, free + over, aside)

    def _held(self) -> dict[str, Held]:
        rows = self._shop.oms.look(
            "SELECT hold_id, account, status, amount_minor, refunded_minor FROM value_holds"
        )
        return {row[0]: Held(*row) for row in rows}

    def _spent(self, rows: Rows) -> dict[tuple[str, int], int]:
        marks = ", ".join("?" * len(LET_GO))
        return {
            (account, epoch): minor
            for account, epoch, minor in rows.all(
                "SELECT account, account_epoch, sum(amount_minor) FROM payments"
                f" WHERE account <> '' AND state NOT IN ({marks}) GROUP BY 1, 2",
                *LET_GO,
            )
        }

    def _granted(self, rows: Rows) -> dict[tuple[str, int], int]:
        """By the issuer; it may not have heard yet what the shop itself has given as credit."""
        granted = {
            (account, epoch): minor
            for account, epoch, minor in self._shop.oms.look(
                "SELECT account, epoch, granted_minor FROM value_allotments"
            )
        }
        for account, epoch, minor in rows.all(
            "SELECT account, epoch, granted_minor FROM value_accounts WHERE kind = 'store_credit'"
        ):
            returned = rows.one(
                "SELECT total_minor FROM returns WHERE return_id = ?",
                account.removeprefix(CARD_OF_CREDIT),
            )
            granted.setdefault((account, epoch), returned[0] if returned else minor)
        return granted

    def _allotments_are_the_same(self, rows: Rows) -> None:
        here = {row[0]: row[1:] for row in rows.all(_ASIDE.format("value_accounts"))}
        there = {row[0]: row[1:] for row in self._shop.oms.look(_ASIDE.format("value_allotments"))}
        for account in sorted(here.keys() | there.keys()):
            if here.get(account) != there.get(account):
                self._world.violated(
                    f"of {account} the hub has (granted, recalled, returned, spent)"
                    f" {here.get(account)}, the issuer {there.get(account)}"
                )


def _booked(rows: Rows) -> dict[str, Booked]:
    return {
        row[0]: Booked(*row)
        for row in rows.all(
            "SELECT payment_id, state, amount_minor, refunded_minor, (SELECT count(*)"
            " FROM payment_steps s WHERE s.payment = p.id AND s.event = 'captured')"
            " FROM payments p WHERE kind <> 'card' ORDER BY id"
        )
    }


_ASIDE: Final = "SELECT account, granted_minor, recalled_minor, returned_minor, spent_minor FROM {}"
_CARDS: Final = (
    "SELECT account, balance_minor,"
    " coalesce((SELECT sum(amount_minor) FROM value_holds h WHERE h.account = c.account"
    " AND status = 'held'), 0),"
    " coalesce((SELECT sum(granted_minor - returned_minor - spent_minor) FROM value_allotments a"
    " WHERE a.account = c.account), 0), put_minor FROM value_cards c"
)
