"""A shop that takes cards, whose laws are checked at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paying import PayingShop


@pytest.fixture
def paying(tmp_path: Path) -> Iterator[PayingShop]:
    made = PayingShop(tmp_path)
    yield made
    made.check_laws()
    made.close()
