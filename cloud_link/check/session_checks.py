"""Checks of callers, HELLO and sessions."""

from __future__ import annotations

from dataclasses import replace

from hub.contract.oms import HEADER_OMS_INCARNATION, HelloReply
from hub.contract.oms_envelope import EventSource

from .bench import Bench, expect, expect_problem, expect_status


async def strangers_are_refused(bench: Bench) -> str:
    """No token and a wrong token get 401."""
    await bench.new_hub()
    for token in ("", "not-a-token"):
        stranger = replace(bench.caller, token=token)
        expect_problem(await stranger.get("/health"), 401, "unauthenticated", "health")
        answer = await stranger.post("/hub-sessions", bench.hello().model_dump())
        expect_problem(answer, 401, "unauthenticated", "HELLO")
    return "401 without and with a wrong token"


async def replies_carry_the_incarnation(bench: Bench) -> str:
    """Header and body name the OMS's incarnation."""
    hub = await bench.new_hub()
    for path in ("/health", "/commands", "/events"):
        answer = await hub.caller.get(path)
        body = expect_status(answer, 200, path)
        header = answer.headers.get(HEADER_OMS_INCARNATION, "")
        expect(bool(header), f"{path}: no {HEADER_OMS_INCARNATION} header")
        expect(body.get("oms_incarnation") == header, f"{path}: body and header differ")
    return header


async def hello_is_idempotent(bench: Bench) -> str:
    """The same nonce gets the same answer, also when rows were written since; another box's not."""
    hello = bench.hello()
    first = expect_status(await bench.greet(hello), 200, "HELLO")
    source = EventSource(bench.caller.store, hello.hub_id, 0).uri
    later = hello.model_copy(update={"last_seqs": {source: {"stock": 1}}})
    again = expect_status(await bench.greet(later), 200, "the same HELLO")
    for body in (first, again):
        body.pop("server_time_ms")
    expect(first == again, f"the answers differ: {first} / {again}")
    other = hello.model_copy(update={"machine_id_hash": "b" * 32})
    expect_problem(await bench.greet(other), 422, "nonce-reused", "the nonce for another HELLO")
    return f"incarnation {first['incarnation']} twice"


async def a_reconnect_keeps_the_session(bench: Bench) -> str:
    """start and reconnect with the newest incarnation change nothing."""
    hub = await bench.new_hub()
    for reason in ("start", "reconnect"):
        hello = bench.hello(incarnation=hub.reply.incarnation, reason=reason)
        back = HelloReply.model_validate(expect_status(await bench.greet(hello), 200, reason))
        kept = (back.incarnation, back.epoch) == (hub.reply.incarnation, hub.reply.epoch)
        expect(kept, f"{reason}: {hub.reply.incarnation} became {back.incarnation}")
    expect_status(await hub.caller.get("/commands"), 200, "the session before")
    return f"incarnation {hub.reply.incarnation}, epoch {hub.reply.epoch}"


async def another_box_supersedes(bench: Bench) -> str:
    """A restored, new or moved box raises the incarnation and fences the older one for good."""
    for changed in ({"reason": "restored"}, {"reason": "start", "machine_id_hash": "c" * 32}):
        old = await bench.new_hub()
        new = await bench.new_hub(incarnation=old.reply.incarnation, **changed)
        raised = (new.reply.incarnation, new.reply.epoch)
        expected = (old.reply.incarnation + 1, old.reply.epoch + 1)
        expect(raised == expected, f"{changed}: expected {expected}, got {raised}")
        for path in ("/commands", "/datasets/catalog/manifest"):
            expect_problem(await old.caller.get(path), 409, "superseded", f"{path} of the old box")
        expect_problem(await old.caller.send([old.event()]), 409, "superseded", "its events")
        hello = bench.hello(incarnation=old.reply.incarnation, reason="start")
        expect_problem(await bench.greet(hello), 409, "superseded", "its HELLO")
    return "the older box gets 409 superseded"


async def an_unknown_session_must_say_hello(bench: Bench) -> str:
    """A token nobody gave, and a call without one, get hello-required."""
    hub = await bench.new_hub()
    for session in ((hub.reply.incarnation, "not-a-session"), None):
        caller = replace(hub.caller, session=session)
        expect_problem(await caller.get("/commands"), 409, "hello-required", str(session))
    return "409 hello-required"


async def unknown_fields_are_refused(bench: Bench) -> str:
    """A HELLO with a misspelt field is not half understood."""
    body = bench.hello().model_dump() | {"incarnatoin": 3}
    expect_problem(await bench.caller.post("/hub-sessions", body), 422, "validation", "HELLO")
    return "422 validation"


async def a_foreign_contract_is_refused(bench: Bench) -> str:
    """A hub that speaks only later versions is told so."""
    hello = bench.hello(contract=(900, 901))
    expect_problem(await bench.greet(hello), 422, "unsupported-contract", "HELLO")
    return "422 unsupported-contract"


async def commands_follow_the_cursor(bench: Bench) -> str:
    """The log is durable: asking again from a cursor gives the same, from its end nothing."""
    old = await bench.new_hub()
    end = expect_status(await old.caller.get("/commands"), 200, "commands")["cursor"]
    new = await bench.new_hub()  # closes an epoch, which is a command
    first = expect_status(await new.caller.get("/commands", cursor=end), 200, "commands")
    again = expect_status(await new.caller.get("/commands", cursor=end), 200, "commands")
    expect(first == again, "asking twice from one cursor gave different commands")
    closed = [row["data"] for row in first["commands"] if row["type"] == "epoch.closed"]
    expect(closed == [{"epoch": old.reply.epoch}], f"expected epoch.closed, got {first}")
    rest = expect_status(
        await new.caller.get("/commands", cursor=first["cursor"], wait="1"), 200, "long poll"
    )
    expect(rest["commands"] == [], f"something follows the end: {rest['commands']}")
    refused = await new.caller.get("/commands", cursor=end, wait="3600")
    expect(refused.status == 422, f"an hour's wait is not refused: {refused.status}")
    return f"{len(first['commands'])} command(s) after the cursor"
