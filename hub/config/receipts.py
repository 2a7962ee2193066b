"""What stands on the shop's paper."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from hub.config.base import AbsolutePath, Section, Texts
from hub.documents.returncode import Signer
from hub.documents.templates import Shows, Template

LOGO_BYTES_MAX = 1_048_576
_PNG = b"\x89PNG\r\n\x1a\n"


class Receipts(Section):
    """Receipts and the other printed papers: language, texts, logo, and what they show."""

    locale: str = Field(
        default="en-GB",
        pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
        description="Language and formats (BCP 47). Texts: en, de, fr, ar, ja; others get English"
        " texts with their own formats.",
        examples=["de-DE"],
    )
    width_mm: int = Field(
        default=80,
        ge=40,
        le=120,
        description="Width of the paper where no printer says it: 58 or 80.",
    )
    header: Texts = Field(
        default=(),
        description="Lines below the shop's name: address, telephone.",
        examples=[["1 Market Street", "London E1 6AN"]],
    )
    tax_id: str = Field(
        default="",
        max_length=40,
        description="The shop's tax number; most countries want it on a receipt.",
        examples=["GB123456789"],
    )
    footer: Texts = Field(
        default=(), description="Last lines: thanks, opening hours.", examples=[["Thank you!"]]
    )
    return_policy: str = Field(
        default="",
        max_length=500,
        description="Until when and how goods can be brought back.",
        examples=["Exchange within 14 days with this receipt."],
    )
    logo_file: AbsolutePath | None = Field(
        default=None, description="A PNG, black on white, of at most 1 MiB and 4 million pixels."
    )
    logo_width_mm: int = Field(default=30, ge=5, le=72, description="How wide the logo is printed.")
    show_sku: bool = Field(default=False, description="Item numbers on receipts.")
    show_staff: bool = Field(default=True, description="Who served.")
    show_till: bool = Field(default=True, description="Which till.")
    show_savings: bool = Field(default=True, description="What the customer saved.")
    show_barcode: bool = Field(default=True, description="The receipt's number to scan.")
    show_return_code: bool = Field(
        default=True, description="The signed code for returns in other shops."
    )


class Made(NamedTuple):
    """A template, and what is the matter with its logo (empty: nothing)."""

    template: Template
    problem: str


def template_of(
    receipts: Receipts, shop_name: str, timezone: str, signer: Signer | None = None
) -> Made:
    """The shop's paper as the settings say.  Reads the logo; without it the shop prints on.
    ``signer``: makes the codes for returns in other shops."""
    logo, problem = None, ""
    if receipts.logo_file is not None:
        logo, problem = _logo(receipts.logo_file)
    shows = Shows(
        sku=receipts.show_sku,
        staff=receipts.show_staff,
        till=receipts.show_till,
        savings=receipts.show_savings,
        barcode=receipts.show_barcode,
        return_code=receipts.show_return_code,
    )
    template = Template(
        shop_name=shop_name,
        locale=receipts.locale,
        timezone=timezone,
        header=receipts.header,
        tax_id=receipts.tax_id,
        footer=receipts.footer,
        return_policy=receipts.return_policy,
        logo_png=logo,
        logo_width_mm=receipts.logo_width_mm,
        shows=shows,
        signer=signer,
    )
    return Made(template, problem)


def _logo(path: Path) -> tuple[bytes | None, str]:
    hint = "Receipts are printed without it; mend receipts.logo_file and restart."
    try:
        with path.open("rb") as file:
            data = file.read(LOGO_BYTES_MAX + 1)
    except OSError as error:
        return None, f"The logo {path} can't be read ({error.strerror}). {hint}"
    if len(data) > LOGO_BYTES_MAX:
        return None, f"The logo {path} has more than {LOGO_BYTES_MAX} bytes. {hint}"
    if not data.startswith(_PNG):
        return None, f"The logo {path} is no PNG. {hint}"
    return data, ""
