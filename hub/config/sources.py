"""The places that settings come from, read into one flat map before anything is validated.

From weakest to strongest: the models' defaults, the TOML file, systemd credentials
(``$CREDENTIALS_DIRECTORY/<section>.<field>``, secrets only), the environment
(``STORE_HUB__SECTION__FIELD``) and ``--set section.field=value``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hub.config import peripheral_file
from hub.config.collected import Collected
from hub.config.fields import Setting, all_settings, sections
from hub.config.problems import Origin, Problem
from hub.config.toml_lines import key_lines

ENV_PREFIX = "STORE_HUB__"
FILE_LIMIT_BYTES = 262_144
SECRET_LIMIT_BYTES = 65_536
_RANK = ("default", "file", "credential", "env", "set")


def read_file(collected: Collected, path: Path, *, required: bool) -> None:
    """Add the TOML file at ``path``; a missing one matters only when it was asked for."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        if required:
            _file_problem(collected, path, "doesn't exist", "check the path")
        return
    except OSError as error:
        _file_problem(
            collected, path, f"can't be read: {error.strerror}", "check its owner and mode"
        )
        return
    if len(raw) > FILE_LIMIT_BYTES:
        _file_problem(
            collected, path, f"is larger than {FILE_LIMIT_BYTES} bytes", "is this the right file?"
        )
        return
    read_toml(collected, raw, str(path))


def read_toml(collected: Collected, raw: bytes, where: str) -> None:
    """Add the TOML document ``raw``, known by the name ``where``."""
    try:
        text = raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        collected.problems.append(
            Problem(f"{where}:{line}", "the file is not UTF-8", "save it as UTF-8")
        )
        return
    collected.lines[where] = text.split("\n")
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers and nesting beyond all bounds
        collected.problems.append(_syntax_problem(collected, str(error)[:200], where))
        return
    lines = key_lines(text)
    for section, table in document.items():
        origin = Origin("file", where, lines.get((section,)))
        if section == peripheral_file.KEY:
            peripheral_file.take(collected, table, origin)
        elif section not in sections():
            _unknown_section(collected, section, table, origin)
        elif not isinstance(table, dict):
            collected.problems.append(_not_a_table(collected, section, origin))
        else:
            collected.section_origins[section] = origin
            for name, value in table.items():
                at = lines.get((section, name), origin.line)
                _take(collected, f"{section}.{name}", value, Origin("file", where, at))


def _take(collected: Collected, key: str, value: Any, origin: Origin) -> None:
    section, _, name = key.partition(".")
    setting = all_settings().get(key)
    if setting is None:
        collected.unknown(section, name, origin)
    else:
        collected.put(setting, value, origin)


def _unknown_section(collected: Collected, section: str, table: Any, origin: Origin) -> None:
    homes = [key for key, one in all_settings().items() if one.name == section]
    if isinstance(table, dict) or not homes:
        collected.unknown(section, "", origin)
        return
    names = " or ".join(f"[{key.partition('.')[0]}]" for key in homes)
    collected.problems.append(
        Problem(
            where=str(origin),
            key=section,
            message=f"{section!r} stands outside of its section",
            line_text=collected.line_text(origin),
            next_step=f"move it below {names}",
        )
    )


def _not_a_table(collected: Collected, section: str, origin: Origin) -> Problem:
    return Problem(
        where=str(origin),
        key=section,
        message=f"{section!r} is a section, not a value",
        line_text=collected.line_text(origin),
        expected=f"a line [{section}] and its settings below",
        next_step="`store-hub config example` shows the whole shape",
    )


def _syntax_problem(collected: Collected, message: str, where: str) -> Problem:
    lines = collected.lines[where]
    found = re.search(r"\(at line (\d+), column \d+\)", message)
    line = int(found.group(1)) if found else len(lines)
    return Problem(
        where=f"{where}:{line}",
        message=f"not valid TOML: {message}",
        line_text=collected.line_text(Origin("file", where, line)),
        next_step='texts need quotes (name = "Main Street"), sections brackets ([store])',
    )


def _file_problem(collected: Collected, path: Path, message: str, next_step: str) -> None:
    collected.problems.append(
        Problem(
            where=str(path),
            message=f"the settings file {message}",
            next_step=f"{next_step}, or make one: store-hub config example > {path}",
        )
    )


