"""The gift cards of the shop's customers, and whoever keeps their value.

The issuer is the sandbox's own, in the simulated cloud.  Its people put cards into the world, set
some of their value aside for the shop, want it back, and say so again when a message may be lost.
The codes of store credit come from the paper that lies in front of a customer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from random import Random
from sqlite3 import Connection
from typing import TYPE_CHECKING, Any, Final

from cloud_link.sandbox.commands import append_command
from cloud_link.sandbox.problems import Refusal
from cloud_link.sandbox.sessions import holder_of
from cloud_link.sandbox.value import Issuer
from cloud_link.sandbox.value_books import CardAllotted, CardMade
from hub.contract.payments import ValueTender
from tests.simulation.kernel import World
from tests.simulation.shop.goods import STORE

if TYPE_CHECKING:
    from tests.simulation.shop.scenario import Scenario

CARDS: Final = 5
ALLOTTED: Final = "gift_card.allotted"
TURNS_PER_S: Final = 1 / 2_400
TOLD_AGAIN: Final = 0.15
LAST_WORD_S: Final = 3_600.0
"""By then a hub that was put back has said who it is."""
MEET_S: Final = 900.0
"""So long one of a couple waits until the other one stands at another till."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A card as its owner has it: ``token`` and ``pin`` are secret."""

    account: str
    token: str
    pin: str = ""
    kind: str = "gift_card"
    put_minor: int = 0

    def tender(self) -> ValueTender:
        """As a till reads it."""
        given = {"kind": self.kind, "token": self.token}
        return ValueTender.model_validate(given | ({"pin": self.pin} if self.pin else {}))


