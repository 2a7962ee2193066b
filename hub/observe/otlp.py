"""Log entries as OTLP sends them: JSON over HTTP (OpenTelemetry Protocol 1.x, "JSON Protobuf
Encoding").

Field names are those of the specification; 64-bit integers travel as text there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from hub import events
from hub.logs import Entry

RETRYABLE: Final = frozenset({429, 502, 503, 504})
"""OTLP/HTTP, "Failures": everything else that isn't a success must not be sent again."""
_SEVERITY: Final = {"debug": 5, "info": 9, "warning": 13, "error": 17, "critical": 21}


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


def body(records: Sequence[dict[str, Any]], *, store: str, version: str) -> bytes:
    """An ExportLogsServiceRequest."""
    resource = {"service.name": "store-hub", "service.version": version, "store": store}
    request = {
        "resourceLogs": [
            {
                "resource": {"attributes": _attributes(dict(resource))},
                "scopeLogs": [{"scope": {"name": "store-hub"}, "logRecords": list(records)}],
            }
        ]
    }
    return json.dumps(request, ensure_ascii=False).encode(errors="replace")


def _attributes(fields: dict[str, events.Value]) -> list[dict[str, Any]]:
    return [_attribute(name, value) for name, value in fields.items() if value is not None]


def _attribute(name: str, value: events.Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"key": name, "value": {"boolValue": value}}
        case int():
            return {"key": name, "value": {"intValue": str(value)}}
        case _:
            return {"key": name, "value": {"stringValue": str(value)}}
