"""The reads of the technician's pages as parts of ``hub.openapi.yaml``."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from hub.contract.pages.table import BASE, READS, PageRead
from hub.contract.problems import MEANINGS, Code
from hub.contract.publish import pages_samples
from hub.contract.publish.openapi import Document, body, operation_id, problems
from hub.contract.publish.schemas import markdown, ref

ZIP: Final = "application/zip"
_FILES: Final[Document] = {
    "text/html": {"type": "string", "description": "A page of one file, UTF-8."},
    "image/png": {"type": "string", "format": "binary"},
}
_CODES: Final = (Code.VALIDATION, Code.UNAUTHENTICATED, Code.BUSY, Code.UNAVAILABLE)


def paths() -> Document:
    """Every read by its path."""
    return {read.path: {"get": _operation(read)} for read in READS}


def replies() -> list[type[BaseModel]]:
    """The models of the answers."""
    return [read.reply for read in READS if read.reply is not None]


def _operation(read: PageRead) -> Document:
    doc = markdown(read.query.__doc__ or "")
    if read.reply is None:
        content = body(_FILES.get(read.media, ref("Zip")), None, read.media)
    else:
        content = body(ref(read.reply), pages_samples.REPLIES[read.reply.__name__])
    done: Document = {"description": "Done.", "content": content}
    if read.media == ZIP and read.reply is None:
        done["headers"] = {"Content-Disposition": {"schema": {"type": "string"}}}
    codes = {*_CODES, *([Code.NOT_FOUND] if read.may_be_missing else [])}
    pairs = [(MEANINGS[code].status, code) for code in MEANINGS if code in codes]
    found: Document = {
        "operationId": operation_id("get", read.path.removeprefix(BASE)),
        "summary": read.summary,
        "description": doc,
        "security": [{"session": []}],
        "responses": {"200": done}
        | problems(
            pairs, "Problem", headers={"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
        ),
    }
    if parameters := _parameters(read):
        found["parameters"] = parameters
    return found


def _parameters(read: PageRead) -> list[Document]:
    schema: dict[str, Any] = read.query.model_json_schema()
    required = set(schema.get("required", ()))
    return [
        _parameter(name, dict(inner), in_path=name in read.in_path, required=name in required)
        for name, inner in schema.get("properties", {}).items()
    ]


def _parameter(name: str, schema: Document, *, in_path: bool, required: bool) -> Document:
    schema.pop("title", None)
    choices = [one for one in schema.pop("anyOf", ()) if one.get("type") != "null"]
    if choices:  # left out, never null
        (only,) = choices
        schema |= only
    if schema.get("default", "") is None:
        del schema["default"]
    description = schema.pop("description", "")
    found: Document = {
        "name": name,
        "in": "path" if in_path else "query",
        "required": in_path or required,
    }
    if description:
        found["description"] = description
    found["schema"] = schema
    if (example := pages_samples.PARAMETERS.get(name)) is not None:
        found["example"] = example
    return found
