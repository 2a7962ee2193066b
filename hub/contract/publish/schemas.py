"""JSON Schemas of the models, as components that both dialects (draft 07 and 2020-12) read alike.

What pydantic leaves to its reader is settled here: titles that only repeat a name go, docstrings
become Markdown, pairs become plain arrays, and what the hub leaves out when it is null is not
required.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hub.contract.base import Incoming

Schema = dict[str, Any]
REF = "#/components/schemas/"
_ROLE = re.compile(r":\w+:`~?\.?([\w.]+)`")
_FOR_PYTHON = re.compile(r"\n*Serialise with [^\n]*(\n[^\n]+)*")


def ref(model: type[BaseModel] | str) -> Schema:
    """A reference to a component."""
    return {"$ref": REF + (model if isinstance(model, str) else model.__name__)}


def component_schemas(models: Iterable[type[BaseModel]]) -> dict[str, Schema]:
    """The schemas of ``models`` and all they are made of, by name, sorted.

    Raises ValueError when two models of one document share a name.
    """
    wanted = sorted(set(models), key=lambda model: model.__name__)
    _, top = models_json_schema(
        [(model, "validation") for model in wanted], ref_template=REF + "{model}"
    )
    found: dict[str, Schema] = top.get("$defs", {})
    if twice := [name for name in found if "__" in name]:
        raise ValueError(f"two models of one document share a name: {', '.join(sorted(twice))}")
    closed = {model.__name__ for model in _all_models(wanted) if issubclass(model, Incoming)}
    return {name: _clean(found[name], lenient=name not in closed) for name in sorted(found)}


def markdown(docstring: str) -> str:
    """A docstring as the prose of a document."""
    text = _FOR_PYTHON.sub("", _ROLE.sub(lambda found: found[1].rpartition(".")[2], docstring))
    paragraphs = re.split(r"\n\s*\n", text.replace("``", "`"))
    return "\n\n".join(" ".join(one.split()) for one in paragraphs).strip()


def doc_of(model: type[BaseModel]) -> str:
    """What a model's docstring says."""
    return markdown(model.__doc__ or "")


def summary_of(model: type[BaseModel]) -> str:
    """The first sentence of it, without its full stop."""
    return doc_of(model).partition("\n\n")[0].split(". ")[0].rstrip(".")


def _all_models(models: Iterable[type[BaseModel]]) -> set[type[BaseModel]]:
    """The models and those inside them."""
    found: set[type[BaseModel]] = set()
    waiting = list(models)
    while waiting:
        model = waiting.pop()
        if model in found:
            continue
        found.add(model)
        for info in model.model_fields.values():
            waiting.extend(_inside(info.annotation))
    return found


def _inside(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for part in getattr(annotation, "__args__", ()) for one in _inside(part)]


def _clean(schema: Schema, *, lenient: bool) -> Schema:
    """A model's schema; ``lenient``: the hub tells it and leaves out what is null."""
    found: Schema = _tidy(schema)
    properties = found.get("properties", {})
    if lenient and "required" in found:
        found["required"] = [one for one in found["required"] if not _nullable(properties[one])]
        if not found["required"]:
            del found["required"]
    return {key: found[key] for key in ("description", "type", *found) if key in found}


def _nullable(schema: Schema) -> bool:
    return any(one.get("type") == "null" for one in schema.get("anyOf", ()))


def _tidy(value: Any, *, names: bool = False) -> Any:
    """``names``: the keys are names of fields, not keywords."""
    if isinstance(value, list):
        return [_tidy(one) for one in value]
    if not isinstance(value, dict):
        return value
    if names:
        return {name: _tidy(one) for name, one in value.items()}
    tidy: Schema = {}
    for key, inner in value.items():
        if key == "title" or (key == "default" and inner is None):
            continue
        if key == "prefixItems":
            assert all(one == inner[0] for one in inner), "only arrays of one type are published"
            tidy["items"] = _tidy(inner[0])
        elif key == "description":
            tidy[key] = markdown(inner)
        elif key in ("default", "enum", "const"):
            tidy[key] = inner
        else:
            tidy[key] = _tidy(inner, names=key in ("properties", "$defs"))
    return tidy
