"""What documents say, in the languages that the shop's paper can speak.

A language is a module with one :class:`Words`; since every field is required, none is ever half
translated.  English is taken for a language that isn't here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Final

LANGUAGES: Final = ("en", "de", "fr", "ar", "ja")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """All texts.  Those with ``{}`` take one value."""

    # Titles and markings
    receipt: str
    return_receipt: str
    gift_receipt: str
    void: str
    x_report: str
    z_report: str
    pick_list: str
    packing_slip: str
    hand_over: str
    shelf_label: str
    status_ticket: str
    test_page: str
    copy: str
    training: str
    training_note: str
    offline: str
    offline_note: str
    # Head
    date: str
    till: str
    served_by: str
    tax_id: str
    original_receipt: str
    sold_at: str
    business_day: str
    # Lines
    discount: str
    serial: str
    lot: str
    sku: str
    gtin: str
    # Sums
    subtotal: str
    total: str
    to_refund: str
    refund_pending: str
    rounding: str
    cash: str
    card: str
    gift_card: str
    store_credit: str
    left: str
    credit_note: str
    approval: str
    tip: str
    surcharge: str
    charged: str
    given_back: str
    change: str
    you_saved: str
    includes_tax: str
    tax: str
    net: str
    gross: str
    # Below
    return_policy: str
    return_code_note: str
    gift_note: str
    reason: str
    approved_by: str
    customer_signature: str
    staff_signature: str
    # Reports
    opened_at: str
    printed_at: str
    closed_at: str
    receipts: str
    sales: str
    refunds: str
    voids: str
    discounts: str
    turnover: str
    items: str
    payments: str
    taxes: str
    drawer: str
    opening_float: str
    paid_in: str
    paid_out: str
    safe_drops: str
    expected_cash: str
    counted_cash: str
    difference: str
    no_sale: str
    nothing_closed: str
    # Orders
    order: str
    customer: str
    due: str
    by_parcel: str
    for_collection: str
    note: str
    ship_to: str
    parcel: str
    carrier: str
    tracking: str
    place: str
    proof_code: str
    proof_id: str
    received: str
    # Shelf
    per: str
    was: str
    valid_from: str
    valid_until: str
    # The box itself
    store: str
    version: str
    address: str
    link: str
    signal: str
    signal_good: str
    signal_fair: str
    signal_weak: str
    cloud: str
    cloud_linked: str
    cloud_apart: str
    pairing_code: str
    scan_to_open: str
    scan_to_pair: str
    attention: str
    all_well: str
    # Test page
    printer: str
    driver: str
    letters: str
    columns: str
    codes: str
    test_well: str


@cache
def words_for(locale: str) -> Words:
    """The texts for a BCP 47 locale such as ``de-AT``; English where there are none."""
    language = locale.replace("_", "-").split("-")[0].lower()
    name = language if language in LANGUAGES else "en"
    found: Words = import_module(f"hub.documents.words.{name}").WORDS
    return found
