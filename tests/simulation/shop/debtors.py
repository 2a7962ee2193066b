"""Customers who owe the shop something: they get a payment link and pay by it, once, twice, late,
another amount, or never; or it was seen to otherwise by then.

What they paid is the oracle: at rest the hub knows each of these payments by its reference, once,
and with its amount.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any, Final

from cloud_link.sandbox.commands import append_command
from cloud_link.sandbox.links import PayLink, listed, pay
from cloud_link.sandbox.problems import Refusal
from hub.contract.receivables import Contact
from hub.storage.rows import Rows
from tests.simulation.shop.cardloss import OFF
from tests.simulation.shop.goods import STORE

if TYPE_CHECKING:
    from tests.simulation.shop.scenario import Scenario

LOOKS_PER_S: Final = 1 / 1_800
PAID: Final = "payment.link_paid"
KNOWN: Final = ("paid", "surplus", "settled")
WHAT: Final = ("once", "again told", "twice", "otherwise", "never")
SHARES: Final = (5, 2, 2, 1, 2)
LEAVES_CONTACT: Final = 0.9
UNREACHABLE: Final = 0.15
REMEMBERED_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Money:
    """What a customer has paid by a link."""

    payment_id: str
    key: str
    psp_ref: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """A link in the hub's book, with its payment's state."""

    payment_id: str
    state: str
    psp_ref: str
    paid_minor: int
    payment_state: str


def link_faults(
    paid: Iterable[Money], links: Iterable[LinkSeen], unknown: Iterable[str] = ()
) -> list[str]:
    """At rest: what came by links is in the book, each once and whole; what was kept of it ended a
    receivable.  ``unknown``: payments that a restored hub has never heard of."""
    known: dict[str, list[LinkSeen]] = {}
    found, lost = [], set(unknown)
    for one in links:
        if one.state in KNOWN:
            known.setdefault(one.psp_ref, []).append(one)
        if one.state == "paid" and one.payment_state == "recovery":
            found.append(f"payment {one.payment_id} was paid by a link, and is owed")
    for money in paid:
        if money.payment_id in lost:
            continue
        rows = [one for one in known.pop(money.psp_ref, []) if one.payment_id == money.payment_id]
        if len(rows) != 1:
            found.append(
                f"{money.psp_ref} was paid for {money.payment_id}: {len(rows)} in the book"
            )
        elif rows[0].paid_minor != money.amount_minor:
            found.append(
                f"{money.amount_minor} was paid as {money.psp_ref}, the book says"
                f" {rows[0].paid_minor}"
            )
    found += [f"nobody has paid {psp_ref}" for psp_ref in sorted(known)]
    return found


def contact_of(random: Random, number: int) -> Contact | None:
    """How a customer can be reached, if they say."""
    if random.random() >= LEAVES_CONTACT:
        return None
    if random.random() < UNREACHABLE:
        return Contact.model_validate({"email": f"nobody-{number}@owes.invalid"})
    if random.random() < 0.3:
        return Contact.model_validate({"phone": f"+4917012{number % 100_000:05}"})
    return Contact.model_validate({"email": f"customer-{number}@owes.example"})


class Debtors:
    """``open`` with the shop, ``close`` when all is to come to rest."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._world = shop.world
        self._random = shop.world.random("debtors")
        self._decided: dict[str, tuple[str, float]] = {}
        self.paid: dict[str, Money] = {}
        self._told = 0
        self._work: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin."""
        self._work = self._world.loop.create_task(self._watch(), name="debtors")

    def close(self) -> None:
        """Nobody pays any more; what a cloud may have lost is told again."""
        if self._work is not None:
            self._work.cancel()
        self._work = self._world.loop.create_task(self._tell_all_again(), name="debtors-last")

    def under_way(self) -> bool:
        """Whether there is something left to tell."""
        return self._work is not None and not self._work.done()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(LOOKS_PER_S))
            self._shop.oms.write(self._look)

    def _look(self, db: Connection, now_ms: int) -> None:
        for one in listed(db, STORE):
            key = one["key"]
            if one["status"] not in ("sent", "paid", "cancelled"):
                continue
            if key not in self._decided:
                what = self._random.choices(WHAT, SHARES)[0]
                late_s = self._random.choice((0.0, 7_200.0, 40_000.0))
                self._decided[key] = (what, self._world.loop.time() + late_s)
                self._world.count("customer has a payment link")
            what, at_s = self._decided[key]
            if what == "never" or self._world.loop.time() < at_s:
                continue
            with suppress(Refusal):  # nobody can pay by it any more
                self._pay(db, now_ms, one["payment_id"], key, what)
                self._world.count(f"customer pays by link: {what}")
            next_one = "second" if what == "twice" else "never"
            self._decided[key] = (next_one, self._world.loop.time() + 600.0)

    def _pay(self, db: Connection, now_ms: int, payment_id: str, key: str, what: str) -> None:
        asked = PayLink(payment_id=payment_id, key=key)
        if what == "otherwise":
            asked = PayLink(payment_id=payment_id, key=key, amount_minor=1)
        if what == "second":  # by another card of theirs
            first = self.paid[f"pl-{key}"]
            told: dict[str, Any] = {
                "payment_id": payment_id,
                "key": key,
                "psp_ref": f"pl-{key}-second",
                "amount_minor": first.amount_minor,
                "at_ms": now_ms,
            }
            append_command(db, STORE, self._name(), PAID, told, now_ms)
        else:
            told = pay(db, STORE, asked, self._name(), now_ms)
        if what == "again told":
            append_command(db, STORE, self._name(), PAID, told, now_ms)
        money = Money(payment_id, key, told["psp_ref"], told["amount_minor"])
        self.paid[money.psp_ref] = money

    def _name(self) -> str:
        """Of a command."""
        self._told += 1
        return f"owed-{self._told}"

    async def _tell_all_again(self) -> None:
        await asyncio.sleep(REMEMBERED_S)
        while self._shop.oms.write(self._told_all) is None:
            await asyncio.sleep(60)

    def _told_all(self, db: Connection, now_ms: int) -> bool:
        for one in self.paid.values():
            told: dict[str, Any] = {
                "payment_id": one.payment_id,
                "key": one.key,
                "psp_ref": one.psp_ref,
                "amount_minor": one.amount_minor,
                "at_ms": now_ms,
            }
            append_command(db, STORE, self._name(), PAID, told, now_ms)
        return True

    # The reckoning -------------------------------------------------------------------------------

    def check(self, rows: Rows) -> None:
        """At rest."""
        unknown = set(self._shop.cards.loss.unknown())
        for money in self.paid.values():
            if money.payment_id in unknown:
                self._world.count(OFF + "money by a link for what the book has lost")
        for sentence in link_faults(self.paid.values(), _links(rows), unknown):
            self._world.violated(sentence)
        if not self._shop.plan.loses_storage:
            self._one_message_each()
        self._contacts_are_forgotten(rows)
        for state, count in rows.all("SELECT state, count(*) FROM payment_links GROUP BY 1"):
            self._world.counters[f"payment link ended {state}"] += count

    def _one_message_each(self) -> None:
        """The runs are shorter than a link is good for: whoever has one isn't sent another, but for
        one that was paid with another amount than what is owed."""
        for payment_id, messages in self._shop.oms.look(
            "SELECT payment_id, max(sum(CASE WHEN status IN ('cancelled', 'paid') THEN 0 ELSE"
            " messages END), max(messages)) AS most FROM payment_links GROUP BY 1 HAVING most > 1"
        ):
            self._world.violated(f"{messages} links were sent for payment {payment_id}")

    def _contacts_are_forgotten(self, rows: Rows) -> None:
        for payment_id, state, void_asked in rows.all(
            "SELECT p.payment_id, p.state, p.void_asked FROM payment_contacts c"
            " JOIN payments p ON p.id = c.payment WHERE p.state NOT IN ('recovery')"
            " OR p.void_asked = 1"
        ):
            self._world.violated(
                f"the contact of payment {payment_id} is kept: {state}, to be voided {void_asked}"
            )
        directory = self._world.machine("hub").directory
        for path in sorted(directory.glob("hub.db*")):
            content = path.read_bytes()
            if b"@owes." in content or b"+4917012" in content:
                self._world.violated(f"a customer's contact can be read in {path.name}")


def _links(rows: Rows) -> list[LinkSeen]:
    return [
        LinkSeen(*row)
        for row in rows.all(
            "SELECT p.payment_id, l.state, l.psp_ref, l.paid_minor, p.state FROM payment_links l"
            " JOIN payments p ON p.id = l.payment ORDER BY l.id"
        )
    ]
