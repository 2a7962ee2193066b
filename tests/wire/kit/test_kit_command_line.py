"""``python -m devices.kit`` as a technician types it."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.wire.kit.store_bench import Bench


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


async def test_without_a_hub_the_shell_says_how_to_repeat(bench: Bench) -> None:
    await bench.hub.stop()
    state = str(bench.folder / "till-1")
    status, _, err = await kit("request", "--state", state, "--seconds", "1", "staff/sign-out")
    assert status == 3
    assert "repeat with the key" in err


async def test_wrong_usage_is_explained(bench: Bench) -> None:
    state = str(bench.folder / "till-1")
    status, out, _ = await kit("request", "--state", state, "list")
    assert status == 0
    assert "sale/commit" in json.loads(out)
    for arguments, word in (
        (("request", "--state", state, "sale/comit"), "no operation"),
        (("request", "--state", state, "catalog/search", '{"txt": 1}'), "text"),
        (("pair", "--state", state, "--host", "h"), "give --link"),
    ):
        status, _, err = await kit(*arguments)
        assert status == 2
        assert word in err
    status, _, err = await kit("request", "--state", state + "-new", "hub/info")
    assert status == 1
    assert "pair this device first" in err
