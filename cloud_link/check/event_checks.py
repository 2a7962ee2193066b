"""Checks of the events' order, repetition and refusal."""

from __future__ import annotations

import json
from typing import Any

from hub.contract.oms import BATCH_CONTENT_TYPE, MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_BODY_BYTES
from hub.contract.oms_events import OUTBOX_PARKED, STOCK_MOVED

from .bench import Bench, PretendHub, expect, expect_problem, expect_status
from .caller import Encoding, compress


def _statuses(body: dict[str, Any]) -> list[str]:
    return [row["status"] for row in body["results"]]


async def _acked(bench: Bench, hub: PretendHub) -> dict[str, int]:
    """What a HELLO says of the source's streams."""
    hello = bench.hello(incarnation=hub.reply.incarnation, reason="reconnect")
    body = expect_status(await bench.greet(hello), 200, "HELLO")
    found = body["acked"].get(hub.source, {})
    return dict(found)


async def events_are_acked_in_order(bench: Bench) -> str:
    """A batch moves its streams' watermarks, and HELLO tells them."""
    hub = await bench.new_hub()
    batch = [hub.event(), hub.event(stream="sales"), hub.event(), hub.event()]
    body = await hub.send(*batch)
    expected = {"stock": 3, "sales": 1}
    expect(body["acked"] == {hub.source: expected}, f"acked {body['acked']}")
    expect(_statuses(body) == ["applied"] * 4, f"results {body['results']}")
    expect(await _acked(bench, hub) == expected, "HELLO tells other watermarks")
    return "acked per source and stream"


async def repeats_are_acked_without_effect(bench: Bench) -> str:
    """The same batch again is acked again and counts once."""
    hub = await bench.new_hub()
    batch = [hub.event(data=hub.moved(f"REPEAT-{hub.reply.incarnation}", 5)) for _ in range(2)]
    first = await hub.send(*batch)
    again = await hub.send(*batch)
    expect(first["acked"] == again["acked"], "the repeat is acked differently")
    expect(_statuses(again) == ["duplicate"] * 2, f"results {again['results']}")
    levels = {f"REPEAT-{hub.reply.incarnation}": {"sellable": 10}}
    outcome = await hub.digest(hub.at(stock=2), levels)
    expect(outcome["status"] == "equal", f"the repeat moved goods again: {outcome}")
    return "duplicate, goods moved once"


async def a_gap_is_refused(bench: Bench) -> str:
    """A missing event stops its stream, not the others; the expected sequence is named."""
    hub = await bench.new_hub()
    await hub.send(hub.event())
    batch = [hub.event(stream="sales"), hub.event(seq=4), hub.event(seq=5)]
    answer = await hub.caller.send(batch)
    problem = expect_problem(answer, 409, "sequence-gap", "a gap")
    named = (problem.get("source"), problem.get("stream"), problem.get("expected"))
    expect(named == (hub.source, "stock", 2), f"the gap is named {named}")
    acked = await _acked(bench, hub)
    expect(acked == {"stock": 1, "sales": 1}, f"after the gap: {acked}")
    await hub.send(hub.event())
    return "409 sequence-gap, expected 2"


async def an_id_counts_once_whatever_its_source(bench: Bench) -> str:
    """An event id sent again by a later incarnation moves the stream and nothing else."""
    old = await bench.new_hub()
    event = old.event()
    await old.send(event)
    new = await bench.new_hub()
    again = new.event(event_id=event["id"], data=event["data"])
    body = await new.send(again, new.event())
    expect(_statuses(body) == ["duplicate", "applied"], f"results {body['results']}")
    expect(body["acked"] == {new.source: {"stock": 2}}, f"acked {body['acked']}")
    return "duplicate under a new source"


async def an_older_source_is_still_taken(bench: Bench) -> str:
    """Rows an older incarnation, or its fork, wrote and never sent come in through this session."""
    old = await bench.new_hub()
    forked = old.source + "~k7"
    left_over = [old.event(), old.event(seq=1) | {"source": forked}]
    new = await bench.new_hub()
    body = await new.send(*left_over)
    expected = {old.source: {"stock": 1}, forked: {"stock": 1}}
    expect(body["acked"] == expected, f"acked {body['acked']}")
    return "taken, the fork's too"


async def a_reused_sequence_is_not_acked(bench: Bench) -> str:
    """Another event in a place that is taken is a copied database, not a repeat."""
    hub = await bench.new_hub()
    await hub.send(hub.event())
    answer = await hub.caller.send([hub.event(seq=1)])
    expect_problem(answer, 409, "sequence-reused", "another event under sequence 1")
    return "409 sequence-reused"


