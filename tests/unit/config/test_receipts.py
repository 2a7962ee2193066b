"""What the settings make of the shop's paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from hub.config.receipts import LOGO_BYTES_MAX, Receipts, template_of
from scripts.gallery.samples import logo


def test_a_template_is_what_was_set(tmp_path: Path) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(logo())
    made = template_of(
        Receipts(locale="de-DE", header=("Marktstraße 12",), logo_file=path, show_staff=False),
        "Laden",
        "Europe/Berlin",
    )
    assert made.problem == ""
    assert made.template.shop_name == "Laden"
    assert made.template.logo_png == logo()
    assert made.template.header == ("Marktstraße 12",)
    assert not made.template.shows.staff
    assert made.template.shows.till


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "can't be read"), (b"GIF89a", "is no PNG"), (bytes(LOGO_BYTES_MAX + 1), "more than")],
)
def test_a_logo_that_is_none_is_told_and_left_out(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "logo.png"
    if content is not None:
        path.write_bytes(content)
    made = template_of(Receipts(logo_file=path), "Shop", "UTC")
    assert made.template.logo_png is None
    assert why in made.problem
    assert "receipts.logo_file" in made.problem


@pytest.mark.parametrize("locale", ["german", "de_DE", "", "DE"])
def test_a_locale_is_a_language_tag(locale: str) -> None:
    with pytest.raises(ValidationError):
        Receipts(locale=locale)
