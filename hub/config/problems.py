"""What is wrong with a configuration, said so that someone can put it right."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hub.config.fields import Setting, toml_text


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: ``where`` is ``file:line``, a variable, a credential's name, …"""

    kind: str
    """``default``, ``cloud``, ``file``, ``credential``, ``env`` or ``set``; later ones win."""
    where: str = ""
    line: int | None = None

    def __str__(self) -> str:
        match self.kind:
            case "default":
                return "default"
            case "file":
                return f"{self.where}:{self.line}" if self.line else self.where
            case "set":
                return f"--set {self.where}"
            case _:
                return f"{self.kind} {self.where}"


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration."""

    where: str
    """``file:line``, ``env NAME``, ``credential NAME``, ``--set KEY`` or the file's name."""
    message: str
    next_step: str
    key: str = ""
    line_text: str = ""
    """The offending line as it stands; empty where it holds a secret."""
    expected: str = ""
    got: str = ""
    example: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        rows = [f"{self.where}: {self.message}"]
        if self.line_text:
            rows.append(f"    {self.line_text}")
        rows += [
            f"  {label}: {text}"
            for label, text in (
                ("expected", self.expected),
                ("got", self.got),
                ("example", self.example),
                ("next step", self.next_step),
            )
            if text
        ]
        return "\n".join(rows)


class ConfigError(Exception):
    """The configuration can't be used; every problem names its place and the next step."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        assert problems
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def describe(value: object, setting: Setting) -> str:
    """``value`` with its TOML type, without ever showing a secret."""
    if setting.secret:
        return f"a {_type_name(value)} (not shown)"
    return described(value)


def described(value: object) -> str:
    """``value`` with its TOML type; never a secret."""
    return f"{_short(value)} ({_type_name(value)})"


def _type_name(value: object) -> str:
    names: dict[type, str] = {
        str: "text",
        bool: "boolean",
        int: "whole number",
        float: "fraction",
        list: "list",
        dict: "table",
    }
    return names.get(type(value), type(value).__name__)


def _short(value: Any) -> str:
    try:
        text = toml_text(value)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
