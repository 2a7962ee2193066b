"""``python -m hub.contract.publish [--check | --write | --freeze]``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hub.contract.publish import files, outline

ROOT = Path(__file__).parents[3]
_WRITE = "python -m hub.contract.publish --write"
_SHOWN = 20


def main(arguments: list[str] | None = None) -> int:
    """0 when all is well, 1 when the files say something else than the models, or break a
    promise."""
    options = _options(arguments)
    root: Path = options.root
    if options.write:
        for path in files.write(root):
            _say(f"written: {path.relative_to(root)}")
    failed = not options.write and _report_differences(root)
    present = outline.outline(files.documents())
    frozen = outline.read_frozen(root / files.FOLDER)
    broken = outline.breaches(frozen, present) if frozen else []
    if broken:
        _report_breaches(broken)
        return 1
    if options.freeze:
        outline.write_frozen(root / files.FOLDER, present)
        _say(f"frozen: {files.FOLDER}/{outline.FROZEN}")
    elif frozen is None:
        _say("nothing is frozen yet; `--freeze` begins to guard this version against breaches")
    if not failed and not options.write:
        _say("the published contract is what the models say")
    return 1 if failed else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m hub.contract.publish",
        description="Publish the contract files, or check them (the default).",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="exit with 1 if a file differs")
    action.add_argument("--write", action="store_true", help="write the files that differ")
    action.add_argument(
        "--freeze", action="store_true", help="check, then promise also what was added"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout")
    return parser.parse_args(arguments)


def _report_differences(root: Path) -> bool:
    found = files.differences(root)
    for difference in found:
        _say(f"{difference.path.relative_to(root)} is not what the models say:")
        for line in difference.lines:
            _say(f"  {line}")
        if difference.more:
            _say(f"  … and {difference.more} more lines")
    if found:
        _say(f"Next: look at the difference, then run {_WRITE} and commit the files.")
    return bool(found)


def _report_breaches(broken: list[str]) -> None:
    _say("These changes break devices or clouds that follow the published version 1:")
    for line in broken[:_SHOWN]:
        _say(f"  {line}")
    if len(broken) > _SHOWN:
        _say(f"  … and {len(broken) - _SHOWN} more")
    _say(
        "Next: add instead of changing, or publish a version 2 beside it. Only while version 1 was "
        f"never released: remove {files.FOLDER}/{outline.FROZEN} and run with --freeze."
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
