"""A device against a real broker and a hub that misbehaves."""

from __future__ import annotations

import asyncio
import gc
import uuid

import pytest

from devices.kit import HubClient, Refused, Settled, Unanswered, calls
from devices.kit.link import Link
from hub.clock import uuid7_wall_ms
from hub.contract.base import Nothing, Outgoing
from hub.contract.catalog import Search, SearchResult
from hub.contract.envelope import Broadcast
from hub.contract.problems import Code
from hub.contract.sale import SaleDone
from hub.contract.staff import SignOut
from tests.wire.kit.store_bench import PATIENCE_S, Bench, sale


async def test_a_request_is_answered(bench: Bench) -> None:
    async with bench.client() as hub:
        found = await hub.request(Search(text="milk"), SearchResult)
    assert found == SearchResult(hits=())
    assert bench.hub.heard[0].key is None, "a query needs no key"


async def test_an_unanswered_request_is_repeated_with_its_key(bench: Bench) -> None:
    bench.hub.script.extend(["silent", "deaf", "garbage"])
    async with bench.client() as hub:
        done = await hub.request(sale(), SaleDone)
    assert done.receipt_no == "1"
    # At least: an answer that is slow to come is asked for again, too.
    assert len(bench.hub.heard) >= 4
    assert not bench.hub.script
    assert len({one.key for one in bench.hub.heard}) == 1
    assert len({one.body for one in bench.hub.heard}) == 1
    assert len(bench.hub.executed) == 1


async def test_second_answers_do_no_harm(bench: Bench) -> None:
    bench.hub.script.extend(["twice"] * 5)
    async with bench.client() as hub:
        for _ in range(5):
            await hub.request(sale(), SaleDone)
    assert len(bench.hub.executed) == 5


async def test_a_busy_hub_is_asked_again(bench: Bench) -> None:
    bench.hub.script.extend(["busy", "busy"])
    async with bench.client() as hub:
        await hub.request(sale(), SaleDone)
    assert len(bench.hub.executed) == 1
    assert len(bench.hub.heard) >= 3
    assert {one.key for one in bench.hub.heard} == {bench.hub.executed[0].key}


async def test_a_refusal_is_final(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "ATTEMPT_S", PATIENCE_S)
    bench.hub.script.extend(["refuse", "refuse"])
    async with bench.client() as hub:
        with pytest.raises(Refused) as refused:
            await hub.request(sale(), SaleDone)
        assert refused.value.problem.code is Code.FORBIDDEN
        with pytest.raises(Refused):
            await hub.submit(sale(), SaleDone)
        assert hub.journal.entries == []
    assert len(bench.hub.heard) == 2


async def test_many_requests_at_once_are_each_answered(bench: Bench) -> None:
    async with bench.client() as hub:
        commands = [sale() for _ in range(100)]
        done = await asyncio.gather(*(hub.request(one, SaleDone) for one in commands))
    assert [one.sale_id for one in done] == [one.sale_id for one in commands]
    assert len(bench.hub.executed) == 100


async def test_without_a_hub_the_caller_gets_the_key_to_repeat(bench: Bench) -> None:
    await bench.hub.stop()
    command = sale()
    async with bench.client() as hub:
        await hub.session.link()
        with pytest.raises(Unanswered, match="no hub listens") as unanswered:
            await hub.request(command, SaleDone, timeout_s=3.0)
        await bench.hub.start()
        await hub.request(command, SaleDone, key=unanswered.value.key)
    assert [one.key for one in bench.hub.executed] == [unanswered.value.key]


async def test_a_retryable_problem_is_told_when_time_is_up(bench: Bench) -> None:
    bench.hub.script.extend(["busy"] * 500)
    async with bench.client() as hub:
        await hub.session.link()
        with pytest.raises(Unanswered) as unanswered:
            await hub.request(SignOut(), Nothing, timeout_s=3.0)
    assert unanswered.value.problem is not None
    assert unanswered.value.problem.code is Code.BUSY


async def test_sales_survive_a_killed_broker(bench: Bench) -> None:
    async with bench.client() as hub:
        await hub.session.link()
        sales = [asyncio.create_task(hub.submit(sale(), SaleDone)) for _ in range(40)]
        for _ in range(3):
            await bench.hub.until(lambda: not bench.hub.script)
            count = len(bench.hub.executed)
            await bench.hub.until(lambda count=count: len(bench.hub.executed) > count)  # type: ignore[misc]
            await bench.broker.kill()
            await bench.broker.start()
        done = await asyncio.gather(*sales)
        assert len({one.sale_id for one in done}) == 40
        assert hub.session.connections >= 2
    assert len(bench.hub.executed) == 40


