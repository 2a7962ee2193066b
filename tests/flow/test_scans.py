"""What a till is told of a scan, and what becomes of one that is no product."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.contract.catalog import ProductView
from hub.contract.envelope import DeviceCommand
from hub.contract.scans import Scan, ScanElements, ScanEvent, ScanResolved
from hub.domain.cards import find_card_data
from hub.domain.checkdigits import gs1_valid
from hub.service.scans import ScanTold, misread_message, scan_message
from tests.support.shop import Shop

CODE = "4006381333931"
GTIN = "04006381333931"
GS = "\x1d"
RULE = {"prefix": "28", "item": [2, 7], "measure": [7, 12], "kind": "weight", "decimals": 3}


@dataclass(frozen=True)
class Read:
    """A code as a driver tells it."""

    data: bytes
    aim: str = ""


@dataclass(frozen=True)
class NotRead:
    why: str
    length_bytes: int


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    made.product("tea", 499, stock=20, gtin=CODE)
    made.product("ham", 1999, stock=9000, gtin="2812345000007", uom="kg", scale=3)
    made.product("gone", 99, gtin="4012345678901", active=False)
    made.product("free", None, gtin="5901234123457")
    made.product("TAG-7", 100)
    made.policy("barcode.restricted", [RULE])
    yield made
    made.close()


def told(shop: Shop, data: str | bytes, aim: str = "") -> tuple[Scan, ScanTold]:
    raw = data.encode() if isinstance(data, str) else data
    made = scan_message(shop.gate, "scanner-1", Read(raw, aim))
    command = DeviceCommand.model_validate_json(made.command_for("till-1"))
    assert (command.operation, command.device_id) == ("scan", "till-1")
    scan = Scan.model_validate(command.data)
    assert command.command_id == scan.scan_id == made.scan_id
    assert (made.event is None) == (scan.why_not is None)
    return scan, made


@pytest.mark.parametrize("aim", ["", "]E0"])
def test_a_scan_tells_the_product_as_a_look_up_does(shop: Shop, aim: str) -> None:
    scan, made = told(shop, CODE, aim)
    asked = shop.ok("till-1", "catalog/look-up", {"code": CODE})
    assert scan.product == ProductView.model_validate(asked)
    assert (scan.gtin, scan.code, scan.aim, scan.scanner) == (GTIN, CODE, aim, "scanner-1")
    assert scan.scanned_at_ms == shop.clock.wall_ms()
    assert made.expiry_s == 10


def test_a_till_that_asks_gets_the_same_as_one_that_is_told(shop: Shop) -> None:
    for data, aim in ((CODE, ""), (f"01{GTIN}10L7{GS}17301231", "]C1"), ("nothing", "")):
        scan, _ = told(shop, data, aim)
        asked = shop.ok("till-1", "scan/resolve", {"code": data, "aim": aim})
        assert ScanResolved.model_validate(asked) == ScanResolved.model_validate(scan.model_dump())


def test_the_elements_of_gs1_come_along(shop: Shop) -> None:
    scan, _ = told(shop, f"01{GTIN}10L7{GS}1730123121S9", "]d2")
    assert scan.symbology == "GS1 DataMatrix"
    assert scan.elements == ScanElements(lot="L7", serial="S9", expiry_date="2030-12-31")
    assert scan.product is not None
    assert (scan.product.sku, scan.product.lot) == ("tea", "L7")


def test_a_weight_label_tells_weight_and_quantity(shop: Shop) -> None:
    scan, _ = told(shop, "2812345012505", "]E0")
    assert scan.why_not is None, scan
    assert scan.elements == ScanElements(weight_g=1250)
    assert scan.product is not None
    assert (scan.product.sku, scan.product.qty) == ("ham", 1250)


def test_an_expired_piece_is_named_and_not_to_be_sold(shop: Shop) -> None:
    scan, made = told(shop, f"01{GTIN}17200101", "]C1")
    assert scan.why_not == "expired"
    assert "expired on 2020-01-01" in scan.detail
    assert scan.product is not None
    assert made.event is not None
    assert ScanEvent.model_validate_json(made.event).why_not == "expired"


@pytest.mark.parametrize(
    ("code", "why_not", "sku"),
    [("4012345678901", "not-sold", "gone"), ("5901234123457", "no-price", "free")],
)
def test_what_is_not_for_sale_is_named_with_the_reason(
    shop: Shop, code: str, why_not: str, sku: str
) -> None:
    scan, _ = told(shop, code)
    assert (scan.why_not, scan.product.sku if scan.product else "") == (why_not, sku)
    assert scan.detail


@pytest.mark.parametrize("code", ["5012345678900", "never-seen", "01" + "05012345678900" + "10X"])
def test_an_unknown_code_is_told_and_is_an_event(shop: Shop, code: str) -> None:
    scan, made = told(shop, code)
    assert (scan.why_not, scan.product, scan.code) == ("unknown", None, code)
    assert made.event is not None
    event = ScanEvent.model_validate_json(made.event)
    assert (event.code, event.why_not, event.scan_id) == (code, "unknown", scan.scan_id)
    if code.startswith("01"):
        assert scan.gtin == "05012345678900"
        assert scan.elements == ScanElements(lot="X")


@pytest.mark.parametrize(
    ("data", "aim"),
    [("4006381333930", ""), ("4006381333930", "]E0"), ("0199", "]C1"), ("", ""), ("a" * 65, "")],
)
def test_a_malformed_code_is_told_and_is_an_event(shop: Shop, data: str, aim: str) -> None:
    scan, made = told(shop, data, aim)
    assert scan.why_not == "malformed"
    assert scan.detail
    assert made.event is not None


def test_a_code_that_is_far_too_long_is_malformed_and_not_repeated(shop: Shop) -> None:
    scan, made = told(shop, "9" * 2000)
    assert (scan.why_not, scan.code) == ("malformed", "")
    assert made.event is not None
    assert ScanEvent.model_validate_json(made.event).length_bytes == 2000


def test_a_card_that_was_swiped_is_never_repeated(shop: Shop) -> None:
    for data in ("4111111111111111", "%B4111111111111111^DOE/J^3012?", "]C04111111111111111"):
        scan, made = told(shop, data)
        assert scan.why_not in ("card-data", "malformed"), data
        assert made.event is not None
        assert "411111" not in made.scan_json + made.event.decode()


def test_an_article_number_that_could_be_a_cards_is_told_by_its_check_digit(shop: Shop) -> None:
    code = "36000000000081"
    assert gs1_valid(code)
    assert find_card_data(code) is not None
    scan, _ = told(shop, code)
    assert (scan.why_not, scan.code) == ("unknown", code)


def test_a_misread_is_told_and_is_an_event(shop: Shop) -> None:
    made = misread_message(shop.gate, "scanner-1", NotRead("It was broken off.", 17))
    scan = Scan.model_validate_json(made.scan_json)
    assert (scan.why_not, scan.detail, scan.code) == ("malformed", "It was broken off.", "")
    assert made.event is not None
    assert ScanEvent.model_validate_json(made.event).length_bytes == 17


def test_a_shops_own_number_is_found_in_any_print(shop: Shop) -> None:
    for aim in ("", "]A0", "]C0", "]C1", "]Q1", "]d1", "]X0"):
        scan, _ = told(shop, "TAG-7", aim)
        assert scan.product is not None, aim
        assert scan.product.sku == "TAG-7"


def test_letters_of_a_scanner_that_knows_no_utf_8_are_read(shop: Shop) -> None:
    shop.product("a/b", 5)
    scan, _ = told(shop, "Käse".encode("latin-1"))
    assert (scan.code, scan.why_not) == ("Käse", "unknown")


def test_a_hub_that_fails_says_so_instead_of_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.gate, "rows", None)
    scan, made = told(shop, CODE)
    assert (scan.why_not, scan.code) == ("unavailable", CODE)
    assert made.event is not None


def test_the_scan_ids_are_unique(shop: Shop) -> None:
    assert len({told(shop, CODE)[0].scan_id for _ in range(50)}) == 50
    assert json.loads(told(shop, CODE)[1].scan_json)["code"] == CODE
