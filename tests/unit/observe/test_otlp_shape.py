"""What is sent is what the protocol's own definition (opentelemetry-proto) reads."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest

from hub import events
from hub.logs import Entry
from hub.observe.otlp import body, record, span_record, spans_body
from hub.observe.spans import Place, Span

TRACE: Final = "0199f3a27e917c2e9b5a6d0e3f8a2b0d"
AT_NS: Final = 1_780_000_000_000_000_000
wire: Any = pytest.importorskip("google.protobuf.json_format")
logs: Any = pytest.importorskip("opentelemetry.proto.collector.logs.v1.logs_service_pb2")
traces: Any = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
span_pb: Any = pytest.importorskip("opentelemetry.proto.trace.v1.trace_pb2")


def as_bytes(value: Any) -> Any:
    """Protobuf's own JSON has ids in base64 where OTLP has them in hexadecimal digits."""
    match value:
        case dict():
            return {
                name: base64.b64encode(bytes.fromhex(one)).decode()
                if name in {"traceId", "spanId", "parentSpanId"}
                else as_bytes(one)
                for name, one in value.items()
            }
        case list():
            return [as_bytes(one) for one in value]
        case _:
            return value


def test_a_body_is_what_the_protocols_own_definition_reads() -> None:
    root, batch = Place(TRACE, "00f067aa0ba902b7"), Place("1" * 32, "2" * 16)
    spans = [
        Span(root, "sale/commit", "server", AT_NS, AT_NS + 900, {"seq": 4, "fresh": True}),
        Span(Place(TRACE, "3" * 16), "gate", "internal", AT_NS, AT_NS, {}, root.span_id),
        Span(batch, "POST /events", "client", AT_NS, AT_NS - 5, {}, "", (root,), "Transient"),
    ]
    made = json.loads(spans_body([span_record(one) for one in spans], "367", "1.2.3"))
    read = wire.Parse(json.dumps(as_bytes(made)), traces.ExportTraceServiceRequest())
    (resource,) = read.resource_spans
    assert {one.key: one.value.string_value for one in resource.resource.attributes} == {
        "service.name": "store-hub",
        "service.version": "1.2.3",
        "store": "367",
    }
    (scope,) = resource.scope_spans
    first, second, third = scope.spans
    assert (first.trace_id.hex(), first.span_id.hex()) == root
    assert first.kind == span_pb.Span.SPAN_KIND_SERVER
    assert (first.start_time_unix_nano, first.end_time_unix_nano) == (AT_NS, AT_NS + 900)
    assert first.attributes[0].value.int_value == 4
    assert second.parent_span_id == first.span_id
    assert third.links[0].span_id == first.span_id
    assert third.status.code == span_pb.Status.STATUS_CODE_ERROR
    assert third.status.message == "Transient"
    assert third.end_time_unix_nano == AT_NS, "a span never ends before it begins"


def test_a_body_of_the_log_is_what_the_protocols_own_definition_reads() -> None:
    fields = events.REQUEST_FAILED(device="till-1", operation="sale/commit")
    entry = Entry(1_780_000_000_000, "error", "hub.test", "a message", "a trace", fields)
    read = wire.Parse(body([record(entry)], "367", "1"), logs.ExportLogsServiceRequest())
    (one,) = read.resource_logs[0].scope_logs[0].log_records
    assert (one.body.string_value, one.severity_number) == ("a message", 17)
    assert one.event_name == "request-failed"
