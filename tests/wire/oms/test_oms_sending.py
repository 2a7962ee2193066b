"""Central IT's part, from a shell."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from pathlib import Path

import pytest

from cloud_link.sandbox.__main__ import main
from tests.wire.oms.cloud_room import StartCloud


async def test_a_person_sends_a_command_and_fetches_what_came_of_it(
    start_cloud: StartCloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud = await start_cloud(plain_http=False)
    where = ["--state", str(cloud.state), "--url", cloud.running.url]

    async def said(verb: str, *more: str, code: int = 0) -> str:
        assert await asyncio.to_thread(main, [verb, *where, *more]) == code
        told = capsys.readouterr()
        return told.err if code else told.out

    sent = json.loads(await said("send", "support.requested", '{"reason": "slow"}'))
    (listed,) = map(json.loads, (await said("commands")).splitlines())
    assert (listed["id"], listed["data"], listed["outcome"]) == (
        sent["id"],
        {"reason": "slow"},
        None,
    )
    hub = await cloud.bench.new_hub()
    piece = {
        "command_id": sent["id"],
        "file_name": "bundle.zip",
        "sha256": hashlib.sha256(b"bundle").hexdigest(),
        "total_bytes": 6,
        "index": 0,
        "pieces": 1,
        "content": base64.b64encode(b"bundle").decode(),
    }
    assert (await hub.caller.post("/support-bundles", piece)).status == 200
    assert sent["id"] in await said("bundles")
    target = tmp_path / "got.zip"
    await said("bundle", sent["id"], str(target))
    assert target.read_bytes() == b"bundle"
    assert "no whole bundle" in await said("bundle", "another", str(target), code=1)
    assert "JSON object" in await said("send", "drill.requested", "[]", code=1)
    assert "type" in await said("send", "Not A Type", code=1)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1.example.org", "http://localhost@example.org", "ftp://localhost"]
)
def test_the_sandbox_s_key_goes_to_no_other_machine_in_the_clear(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["commands", "--state", str(tmp_path), "--url", url]) == 1
    assert "http on this machine" in capsys.readouterr().err
