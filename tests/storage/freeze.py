"""Keeping a small database of every schema that was ever released.

``python -m tests.storage.freeze`` writes ``frozen/v<N>.db.gz`` for the present schema, by selling
through the real gate.  Run it once, when a schema is released, and never again for that number:
shops have such databases, and the tests here open them with whatever code comes later.  While a
schema isn't released, ``--again`` writes it anew, with ``--schema N`` as of that number.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from pathlib import Path

from hub.storage import database
from tests.support.shop import Shop

FOLDER = Path(__file__).parent / "frozen"
FROZEN = sorted(FOLDER.glob("v*.db.gz"))


def trade(shop: Shop) -> None:
    """A short day: two kept sales, a void, a return, a basket left open, a count."""
    shop.product("tea", 499, stock=20, gtin="4006381333931")
    shop.product("apples", 299, stock=20_000, tax_code="reduced", uom="kg", scale=3)
    shop.sign_in("till-1")
    line = {"code": "tea", "qty": 2, "unit_price_minor": 499}
    tenders = [{"kind": "cash", "amount_minor": 1000}]
    sale = shop.sale(line, total_minor=998, tenders=tenders)
    shop.ok("till-1", "sale/commit", sale)
    basket = shop.basket("till-1", "tea")
    basket = shop.change("till-1", basket, "add-line", code="apples", qty=455)
    paid = shop.pay(basket, tenders=[shop.card(basket["total_minor"])])
    shop.ok("till-1", "sale/commit", paid)
    shop.sign_in("till-2", "mia")
    voided = shop.sell("till-2", "tea", 1, 499)
    shop.ok("till-2", "sale/void", {"sale_id": voided["sale_id"], "reason": "mistake"})
    back = {"line_no": 1, "qty": 1, "disposition": "quarantine", "reason": "dented"}
    shop.ok(
        "till-1",
        "return/commit",
        {"return_id": shop.id(), "sale_id": sale["sale_id"], "lines": [back]},
    )
    count = shop.id()
    shop.ok("till-1", "stock/open-count", {"count_id": count, "sku": "tea"})
    shop.ok("till-1", "stock/close-count", {"count_id": count, "counted_qty": 15})
    shop.basket("till-1", "tea")


def main() -> int:
    """Write the present schema's file, unless it exists."""
    steps = database.migrations()
    if "--schema" in sys.argv:
        steps = steps[: int(sys.argv[sys.argv.index("--schema") + 1])]
        database.migrations = lambda: steps  # type: ignore[assignment]
    target = FOLDER / f"v{len(steps)}.db.gz"
    if target.exists() and "--again" not in sys.argv:
        print(f"{target.name} exists; a released one is never changed (--again before a release)")
        return 1
    with tempfile.TemporaryDirectory() as directory:
        shop = Shop(Path(directory), quick=False)
        trade(shop)
        shop.check_laws()
        shop.rows.close()
        shop.core.conn.execute("PRAGMA journal_mode = DELETE")
        shop.core.conn.close()
        FOLDER.mkdir(exist_ok=True)
        target.write_bytes(gzip.compress(shop.path.read_bytes(), mtime=0))
    print(f"{target.name}: {target.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
