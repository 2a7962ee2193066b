"""Copies of the tree with one bug planted in each."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PATCHES = Path(__file__).parent / "patches"
ROOT = Path(__file__).resolve().parents[3]
COPIED = ("hub", "cloud_link", "devices", "tests", "contract", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules", "*.egg-info", ".*_cache")


class NotPlanted(Exception):
    """The patch doesn't fit the tree any more, or says too little about itself."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug.  ``promise``: which of the seven it breaks; ``what``: in one sentence."""

    name: str
    promise: int
    what: str
    patch: Path


def mutants() -> tuple[Mutant, ...]:
    """All, in order of promise and name.  Errors: :class:`NotPlanted`."""
    found = [_read(patch) for patch in sorted(PATCHES.glob("*.patch"))]
    return tuple(sorted(found, key=lambda one: (one.promise, one.name)))


def _read(patch: Path) -> Mutant:
    """The head of a patch: lines ``Promise: 2`` and ``What: ...`` before the first file."""
    head = patch.read_text(encoding="utf-8").split("\n--- ", 1)[0]
    promise = re.search(r"^Promise: ([1-7])$", head, re.MULTILINE)
    what = re.search(r"^What: (.+)$", head, re.MULTILINE)
    if promise is None or what is None:
        raise NotPlanted(f"{patch.name} begins with lines 'Promise: 1' to 7 and 'What: ...'")
    return Mutant(patch.stem, int(promise[1]), what[1], patch)


def plant(mutant: Mutant | None, target: Path) -> None:
    """Make a copy of the tree in the new directory ``target``, with the bug in it.

    Errors: :class:`NotPlanted` when the patch doesn't apply exactly.
    """
    target.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=LEFT_OUT)
        else:
            shutil.copy2(source, target / name)
    (target / "var").symlink_to(ROOT / "var")
    if mutant is None:
        return
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", str(mutant.patch)],
        cwd=target,
        env={"GIT_CEILING_DIRECTORIES": str(target.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NotPlanted(f"{mutant.patch.name} doesn't apply any more: {done.stderr.strip()}")
    if not _changed(target):
        raise NotPlanted(f"{mutant.patch.name} changes nothing")


def _changed(target: Path) -> bool:
    for name in ("hub", "cloud_link", "devices"):
        for path in sorted((target / name).rglob("*")):
            source = ROOT / path.relative_to(target)
            if path.suffix not in {".py", ".sql"} or not path.is_file():
                continue
            if not source.exists() or source.read_bytes() != path.read_bytes():
                return True
    return False
