"""Documents of three shops: one in Germany, one in the Emirates, one in Japan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

from hub.contract.documents import (
    AnyFacts,
    GiftFacts,
    HandOverFacts,
    Item,
    PackingSlipFacts,
    PickListFacts,
    PlacedItem,
    PricedItem,
    ReturnFacts,
    SaleFacts,
    ShelfLabelFacts,
    StatusTicketFacts,
    TaxTotal,
    TenderTotal,
    TestPageFacts,
    VoidFacts,
    XReportFacts,
    ZReportFacts,
)
from hub.documents.returncode import ReturnCode, sign
from hub.documents.templates import Template
from scripts.gallery.goods import ARABIC, GERMAN, JAPANESE, Goods

AT_MS = 1_795_346_471_000
KEY = bytes(range(32))
SALE_ID = "01979f2e-7c1a-7bb0-8f00-5d0c2a7e9b11"
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A document under a name for its file."""

    name: str
    facts: AnyFacts


def samples(goods: Goods) -> Iterator[Sample]:
    """Every document of one shop."""
    yield Sample("sale", sale(goods))
    yield Sample("sale-copy", sale(goods).model_copy(update={"is_copy": True}))
    yield Sample("sale-training", sale(goods).model_copy(update={"training": True}))
    yield Sample("sale-offline", offline_sale(goods))
    yield Sample("sale-tenders", sale_of_many_tenders(goods))
    yield Sample("return", goods_back(goods))
    yield Sample("return-credit", back_for_credit(goods))
    yield Sample("gift", gift(goods))
    yield Sample("void", void(goods))
    yield Sample("x-report", XReportFacts(**_report(goods)))
    counted = _report(goods)["expected_cash_minor"] - goods.coin_minor
    yield Sample("z-report", ZReportFacts(number=412, counted_cash_minor=counted, **_report(goods)))
    yield Sample("pick-list", pick_list(goods))
    yield Sample("packing-slip", packing_slip(goods))
    yield Sample("hand-over", hand_over(goods))
    yield Sample("status-ticket", status_ticket(goods))
    yield Sample(
        "test-page",
        TestPageFacts(
            at_ms=AT_MS, printer="kasse-1", driver="escpos-printer", address="tcp://192.0.2.7:9100"
        ),
    )


def shelf_label(goods: Goods) -> ShelfLabelFacts:
    """The first of the goods, reduced."""
    name, sku, gtin, _, _, _, price, _, _ = goods.items[0]
    return ShelfLabelFacts(
        name=name,
        sku=sku,
        gtin=gtin,
        currency=goods.currency,
        price_minor=price,
        base_price_minor=price * 4,
        base_uom="kg",
        was_minor=price * 5 // 4,
        valid_until_ms=AT_MS + 240 * HOUR_MS,
    )


SHOPS: tuple[Goods, ...] = (GERMAN, ARABIC, JAPANESE)


def template_of(goods: Goods) -> Template:
    """The shop's paper, with a logo."""
    return Template(
        shop_name=goods.shop,
        locale=goods.locale,
        timezone=goods.timezone,
        header=goods.header,
        tax_id=goods.tax_id,
        footer=goods.footer,
        return_policy=goods.return_policy,
        logo_png=logo(),
        logo_width_mm=16,
    )


@cache
def logo() -> bytes:
    """A leaf in a ring."""
    big = Image.new("L", (512, 512), 255)
    draw = ImageDraw.Draw(big)
    draw.ellipse((8, 8, 504, 504), fill=0)
    draw.ellipse((36, 36, 476, 476), fill=255)
    draw.pieslice((106, 60, 506, 460), 180, 270, fill=0)
    draw.pieslice((6, 52, 406, 452), 0, 90, fill=0)
    draw.line((120, 400, 300, 210), fill=255, width=14)
    draw.line((100, 420, 190, 325), fill=0, width=14)
    out = BytesIO()
    big.resize((256, 256), Image.Resampling.LANCZOS).save(out, "PNG")
    return out.getvalue()


# Documents ---------------------------------------------------------------------------------------


