"""What the three shops of the gallery sell, and to whom."""

from __future__ import annotations

from dataclasses import dataclass

Line = tuple[str, str, str | None, int, int, str, int, int, str]
"""Name, SKU, GTIN, quantity, scale, unit, price, discount, tax code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """A shop, its people and its goods."""

    locale: str
    timezone: str
    currency: str
    shop: str
    header: tuple[str, ...]
    tax_id: str
    footer: tuple[str, ...]
    return_policy: str
    store: str
    receipt_no: str
    till: str
    staff: str
    manager: str
    customer: str
    address: tuple[str, ...]
    note: str
    reason: str
    condition: str
    rates: tuple[tuple[str, int], ...]
    note_minor: int
    coin_minor: int
    items: tuple[Line, ...]


GERMAN = Goods(
    locale="de-DE",
    timezone="Europe/Berlin",
    currency="EUR",
    shop="Laden am Markt",
    header=("Marktstraße 12", "80331 München", "Tel. 089 123456-0"),
    tax_id="DE123456789",
    footer=("Vielen Dank für Ihren Einkauf!", "Mo-Sa 8-20 Uhr"),
    return_policy="Umtausch innerhalb von 14 Tagen gegen Vorlage dieses Belegs.",
    store="367",
    receipt_no="367-1-000482",
    till="1",
    staff="Jördis K.",
    manager="Anne Müller",
    customer="Björn Großmann",
    address=("Königsallee 7", "40212 Düsseldorf"),
    note="Bitte als Geschenk einpacken.",
    reason="Kunde hat es sich anders überlegt",
    condition="Der Drucker an Kasse 2 hat kaum noch Papier.",
    rates=(("A", 190_000), ("B", 70_000)),
    note_minor=50_00,
    coin_minor=35,
    items=(
        (
            "Röstkaffee Äthiopien Yirgacheffe, ganze Bohne",
            "C-1001",
            "4006381333931",
            2,
            0,
            "pcs",
            8_99,
            1_00,
            "B",
        ),
        ("Bananen Bio", "F-0007", None, 1_184, 3, "kg", 1_99, 0, "B"),
        ("Küchenwaage digital", "K-2040", "4012345678901", 1, 0, "pcs", 24_95, 0, "A"),
        ("Spülmittel Zitrone 500 ml", "H-3310", "4000417025005", 3, 0, "pcs", 1_45, 0, "A"),
        ("Vollkornbrot", "B-0102", "40063812", 1, 0, "pcs", 3_20, 32, "B"),
        (
            "Straßenkreide 20 Stück, extra dick",
            "S-8811",
            "4005556000005",
            1,
            0,
            "pcs",
            6_99,
            0,
            "A",
        ),
    ),
)

ARABIC = Goods(
    locale="ar-AE",
    timezone="Asia/Dubai",
    currency="AED",
    shop="متجر النخيل",
    header=("شارع الوصل، جميرا", "دبي، الإمارات العربية المتحدة", "هاتف \u200e04 123 4567\u200e"),
    tax_id="100123456700003",
    footer=("شكرا لتسوقكم معنا", "يوميا من 9 إلى 22"),
    return_policy="يمكن الاستبدال خلال 14 يوما مع إبراز هذا الإيصال.",
    store="D04",
    receipt_no="D04-2-001731",
    till="2",
    staff="ليلى",
    manager="خالد المنصوري",
    customer="مريم الهاشمي",
    address=("شقة 1204، برج الياسمين", "أبوظبي"),
    note="يرجى التغليف كهدية.",
    reason="غيّر العميل رأيه",
    condition="الورق في طابعة الصندوق 1 على وشك النفاد.",
    rates=(("A", 50_000), ("Z", 0)),
    note_minor=100_00,
    coin_minor=25,
    items=(
        (
            "قهوة عربية محمصة بالهيل، حبوب كاملة",
            "C-1001",
            "6291041500213",
            2,
            0,
            "pcs",
            42_50,
            5_00,
            "A",
        ),
        ("موز", "F-0007", None, 1_184, 3, "kg", 6_75, 0, "A"),
        ("ميزان مطبخ رقمي", "K-2040", "6291041500220", 1, 0, "pcs", 119_00, 0, "A"),
        ("تمر مجدول فاخر 500 غرام", "D-3310", "6291041500237", 3, 0, "pcs", 27_95, 0, "A"),
        ("خبز عربي", "B-0102", None, 4, 0, "pcs", 2_25, 0, "Z"),
        ("زيت زيتون بكر ممتاز Extra Virgin 750 ml", "O-8811", None, 1, 0, "pcs", 63_40, 0, "A"),
    ),
)

JAPANESE = Goods(
    locale="ja-JP",
    timezone="Asia/Tokyo",
    currency="JPY",
    shop="まちかど商店",
    header=("東京都世田谷区北沢2丁目10番地", "電話 03-1234-5678"),
    tax_id="T1234567890123",
    footer=("ご来店ありがとうございました", "営業時間 9:00から21:00"),
    return_policy="返品・交換は14日以内にこのレシートをお持ちください。",
    store="T12",
    receipt_no="T12-3-004059",
    till="3",
    staff="佐藤",
    manager="鈴木一郎",
    customer="高橋美咲 様",
    address=("〒150-0001 東京都渋谷区神宮前1丁目", "さくらマンション302"),
    note="ギフト包装をお願いします。",
    reason="お客様都合",
    condition="レジ2のプリンターの用紙が残りわずかです。",
    rates=(("A", 100_000), ("B", 80_000)),
    note_minor=5000,
    coin_minor=15,
    items=(
        (
            "エチオピア産コーヒー豆 イルガチェフェ 中煎り",
            "C-1001",
            "4901234567894",
            2,
            0,
            "pcs",
            1280,
            160,
            "B",
        ),
        ("有機バナナ", "F-0007", None, 1_184, 3, "kg", 398, 0, "B"),
        ("デジタルキッチンスケール", "K-2040", "4512345678906", 1, 0, "pcs", 3980, 0, "A"),
        ("食器用洗剤 レモンの香り 500ml", "H-3310", None, 3, 0, "pcs", 248, 0, "A"),
        ("全粒粉食パン", "B-0102", None, 1, 0, "pcs", 420, 42, "B"),
        ("チョークセット 20色", "S-8811", None, 1, 0, "pcs", 880, 0, "A"),
    ),
)
