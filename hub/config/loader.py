"""Reading the settings from all their sources, with the origin of every value."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from hub.config import peripheral_file
from hub.config.collected import Collected
from hub.config.fields import Setting, all_settings, nearest, sections, toml_text
from hub.config.models import Settings
from hub.config.problems import DEFAULT, ConfigError, Origin, Problem, describe
from hub.config.rules import COMBINATION
from hub.config.sources import (
    read_credentials,
    read_environment,
    read_file,
    read_overrides,
    resolve_secret_files,
)
from hub.domain import cards

DEFAULT_FILE = Path("/etc/store-hub/config.toml")
FILE_VARIABLE = "STORE_HUB_CONFIG"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Valid settings and where each came from.

    ``remote``: values of the cloud that are in force, by key; they change while a hub runs.
    """

    settings: Settings
    file: Path
    origins: Mapping[str, Origin]
    remote: dict[str, tuple[Any, Origin]] = field(default_factory=dict)

    def rows(self) -> list[tuple[Setting, str, Origin]]:
        """Every setting, its value as TOML (secrets masked), its origin."""
        return [
            (setting, self.shown(setting), self.origin(key))
            for key, setting in all_settings().items()
        ]

    def shown(self, setting: Setting) -> str:
        value = self.value(setting)
        if value is None:
            return ""
        return "********" if setting.secret else toml_text(value)

    def origin(self, key: str) -> Origin:
        """Where the value in force came from."""
        return self.remote[key][1] if key in self.remote else self.origins.get(key, DEFAULT)

    def value(self, setting: Setting) -> Any:
        if setting.key in self.remote:
            return self.remote[setting.key][0]
        return getattr(getattr(self.settings, setting.section), setting.name)

    def peripheral_rows(self) -> list[tuple[str, str, Any]]:
        """What is set about each of ``[[peripherals]]``: its id, a field (``options.`` and a name
        for the driver's own) and the value.  Drivers take secrets from files only."""
        found: list[tuple[str, str, Any]] = []
        for one in self.settings.peripherals:
            set_ones = one.model_dump(exclude={"id", "options"}, exclude_defaults=True)
            found += [(one.id, name, value) for name, value in set_ones.items()]
            found += [(one.id, f"options.{name}", value) for name, value in one.options.items()]
        return found

    def secrets(self) -> tuple[str, ...]:
        """Every secret in clear, for the log's mask only; also a password inside a URL."""
        values = [self.value(setting) for setting in all_settings().values()]
        found = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        urls = [value for value in values if isinstance(value, str) and "://" in value]
        return (*found, *(password for url in urls if (password := urlsplit(url).password)))


def settings_file(given: Path | None, env: Mapping[str, str]) -> tuple[Path, bool]:
    """The settings file, and whether someone asked for it by name (then it must exist)."""
    if given is not None:
        return given, True
    if named := env.get(FILE_VARIABLE):
        return Path(named), True
    return DEFAULT_FILE, False


def load(
    file: Path | None = None,
    *,
    env: Mapping[str, str] | None = None,
    overrides: Sequence[str] = (),
) -> Loaded:
    """Read and validate the settings.

    Raises ConfigError with every problem found, each with its place and next step.
    """
    env = os.environ if env is None else env
    path, required = settings_file(file, env)
    collected = Collected()
    read_file(collected, path, required=required)
    read_credentials(collected, env.get("CREDENTIALS_DIRECTORY"))
    read_environment(collected, env)
    read_overrides(collected, overrides)
    resolve_secret_files(collected)
    settings = _validate(collected, path)
    _refuse_cards(collected)
    peripheral_file.refuse_cards(collected)
    if collected.problems or settings is None:
        raise ConfigError(tuple(sorted(collected.problems, key=_place)))
    return Loaded(settings, path, dict(collected.origins))


def _place(problem: Problem) -> tuple[bool, str, int]:
    """Problems of the file by line, then the others."""
    name, _, line = problem.where.rpartition(":")
    return not line.isdigit(), name, int(line) if line.isdigit() else 0


def _validate(collected: Collected, path: Path) -> Settings | None:
    """The settings, or None after recording what is wrong with the values."""
    tree: dict[str, Any] = {section: {} for section in sections()}
    for key, value in collected.values.items():
        section, _, name = key.partition(".")
        tree[section][name] = value
    if collected.peripherals:
        tree[peripheral_file.KEY] = tuple(collected.peripherals)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        blamed = {problem.key for problem in collected.problems if problem.key}
        unreadable = any(
            not problem.key and problem.where.startswith(str(path))
            for problem in collected.problems
        )
        for detail in error.errors(include_url=False):
            if detail["loc"][:1] == (peripheral_file.KEY,):
                collected.problems.append(peripheral_file.problem_of(collected, detail))
                continue
            setting = _setting_of(detail)
            # What couldn't be read at all can't be called missing as well.
            absent = detail["type"] == "missing" and (unreadable or setting.section in blamed)
            if setting.key not in blamed and not absent:
                blamed.add(setting.key)
                collected.problems.append(_problem(collected, path, setting, detail))
        return None


