"""Telling an addition from a breach: what readers and writers of a published version rely on.

An outline keeps, of each document, its addresses (topics, paths, codes) and of each schema what a
change could break: fields, their types, which are required, values of enumerations, bounds.  The
frozen outline of a version is kept beside the documents; ``breaches`` compares the present one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hub.contract.oms import OMS_MEANINGS
from hub.contract.problems import MEANINGS
from hub.contract.publish.openapi import Document
from hub.contract.publish.schemas import Schema

FROZEN = "frozen/v1.json"
Outline = dict[str, Any]
_LOWER = ("minimum", "minLength", "minItems")
_UPPER = ("maximum", "maxLength", "maxItems")
_METHODS = frozenset({"get", "post", "put", "delete", "patch"})


def outline(documents: Mapping[str, Document]) -> Outline:
    """What a version promises, by document."""
    found: Outline = {name: _outline(one) for name, one in documents.items()}
    found["codes"] = {str(code): meaning.status for code, meaning in MEANINGS.items()}
    found["oms codes"] = {str(code): meaning.status for code, meaning in OMS_MEANINGS.items()}
    return found


def breaches(frozen: Outline, present: Outline) -> list[str]:
    """Each promise that the present contract breaks, as a sentence."""
    found: list[str] = []
    for name, before in frozen.items():
        now = present.get(name, {})
        if name.endswith("codes"):
            found += [
                f"{name}: {code} was {status}, now {now.get(code, 'gone')}"
                for code, status in before.items()
                if now.get(code) != status
            ]
            continue
        found += [
            f"{name}: {what} is gone or another one"
            for what, where in before["addresses"].items()
            if now.get("addresses", {}).get(what) != where
        ]
        for schema, promise in before["schemas"].items():
            kept = now.get("schemas", {}).get(schema)
            if kept is None:
                found.append(f"{name}: {schema} is gone")
            else:
                found += [f"{name}: {schema}{text}" for text in _broken(promise, kept)]
    return found


def read_frozen(folder: Path) -> Outline | None:
    """The outline of the version that was published first; None when nothing was frozen yet."""
    try:
        found: Outline = json.loads((folder / FROZEN).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return found


def write_frozen(folder: Path, present: Outline) -> None:
    """Promise what is there now."""
    path = folder / FROZEN
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(present, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", "utf-8")


# --- inside ---------------------------------------------------------------------------------------


def _outline(document: Document) -> Outline:
    return {
        "addresses": dict(_addresses(document)),
        "schemas": {
            name: _promise(schema) for name, schema in document["components"]["schemas"].items()
        },
    }


def _addresses(document: Document) -> Iterator[tuple[str, str]]:
    for name, channel in document.get("channels", {}).items():
        yield f"channel {name}", channel["address"]
    for name, operation in document.get("operations", {}).items():
        if "address" not in operation:
            yield f"operation {name}", f"{operation['action']} {operation['channel']['$ref']}"
    for path, item in document.get("paths", {}).items():
        for method in sorted(_METHODS & item.keys()):
            operation = item[method]
            yield f"{method.upper()} {path}", operation["operationId"]


def _promise(schema: Schema) -> Outline:
    """``closed``: sent to us, so that a new demand breaks its writers."""
    return {
        "closed": schema.get("additionalProperties") is False,
        "required": sorted(schema.get("required", ())),
        "fields": {
            name: _field(inner) for name, inner in sorted(schema.get("properties", {}).items())
        },
        "self": _field(schema),
    }


def _field(schema: Schema) -> Outline:
    options = schema.get("anyOf", [schema])
    found: Outline = {"types": sorted({_type(one) for one in options})}
    for one in options:
        found |= {key: one[key] for key in (*_LOWER, *_UPPER, "pattern", "enum") if key in one}
        if isinstance(one.get("items"), dict):
            found["items"] = _field(one["items"])
    return found


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    return str(schema.get("type", "any"))


def _broken(before: Outline, now: Outline) -> Iterator[str]:
    closed = before["closed"]
    if now["closed"] and not closed:
        yield " refuses unknown fields, which it took before"
    for name, promise in before["fields"].items():
        kept = now["fields"].get(name)
        if kept is None:
            yield f".{name} is gone"
        else:
            yield from (f".{name}{text}" for text in _narrowed(promise, kept, closed=closed))
    was, required = set(before["required"]), set(now["required"])
    if closed:
        yield from (f".{name} is required now" for name in sorted(required - was))
    else:
        yield from (f".{name} may be missing now" for name in sorted(was - required))
    yield from _narrowed(before["self"], now["self"], closed=closed)


def _narrowed(before: Outline, now: Outline, *, closed: bool) -> Iterator[str]:
    lost = set(before["types"]) - set(now["types"])
    if lost:
        yield f" is no {' or '.join(sorted(lost))} any more"
    if not closed and (more := set(now["types"]) - set(before["types"])):
        yield f" may be {' or '.join(sorted(more))} now"
    if gone := [one for one in before.get("enum", ()) if one not in now.get("enum", [one])]:
        yield f" has no value {', '.join(map(str, gone))} any more"
    if closed:
        yield from _tightened(before, now)
    if "items" in before and "items" in now:
        yield from (f"[]{text}" for text in _narrowed(before["items"], now["items"], closed=closed))


def _tightened(before: Outline, now: Outline) -> Iterator[str]:
    for key in _LOWER:
        if now.get(key, float("-inf")) > before.get(key, float("-inf")):
            yield f" has a higher {key}"
    for key in _UPPER:
        if now.get(key, float("inf")) < before.get(key, float("inf")):
            yield f" has a lower {key}"
    if "pattern" in now and now["pattern"] != before.get("pattern"):
        yield " has another pattern"
    if "enum" in now and "enum" not in before:
        yield " takes certain values only"
