"""Every language says everything."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

import hub.documents.words
from hub.documents.fonts import uncovered
from hub.documents.words import LANGUAGES, Words, words_for

NAMES = [field.name for field in fields(Words)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_and_the_places_of_values_are_those_of_english(language: str) -> None:
    words, english = words_for(language), words_for("en")
    for name in NAMES:
        text = getattr(words, name)
        assert text.strip() == text != ""
        assert text.count("{}") == getattr(english, name).count("{}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_fonts_have_every_letter(language: str) -> None:
    text = "".join(getattr(words_for(language), name) for name in NAMES)
    assert uncovered(text) == frozenset()


def test_every_module_of_texts_is_a_known_language() -> None:
    room = Path(hub.documents.words.__file__).parent
    assert {path.stem for path in room.glob("*.py")} - {"__init__"} == set(LANGUAGES)


def test_a_language_without_texts_gets_english() -> None:
    assert words_for("hi-IN") is words_for("en")
    assert words_for("de-AT") is words_for("de_CH")