def _refuse_cards(collected: Collected) -> None:
    """A card number has no place in any setting; it isn't quoted either."""
    for key, value in collected.values.items():
        setting = all_settings()[key]
        if setting.secret or cards.screen(value if isinstance(value, list) else str(value)) is None:
            continue
        collected.problems[:] = [one for one in collected.problems if one.key != key]
        collected.problems.append(
            Problem(
                where=str(collected.origins[key]),
                key=key,
                message=f"{key} holds what looks like a card number",
                next_step="take it out; a card number must not be written anywhere",
            )
        )


def _setting_of(detail: ErrorDetails) -> Setting:
    if not detail["loc"]:  # a combination of several sections names the whole setting
        return all_settings()[str(detail.get("ctx", {})["field"])]
    section, *rest = (str(part) for part in detail["loc"])
    name = rest[0] if rest else str(detail.get("ctx", {})["field"])
    return all_settings()[f"{section}.{name}"]


def _problem(collected: Collected, path: Path, setting: Setting, detail: ErrorDetails) -> Problem:
    origin = collected.origins.get(setting.key)
    if detail["type"] == "missing":
        return _missing(collected, path, setting)
    if origin is None:
        # A combination asks for a setting that nobody gave: point at its section.
        origin = collected.section_origins.get(setting.section, Origin("file", str(path)))
    if detail["type"] == COMBINATION:
        return Problem(
            where=str(origin),
            key=setting.key,
            message=str(detail.get("ctx", {})["message"]),
            line_text=collected.line_text(origin),
            expected=setting.expected(),
            example=_example(setting, origin),
            next_step=f"correct {setting.key} or the setting it depends on",
        )
    value = collected.values.get(setting.key)
    return Problem(
        where=str(origin),
        key=setting.key,
        message=f"{setting.key}: {_why(detail)}",
        line_text=collected.line_text(origin),
        expected=setting.expected(),
        got=describe(value, setting),
        example=_example(setting, origin),
        next_step=_hint(setting, value) or f"correct {setting.key}: {setting.description}",
    )


def _missing(collected: Collected, path: Path, setting: Setting) -> Problem:
    origin = collected.section_origins.get(setting.section, Origin("file", str(path)))
    place = "below" if setting.section in collected.section_origins else "in a new section"
    return Problem(
        where=str(origin),
        key=setting.key,
        message=f"{setting.key} is missing: {setting.description}",
        expected=setting.expected(),
        example=f"{setting.name} = {setting.example()}",
        next_step=(
            f"add it {place} [{setting.section}]"
            if str(path) in collected.lines
            else f"there is no {path} yet; make it: store-hub config example > {path}"
        ),
    )


def _example(setting: Setting, origin: Origin) -> str:
    match origin.kind:
        case "env":
            return f"{origin.where}={setting.example().strip(chr(34))}"
        case "set":
            return f"--set {setting.key}={setting.example().strip(chr(34))}"
        case "credential":
            return ""
        case _:
            return f"{setting.name} = {setting.example()}"


def _why(detail: ErrorDetails) -> str:
    plain = {
        "int_type": "not a whole number",
        "float_type": "not a number",
        "finite_number": "not a number",
        "bool_type": "not true or false",
        "string_type": "not a text",
        "path_type": "not a path",
        "tuple_type": "not a list",
        "literal_error": "not one of the choices",
        "string_pattern_mismatch": "the text has the wrong shape",
        "greater_than_equal": "too small",
        "less_than_equal": "too large",
        "string_too_long": "too long",
        "string_too_short": "too short",
        "too_long": "too long",
    }
    return plain.get(detail["type"], detail["msg"])


def _hint(setting: Setting, value: object) -> str:
    if not isinstance(value, str):
        return ""
    if setting.kind == "choice" and (found := nearest(value, setting.choices)):
        return f'did you mean "{found}"?'
    if setting.name == "timezone":
        # The list is read from the disk, so only when someone needs it.
        from zoneinfo import available_timezones

        zones = {zone.lower(): zone for zone in sorted(available_timezones())}
        if found := nearest(value.replace(" ", "_"), list(zones)):
            return f'did you mean "{zones[found]}"?'
    return ""
