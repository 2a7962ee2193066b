"""Schemathesis on one door: a published OpenAPI document against a running server.

The document is narrowed first to what this server has issued (its store, a session, cursors), so
that valid requests get past the door and everything else counts as invalid.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import requests
import schemathesis
import yaml
from requests.adapters import HTTPAdapter
from schemathesis import Case, HookContext, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.engine import events, from_schema
from schemathesis.generation import GenerationMode

ROOT = Path(__file__).parents[2]
FACES = 24
"""Client addresses taken in turn: bounds per address are tried elsewhere."""
REFUSALS = ["400", "401", "403", "404", "405", "406", "409", "410", "413", "415", "422", "429"]

Schema = dict[str, Any]
Edit = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """A door to try.  ``narrowed``: parameter name → schema of the values this server knows;
    ``edits``: operation label → what a valid request needs that no schema can say;
    ``semantic``: operation label → statuses by which a valid request may be refused;
    ``opaque``: parameters whose unknown values mean something to the server; ``api_keys``: security
    scheme → its value."""

    name: str
    document: Schema
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ca: str | None = None
    narrowed: Mapping[str, Schema] = field(default_factory=dict)
    edits: Mapping[str, Edit] = field(default_factory=dict)
    semantic: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    opaque: frozenset[str] = frozenset()
    api_keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """A check that failed."""

    door: str
    operation: str
    check: str
    what: str
    request: str
    answer: str

    def __str__(self) -> str:
        where = f"{self.door}: {self.operation}: {self.check}"
        return f"{where}\n{self.what}\n{self.request}\n{self.answer}"


@dataclass
class Seen:
    """What one run did: requests, answers by status, checks by name, and what broke."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    broken: list[Broken] = field(default_factory=list)


def published(name: str) -> Schema:
    """A document as it is published."""
    found: Schema = yaml.load((ROOT / "contract" / name).read_text(), yaml.CSafeLoader)
    return found


def explore(
    door: Opened, seen: Seen, *, seed: int, examples: int, phases: tuple[str, ...]
) -> Iterator[Seen]:
    """One run of all operations; yields after each scenario, so that the caller may stop."""
    schema = schemathesis.openapi.from_dict(
        _narrowed(door), config=_config(door, seed, examples, phases)
    )
    before_call = schemathesis.hook(_prepared(door))

    @schema.hook
    def filter_failure(
        _context: HookContext, failure: Failure, _case: Case[Any], _response: Response
    ) -> bool:
        """False: it is none."""
        return not (
            isinstance(failure, AcceptedNegativeData)
            and any(f"`{name}`" in failure.message for name in door.opaque)
        )

    stream = from_schema(schema).execute()
    try:
        with _many_faces():
            for event in stream:
                if isinstance(event, events.ScenarioFinished):
                    _note(door, event, seen)
                    yield seen
                elif isinstance(event, events.NonFatalError):
                    seen.broken.append(_unable(door, event.label, event.value))
                elif isinstance(event, events.FatalError):
                    seen.broken.append(_unable(door, "the whole run", event.exception))
    finally:
        stream.stop()
        schemathesis.hooks.unregister(before_call)


def _config(door: Opened, seed: int, examples: int, phases: tuple[str, ...]) -> SchemathesisConfig:
    refused = {"expected-statuses": [*REFUSALS, "428", "5xx"]}
    keys = {name: {"api_key": key} for name, key in door.api_keys.items()}
    accepted = ["2xx", "3xx", "401", "403", "404", "409", "429", "5xx"]
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "base-url": door.base_url,
            "headers": dict(door.headers),
            "tls-verify": door.ca or True,
            "request-timeout": 20,
            "max-stream-events": 1,
            "max-redirects": 0,
            "continue-on-failure": True,
            "generation": {
                "max-examples": examples,
                "deterministic": True,
                "database": "none",
                "allow-extra-parameters": False,  # unknown headers are ignored (RFC 9110, 5.1)
            },
            "phases": {
                name: {"enabled": name in phases}
                for name in ("examples", "coverage", "fuzzing", "stateful")
            },
            "checks": {"negative_data_rejection": refused, "missing_required_header": refused},
            **({"auth": {"openapi": keys}} if keys else {}),
            "operations": [
                {
                    "include-name": label,
                    "checks": {
                        "positive_data_acceptance": {"expected-statuses": [*accepted, *statuses]}
                    },
                }
                for label, statuses in door.semantic.items()
            ],
        }
    )


def _prepared(door: Opened) -> Callable[[HookContext, Case[Any], dict[str, Any]], None]:
    def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
        if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
            return
        if isinstance(case.body, dict | list):
            case.body = _whole(case.body)
        if edit := door.edits.get(case.operation.label):
            edit(case)

    return before_call


@contextmanager
def _many_faces() -> Iterator[None]:
    faces = [_Face(f"127.0.1.{number}") for number in range(1, FACES + 1)]
    turns = itertools.cycle(faces)
    try:
        with patch.object(requests.Session, "get_adapter", lambda *_, **__: next(turns)):
            yield
    finally:
        for face in faces:
            face.close()


class _Face(HTTPAdapter):
    """Connects from one address of this machine."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, source_address=(self._address, 0))


def _whole(value: Any) -> Any:
    """JSON Schema takes 1.0 for an integer; the contract writes integers without a fraction."""
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _narrowed(door: Opened) -> Schema:
    document = copy.deepcopy(door.document)
    shared = document["components"].get("parameters", {}).values()
    own = [
        one
        for path in document["paths"].values()
        for operation in path.values()
        for one in operation.get("parameters", ())
        if "name" in one
    ]
    for parameter in (*shared, *own):
        if parameter["name"] in door.narrowed:
            parameter["schema"] = door.narrowed[parameter["name"]]
            parameter.pop("example", None)
    return document


def _note(door: Opened, event: events.ScenarioFinished, seen: Seen) -> None:
    recorder = event.recorder
    for interaction in recorder.interactions.values():
        seen.requests += 1
        if interaction.response is not None:
            seen.statuses[interaction.response.status_code] += 1
            seen.answered[(recorder.label, interaction.response.status_code)] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            seen.checks[check.name] += 1
            if check.failure_info is None:
                continue
            found = recorder.interactions.get(case_id)
            answer = found.response if found is not None else None
            failure = check.failure_info.failure
            seen.broken.append(
                Broken(
                    door.name,
                    recorder.label,
                    check.name,
                    f"{failure.title}: {failure.message[:600]}",
                    check.failure_info.code_sample[:1500],
                    f"{answer.status_code} {answer.content!r:.600}" if answer else "no answer",
                )
            )


def _unable(door: Opened, where: str, error: Exception) -> Broken:
    return Broken(door.name, where, "it could not be tried", repr(error)[:1500], "", "")
