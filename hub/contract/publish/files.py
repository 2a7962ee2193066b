"""The documents as files: written, or compared with what the models say."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.contract.publish import device, local, oms
from hub.contract.publish.openapi import Document
from hub.contract.publish.yamltext import to_yaml

FOLDER = "contract"
DIFF_LINES = 40


@functools.cache
def documents() -> dict[str, Document]:
    """Every document by its file's name; made once, not to be changed."""
    return {
        "asyncapi.yaml": device.build(),
        "oms.openapi.yaml": oms.build(),
        "hub.openapi.yaml": local.build(),
    }


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that says something else than the models; ``lines`` are the first of the diff."""

    path: Path
    lines: tuple[str, ...]
    more: int


def write(root: Path) -> list[Path]:
    """Write the files that differ, and name them."""
    changed = []
    for path, text in _texts(root):
        if _read(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            changed.append(path)
    return changed


def differences(root: Path) -> list[Difference]:
    """What ``write`` would change."""
    found = []
    for path, text in _texts(root):
        published = _read(path)
        if published != text:
            diff = list(
                difflib.unified_diff(
                    published.splitlines(), text.splitlines(), "published", "models", "", "", 1, ""
                )
            )
            found.append(Difference(path, tuple(diff[:DIFF_LINES]), max(0, len(diff) - DIFF_LINES)))
    return found


def _texts(root: Path) -> Iterator[tuple[Path, str]]:
    for name in documents():
        yield root / FOLDER / name, _text(name)


@functools.cache
def _text(name: str) -> str:
    return to_yaml(documents()[name])


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
