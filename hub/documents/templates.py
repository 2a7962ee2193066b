"""What a shop sets about its paper: texts, logo, language, and what is shown."""

from __future__ import annotations

from dataclasses import dataclass

from hub.documents.layout import Cut
from hub.documents.returncode import Signer


@dataclass(frozen=True, slots=True)
class Shows:
    """What a receipt shows besides what it must."""

    sku: bool = False
    staff: bool = True
    till: bool = True
    savings: bool = True
    barcode: bool = True
    return_code: bool = True


SHOWS = Shows()


@dataclass(frozen=True, slots=True)
class Template:
    """One shop's paper.

    ``locale``: BCP 47; it decides language, formats and direction.  ``timezone``: IANA name.
    ``header``: lines below the name (address, telephone).  ``logo_png``: PNG bytes.
    ``signer``: makes the code for returns in other shops, where the facts bring none.
    """

    shop_name: str
    locale: str = "en-GB"
    timezone: str = "UTC"
    header: tuple[str, ...] = ()
    tax_id: str = ""
    footer: tuple[str, ...] = ()
    return_policy: str = ""
    logo_png: bytes | None = None
    logo_width_mm: int = 30
    shows: Shows = SHOWS
    signer: Signer | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """What is printed on: 58 and 80 mm rolls; labels have a height too."""

    width_mm: int = 80
    height_mm: int = 0
    cut: Cut = Cut.PARTIAL

    @property
    def printable_mm(self) -> int:
        """Width that a head of 203 dpi reaches: 48 mm of 58, 72 mm of 80 (as printers of both
        widths state); labels but for 1 mm at each side."""
        if self.height_mm:
            return self.width_mm - 2
        return self.width_mm - (10 if self.width_mm < 70 else 8)

    @property
    def columns(self) -> int:
        """Letters of a printer's usual font (12 dots wide) in a line: 32 or 48."""
        return self.printable_mm * 8 // 12

    @property
    def narrow(self) -> bool:
        return self.columns < 40
