"""The sandbox keeps support bundles that were asked for: in order, whole, each command's first."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from cloud_link.check.bench import PretendHub
from tests.wire.oms.cloud_room import Cloud, problem_of

WHOLE = b"one" + b"two" + b"three"
PARTS = (b"one", b"two", b"three")


def piece(command_id: str, index: int, **changed: Any) -> dict[str, Any]:
    return {
        "command_id": command_id,
        "file_name": "bundle.zip",
        "sha256": hashlib.sha256(WHOLE).hexdigest(),
        "total_bytes": len(WHOLE),
        "index": index,
        "pieces": len(PARTS),
        "content": base64.b64encode(PARTS[index]).decode(),
    } | changed


@pytest.fixture
async def hub(cloud: Cloud) -> PretendHub:
    for number in (1, 2):
        asked = {"type": "support.requested", "data": {}, "id": f"cmd-{number}"}
        await cloud.admin("commands", asked)
    return await cloud.bench.new_hub()


async def posted(hub: PretendHub, body: dict[str, Any]) -> tuple[bool, int]:
    answer = await hub.caller.post("/support-bundles", body)
    assert answer.status == 200, answer.body
    return answer.json()["complete"], answer.json()["next_index"]


async def test_pieces_make_a_whole_one_though_each_comes_twice(hub: PretendHub) -> None:
    for index in (0, 1):
        for _ in range(2):
            assert await posted(hub, piece("cmd-1", index)) == (False, index + 1)
    for _ in range(2):
        assert await posted(hub, piece("cmd-1", 2)) == (True, 3)


async def test_a_piece_too_early_and_a_strangers_are_refused(hub: PretendHub) -> None:
    for body in (piece("cmd-1", 1), piece("cmd-1", 0) | {"index": 3}):
        assert problem_of(await hub.caller.post("/support-bundles", body)) == (409, "conflict")
    body = piece("cmd-9", 0)
    assert problem_of(await hub.caller.post("/support-bundles", body)) == (404, "not-found")


async def test_another_bundle_begins_anew_unless_one_is_whole(hub: PretendHub) -> None:
    await posted(hub, piece("cmd-1", 0))
    other = hashlib.sha256(b"other").hexdigest()
    late = piece("cmd-1", 1, sha256=other)
    assert problem_of(await hub.caller.post("/support-bundles", late)) == (409, "conflict")
    content = base64.b64encode(b"other").decode()
    first = piece("cmd-1", 0, sha256=other, pieces=1, content=content, total_bytes=5)
    assert await posted(hub, first) == (True, 1)
    assert await posted(hub, piece("cmd-1", 0)) == (True, 3)


async def test_a_damaged_one_is_begun_again(hub: PretendHub) -> None:
    for index, awaited in ((0, 1), (1, 2)):
        assert await posted(hub, piece("cmd-2", index)) == (False, awaited)
    bad = base64.b64encode(b"thrEE").decode()
    assert await posted(hub, piece("cmd-2", 2, content=bad)) == (False, 0)
    for index in (0, 1):
        await posted(hub, piece("cmd-2", index))
    assert await posted(hub, piece("cmd-2", 2)) == (True, 3)


@pytest.mark.parametrize("content", ["", "=", "abc", "a b=", "äöü=", "\x0f\x12"])
async def test_what_is_not_base64_is_refused(hub: PretendHub, content: str) -> None:
    answer = await hub.caller.post("/support-bundles", piece("cmd-1", 0, content=content))
    assert problem_of(answer) == (422, "validation")
