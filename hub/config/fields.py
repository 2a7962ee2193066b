"""What is known about each setting: a flat view of the models for messages and listings."""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from hub.config.models import Settings

Kind = Literal["text", "secret", "path", "int", "fraction", "bool", "choice", "texts"]

_ORIGIN_UNIONS = (types.UnionType, typing.Union)


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of one section."""

    section: str
    name: str
    kind: Kind
    info: FieldInfo
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def secret(self) -> bool:
        return self.kind == "secret"

    @property
    def required(self) -> bool:
        return self.info.is_required()

    @property
    def description(self) -> str:
        return self.info.description or ""

    def expected(self) -> str:
        """What a value must be, in words."""
        match self.kind:
            case "int":
                return f"a whole number{self._range()}"
            case "fraction":
                return f"a number{self._range()}"
            case "bool":
                return "true or false"
            case "choice":
                return " or ".join(toml_text(choice) for choice in self.choices)
            case "path":
                return "an absolute path in quotes"
            case "texts":
                return "a list of texts"
            case "secret":
                return "a text in quotes (a secret)"
            case "text":
                return f"a text in quotes{self._shape()}"

    def example(self) -> str:
        """A valid TOML value."""
        if self.info.examples:
            return toml_text(self.info.examples[0])
        if not self.required and self.info.default not in (None, ""):
            return toml_text(self.info.default)
        match self.kind:
            case "secret":
                return '"a-long-random-text"'
            case "path":
                return f'"/etc/store-hub/{self.name.removesuffix("_file")}"'
            case "texts":
                return '["one"]'
            case _:
                return '"127.0.0.1"' if self.name == "bind" else '"a text"'

    def _range(self) -> str:
        low, high = self._bound("ge"), self._bound("le")
        return f" from {low} to {high}" if low is not None and high is not None else ""

    def _shape(self) -> str:
        pattern, longest = self._bound("pattern"), self._bound("max_length")
        if pattern is not None:
            return f" that matches {pattern}"
        return f" of at most {longest} characters" if longest is not None else ""

    def _bound(self, name: str) -> Any:
        for constraint in self.info.metadata:
            value = getattr(constraint, name, None)
            if value is not None:
                return value
        return None


def toml_text(value: object) -> str:
    """``value`` as TOML; JSON's strings, numbers, booleans and arrays of them are valid TOML."""
    if isinstance(value, Path):
        value = str(value)
    return json.dumps(value, ensure_ascii=False)


@cache
def all_settings() -> dict[str, Setting]:
    """Every setting by its key ``section.field``, in the order of the models."""
    return {setting.key: setting for setting in _walk()}


@cache
def sections() -> dict[str, type[BaseModel]]:
    """Every section's model by name, in order; ``[[peripherals]]`` is no section of this kind."""
    return {
        name: info.annotation
        for name, info in Settings.model_fields.items()
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)
    }


def nearest(word: str, names: Sequence[str]) -> str | None:
    """The name most like ``word``, or None when nothing is close enough to suggest."""
    lowered = word.lower().replace("-", "_")
    matches = difflib.get_close_matches(lowered, names, n=5, cutoff=0.6)
    return min(matches, key=lambda name: _slips(lowered, name), default=None)


def _slips(word: str, name: str) -> int:
    """Letters left out, added, changed or swapped with their neighbour between two words (the
    distance of optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(name) + 1))
    for i, letter in enumerate(word, start=1):
        row = [i]
        for j, other in enumerate(name, start=1):
            best = min(row[-1] + 1, last[j] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == name[j - 2] and word[i - 2] == other:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, last = last, row
    return last[-1]


def nearest_key(section: str, name: str) -> str | None:
    """The valid key that someone who wrote ``section.name`` most likely meant."""
    own = [setting.name for setting in all_settings().values() if setting.section == section]
    if (found := nearest(name, own)) is not None:
        return f"{section}.{found}"
    homes = [key for key, setting in all_settings().items() if setting.name == name]
    if len(homes) == 1:
        return homes[0]
    return nearest(f"{section}.{name}", list(all_settings()))


def _walk() -> Iterator[Setting]:
    for section, model in sections().items():
        for name, info in model.model_fields.items():
            kind, choices = _kind(info.annotation)
            yield Setting(section, name, kind, info, choices)


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return "choice", typing.get_args(annotation)
    if origin is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    if origin in _ORIGIN_UNIONS:
        (inner,) = (arg for arg in typing.get_args(annotation) if arg is not type(None))
        return _kind(inner)
    if origin is tuple:
        return "texts", ()
    kinds: dict[Any, Kind] = {
        str: "text",
        int: "int",
        float: "fraction",
        bool: "bool",
        Path: "path",
        SecretStr: "secret",
    }
    return kinds[annotation], ()
