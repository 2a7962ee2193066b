"""Files and functions that grew too long are named before anybody has to read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.sizes import FILE_LINES_MAX, FUNCTION_LINES_MAX, main


def written(folder: Path, text: str) -> list[str]:
    (folder / "room.py").write_text(text)
    return [str(folder)]


def test_a_function_is_named_from_the_first_line_too_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fits = "class A:\n    async def long(self):\n" + "        pass\n" * (FUNCTION_LINES_MAX - 1)
    assert main(written(tmp_path, fits)) == 0
    assert capsys.readouterr().out == ""
    assert main(written(tmp_path, fits + "        pass\n")) == 1
    assert f"room.py:2: long has {FUNCTION_LINES_MAX + 1} lines" in capsys.readouterr().out


def test_a_file_is_named_from_the_first_line_too_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(written(tmp_path, "pass\n" * FILE_LINES_MAX)) == 0
    assert main(written(tmp_path, "pass\n" * (FILE_LINES_MAX + 1))) == 1
    assert f"{FILE_LINES_MAX + 1} lines" in capsys.readouterr().out