def _lines(goods: Goods) -> list[PricedItem]:
    found = []
    for name, sku, gtin, qty, scale, uom, price, discount, code in goods.items:
        gross = (price * qty + 10**scale // 2) // 10**scale
        found.append(
            PricedItem(
                name=name,
                sku=sku,
                gtin=gtin,
                qty=qty,
                scale=scale,
                uom=uom,
                unit_price_minor=price,
                discount_minor=discount,
                net_minor=gross - discount,
                tax_code=code,
                serial="SN-4711-0815" if sku == "K-2040" else "",
            )
        )
    return found


def _taxes(goods: Goods, lines: Sequence[PricedItem]) -> list[TaxTotal]:
    found = []
    for code, ppm in goods.rates:
        gross = sum(line.net_minor for line in lines if line.tax_code == code)
        tax = (gross * ppm + (1_000_000 + ppm) // 2) // (1_000_000 + ppm)
        found.append(
            TaxTotal(
                code=code, rate_ppm=ppm, net_minor=gross - tax, tax_minor=tax, gross_minor=gross
            )
        )
    return [tax for tax in found if tax.gross_minor]


def _code(goods: Goods, total: int) -> str:
    return sign(
        ReturnCode(goods.store, goods.receipt_no, SALE_ID, "2026-11-22", total, goods.currency), KEY
    )


def sale(goods: Goods) -> SaleFacts:
    """Paid with a card and cash."""
    lines = _lines(goods)
    taxes = _taxes(goods, lines)
    total = sum(line.net_minor for line in lines)
    note = goods.note_minor // 5
    given = -(-total // note) * note
    card = given // 2 // note * note
    return SaleFacts(
        at_ms=AT_MS,
        business_day="2026-11-22",
        till=goods.till,
        staff=goods.staff,
        receipt_no=goods.receipt_no,
        sale_id=SALE_ID,
        currency=goods.currency,
        lines=tuple(lines),
        total_minor=total,
        tax_minor=sum(tax.tax_minor for tax in taxes),
        taxes=tuple(taxes),
        tenders=(
            TenderTotal(kind="card", amount_minor=card, last4="4242", approval_code="A7K201"),
            TenderTotal(kind="cash", amount_minor=given - card),
        ),
        change_minor=given - total,
        savings_minor=sum(line.discount_minor for line in lines),
        return_code=_code(goods, total),
    )


def offline_sale(goods: Goods) -> SaleFacts:
    """Paid with a card that was accepted offline; cash rounding has its own line."""
    facts = sale(goods)
    tender = TenderTotal(kind="card", amount_minor=facts.total_minor, last4="0119", offline=True)
    return facts.model_copy(update={"tenders": (tender,), "change_minor": 0})


def sale_of_many_tenders(goods: Goods) -> SaleFacts:
    """Paid with a gift card, and a card with a tip and the terminal's surcharge."""
    facts = sale(goods)
    part, rest = divmod(facts.total_minor, 3)
    card = TenderTotal(
        kind="card",
        amount_minor=part * 2 + rest,
        last4="4242",
        approval_code="A7K201",
        tip_minor=goods.note_minor // 10,
        surcharge_minor=part // 50,
    )
    gift_card = TenderTotal(kind="gift_card", amount_minor=part, last4="7Q2M", left_minor=part // 4)
    return facts.model_copy(update={"tenders": (gift_card, card), "change_minor": 0})


def back_for_credit(goods: Goods) -> ReturnFacts:
    """One of the goods comes back for store credit."""
    facts = goods_back(goods)
    credit = TenderTotal(kind="store_credit", amount_minor=facts.total_minor, last4="7Q2M")
    return facts.model_copy(update={"refunds": (credit,), "credit_code": "SC1-9F4K-2MXT-7Q2M"})


def goods_back(goods: Goods) -> ReturnFacts:
    """One of the goods comes back."""
    lines = _lines(goods)[:1]
    taxes = _taxes(goods, lines)
    total = sum(line.net_minor for line in lines)
    return ReturnFacts(
        at_ms=AT_MS + 26 * HOUR_MS,
        till=goods.till,
        staff=goods.staff,
        return_id="01979f2e-7c1a-7bb0-8f00-5d0c2a7e9c22",
        receipt_no="R" + goods.receipt_no,
        sale_id=SALE_ID,
        sale_receipt_no=goods.receipt_no,
        currency=goods.currency,
        lines=tuple(lines),
        total_minor=total,
        tax_minor=sum(tax.tax_minor for tax in taxes),
        taxes=tuple(taxes),
        refunds=(TenderTotal(kind="card", amount_minor=total, last4="4242"),),
    )


def gift(goods: Goods) -> GiftFacts:
    """The sale without its prices."""
    lines = _lines(goods)
    plain = tuple(Item(**line.model_dump(include=set(Item.model_fields))) for line in lines)
    return GiftFacts(
        at_ms=AT_MS,
        till=goods.till,
        staff=goods.staff,
        receipt_no=goods.receipt_no,
        sale_id=SALE_ID,
        lines=plain,
        return_code=_code(goods, 0),
    )


def void(goods: Goods) -> VoidFacts:
    """The sale undone."""
    facts = sale(goods)
    return VoidFacts(
        at_ms=AT_MS + 600_000,
        sold_at_ms=AT_MS,
        till=goods.till,
        staff=goods.staff,
        receipt_no=goods.receipt_no,
        sale_id=SALE_ID,
        currency=goods.currency,
        lines=facts.lines[:3],
        total_minor=sum(line.net_minor for line in facts.lines[:3]),
        refunds=(
            TenderTotal(kind="cash", amount_minor=sum(line.net_minor for line in facts.lines[:3])),
        ),
        reason=goods.reason,
        approved_by=goods.manager,
    )


def _report(goods: Goods) -> dict[str, Any]:
    unit = goods.note_minor
    gross = [unit * 31 + 137 % unit, unit * 12 + 59 % unit]
    taxes = []
    for (code, ppm), amount in zip(goods.rates, gross, strict=False):
        tax = (amount * ppm + (1_000_000 + ppm) // 2) // (1_000_000 + ppm)
        taxes.append(
            TaxTotal(
                code=code, rate_ppm=ppm, net_minor=amount - tax, tax_minor=tax, gross_minor=amount
            )
        )
    turnover = sum(tax.gross_minor for tax in taxes)
    cash = turnover // 3
    return {
        "at_ms": AT_MS + 2 * HOUR_MS,
        "business_day": "2026-11-22",
        "till": goods.till,
        "staff": goods.staff,
        "currency": goods.currency,
        "opened_at_ms": AT_MS - 9 * HOUR_MS,
        "first_receipt_no": goods.receipt_no[:-3] + "001",
        "last_receipt_no": goods.receipt_no,
        "sales_count": 128,
        "sales_minor": turnover + unit,
        "refunds_count": 2,
        "refunds_minor": unit,
        "voids_count": 1,
        "voids_minor": unit // 4,
        "discounts_minor": unit // 2,
        "items_count": 391,
        "taxes": tuple(taxes),
        "tenders": (
            TenderTotal(kind="cash", amount_minor=cash, count=51),
            TenderTotal(kind="card", amount_minor=turnover - cash - unit, count=74),
            TenderTotal(kind="card", amount_minor=unit, count=3, offline=True),
        ),
        "float_minor": unit * 2,
        "paid_in_minor": 0,
        "paid_out_minor": unit // 5,
        "drops_minor": unit * 5,
        "expected_cash_minor": unit * 2 + cash - unit // 5 - unit * 5,
        "no_sale_count": 4,
    }


def pick_list(goods: Goods) -> PickListFacts:
    """An order to fetch from the shelves."""
    places = ("A 03-2", "A 07-1", "C 12-4", "K 01-1", "D 05-3", "E 02-2")
    lines = tuple(
        PlacedItem(name=name, sku=sku, gtin=gtin, qty=qty, scale=scale, uom=uom, place=place)
        for (name, sku, gtin, qty, scale, uom, *_), place in zip(goods.items, places, strict=False)
    )
    return PickListFacts(
        at_ms=AT_MS,
        order_id=SALE_ID,
        order_no="W-20481",
        customer=goods.customer,
        due_at_ms=AT_MS + HOUR_MS,
        note=goods.note,
        lines=lines[:4],
    )


def packing_slip(goods: Goods) -> PackingSlipFacts:
    """A parcel of two."""
    lines = _lines(goods)[:4]
    return PackingSlipFacts(
        at_ms=AT_MS,
        order_id=SALE_ID,
        order_no="W-20481",
        address=(goods.customer, *goods.address),
        carrier="DHL",
        tracking_no="00340434161094015902",
        parcel=1,
        parcels=2,
        lines=tuple(Item(**line.model_dump(include=set(Item.model_fields))) for line in lines),
    )


def hand_over(goods: Goods) -> HandOverFacts:
    """A customer collects."""
    lines = _lines(goods)[:3]
    return HandOverFacts(
        at_ms=AT_MS,
        staff=goods.staff,
        order_id=SALE_ID,
        order_no="W-20482",
        customer=goods.customer,
        place="S 04",
        proof="code",
        lines=tuple(Item(**line.model_dump(include=set(Item.model_fields))) for line in lines),
    )


def status_ticket(goods: Goods) -> StatusTicketFacts:
    """A fresh box in a network."""
    url = "https://store-hub.local:8443"
    return StatusTicketFacts(
        at_ms=AT_MS,
        hub_name="store-hub",
        store=goods.store,
        version="0.5.0",
        url=url,
        addresses=("192.0.2.17", "2001:db8::17"),
        link="wlan0 (WPA2)",
        link_mbps=433,
        signal_percent=72,
        cloud_linked=False,
        pairing_code="KQ7M-29XD",
        qr=f"{url}/pair#KQ7M-29XD",
        conditions=(goods.condition,),
    )
