"""What stands on a document that can't be read is told to nobody."""

from __future__ import annotations

from typing import Any, cast

import pytest

from hub.app.composing import Composer


async def test_a_document_that_is_none_is_refused_without_a_word_of_it() -> None:
    composer = object.__new__(Composer)
    made = cast(Any, composer)
    made._desk = type("Nobody", (), {"post": lambda self, name: None})()
    made._width_mm = 80
    made.template = None
    for document in (
        '{"kind":"sale","staff":["Mia Müller"],"sale_id":1}',
        '{"kind":"void","reason":"Mia Müller',
        '{"kind":"Mia Müller"}',
    ):
        with pytest.raises(ValueError, match="facts") as refused:
            await composer.compose(document, "counter")
        assert "Mia" not in str(refused.value)
