"""Log entries and spans as OTLP sends them: JSON over HTTP (OpenTelemetry Protocol 1.x, "JSON
Protobuf Encoding").

Field names are those of the specification; 64-bit integers travel as text there, ids of traces and
spans as hexadecimal digits, enumerations as numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from hub import events
from hub.logs import Entry
from hub.observe.spans import Place, Span

T = TypeVar("T")
RETRYABLE: Final = frozenset({302, 303, 307, 401, 403, 407, 429, 502, 503, 504})
"""OTLP/HTTP, "Failures": what isn't a success and not 429, 502, 503 or 504 must not be sent again.
The others here say nothing about what was sent: a token has expired, or a gateway answered."""
REFUSED: Final = ("rejectedLogRecords", "rejectedSpans")
"""How an answer names the number of what it refuses."""
_SEVERITY: Final = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}
_SPAN_KINDS: Final = {"internal": 1, "server": 2, "client": 3, "producer": 4}
_STATUS_ERROR: Final = 2
_SAMPLED: Final = 1
"""W3C Trace Context, "trace-flags"."""


@dataclass(frozen=True, slots=True)
class Signal(Generic[T]):
    """What is sent: how it is called in the metrics and in the log, one of it as JSON, and a
    request's body (of these, the shop and the version)."""

    key: str
    title: str
    record: Callable[[T], dict[str, Any]]
    body: Callable[[Sequence[dict[str, Any]], str, str], bytes]


def record(entry: Entry) -> dict[str, Any]:
    """One log record."""
    fields: dict[str, events.Value] = {"logger": entry.source, **entry.fields}
    if entry.trace:
        fields["exception.stacktrace"] = entry.trace
    made: dict[str, Any] = {
        "timeUnixNano": str(entry.at_ms * 1_000_000),
        "severityNumber": _SEVERITY.get(entry.level, 0),
        "severityText": entry.level.upper(),
        "body": {"stringValue": entry.message},
        "attributes": _attributes(fields),
    }
    kind = events.BY_NAME.get(str(entry.fields.get("event")))
    if kind is not None:
        made["eventName"] = kind.name
        made["attributes"].append(_attribute("message_id", kind.message_id))
    return made


def body(records: Sequence[dict[str, Any]], store: str, version: str) -> bytes:
    """An ExportLogsServiceRequest."""
    return _request("resourceLogs", "scopeLogs", "logRecords", records, store, version)


def span_record(span: Span) -> dict[str, Any]:
    """One span."""
    made: dict[str, Any] = {
        **_place(span.place),
        "flags": _SAMPLED,
        "name": span.name,
        "kind": _SPAN_KINDS[span.kind],
        "startTimeUnixNano": str(span.began_ns),
        "endTimeUnixNano": str(max(span.began_ns, span.ended_ns)),
        "attributes": _attributes(span.attributes),
    }
    if span.parent_id:
        made["parentSpanId"] = span.parent_id
    if span.links:
        made["links"] = [_place(one) for one in span.links]
    if span.failure:
        made["status"] = {"code": _STATUS_ERROR, "message": span.failure}
    return made


def spans_body(records: Sequence[dict[str, Any]], store: str, version: str) -> bytes:
    """An ExportTraceServiceRequest."""
    return _request("resourceSpans", "scopeSpans", "spans", records, store, version)


def _request(
    resources: str,
    scopes: str,
    name: str,
    records: Sequence[dict[str, Any]],
    store: str,
    version: str,
) -> bytes:
    resource = {"service.name": "store-hub", "service.version": version, "store": store}
    request = {
        resources: [
            {
                "resource": {"attributes": _attributes(dict(resource))},
                scopes: [{"scope": {"name": "store-hub"}, name: list(records)}],
            }
        ]
    }
    return json.dumps(request, ensure_ascii=False).encode(errors="replace")


def _place(place: Place) -> dict[str, Any]:
    return {"traceId": place.trace_id, "spanId": place.span_id}


def _attributes(fields: Mapping[str, events.Value]) -> list[dict[str, Any]]:
    return [_attribute(name, value) for name, value in fields.items() if value is not None]


def _attribute(name: str, value: events.Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"key": name, "value": {"boolValue": value}}
        case int():
            return {"key": name, "value": {"intValue": str(value)}}
        case _:
            return {"key": name, "value": {"stringValue": str(value)}}


LOGS: Final[Signal[Entry]] = Signal("logs", "the log", record, body)
TRACES: Final[Signal[Span]] = Signal("traces", "what is traced", span_record, spans_body)
