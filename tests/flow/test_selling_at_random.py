"""Whatever tills do, in whatever order and however often: the laws of the shop hold."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.support.shop import Shop, five_cents

PRICES = {"tea": 499, "milk": 129, "apples": 299}
SKUS = st.sampled_from(sorted(PRICES))
TILLS = st.sampled_from(["till-1", "till-2", "till-3"])
QTY = st.integers(1, 4)
OPERATIONS = [
    *("add-line", "change-line", "remove-line", "discount-line", "suspend", "resume", "abandon"),
    *("commit", "commit", "commit"),
]
MANY = st.lists(st.tuples(SKUS, QTY), min_size=1, max_size=3)


class Tills(RuleBasedStateMachine):
    """Three tills, three products, a few pieces of each."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="sh-random-"))
        self.shop = Shop(self.directory, cash_rounding=five_cents())
        for sku, price in PRICES.items():
            self.shop.product(sku, price, stock=6, tax_code="reduced")
        self._sign_in()
        self.baskets: dict[str, dict[str, Any]] = {}
        self.sales: list[str] = []
        self.asked: list[tuple[str, str, dict[str, Any], str, str]] = []
        self.overridden = False

    def _sign_in(self) -> None:
        for till, who in (("till-1", "anna"), ("till-2", "ben"), ("till-3", "mia")):
            self.shop.sign_in(till, who)

    def ask(self, till: str, address: str, body: dict[str, Any]) -> Any:
        key = self.shop.id()
        reply = self.shop.ask(till, address, body, key=key)
        assert reply.code not in ("unavailable", "outcome-unknown"), reply.text
        self.asked.append((till, address, body, key, reply.text))
        return reply

    @rule(till=TILLS, items=MANY, spare=st.sampled_from([0, 3, 500]))
    def sell(self, till: str, items: list[tuple[str, int]], spare: int) -> None:
        total = sum(PRICES[sku] * qty for sku, qty in items)
        lines = [{"code": sku, "qty": qty, "unit_price_minor": PRICES[sku]} for sku, qty in items]
        body = self.shop.sale(*lines, total_minor=total)
        body["tenders"] = [{"kind": "cash", "amount_minor": total + spare}]
        if self.ask(till, "sale/commit", body).ok:
            self.sales.append(body["sale_id"])

    @rule(till=TILLS, sku=SKUS, qty=st.integers(5, 9))
    def sell_by_override(self, till: str, sku: str, qty: int) -> None:
        line = {"code": sku, "qty": qty, "unit_price_minor": PRICES[sku]}
        body = self.shop.sale(line, total_minor=qty * PRICES[sku])
        body["tenders"] = [self.shop.card(qty * PRICES[sku])]
        body["stock_override"] = {"reason": "in hand"}
        if self.ask(till, "sale/commit", body).ok:
            self.sales.append(body["sale_id"])

    @rule(till=TILLS)
    def open_basket(self, till: str) -> None:
        body = {"basket_id": self.shop.id()}
        reply = self.ask(till, "basket/open", body)
        if reply.ok:
            basket = self.shop.change(till, reply.result, "add-line", code="tea", qty=2)
            basket = self.shop.change(till, basket, "add-line", code="milk")
            self.baskets[body["basket_id"]] = basket

    @rule(
        data=st.data(),
        till=TILLS,
        operation=st.sampled_from(OPERATIONS),
    )
    def use_basket(self, data: st.DataObject, till: str, operation: str) -> None:
        if not self.baskets:
            return
        basket = self.baskets[data.draw(st.sampled_from(sorted(self.baskets)))]
        if data.draw(st.integers(0, 5)):
            till = basket["owner"]  # mostly the one who may
        if operation == "commit":
            body = self.shop.pay(basket)
            if self.ask(till, "sale/commit", body).ok:
                self.sales.append(body["sale_id"])
            return
        body = {"basket_id": basket["basket_id"], "version": basket["version"]}
        line_no = data.draw(st.integers(1, 3))
        if operation == "add-line":
            body["code"] = data.draw(SKUS)
            body["qty"] = data.draw(QTY)
        elif operation == "change-line":
            body |= {"line_no": line_no, "qty": data.draw(QTY)}
        elif operation == "remove-line":
            body["line_no"] = line_no
        elif operation == "discount-line":
            off = data.draw(st.integers(0, 200))
            body |= {"line_no": line_no, "discount_minor": off, "reason": "x"}
        reply = self.ask(till, f"basket/{operation}", body)
        if reply.ok:
            self.baskets[basket["basket_id"]] = reply.result

    @rule(data=st.data(), till=st.sampled_from(["till-3", "till-3", "till-1"]))
    def void(self, data: st.DataObject, till: str) -> None:
        if self.sales:
            sale_id = data.draw(st.sampled_from(self.sales))
            self.ask(till, "sale/void", {"sale_id": sale_id, "reason": "x"})

    @rule(
        data=st.data(),
        till=TILLS,
        backs=st.lists(
            st.tuples(
                st.integers(1, 3), QTY, st.sampled_from(["resellable", "damaged", "quarantine"])
            ),
            min_size=1,
            max_size=2,
        ),
    )
    def give_back(self, data: st.DataObject, till: str, backs: list[tuple[int, int, str]]) -> None:
        if not self.sales:
            return
        lines = [
            {"line_no": line_no, "qty": qty, "disposition": what, "reason": "x"}
            for line_no, qty, what in backs
        ]
        sale_id = data.draw(st.sampled_from(self.sales))
        body = {"return_id": self.shop.id(), "sale_id": sale_id, "lines": lines}
        self.ask(till, "return/commit", body)

    @rule(sku=SKUS, qty=st.integers(-3, 5))
    def adjust(self, sku: str, qty: int) -> None:
        body = {"adjustment_id": self.shop.id(), "sku": sku, "qty": qty, "reason": "x"}
        self.ask("till-3", "stock/adjust", body)

    @rule(sku=SKUS, counted=st.integers(0, 8))
    def count(self, sku: str, counted: int) -> None:
        count_id = self.shop.id()
        self.ask("till-3", "stock/open-count", {"count_id": count_id, "sku": sku})
        self.ask("till-3", "stock/close-count", {"count_id": count_id, "counted_qty": counted})

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        if not self.asked:
            return
        till, address, body, key, text = data.draw(st.sampled_from(self.asked))
        with self.shop.unchanged():
            assert self.shop.ask(till, address, body, key=key).text == text
            other = body | {"reason": "another", "note": "another", "label": "another"}
            self.shop.ask(till, address, other, key=key)

    @rule(seconds=st.sampled_from([1, 600, 900, 40_000]), jump=st.sampled_from([0, 0, -7200, 90]))
    def time_passes(self, seconds: int, jump: int) -> None:
        self.shop.clock.advance(seconds)
        self.shop.clock.jump_wall(jump)
        self.shop.housekeep()
        self._sign_in()

    @rule()
    def restart(self) -> None:
        self.shop.restart()

    @invariant()
    def the_laws_hold(self) -> None:
        self.shop.check_laws()
        for table in ("sales", "returns", "documents"):
            assert not self.shop.all(
                f"SELECT ref_id FROM movements WHERE ref_type = '{table[:-1]}'"
                f" AND ref_id NOT IN (SELECT id FROM {table})"
            )

    def teardown(self) -> None:
        self.shop.close()
        shutil.rmtree(self.directory)


TestTillsAtRandom = Tills.TestCase
TestTillsAtRandom.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