def read_credentials(collected: Collected, directory: str | None) -> None:
    """Add systemd's credentials; names that aren't ``<our section>.<field>`` belong to others."""
    if not directory:
        return
    for path in sorted(Path(directory).glob("*.*")):
        section, _, name = path.name.partition(".")
        if section not in sections():
            continue
        origin = Origin("credential", path.name)
        setting = all_settings().get(path.name)
        if setting is None:
            collected.unknown(section, name, origin)
        elif not setting.secret:
            collected.problems.append(
                Problem(
                    where=str(origin),
                    key=setting.key,
                    message=f"{setting.key} is no secret, so it can't be a credential",
                    next_step="set it in the settings file",
                )
            )
        else:
            _put_secret(collected, setting, path, origin)


def read_environment(collected: Collected, env: Mapping[str, str]) -> None:
    """Add every ``STORE_HUB__SECTION__FIELD``."""
    for variable in sorted(name for name in env if name.startswith(ENV_PREFIX)):
        section, _, name = variable.removeprefix(ENV_PREFIX).lower().partition("__")
        _put_text(collected, f"{section}.{name}", env[variable], Origin("env", variable))


def read_overrides(collected: Collected, overrides: Sequence[str]) -> None:
    """Add every ``--set section.field=value``."""
    for override in overrides:
        key, equals, text = override.partition("=")
        key = key.strip()
        if not equals or "." not in key:
            collected.problems.append(
                Problem(
                    where="--set",
                    message=f"{key!r} is not section.field=value",
                    example="--set log.level=debug",
                    next_step="write it like the example",
                )
            )
            continue
        _put_text(collected, key, text, Origin("set", key))


def _put_text(collected: Collected, key: str, text: str, origin: Origin) -> None:
    setting = all_settings().get(key)
    _take(collected, key, text if setting is None else from_text(setting, text), origin)


def from_text(setting: Setting, text: str) -> Any:
    """A value from plain text, as TOML would hold it; unreadable text stays text.

    Validation then refuses what doesn't fit, so that text gets the same explanation as a file.
    """
    stripped = text.strip()
    match setting.kind:
        case "int" | "fraction":
            try:
                return int(stripped) if setting.kind == "int" else float(stripped)
            except ValueError:
                return text
        case "bool":
            words = {"true": True, "yes": True, "1": True, "on": True}
            words |= {"false": False, "no": False, "0": False, "off": False}
            return words.get(stripped.lower(), text)
        case "texts":
            if stripped.startswith("["):
                try:
                    return tomllib.loads(f"v = {stripped}")["v"]
                except (ValueError, RecursionError):
                    return text
            return [part.strip() for part in stripped.split(",") if part.strip()]
        case "choice" | "path":
            return stripped
        case "text" | "secret":
            return text


def resolve_secret_files(collected: Collected) -> None:
    """Read each ``<secret>_file`` into ``<secret>``, unless something stronger gave the secret."""
    for setting, beside in _secret_files():
        if beside.key not in collected.values:
            continue
        origin = collected.origins[beside.key]
        rival = collected.origins.get(setting.key)
        if rival is not None and _RANK.index(rival.kind) > _RANK.index(origin.kind):
            continue
        if rival is not None and rival.kind == origin.kind:
            collected.problems.append(
                Problem(
                    where=str(rival),
                    key=setting.key,
                    message=f"{setting.key} and {beside.key} are both set",
                    next_step=f"keep {beside.key} and remove {setting.key}",
                )
            )
            continue
        value = collected.values[beside.key]
        if isinstance(value, (str, Path)) and Path(value).is_absolute():
            _put_secret(collected, setting, Path(value), origin)


def _secret_files() -> Iterator[tuple[Setting, Setting]]:
    for key, setting in all_settings().items():
        if setting.secret:
            yield setting, all_settings()[f"{key}_file"]


def _put_secret(collected: Collected, setting: Setting, path: Path, origin: Origin) -> None:
    trouble = ""
    try:
        with path.open("rb") as file:
            raw = file.read(SECRET_LIMIT_BYTES + 1)
        text = raw.decode()
        if len(raw) > SECRET_LIMIT_BYTES:
            trouble = f"is larger than {SECRET_LIMIT_BYTES} bytes"
        elif not text.strip():
            trouble = "is empty"
    except OSError as error:
        trouble = f"can't be read: {error.strerror}"
    except UnicodeDecodeError:
        trouble = "is not UTF-8 text"
    except ValueError:  # a NUL in its name (open(2))
        trouble = "has a name that no file can have"
    if trouble:
        collected.problems.append(
            Problem(
                where=str(origin),
                key=setting.key,
                message=f"the file of {setting.key}, {path}, {trouble}",
                line_text=collected.line_text(origin),
                next_step="write the secret into that file, readable by the hub's user only",
            )
        )
        return
    source = origin if origin.kind == "credential" else Origin(origin.kind, str(path))
    collected.put(setting, text.strip("\r\n"), source)
