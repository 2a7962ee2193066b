"""The list of crash points and the code agree."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from hub.crashpoints import CRASH_POINTS

ROOT = Path(__file__).resolve().parents[2]
CALL = re.compile(r"\bcrashpoint\(\s*([^)\s]*)\s*\)")


def passed_in_code() -> Counter[str]:
    """What stands between the brackets of each call, quotes and all."""
    found: Counter[str] = Counter()
    for room in ("hub", "cloud_link", "devices"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.name != "crashpoints.py":
                found.update(CALL.findall(path.read_text(encoding="utf-8")))
    return found


def test_every_crash_point_of_the_list_stands_in_the_code_once_and_no_other_does() -> None:
    assert passed_in_code() == Counter(f'"{name}"' for name in CRASH_POINTS)


def test_a_crash_point_is_called_by_its_room_and_what_was_done() -> None:
    assert len(set(CRASH_POINTS)) == len(CRASH_POINTS)
    for name in CRASH_POINTS:
        assert re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*", name), name
