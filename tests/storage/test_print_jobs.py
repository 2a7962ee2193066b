"""Print jobs of older databases, and of databases that were copied."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

from hub.app.backup import _fence
from hub.contract.documents import SaleFacts, facts_of
from hub.service.handlers.printing import BeginPrint
from hub.storage.database import open_database
from tests.fakes import SeededRandomness
from tests.storage.freeze import FOLDER
from tests.support.shop import Shop

OLD_DOCUMENT = (
    '{"at_ms":1767261600000,"change_minor":0,"currency":"EUR","kind":"sale","lines":[{"discount_minor"'
    ':0,"name":"Tea","net_minor":499,"qty":1,"scale":0,"tax_code":"standard","unit_price_minor":499}]'
    ',"receipt_no":"001-000007","rounding_minor":0,"sale_id":"0199f3a2-7e90-7b1d-8a4f-5c9d2e7f1a02",'
    '"shop":"Corner Shop","tax_minor":80,"total_minor":499,"training":false}'
)


def test_a_receipt_queued_by_an_older_hub_is_printed_by_this_one(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    path.write_bytes(gzip.decompress((FOLDER / "v7.db.gz").read_bytes()))
    conn = sqlite3.connect(path)
    conn.execute(
        "INSERT INTO print_jobs (job_id, device_id, kind, document, made_at_ms,"
        " expires_budget_ms) VALUES (?, 'till-1', 'sale', ?, 1767261600000, 99999999999)",
        ("0199f3a2-7f01-7a2b-8c3d-4e5f6a7b8c11", OLD_DOCUMENT),
    )
    conn.commit()
    conn.close()
    open_database(path).close()
    shop = Shop(tmp_path, furnish=False)
    shop.check_laws()
    (job,) = shop.ok("till-1", "print/list")["jobs"]
    assert (job["state"], job["title"]) == ("queued", "001-000007")
    assert job["subject"].endswith("1a02")
    begun = shop.internal(BeginPrint(job["job_id"], "counter"))
    facts = facts_of(begun.document)
    assert isinstance(facts, SaleFacts)
    assert (facts.total_minor, facts.lines[0].name) == (499, "Tea")
    shop.close()


def test_what_waited_in_a_copy_of_the_database_asks_a_person(tmp_path: Path) -> None:
    shop = Shop(tmp_path, print_receipts=True, has_drawer=lambda _device: True)
    shop.product("tea", 499, stock=5)
    shop.sign_in("till-1")
    line = {"code": "tea", "qty": 1, "unit_price_minor": 499}
    body = shop.sale(line, total_minor=499, print_receipt=True)
    shop.ok("till-1", "sale/commit", body)
    shop.close()
    _fence(shop.path, shop.clock, SeededRandomness())
    shop._open()
    assert shop.all("SELECT kind, state FROM print_jobs ORDER BY id") == [
        ("drawer-kick", "expired"),
        ("sale", "ambiguous"),
    ]
    shop.check_laws()
    shop.close()
