"""What was read from the sources of settings, before anything is validated."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from hub.config.fields import Setting, all_settings, nearest, nearest_key, sections
from hub.config.problems import Origin, Problem


@dataclass(slots=True)
class Collected:
    """Raw values by key, each with its origin, and what was wrong with the sources themselves."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)
    section_origins: dict[str, Origin] = field(default_factory=dict)
    peripherals: list[dict[str, Any]] = field(default_factory=list)

    def put(self, setting: Setting, value: Any, origin: Origin) -> None:
        self.values[setting.key] = value
        self.origins[setting.key] = origin

    def line_text(self, origin: Origin) -> str:
        """The line of the file that ``origin`` points at; empty if it may hold a secret."""
        lines = self.lines.get(origin.where, [])
        if origin.kind != "file" or not origin.line or origin.line > len(lines):
            return ""
        text = lines[origin.line - 1].strip()
        return "" if _may_hold_a_secret(text) else text

    def unknown(self, section: str, name: str, origin: Origin) -> None:
        """Record a key that doesn't exist, with the valid one nearest to it."""
        key = f"{section}.{name}" if name else section
        guess = _guess(section, name)
        self.problems.append(
            Problem(
                where=str(origin),
                key=key,
                message=f"unknown {'setting' if name else 'section'} {key!r}",
                line_text=self.line_text(origin),
                next_step=(
                    f"did you mean {guess}?"
                    if guess
                    else "remove it; `store-hub config example` lists every setting"
                ),
            )
        )


def _may_hold_a_secret(line: str) -> bool:
    """Whether a name on this line is, or is a slip of, a secret's name."""
    names = {setting.name for setting in all_settings().values()}
    secrets = [setting.name for setting in all_settings().values() if setting.secret]
    words = (word.lower() for word in re.findall(r"[\w-]+", line))
    return any(
        word in secrets or (word not in names and nearest(word, secrets) is not None)
        for word in words
    )


def _guess(section: str, name: str) -> str | None:
    if not name:
        return nearest(section, list(sections()))
    if section not in sections():
        near = nearest(section, list(sections()))
        return nearest_key(near, name) if near else nearest_key(section, name)
    return nearest_key(section, name)
