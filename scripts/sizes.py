"""Names the files and functions that have grown too long to be read in one go.

``python -m scripts.sizes [FOLDER ...]``; without folders: the program's own. Exit status 1 if
there is one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FILE_LINES_MAX: Final = 420
FUNCTION_LINES_MAX: Final = 60
FOLDERS: Final = ("hub", "cloud_link", "devices", "scripts")


def too_long(path: Path) -> Iterator[str]:
    """One line for the file if it is too long, and one for each of its functions that is."""
    text = path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    if lines > FILE_LINES_MAX:
        yield f"{path}: {lines} lines, at most {FILE_LINES_MAX}: split it where its parts meet"
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES_MAX:
            yield (
                f"{path}:{node.lineno}: {node.name} has {length} lines, "
                f"at most {FUNCTION_LINES_MAX}: name its steps"
            )


def main(folders: list[str]) -> int:
    """Print what is too long; the exit status."""
    found = [
        line
        for folder in folders or FOLDERS
        for path in sorted(Path(folder).rglob("*.py"))
        for line in too_long(path)
    ]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
