"""What a careless or broken till does: repeats, keys and ids used twice, nonsense."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from devices.kit import KitError, Refused
from devices.kit.codec import decode, encode, operation_of
from hub.contract.basket import BasketView, OpenBasket
from hub.contract.problems import Code
from hub.contract.sale import CommitSale, SaleDone, VoidSale
from hub.service.gate import command_hash
from hub.service.records import Recorder
from tests.simulation.shop.broker import NOBODY_LISTENS, NOT_AUTHORISED, STORE
from tests.simulation.shop.cashier import Cashier
from tests.simulation.shop.wallet import Job

EXPIRY_S = 10
REFUSED = 10
ONCE: dict[str, tuple[str, ...]] = {
    "sale/commit": ("receipt_no", "total_minor", "change_minor"),
    "sale/void": ("voided_at_ms", "refund"),
    "return/commit": ("total_minor", "refund"),
}
"""What is done once by its own id, and what of the answer is the same whoever asks."""
WITH_PIN = ("staff/sign-in", "approval/decide")
"""A PIN is looked at before anything is written: its refusal is not remembered.  Nor is that of a
key that looks too old, or too new, to a hub whose clock was set."""
FORGERIES = ("seal", "device", "key", "body")
"""In what a record is wrong; all else of it is as the simulated hub would have made it."""
NONSENSE: tuple[tuple[str, str, str], ...] = (
    ("sale/commit", '{"sale_id"', "validation"),
    ("sale/commit", '{"sale_id":"ID","total_minor":5,"tenders":[]}', "validation"),
    ("sale/sell", "{}", "not-found"),
    ("basket/open", '{"basket_id":"mine"}', "validation"),
    ("basket/open", '{"basket_id":"ID","colour":"red"}', "validation"),
    ("stock/receive", '{"receipt_id":"ID","lines":[{"sku":"A","qty":-5}]}', "validation"),
    (
        "basket/suspend",
        '{"basket_id":"ID","version":1,"label":"4111 1111 1111 1111"}',
        "card-data-refused",
    ),
    ("stock/receive", "\x00\xff[[[[", "validation"),
)


class Rogue:
    """Misuses a till between customers; none of it may have an effect."""

    def __init__(self, cashier: Cashier) -> None:
        self._cashier = cashier
        self._hub = cashier.hub
        self._tap = cashier.tap
        self._random = cashier.random
        self._world = cashier.world

    async def misbehave(self) -> None:
        """One of the kinds."""
        kinds: tuple[Callable[[], Awaitable[None]], ...] = (
            self._repeat_answered,
            self._repeat_answered,
            self._repeat_refused,
            self._repeat_elsewhere,
            self._repeat_elsewhere,
            self._forge_record,
            self._forge_record,
            self._reuse_key,
            self._reuse_foreign_key,
            self._reuse_sale_id,
            self._reuse_payment,
            self._nonsense,
            self._nonsense,
            self._foreign_topic,
            self._fact,
            self._fact,
            self._fact,
        )
        with suppress(KitError):
            await self._random.choice(kinds)()

    async def _repeat_answered(self) -> None:
        """The same again under its key: the same answer (the history compares)."""
        mine = [job for name, job in self._cashier.board.done if name == self._cashier.name]
        if not mine:
            return
        job = self._random.choice(mine)
        command = decode(job.service, job.operation, job.body.encode())
        self._world.count("answered request repeated")
        await self._hub.request(command, operation_of(command).result, key=job.key)

    async def _repeat_refused(self) -> None:
        """What was refused once is refused again under its key, whatever has changed meanwhile."""
        history = self._tap.history
        refused = [
            one
            for one in history.asked.values()
            if one.device == self._cashier.name
            and one.answers
            and one.result is None
            and one.operation not in WITH_PIN
            and '"idempotency-expired"' not in one.answers[0]
        ]
        if not refused or history.restored:
            return
        asked = self._random.choice(refused[-REFUSED:])
        text = json.dumps(asked.body)
        if '"card"' in text:
            return  # its charge was reversed: not even a hub that is set back may sell it
        self._world.count("refused request repeated")
        service, _, operation = asked.operation.partition("/")
        command = decode(service, operation, text.encode())
        await self._hub.request(command, operation_of(command).result, key=asked.key)

    async def _repeat_elsewhere(self) -> None:
        """Another till sends the same sale, void or return: it is told of the one that there is."""
        history = self._tap.history
        theirs: dict[str, list[tuple[str, Job]]] = {}
        for name, job in self._cashier.board.done:
            if name != self._cashier.name and job.address in ONCE:
                theirs.setdefault(job.address, []).append((name, job))
        if not theirs:
            return
        address = self._random.choice(sorted(theirs))
        name, job = self._random.choice(theirs[address])
        first, restored = history.asked[(name, job.key)].result, history.restored
        command = decode(job.service, job.operation, job.body.encode())
        answer = await self._hub.request(command, operation_of(command).result)
        if first is None or history.restored != restored or restored:
            return
        self._world.count(f"{address} repeated by another till")
        done = answer.model_dump(mode="json", exclude_none=True)
        differing = [field for field in ONCE[address] if done.get(field) != first.get(field)]
        if differing:
            self._world.violated(
                f"{address} was asked by {name}, then by {self._cashier.name}; {differing} differ:"
                f" {first} and {done}"
            )

    async def _reuse_key(self) -> None:
        """Another body under a key that was answered."""
        key, restored = self._hub.new_key(), self._tap.history.restored
        command = OpenBasket(basket_id=self._hub.ids.uuid7())
        basket = await self._hub.request(command, BasketView, key=key)
        other = OpenBasket(basket_id=self._hub.ids.uuid7())
        if self._tap.history.restored == restored:
            codes = ("idempotency-mismatch",)
            self._tap.attack(self._cashier.name, key, encode(other), "key reused", codes)
            with suppress(Refused):
                await self._hub.request(other, BasketView, key=key)
        await self._cashier.abandon(basket)

    async def _reuse_foreign_key(self) -> None:
        """A key that another till has used already: a till's keys are its own."""
        theirs = [job.key for name, job in self._cashier.board.done if name != self._cashier.name]
        if not theirs:
            return
        key, command = self._random.choice(theirs), OpenBasket(basket_id=self._hub.ids.uuid7())
        if (self._cashier.name, key) in self._tap.history.asked:
            return
        try:
            basket = await self._hub.request(command, BasketView, key=key)
        except Refused as error:
            if error.problem.code is Code.IDEMPOTENCY_MISMATCH:
                self._world.violated(f"{self._cashier.name} can't use key {key} of another till")
            return
        self._world.count("key of another till used")
        if basket.basket_id != command.basket_id:
            self._world.violated(f"{command.basket_id} was asked for, {basket} was answered")
            return
        await self._cashier.abandon(basket)

    async def _reuse_payment(self) -> None:
        """A payment that another sale was paid with.  It is too little as well, so that a hub that
        has forgotten the first sale refuses it too."""
        sales = [job for _, job in self._cashier.board.done if job.address == "sale/commit"]
        paid = [job for job in sales if '"kind":"card"' in job.body]
        if not paid or self._tap.history.restored:
            return
        job = self._random.choice(paid)
        sale = decode(job.service, job.operation, job.body.encode())
        assert isinstance(sale, CommitSale)
        if sale.basket_id is not None or sale.total_minor < 2:
            return
        card = next(one for one in sale.tenders if one.kind == "card")
        other = sale.model_copy(
            update={
                "sale_id": self._hub.ids.uuid7(),
                "tenders": (card.model_copy(update={"amount_minor": 1}),),
            }
        )
        key = self._hub.new_key()
        codes = ("conflict", "price-changed", "unauthenticated", "approval-required")
        self._tap.attack(self._cashier.name, key, encode(other), "payment used again", codes)
        with suppress(Refused):
            await self._hub.request(other, SaleDone, key=key)

    async def _reuse_sale_id(self) -> None:
        """Another sale under the id of one that was made.  Its total is wrong as well, so that a
        hub that has forgotten the first one refuses it too."""
        sales = [job for _, job in self._cashier.board.done if job.address == "sale/commit"]
        if not sales or self._tap.history.restored:
            return
        job = self._random.choice(sales)
        sale = decode(job.service, job.operation, job.body.encode())
        assert isinstance(sale, CommitSale)
        other = sale.model_copy(update={"total_minor": sale.total_minor + 1})
        key = self._hub.new_key()
        codes = ("conflict",)
        self._tap.attack(self._cashier.name, key, encode(other), "sale id reused", codes)
        await self._hub.request(other, SaleDone, key=key)

    async def _forge_record(self) -> None:
        """A record that isn't the hub's word on this very request tells it nothing: the void of a
        sale that never was is refused as if it came alone."""
        name, key = self._cashier.name, self._hub.new_key()
        command = VoidSale(sale_id=self._hub.ids.uuid7(), reason="forged")
        kind = self._random.choice(FORGERIES)
        recorder = Recorder(bytes(32) if kind != "seal" else bytes(31) + b"\1", STORE)
        record = recorder.make(
            "till-99" if kind == "device" else name,
            self._hub.new_key() if kind == "key" else key,
            bytes(32) if kind == "body" else command_hash(command),
            (),
            json.dumps({"sale_id": command.sale_id, "voided_at_ms": 1, "refund": []}),
        )
        self._tap.attack(name, key, encode(command), f"record with a wrong {kind}", ("not-found",))
        await self._publish(key, f"{command.service}/{command.operation}", encode(command), record)

    async def _publish(self, key: str, address: str, raw: bytes, record: str | None = None) -> None:
        link = await self._hub.session.link()
        topic = self._hub.session.topics.request(self._cashier.name, *address.split("/"))
        correlation = self._hub.ids.uuid7()
        link.publish(topic, raw, correlation=correlation, key=key, expiry_s=EXPIRY_S, record=record)

    async def _nonsense(self) -> None:
        address, body, code = self._random.choice(NONSENSE)
        raw = body.replace("ID", self._hub.ids.uuid7()).encode("latin-1")
        name, key = self._cashier.name, self._hub.new_key()
        self._tap.attack(name, key, raw, "malformed request refused", (code,))
        await self._publish(key, address, raw)

    async def _foreign_topic(self) -> None:
        """Ask in another device's name: the broker doesn't pass it on."""
        link = await self._hub.session.link()
        topic = self._hub.session.topics.request("till-99", "basket", "open")
        body = json.dumps({"basket_id": self._hub.ids.uuid7()}).encode()
        reason = await link.publish(topic, body, key=self._hub.new_key())
        if reason not in (NOT_AUTHORISED, NOBODY_LISTENS):
            self._world.violated(f"{self._cashier.name} wrote to {topic}: {reason}")

    async def _fact(self) -> None:
        """A few at once: the acknowledgement of one of them may be lost."""
        for _ in range(self._random.randint(1, 6)):
            token = self._hub.ids.uuid7()
            self._tap.facts[token] = self._cashier.name
            level = self._random.randrange(100)
            await self._hub.fact("telemetry", {"token": token, "level": level})
            self._world.count("fact told")