async def test_after_a_killed_broker_the_device_states_itself_anew(bench: Bench) -> None:
    async with bench.client() as hub:
        await bench.hub.until(lambda: bool(bench.hub.meta))
        first = bench.hub.states[-1]
        assert first["state"] == "ready"
        await bench.broker.kill()
        await bench.broker.start()
        await bench.hub.until(lambda: bench.hub.states[-1]["session"] > first["session"])
        await bench.hub.until(lambda: len(bench.hub.meta) > 1)
        assert hub.connected
    await bench.hub.until(lambda: bench.hub.states[-1]["state"] == "disconnected")
    assert bench.hub.meta[-1]["model"] == "bench"


async def test_what_is_the_matter_is_told_at_once_and_again_with_every_connection(
    bench: Bench,
) -> None:
    paper = ["printer-paper-empty"]
    async with bench.client() as hub:
        await bench.hub.until(lambda: bool(bench.hub.states))
        assert "conditions" not in bench.hub.states[-1]
        hub.tell_conditions(["drawer-open", "printer-paper-empty", "drawer-open"])
        both = ["printer-paper-empty", "drawer-open"]
        await bench.hub.until(lambda: bench.hub.states[-1].get("conditions") == both)
        hub.tell_conditions(["printer-paper-empty"])
        await bench.hub.until(lambda: bench.hub.states[-1].get("conditions") == paper)
        first = bench.hub.states[-1]["session"]
        hub.session.reconnect("the test cuts it")
        await bench.hub.until(
            lambda: (
                bench.hub.states[-1]["session"] != first
                and bench.hub.states[-1].get("conditions") == paper
            )
        )
        hub.tell_conditions([])
        await bench.hub.until(lambda: bench.hub.states[-1].get("conditions") == [])
        with pytest.raises(ValueError, match="printer-on-fire"):
            hub.tell_conditions(["printer-on-fire"])  # type: ignore[list-item]
    await bench.hub.until(lambda: bench.hub.states[-1]["state"] == "disconnected")
    assert "conditions" not in bench.hub.states[-1]
    lost = [one for one in bench.hub.states if one["state"] == "lost"]
    assert all("conditions" not in one for one in lost)


async def test_a_cut_connection_is_told_as_lost_with_its_own_session(bench: Bench) -> None:
    async with bench.client() as hub:
        await bench.hub.until(lambda: bool(bench.hub.states))
        first = bench.hub.states[-1]["session"]
        hub.session.reconnect("the test cuts it")
        lost = {"state": "lost", "session": first}
        await bench.hub.until(lambda: lost in bench.hub.states)
        await bench.hub.until(
            lambda: any(
                one["state"] == "ready" and one["session"] != first for one in bench.hub.states
            )
        )


async def test_unanswered_sales_are_sent_after_a_restart_of_the_device(bench: Bench) -> None:
    await bench.hub.stop()
    command = sale()
    async with bench.client() as hub:
        waiting = asyncio.create_task(hub.submit(command, SaleDone, key="my-own-key-1"))
        while hub.journal.entry("my-own-key-1") is None:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
    await bench.hub.start()
    settled: list[Settled] = []
    client = bench.client()
    client.on_settled(settled.append)
    async with client:
        await bench.hub.until(lambda: bool(settled))
        assert settled[0].key == "my-own-key-1"
        again = await client.submit(command, SaleDone, key="my-own-key-1")
        assert again.sale_id == command.sale_id
    assert len(bench.hub.executed) == 1


async def test_answered_sales_are_kept_until_safe_and_offered_to_a_restored_hub(
    bench: Bench,
) -> None:
    async with bench.client() as hub:
        for _ in range(5):
            await hub.submit(sale(), SaleDone)
        assert len(hub.journal.entries) == 5
        bench.hub.safe_seq = 2
        bench.hub.tell_state()
        await bench.hub.until(lambda: len(hub.journal.entries) == 3)
        before = [(one.key, one.body) for one in bench.hub.executed]
        assert not any(one.record for one in bench.hub.executed)

    # The box burns; another one is restored from a backup that knows the first two sales.
    bench.hub.replies = {key or "": bench.hub.replies[key or ""] for key, _ in before[:2]}
    bench.hub.incarnation, bench.hub.session, bench.hub.seq = "2", "s2", 2
    bench.hub.executed.clear()
    bench.hub.tell_state()

    async with bench.client() as hub:
        await bench.hub.until(lambda: len(bench.hub.executed) == 3)
        assert [(one.key, one.body) for one in bench.hub.executed] == before[2:]
        assert [one.record for one in bench.hub.executed] == [
            f"record-of-{k}" for k, _ in before[2:]
        ]
        await bench.hub.until(lambda: hub.offered_again == 3)
        assert [one.answer.incarnation for one in hub.journal.entries if one.answer] == ["2"] * 3
        bench.hub.safe_seq = 5
        bench.hub.tell_state()
        await bench.hub.until(lambda: hub.journal.entries == [])


