"""Copies of the tree with one bug planted in each."""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PATCHES = Path(__file__).parent / "patches"
SEEDS_FILE = Path(__file__).parent / "seeds.json"
SEEDS_KEPT = 3
"""So many for each: a change of the program may shift what a seed comes through."""
ROOT = Path(__file__).resolve().parents[3]
COPIED = ("hub", "cloud_link", "devices", "tests", "contract", "pyproject.toml")
LEFT_OUT = shutil.ignore_patterns(
    *("node_modules", "*.egg-info", ".*_cache", "test_*.*", "e2e", PATCHES.name)
)
"""What no hunt reads."""


class NotPlanted(Exception):
    """The patch doesn't fit the tree any more, or says too little about itself."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug.  ``promise``: which of the seven it breaks; ``what``: in one sentence;
    ``seeds``: where it was found, the last first; the next hunt begins there.  ``least``: the first
    seed of a hunt (some of what shops do is only in later ones)."""

    name: str
    promise: int
    what: str
    patch: Path
    seeds: tuple[int, ...] = ()
    least: int = 1


def mutants() -> tuple[Mutant, ...]:
    """All, in order of promise and name.  Errors: :class:`NotPlanted`."""
    seeds: dict[str, list[int]] = json.loads(SEEDS_FILE.read_text(encoding="utf-8"))
    found = [_read(patch, seeds) for patch in sorted(PATCHES.glob("*.patch"))]
    return tuple(sorted(found, key=lambda one: (one.promise, one.name)))


def remember(seeds: dict[str, int]) -> None:
    """Write down where mutants were found, in front of where they were before; those that aren't
    named stay as they are."""
    names = {patch.stem for patch in PATCHES.glob("*.patch")}
    known: dict[str, list[int]] = json.loads(SEEDS_FILE.read_text(encoding="utf-8"))
    for name, seed in seeds.items():
        before = [one for one in known.get(name, []) if one != seed]
        known[name] = [seed, *before][:SEEDS_KEPT]
    lines = [f" {json.dumps(name)}: {known[name]}" for name in sorted(names & known.keys())]
    SEEDS_FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _read(patch: Path, seeds: dict[str, list[int]]) -> Mutant:
    """The head of a patch: lines ``Promise: 2`` and ``What: ...`` before the first file, and
    perhaps ``Seeds: 101`` for where to begin."""
    head = patch.read_text(encoding="utf-8").split("\n--- ", 1)[0]
    promise = re.search(r"^Promise: ([1-7])$", head, re.MULTILINE)
    what = re.search(r"^What: (.+)$", head, re.MULTILINE)
    if promise is None or what is None:
        raise NotPlanted(f"{patch.name} begins with lines 'Promise: 1' to 7 and 'What: ...'")
    least = re.search(r"^Seeds: ([0-9]+)$", head, re.MULTILINE)
    found = tuple(seeds.get(patch.stem, ()))
    first = int(least[1]) if least is not None else 1
    return Mutant(patch.stem, int(promise[1]), what[1], patch, found, first)


def plant(mutant: Mutant | None, target: Path) -> None:
    """Make a copy of the tree in the new directory ``target``, with the bug in it.

    Errors: :class:`NotPlanted` when the patch doesn't apply exactly.
    """
    _copy(target, mutant)
    if mutant is None:
        return
    done = _apply(mutant.patch, target)
    if done.returncode != 0:
        raise NotPlanted(f"{mutant.patch.name} doesn't apply any more: {done.stderr.strip()}")
    if not _changed(target):
        raise NotPlanted(f"{mutant.patch.name} changes nothing")


def refresh(mutant: Mutant, target: Path) -> bool:
    """Write a patch anew for the tree as it is, with less context if it has to be; True if it
    differs now.  Errors: :class:`NotPlanted` when it has to be written by hand."""
    _copy(target, mutant)
    done = _apply(mutant.patch, target, "-C1")
    if done.returncode != 0:
        raise NotPlanted(f"{mutant.patch.name} has to be written anew: {done.stderr.strip()}")
    before = mutant.patch.read_text(encoding="utf-8")
    after = before.split("--- a/", 1)[0] + "".join(
        _difference(path, target) for path in _changed(target)
    )
    mutant.patch.write_text(after, encoding="utf-8")
    return before != after


def _difference(path: Path, target: Path) -> str:
    name = path.as_posix()
    return "".join(
        difflib.unified_diff(
            (ROOT / path).read_text(encoding="utf-8").splitlines(keepends=True),
            (target / path).read_text(encoding="utf-8").splitlines(keepends=True),
            f"a/{name}",
            f"b/{name}",
        )
    )


def _copy(target: Path, mutant: Mutant | None) -> None:
    target.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=LEFT_OUT, copy_function=_linked)
        else:
            shutil.copy2(source, target / name)
    (target / "var").symlink_to(ROOT / "var")
    for name in _patched(mutant.patch) if mutant is not None else ():
        if (ROOT / name).exists():
            (target / name).unlink()
            shutil.copy2(ROOT / name, target / name)


def _linked(source: str, target: str) -> None:
    """The same file under another name, which takes a third of what copying does.  The few that a
    patch changes are copied, and compiled modules are replaced, never written into."""
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy2(source, target)


def _patched(patch: Path) -> list[str]:
    """The files that it changes."""
    return re.findall(r"^--- a/(.+)$", patch.read_text(encoding="utf-8"), re.MULTILINE)


def _apply(patch: Path, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "apply", "--whitespace=nowarn", *options, str(patch)],
        cwd=target,
        env={"GIT_CEILING_DIRECTORIES": str(target.parent), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def _changed(target: Path) -> list[Path]:
    """The product's files that differ from ours, relative to the tree."""
    found = []
    for name in ("hub", "cloud_link", "devices"):
        for path in sorted((target / name).rglob("*")):
            inner = path.relative_to(target)
            if path.suffix not in {".py", ".sql"} or not path.is_file():
                continue
            source = ROOT / inner
            if not source.exists() or source.read_bytes() != path.read_bytes():
                found.append(inner)
    return found
