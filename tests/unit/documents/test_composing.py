"""Whatever the facts are: a document says all of them, within its paper."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
    TaxTotal,
    TenderTotal,
    VoidFacts,
    XReportFacts,
    ZReportFacts,
    facts_of,
)
from hub.documents.compose import compose
from hub.documents.layout import LARGE, Align, Cell, Layout, Row, Table, Text
from hub.documents.plain import letters_wide, plain
from hub.documents.templates import Paper, Shows, Template
from hub.documents.words import LANGUAGES, words_for
from hub.domain.money import CURRENCY_EXPONENTS, MAX_MONEY_MINOR
from scripts.gallery.goods import Goods
from scripts.gallery.samples import SHOPS, gift, sale, samples, shelf_label, template_of

OLD_SALE = {
    "kind": "sale",
    "shop": "Laden am Markt",
    "training": False,
    "receipt_no": "367-1-000007",
    "sale_id": "01979f2e-7c1a-7bb0-8f00-5d0c2a7e9b11",
    "at_ms": 1_795_346_471_000,
    "currency": "EUR",
    "lines": [
        {
            "name": "Kaffee",
            "qty": 2,
            "scale": 0,
            "unit_price_minor": 899,
            "discount_minor": 100,
            "net_minor": 1698,
            "tax_code": "reduced",
        }
    ],
    "total_minor": 1698,
    "tax_minor": 111,
    "rounding_minor": 2,
    "change_minor": 300,
}

LOCALES = st.sampled_from(["en-GB", "de-DE", "fr-CH", "ar-AE", "ja-JP"])
PAPERS = st.sampled_from([Paper(58), Paper(80), Paper(76)])
NAMES = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=90
).filter(lambda name: name.strip() == name and bool(name.split()))
MONEY = st.integers(-MAX_MONEY_MINOR, MAX_MONEY_MINOR) | st.integers(-10_000, 100_000)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "CLF", "CHF", "AED"])
ITEMS = st.builds(
    PricedItem,
    name=NAMES,
    qty=st.integers(-(10**9), 10**9),
    scale=st.integers(0, 3),
    uom=st.sampled_from(["", "kg", "pcs", "bunch", "l"]),
    unit_price_minor=MONEY,
    discount_minor=st.integers(0, 10_000),
    net_minor=MONEY,
    tax_code=st.sampled_from(["A", "B", "standard", "reduced"]),
    serial=st.sampled_from(["", "SN-1"]),
)
TAXES = st.lists(
    st.builds(
        TaxTotal,
        code=st.sampled_from(["A", "standard", "zero"]),
        rate_ppm=st.integers(0, 10_000_000),
        net_minor=MONEY,
        tax_minor=MONEY,
        gross_minor=MONEY,
    ),
    max_size=4,
).map(tuple)
TENDERS = st.lists(
    st.builds(
        TenderTotal,
        kind=st.sampled_from(["cash", "card", "voucher"]),
        amount_minor=MONEY,
        last4=st.sampled_from([None, "4242"]),
        approval_code=st.sampled_from([None, "A1B2C3"]),
        offline=st.booleans(),
        count=st.integers(0, 100_000),
        tip_minor=st.integers(0, 10_000),
        surcharge_minor=st.integers(0, 10_000),
    ),
    max_size=4,
).map(tuple)
LINES = st.lists(ITEMS, max_size=5).map(tuple)
FLAGS = {"training": st.booleans(), "is_copy": st.booleans(), "till": NAMES, "staff": NAMES}


def bare(text: str) -> str:
    """Without what lines are broken at."""
    return "".join(text.split())


def plain_items(lines: tuple[PricedItem, ...]) -> tuple[Item, ...]:
    return tuple(Item(**line.model_dump(include=set(Item.model_fields))) for line in lines)


@st.composite
def any_facts(draw: st.DrawFn) -> AnyFacts:
    flags = {name: draw(strategy) for name, strategy in FLAGS.items()}
    lines = draw(LINES)
    money = {"currency": draw(CURRENCIES), "total_minor": draw(MONEY), "tax_minor": draw(MONEY)}
    taxes, tenders = draw(TAXES), draw(TENDERS)
    report = {
        "currency": money["currency"],
        "sales_minor": draw(MONEY),
        "refunds_minor": draw(MONEY),
        "expected_cash_minor": draw(MONEY),
        "sales_count": draw(st.integers(0, 10**9)),
        "taxes": taxes,
        "tenders": tenders,
    }
    order = {"order_id": "01979f2e-7c1a-7bb0-8f00-5d0c2a7e9b11", "customer": draw(NAMES)}
    placed = tuple(PlacedItem(**line.model_dump(), place="A 1") for line in lines)
    makers: list[Callable[[], AnyFacts]] = [
        lambda: SaleFacts(
            receipt_no="367-1-1", sale_id="x", lines=lines, taxes=taxes, tenders=tenders,
            prices_include_tax=draw(st.booleans()), **money, **flags,
        ),
        lambda: ReturnFacts(return_id="r", lines=lines, taxes=taxes, refunds=tenders, **money,
                            **flags),
        lambda: GiftFacts(receipt_no="1", sale_id="x", lines=plain_items(lines), **flags),
        lambda: VoidFacts(receipt_no="1", sale_id="x", lines=lines, refunds=tenders,
                          currency=money["currency"], total_minor=money["total_minor"], **flags),
        lambda: XReportFacts(**report, **flags),
        lambda: ZReportFacts(number=1, counted_cash_minor=draw(MONEY), **report, **flags),
        lambda: PickListFacts(lines=placed, **order, **flags),
        lambda: PackingSlipFacts(address=(order["customer"],), lines=plain_items(lines), **order,
                                 **flags),
        lambda: HandOverFacts(lines=plain_items(lines), **order, **flags),
    ]  # fmt: skip
    return makers[draw(st.integers(0, len(makers) - 1))]()


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(facts=any_facts(), locale=LOCALES, paper=PAPERS)
def test_no_name_is_lost_and_no_line_is_wider_than_its_paper(
    facts: AnyFacts, locale: str, paper: Paper
) -> None:
    layout = compose(facts, Template("Shop", locale=locale), paper)
    text = plain(layout)
    for line in text.splitlines():
        assert letters_wide(line) <= paper.columns
    whole = bare(text)
    for item in getattr(facts, "lines", ()):
        assert _in_pieces(bare(item.name), text)
    if facts.is_copy:
        assert whole.count(bare(words_for(locale).copy)) >= 2
    if facts.training:
        assert whole.count(bare(words_for(locale).training)) >= 2


def _in_pieces(name: str, text: str) -> bool:
    """Whether the letters of a name stand in the text in order (amounts may stand between the
    lines that a name is wrapped to)."""
    letters = iter(bare(text))
    return all(letter in letters for letter in name)


@pytest.mark.parametrize("locale", ["en-GB", "de-DE", "fr-FR", "ar-AE", "ja-JP"])
@pytest.mark.parametrize("width_mm", [58, 80])
def test_a_job_queued_by_an_older_hub_still_composes(locale: str, width_mm: int) -> None:
    facts = facts_of(OLD_SALE)
    text = plain(compose(facts, Template("", locale=locale), Paper(width_mm)))
    for said in ("Laden am Markt", "367-1-000007", "Kaffee", "16", "98"):
        assert said in text


def test_a_field_of_a_newer_hub_is_ignored() -> None:
    assert facts_of({**OLD_SALE, "loyalty_points": 3}) == facts_of(OLD_SALE)


@pytest.mark.parametrize("currency", sorted(CURRENCY_EXPONENTS))
def test_the_sum_of_any_currency_is_on_the_receipt(currency: str) -> None:
    facts = SaleFacts(receipt_no="1", sale_id="x", currency=currency, total_minor=MAX_MONEY_MINOR)
    text = plain(compose(facts, Template("Shop"), Paper(58)))
    digits = "".join(char for char in text.split("Total")[1] if char.isdigit())
    assert digits.startswith(str(MAX_MONEY_MINOR))


@pytest.mark.parametrize("goods", SHOPS, ids=lambda goods: goods.locale)
@pytest.mark.parametrize("width_mm", [58, 80])
def test_amounts_of_a_receipt_stand_below_each_other(goods: Goods, width_mm: int) -> None:
    facts = sale(goods)
    layout = compose(facts, template_of(goods), Paper(width_mm))
    found = set()
    for line in plain(layout).splitlines():
        for item in facts.lines:
            if line.startswith(item.name[:6]):
                # Where it reads from right to left, a column's start is at its right side.
                upto = line[: line.rindex(" ")] if layout.rtl else line
                found.add(letters_wide(upto))
    assert len(found) == 1


def test_a_card_that_was_taken_offline_is_told_in_large_letters() -> None:
    facts = SaleFacts(
        receipt_no="1",
        sale_id="x",
        currency="EUR",
        total_minor=100,
        tenders=(TenderTotal(kind="card", amount_minor=100, last4="1234", offline=True),),
    )
    layout = compose(facts, Template("Shop"), Paper(58))
    banner = next(b for b in layout.blocks if isinstance(b, Text) and b.text.strip() == "OFFLINE")
    assert banner.style.inverse
    assert banner.style.scale == 2
    assert "may still be declined" in " ".join(plain(layout).split())


def test_a_gift_receipt_tells_no_price() -> None:
    for goods in SHOPS:
        text = plain(compose(gift(goods), template_of(goods), Paper(80)))
        layout = compose(sale(goods), template_of(goods), Paper(80))
        for cell in _amounts(layout.blocks):
            assert cell not in text


def _amounts(blocks: tuple[object, ...]) -> set[str]:
    rows = [block.rows for block in blocks if isinstance(block, Table)]
    cells: list[Cell] = [row.cells[-1] for row in itertools.chain(*rows) if isinstance(row, Row)]
    return {cell.text for cell in cells if len(cell.text) > 3 and cell.text[-2:].isdigit()}


def test_a_tip_is_a_line_of_the_cards_part_and_no_part_of_the_total() -> None:
    tender = {"kind": "card", "amount_minor": 998, "last4": "4242", "tip_minor": 100}
    facts = facts_of({**OLD_SALE, "tenders": [tender]})
    text = plain(compose(facts, Template("Shop", locale="en-GB"), Paper(80)))
    rows = [" ".join(line.split()) for line in text.splitlines()]
    card = next(n for n, row in enumerate(rows) if row.startswith("Card **** 4242"))
    assert rows[card].endswith("9.98")
    assert rows[card + 1].startswith("Tip")
    assert rows[card + 1].endswith("1.00")
    assert rows[card + 2].startswith("Charged to the card")
    assert rows[card + 2].endswith("10.98")


def test_a_surcharge_is_a_line_of_its_own_and_so_it_is_when_it_goes_back() -> None:
    tender = {"kind": "card", "amount_minor": 998, "tip_minor": 100, "surcharge_minor": 16}
    sold = facts_of({**OLD_SALE, "tenders": [tender]})
    back = ReturnFacts(
        return_id="r", currency="EUR", total_minor=998, refunds=(TenderTotal(**tender),)
    )
    for facts, whole in ((sold, "Charged to the card"), (back, "Given back to the card")):
        text = plain(compose(facts, Template("Shop", locale="en-GB"), Paper(80)))
        rows = [" ".join(line.split()) for line in text.splitlines()]
        card = next(n for n, row in enumerate(rows) if row.startswith("Card 9.98"))
        assert rows[card + 1 : card + 4] == ["Tip 1.00", "Card surcharge 0.16", f"{whole} 11.14"]


def test_a_gift_card_tells_what_is_left_on_it() -> None:
    tender = {"kind": "gift_card", "amount_minor": 998, "last4": "0042", "left_minor": 1002}
    facts = facts_of({**OLD_SALE, "tenders": [tender]})
    text = plain(compose(facts, Template("Shop", locale="en-GB"), Paper(80)))
    rows = [" ".join(line.split()) for line in text.splitlines()]
    card = next(n for n, row in enumerate(rows) if row.startswith("Gift card **** 0042"))
    assert rows[card + 1] == "Left on it 10.02"


@pytest.mark.parametrize("locale", LANGUAGES)
def test_store_credit_is_given_with_its_code(locale: str) -> None:
    code = "SC-ABCDE-FGHJK-MNPQR-1234"
    refund = TenderTotal(kind="store_credit", amount_minor=499)
    facts = ReturnFacts(
        return_id="r", currency="EUR", total_minor=499, refunds=(refund,), credit_code=code
    )
    text = plain(compose(facts, Template("Shop", locale=locale), Paper(58)))
    assert code in text
    assert "store_credit" not in text


def test_what_a_shop_hides_is_not_shown() -> None:
    goods = SHOPS[0]
    hidden = Shows(staff=False, till=False, savings=False, barcode=False, return_code=False)
    text = plain(compose(sale(goods), Template("Shop", locale="de-DE", shows=hidden), Paper(80)))
    for absent in ("Jördis", "Kasse 1", "Sie sparen", "code128", "qr"):
        assert absent not in text
    shown = plain(
        compose(sale(goods), Template("Shop", locale="de-DE", shows=Shows(sku=True)), Paper(80))
    )
    assert "Artikel C-1001" in shown


def test_prices_without_tax_are_summed_before_the_tax() -> None:
    facts = SaleFacts(
        receipt_no="1",
        sale_id="x",
        currency="USD",
        prices_include_tax=False,
        lines=(PricedItem(name="Tea", qty=1, unit_price_minor=1000, net_minor=1000, tax_code="A"),),
        total_minor=1089,
        tax_minor=89,
        taxes=(
            TaxTotal(code="A", rate_ppm=88_750, net_minor=1000, tax_minor=89, gross_minor=1089),
        ),
    )
    lines = plain(compose(facts, Template("Shop", locale="en-US"), Paper(80))).splitlines()
    subtotal = next(line for line in lines if line.startswith("Subtotal"))
    assert subtotal.endswith("10.00")
    assert any(line.startswith("Tax 8.875%") and line.endswith("0.89") for line in lines)


def test_every_document_has_a_title_in_every_language() -> None:
    for goods, language in itertools.product(SHOPS, LANGUAGES):
        template = Template("Shop", locale=language)
        facts: list[AnyFacts] = [one.facts for one in samples(goods)]
        for one in [*facts, shelf_label(goods)]:
            layout = compose(one, template, Paper(58))
            assert layout.title.strip()
            assert layout.rtl == (language == "ar")


def test_large_rows_use_all_of_the_columns_in_letters() -> None:
    cells = (Cell("Total", weight=1), Cell("9.98", Align.END))
    large, usual = plain(Layout("t", (Row(cells, LARGE), Row(cells))), 32).splitlines()
    assert large == usual == "Total".ljust(28) + "9.98"
