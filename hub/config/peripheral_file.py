"""Reading ``[[peripherals]]`` from the settings' file, and saying what is wrong and where."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any, Final

from pydantic_core import ErrorDetails

from hub.config.collected import Collected
from hub.config.fields import nearest
from hub.config.peripherals import Peripheral
from hub.config.problems import Origin, Problem, described
from hub.domain import cards

KEY: Final = "peripherals"
_HEADER = re.compile(r"\s*\[\[\s*[\"']?peripherals[\"']?\s*\]\]")
_NEXT = re.compile(r"\s*\[(?!\s*[\"']?peripherals[\"']?\s*\.)")


def take(collected: Collected, table: Any, origin: Origin) -> None:
    """Keep what the file says; anything but an array of tables is a problem."""
    if isinstance(table, list) and all(isinstance(one, dict) for one in table):
        collected.peripherals = table
        collected.section_origins[KEY] = origin
        return
    collected.problems.append(
        Problem(
            where=str(origin),
            key=KEY,
            message="peripherals is a list of sections",
            line_text=collected.line_text(origin),
            expected="a line [[peripherals]] (two brackets) for each, and its settings below",
            example='[[peripherals]]\nid = "printer-counter"\ndriver = "escpos-printer"',
            next_step="`store-hub config example` shows the whole shape",
        )
    )


def problem_of(collected: Collected, detail: ErrorDetails) -> Problem:
    """An error of the models in ``[[peripherals]]``, at its place in the file."""
    got = ""
    if detail["type"] == "peripherals":
        context = detail.get("ctx", {})
        index, field, said = context["index"], str(context["field"]), str(context["message"])
    else:
        _, index, *rest = detail["loc"]
        field = str(rest[0]) if rest else "id"
        said = _said(field, detail)
        if detail["type"] not in ("missing", "extra_forbidden"):
            got = described(detail.get("input"))
    origin = _place(collected, int(index), field)
    info = Peripheral.model_fields.get(field)
    next_step = f"correct it: {info.description}" if info else "remove it"
    if info is None and (near := nearest(field, list(Peripheral.model_fields))):
        next_step = f"did you mean {near}?"
    return Problem(
        where=str(origin),
        key=f"{KEY}[{index}].{field}",
        message=said,
        line_text=collected.line_text(origin),
        got=got,
        next_step=next_step,
    )


def _said(field: str, detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return f"{field} is missing"
        case "extra_forbidden":
            return f"unknown setting {field!r} of a peripheral"
        case "string_pattern_mismatch":
            return f"{field}: the text has the wrong shape"
        case _:
            return f"{field}: {detail['msg']}"


def refuse_cards(collected: Collected) -> None:
    """A card number has no place here either; it isn't quoted."""
    for index, table in enumerate(collected.peripherals):
        if cards.screen([f"{value}" for value in table.values()]) is not None:
            collected.problems[:] = [
                one for one in collected.problems if not one.key.startswith(f"{KEY}[{index}]")
            ]
            collected.problems.append(
                Problem(
                    where=str(_place(collected, index, "")),
                    key=f"{KEY}[{index}]",
                    message="a peripheral's settings hold what looks like a card number",
                    next_step="take it out; a card number must not be written anywhere",
                )
            )


def _place(collected: Collected, index: int, field: str) -> Origin:
    """The line of ``field`` in the ``index``-th section, else of its header."""
    base = collected.section_origins.get(KEY, Origin("file"))
    lines = collected.lines.get(base.where, [])
    headers = [at for at, line in enumerate(lines) if _HEADER.match(line)]
    if index >= len(headers):
        return base
    start = headers[index]
    for at in range(start + 1, len(lines)):
        if _NEXT.match(lines[at]) or _HEADER.match(lines[at]):
            break
        if field and re.match(rf"\s*[\"']?{re.escape(field)}[\"']?\s*[=.]", lines[at]):
            return Origin("file", base.where, at + 1)
    return Origin("file", base.where, start + 1)


def example() -> list[str]:
    """The section for a complete settings file, as comments."""
    teach = f"{Peripheral.__doc__ or ''} To set one up, remove the '## ' of these lines."
    rows = ["", *(f"# {line}" for line in _wrapped(teach)), "## [[peripherals]]"]
    for name, info in Peripheral.model_fields.items():
        rows += ["", *(f"# {line}" for line in _wrapped(info.description or ""))]
        if name == "options":
            rows += ["## [peripherals.options]", "## width_mm = 80"]
        else:
            value = json.dumps((info.examples or [""])[0], ensure_ascii=False)
            rows.append(f"## {name} = {value}")
    return rows


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), 94)
