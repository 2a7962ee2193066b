"""``python -m devices.kit`` as a technician types it."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from devices.kit.__main__ import main
from hub.contract.sale import SaleDone
from tests.wire.kit.store_bench import Bench, sale


async def kit(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "devices.kit",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_a_technician_asks_the_hub_from_a_shell(bench: Bench) -> None:
    state = str(bench.folder / "till-1")
    status, out, _ = await kit(
        "request", "--state", state, "catalog/search", "-", stdin='{"text": "milk"}'
    )
    assert status == 0
    assert json.loads(out) == {"hits": [], "more": False}

    bench.hub.script.append("refuse")
    status, out, _ = await kit("request", "--state", state, "staff/sign-out")
    assert status == 1
    assert json.loads(out)["code"] == "forbidden"


async def test_a_technician_says_that_the_printer_is_out_of_paper(bench: Bench) -> None:
    state = str(bench.folder / "till-1")
    arguments = ("conditions", "--state", state, "--seconds", "0.2", "printer-paper-empty")
    status, out, _ = await kit(*arguments)
    assert status == 0
    told = json.loads(out)
    assert told == {"device_id": "till-1", "conditions": ["printer-paper-empty"]}
    await bench.hub.until(lambda: bench.hub.states[-1]["state"] == "disconnected")
    assert told["conditions"] in [one.get("conditions") for one in bench.hub.states]
    status, _, err = await kit("conditions", "--state", state, "printer-on-fire")
    assert status == 1
    assert "printer-paper-empty" in err


async def test_without_a_hub_the_shell_says_how_to_repeat(bench: Bench) -> None:
    await bench.hub.stop()
    state = str(bench.folder / "till-1")
    status, _, err = await kit("request", "--state", state, "--seconds", "2", "staff/sign-out")
    assert status == 3
    assert "repeat with the key" in err


async def test_wrong_usage_is_explained(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    state = str(bench.folder / "till-1")
    status, out, _ = await kit("request", "--state", state, "list")
    assert status == 0
    assert "sale/commit" in json.loads(out)

    async def here(*arguments: str) -> tuple[int, str]:
        status = await asyncio.to_thread(main, list(arguments))
        return status, capsys.readouterr().err

    for arguments, word in (
        (("request", "--state", state, "sale/comit"), "no operation"),
        (("request", "--state", state, "catalog/search", '{"txt": 1}'), "text"),
        (("pair", "--state", state, "--host", "h"), "give --link"),
    ):
        status, err = await here(*arguments)
        assert status == 2
        assert word in err
    status, err = await here("request", "--state", state + "-new", "hub/info")
    assert status == 1
    assert "pair this device first" in err


async def test_a_person_decides_about_a_doubtful_sale(bench: Bench) -> None:
    async with bench.client() as hub:
        done = await hub.submit(sale(), SaleDone)
        bench.hub.replies.clear()
        bench.hub.script.append("refuse")
        bench.hub.incarnation = "2"
        bench.hub.tell_state()
        await bench.hub.until(lambda: hub.journal.entries[0].doubt is not None)
        key = hub.journal.entries[0].key
    state = str(bench.folder / "till-1")
    status, out, _ = await kit("journal", "--state", state)
    assert status == 0
    shown = json.loads(out)["requests"][0]
    assert json.loads(shown["body"])["sale_id"] == done.sale_id
    assert shown["doubt"].startswith("forbidden")

    assert (await kit("journal", "--state", state, "--again", key))[0] == 0
    async with bench.client() as hub:
        await bench.hub.until(lambda: hub.offered_again == 1)
        assert hub.journal.entries[0].doubt is None
    status, out, _ = await kit("journal", "--state", state, "--give-up", key)
    assert json.loads(out)["requests"] == []
    assert (await kit("journal", "--state", state, "--again", "nothing"))[0] == 2
