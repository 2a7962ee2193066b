"""What both OpenAPI documents are put together from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub.contract.base import CONTRACT_VERSION
from hub.contract.publish.schemas import Schema, ref

Document = dict[str, Any]
JSON = "application/json"
PROBLEM = "application/problem+json"


def head(title: str, description: str) -> Document:
    """The beginning of a document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": f"{CONTRACT_VERSION}.0.0",
            "description": description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
    }


def body(schema: Schema, example: Any, kind: str = JSON) -> Document:
    """A content of one media type with its example."""
    media: Document = {"schema": schema}
    if example is not None:
        media["example"] = example
    return {kind: media}


def problems(statuses: Iterable[tuple[int, str]], model: str, **more: Any) -> Document:
    """Responses by status from (status, code) pairs: each names the codes it may carry."""
    by_status: dict[int, list[str]] = {}
    for status, code in statuses:
        by_status.setdefault(status, []).append(code)
    return {
        str(status): {
            "description": "Problem: " + ", ".join(f"`{code}`" for code in codes) + ".",
            **more,
            "content": {PROBLEM: {"schema": ref(model)}},
        }
        for status, codes in sorted(by_status.items())
    }


def operation_id(method: str, path: str) -> str:
    """A name made of the method and the path's words."""
    words = [part for part in path.replace("-", "/").split("/") if part]
    plain = [part[1:-1] if part.startswith("{") else part for part in words]
    return method.lower() + "".join(word[:1].upper() + word[1:] for word in plain)