async def compressed_batches_are_read(bench: Bench) -> str:
    """zstd and gzip; an unknown encoding is refused."""
    hub = await bench.new_hub()
    encodings: tuple[Encoding, ...] = ("zstd", "gzip")
    for encoding in encodings:
        expect_status(await hub.caller.send([hub.event()], encoding), 200, encoding)
    answer = await hub.caller.call(
        "POST", "/events", body=b"[]", headers={"Content-Encoding": "compress"}
    )
    expect_problem(answer, 415, "unsupported-encoding", "Content-Encoding: compress")
    return "zstd, gzip"


async def poison_is_named_and_can_be_parked(bench: Bench) -> str:
    """A batch is taken up to the poison; a marker takes its place; its resend is recognised."""
    hub = await bench.new_hub()
    good, bad, later = hub.event(), hub.event(data={"movements": "none"}), hub.event()
    problem = expect_problem(
        await hub.caller.send([good, bad, later]), 422, "poison-event", "a poison event"
    )
    expect(problem.get("event_id") == bad["id"], f"it names {problem.get('event_id')}")
    expect(await _acked(bench, hub) == {"stock": 1}, "the batch was not taken up to the poison")
    note = {
        "original_id": bad["id"],
        "original_type": STOCK_MOVED,
        "aggregate_id": "oms-check",
        "code": "poison-event",
    }
    body = await hub.send(hub.event(OUTBOX_PARKED, note, seq=2), later)
    expect(_statuses(body) == ["parked", "applied"], f"results {body['results']}")
    mended = hub.event(data=hub.moved() | {"original_id": bad["id"]})
    body = await hub.send(mended)
    expect(body["results"][0].get("parked_for") == bad["id"], f"results {body['results']}")
    again = hub.event(data=mended["data"])
    expect(_statuses(await hub.send(again)) == ["duplicate"], "the resend counted twice")
    return "422 names the event; parked; parked_for"


async def unknown_types_are_kept_and_given_back(bench: Bench) -> str:
    """GET /events returns what was sent, in order, page by page."""
    hub = await bench.new_hub()
    kinds = ["com.storehub.omscheck.happened.v1", STOCK_MOVED, "com.storehub.omscheck.ended.v1"]
    batch = [hub.event(kind, {"n": n, **hub.moved()}) for n, kind in enumerate(kinds)]
    await hub.send(*batch)
    got: list[dict[str, Any]] = []
    after, more = "", True
    while more and len(got) < 10:
        page = expect_status(
            await hub.caller.get("/events", after=after, source_prefix=hub.source, limit="2"),
            200,
            "GET /events",
        )
        got += page["events"]
        after, more = page["cursor"], page["more"]
    members = ("id", "source", "type", "stream", "sequence", "partitionkey", "data")
    same = [[row[name] for name in members] for row in got] == [
        [row[name] for name in members] for row in batch
    ]
    expect(same, f"sent {len(batch)}, got back {[row.get('id') for row in got]}")
    return f"{len(got)} events in pages of 2"


async def large_batches_are_refused(bench: Bench) -> str:
    """More than 200 events, 256 KiB, or 1 MiB in plain get 413 and change nothing."""
    hub = await bench.new_hub()
    many = [hub.event() for _ in range(MAX_BATCH_EVENTS + 1)]
    expect_problem(await hub.caller.send(many), 413, "too-large", "201 events")
    long = json.dumps([hub.event(seq=1) | {"subject": "x" * MAX_BATCH_BYTES}]).encode()
    headers = {"Content-Type": BATCH_CONTENT_TYPE}
    answer = await hub.caller.call("POST", "/events", body=long, headers=headers)
    expect_problem(answer, 413, "too-large", "more than 256 KiB")
    bombs: tuple[Encoding, ...] = ("gzip", "zstd")
    for encoding in bombs:
        bomb = compress(encoding, b"[" + b" " * (MAX_BODY_BYTES * 4) + b"]")
        answer = await hub.caller.call(
            "POST", "/events", body=bomb, headers=headers | {"Content-Encoding": encoding}
        )
        expect_problem(answer, 413, "too-large", f"a {encoding} bomb")
    expect(await _acked(bench, hub) == {}, "something of them was taken")
    await hub.send(*many[:MAX_BATCH_EVENTS])
    return "413; 200 events are taken"


async def nonsense_is_refused(bench: Bench) -> str:
    """What isn't JSON, isn't an array, or comes from a foreign source."""
    hub = await bench.new_hub()
    for body in (b"{", b"{}", b"[NaN]", b'["\\ud800"]', b"\xff", b"[" * 5000):
        answer = await hub.caller.call("POST", "/events", body=body)
        expect_problem(answer, 422, "validation", f"the body {body[:20]!r}")
    for source in ("/stores/other/hubs/h/1", hub.source + "00", "nowhere"):
        answer = await hub.caller.send([hub.event(seq=1) | {"source": source}])
        expect_problem(answer, 422, "poison-event", f"the source {source}")
    return "422"