async def test_a_sale_that_a_restored_hub_refuses_stays_for_a_person(bench: Bench) -> None:
    settled: list[Settled] = []
    client = bench.client()
    client.on_settled(settled.append)
    async with client as hub:
        await hub.submit(sale(), SaleDone)
        bench.hub.replies.clear()
        bench.hub.script.append("refuse")
        bench.hub.incarnation = "2"
        bench.hub.tell_state()
        await bench.hub.until(lambda: len(settled) == 2)
        assert settled[1].offered_again
        assert settled[1].problem is not None
        assert [one.doubt is not None for one in hub.journal.entries] == [True]


async def test_facts_are_repeated_until_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.kit.courier._FACT_PATIENCE_S", 0.3)
    bench.hub.ack_facts = False
    async with bench.client() as hub:
        ids = [await hub.fact("scan", {"code": str(number)}) for number in range(3)]
        await bench.hub.until(lambda: len(bench.hub.facts) >= 3)
    bench.hub.facts.clear()
    bench.hub.ack_facts = True
    async with bench.client() as hub:
        await hub.fact("paper-low", {})
        await bench.hub.until(lambda: hub.journal.facts(10) == [])
    told = [f"{body['journal_id']}:{body['evt_seq']}" for _, body in bench.hub.facts]
    assert told[:3] == ids
    assert bench.hub.facts[-1][0] == "paper-low"


async def test_keys_are_in_the_hubs_time(bench: Bench) -> None:
    bench.hub.time_ms = 1_900_000_000_000
    async with bench.client() as hub:
        await bench.hub.until(lambda: hub.hub is not None)
        bench.hub.tell_state()
        await bench.hub.until(lambda: hub.clock.wall_ms() >= 1_900_000_000_000)
        await hub.request(SignOut(), Nothing)
    stamp = uuid7_wall_ms(bench.hub.heard[-1].key or "")
    assert stamp is not None
    assert 0 <= stamp - 1_900_000_000_000 < 60_000


async def test_the_hub_may_ask_the_device_and_repeat_itself(bench: Bench) -> None:
    asked: list[dict[str, object]] = []

    async def beep(data: dict[str, object]) -> dict[str, object]:
        asked.append(data)
        return {"beeped": True}

    client: HubClient = bench.client()
    async with client:
        client.on_command("beep", beep)
        await client.session.link()
        command_id = str(uuid.uuid4())
        bench.hub.command("till-1", "beep", command_id)
        await bench.hub.until(lambda: len(bench.hub.command_replies) == 1)
        bench.hub.command("till-1", "beep", command_id)
        await bench.hub.until(lambda: len(bench.hub.command_replies) == 2)
        bench.hub.command("till-1", "dance", str(uuid.uuid4()))
        await bench.hub.until(lambda: len(bench.hub.command_replies) == 3)
    assert asked == [{"n": 1}]
    first, second, third = bench.hub.command_replies
    assert first == second
    assert first["result"] == {"beeped": True}
    assert third["problem"]["code"] == "not-found"


async def test_notices_reach_the_listener(bench: Bench) -> None:
    seen: list[tuple[str, Broadcast]] = []
    client = bench.client()
    client.on_notice(lambda name, notice: seen.append((name, notice)))
    async with client:
        await client.session.link()
        bench.hub.broadcast("stock", {"sku": "A"})
        await bench.hub.until(lambda: bool(seen))
    assert seen[0][0] == "stock"
    assert seen[0][1].data == {"sku": "A"}


async def test_a_hub_that_crashes_and_returns_is_asked_again_soon(bench: Bench) -> None:
    async with bench.client() as hub:
        await hub.request(SignOut(), Nothing)
        await bench.hub.crash()
        await bench.hub.until(lambda: hub.hub is not None and hub.hub.mode == "away")
        asked = asyncio.create_task(hub.submit(sale(), Outgoing))
        bench.hub.session = "s2"
        await bench.hub.start()
        await asked


async def test_an_old_links_end_leaves_the_new_link_its_ears(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new socket has the old one's number: what cleans up after the old one must not know."""
    monkeypatch.setattr(calls, "ATTEMPT_S", PATIENCE_S)
    async with bench.client() as hub:
        old, new = await _another_link(hub)
        while new._handle != old._handle:  # someone else was quicker to take the number
            old, new = await _another_link(hub)
        del old
        gc.collect()
        async with asyncio.timeout(PATIENCE_S):
            await hub.request(Search(text="milk"), SearchResult)
        assert hub.repeats == 0


async def _another_link(hub: HubClient) -> tuple[Link, Link]:
    """The present link, which is over then, and the next one."""
    old, count = await hub.session.link(), hub.session.connections
    hub.session.reconnect("the test says so")
    async with asyncio.timeout(PATIENCE_S):
        while hub.session.connections == count:
            await asyncio.sleep(0.01)
    new = await hub.session.link()
    assert isinstance(old, Link)
    assert isinstance(new, Link)
    return old, new