class Purse:
    """What customers pay with.  ``pieces``: gift cards; ``codes``: of store credit, as they are on
    paper by now."""

    def __init__(self, pieces: tuple[Piece, ...]) -> None:
        self.pieces = pieces
        self.codes: dict[str, Piece] = {}
        self._waiting: tuple[str, Piece, asyncio.Event] | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody may be told."""
        numbers = (one.token for one in (*self.pieces, *self.codes.values()))
        return (*numbers, *(one.pin for one in self.pieces if one.pin))

    def of_token(self, token: str) -> Piece | None:
        """The card that this is read from."""
        known = (*self.pieces, *self.codes.values())
        return next((one for one in known if one.token == token), None)

    def pick(self, random: Random) -> Piece:
        """Some card; often the same two."""
        if self.codes and random.random() < 0.35:
            return random.choice(list(self.codes.values()))
        some = self.pieces[:2] if random.random() < 0.5 else self.pieces
        return random.choice(some)

    async def met(self, till: str) -> Piece | None:
        """The card of a couple of whom one waits at another till: now both pay at once."""
        if self._waiting is None or self._waiting[0] == till:
            return None
        _, piece, come = self._waiting
        self._waiting = None
        come.set()
        return piece

    async def wait_for_the_other(self, till: str, piece: Piece) -> bool:
        """Until somebody pays with the same card at another till; False: nobody comes."""
        if self._waiting is not None:
            return False
        come = asyncio.Event()
        self._waiting = (till, piece, come)
        try:
            async with asyncio.timeout(MEET_S):
                await come.wait()
        except TimeoutError:
            return False
        finally:
            if self._waiting is not None and self._waiting[2] is come:
                self._waiting = None
        return True


class GiftCards:
    """``open`` with the shop, ``close`` when all is to come to rest."""

    def __init__(self, shop: Scenario) -> None:
        self._shop = shop
        self._world = shop.world
        self._random = shop.world.random("gift cards")
        self.purse = shop.tills[0].tap.board.purse = Purse(tuple(_pieces(self._random)))
        self._said: list[dict[str, Any]] = []
        self._commands = 0
        self._work: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Put the cards into the world, and begin."""
        self._make()
        for printer in self._shop.paper.printers.values():
            printer.on_paper = lambda sheet: self._printed(sheet.subject, sheet.code)
        self._work = self._world.loop.create_task(self._watch(), name="issuer")

    def close(self) -> None:
        """Nothing new; what a cloud may have lost is said again."""
        if self._work is not None:
            self._work.cancel()
        self._work = self._world.loop.create_task(self._say_all_again(), name="issuer-last")

    def under_way(self) -> bool:
        """Whether there is something left to say."""
        return self._work is not None and not self._work.done()

    def _make(self) -> None:
        """One of them is blocked."""

        def put(issuer: Issuer) -> None:
            for n, one in enumerate(self.purse.pieces):
                issuer.make(
                    CardMade(
                        account_ref=one.account,
                        token=one.token,
                        pin=one.pin,
                        balance_minor=one.put_minor,
                        status="blocked" if n == CARDS - 1 else "active",
                    )
                )

        self._shop.oms.write(lambda db, now_ms: put(Issuer(db, STORE, now_ms)))

    def _printed(self, return_id: str, code: str) -> None:
        """The code of a store credit lies in front of a customer."""
        account = f"credit-{return_id}"
        if code and account not in self.purse.codes:
            self._world.count("code of store credit on paper")
            self.purse.codes[account] = Piece(account, code, kind="store_credit")

    async def _watch(self) -> None:
        """The issuer's people: a turn now and then."""
        while True:
            await asyncio.sleep(self._random.expovariate(TURNS_PER_S))
            if self._said and self._random.random() < TOLD_AGAIN:
                self._world.count("allotment told again")
                self._shop.oms.queue_command(ALLOTTED, self._random.choice(self._said))
                continue
            account = self._random.choice([one.account for one in self.purse.pieces])
            if self._random.random() < 0.7:
                self._allot(CardAllotted(account_ref=account, grant_minor=self._some()))
            else:
                credits = [one.account for one in self.purse.codes.values()]
                account = self._random.choice([account, *credits])
                self._allot(CardAllotted(account_ref=account, recall_minor=self._some()))

    def _some(self) -> int:
        return self._random.choice((150, 500, 1_500, 4_000))

    def _allot(self, asked: CardAllotted) -> None:
        """As the sandbox's own route does it, in one transaction."""
        self._commands += 1
        name = f"gift-{self._commands}"

        def run(db: Connection, now_ms: int) -> dict[str, Any]:
            holder = holder_of(db, STORE)
            epoch = holder.epoch if holder is not None else 0
            data = Issuer(db, STORE, now_ms).allot(asked, epoch)
            append_command(db, STORE, name, ALLOTTED, data, now_ms)
            return data

        with suppress(Refusal):  # so much isn't free, or it hasn't heard of this credit
            data = self._shop.oms.write(run)
            if data is not None:
                self._said.append(data)
                word = "granted" if asked.grant_minor else "recalled"
                self._world.count(f"allotment {word}")

    async def _say_all_again(self) -> None:
        """What is set aside in the shop's present epoch, for a hub that hasn't heard of it."""
        await asyncio.sleep(LAST_WORD_S)
        while not self._said_all():
            await asyncio.sleep(60)

    def _said_all(self) -> bool:
        def run(db: Connection, now_ms: int) -> bool:
            holder = holder_of(db, STORE)
            known = db.execute(
                "SELECT account FROM value_allotments WHERE store = ? AND epoch = ?",
                (STORE, holder.epoch if holder is not None else 0),
            ).fetchall()
            for n, (account,) in enumerate(known):
                data = Issuer(db, STORE, now_ms).allot(
                    CardAllotted(account_ref=account), holder.epoch if holder is not None else 0
                )
                append_command(db, STORE, f"gift-again-{n}", ALLOTTED, data, now_ms)
            return True

        return bool(self._shop.oms.write(run))

    def account_of(self, token: str) -> str:
        """Whose a token is, by the owner's word."""
        piece = self.purse.of_token(token)
        return piece.account if piece is not None else ""

    def hold_status(self, payment_id: str) -> str:
        """What the issuer has on paper of a payment; empty: nothing."""
        found = self._shop.oms.look("SELECT status FROM value_holds WHERE hold_id = ?", payment_id)
        return str(found[0][0]) if found else ""


def _pieces(random: Random) -> Iterator[Piece]:
    for n in range(1, CARDS + 1):
        number = "".join(random.choices("ABCDEFGHJKMNPQRSTVWXYZ23456789", k=12))
        pin = f"pin-{random.randrange(10_000):04d}-{n}" if random.random() < 0.4 else ""
        yield Piece(
            f"acct-{n}",
            f"GC-{number}-{random.randrange(10_000):04d}",
            pin,
            put_minor=random.choice((500, 2_000, 10_000, 50_000)),
        )


class _Listener(logging.Handler):
    def __init__(self, world: World, purse: Purse) -> None:
        super().__init__(logging.INFO)
        self._world = world
        self._purse = purse

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self._world.count("log line of a shop with gift cards")
        if any(secret in text for secret in self._purse.secrets):
            self._world.violated(f"a card's number or PIN is in the log: {record.name}")


@contextmanager
def listening(world: World, purse: Purse) -> Iterator[None]:
    """Whatever is logged is read."""
    root, former = logging.getLogger(), logging.root.manager.disable
    level, handlers = root.level, root.handlers[:]
    root.handlers[:] = [_Listener(world, purse)]
    root.setLevel(logging.INFO)
    logging.disable(logging.NOTSET)
    try:
        yield
    finally:
        logging.disable(former)
        root.setLevel(level)
        root.handlers[:] = handlers
