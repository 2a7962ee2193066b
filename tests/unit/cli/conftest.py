"""The command line of a shop of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from click.testing import Result


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """``run("backup", "make", PATH)``: store 367, its state and run directory in ``tmp_path``."""
    from click.testing import CliRunner

    from hub.cli import root

    config = tmp_path / "config.toml"
    config.write_text(
        '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
        f'[paths]\nstate = "{tmp_path}/state"\nrun = "{tmp_path}/run"\n'
    )

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(root, ["--config", str(config), *arguments])

    return invoke
