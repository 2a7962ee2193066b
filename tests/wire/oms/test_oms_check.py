"""The contract's checks: the sandbox passes all, a cloud that breaks a promise fails some."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloud_link.check import run_checks
from cloud_link.check.runner import as_json, as_table
from cloud_link.sandbox import datasets, events, levels, routes, sessions
from hub.contract.oms import EventResult
from tests.wire.oms.cloud_room import Cloud, StartCloud


async def test_the_sandbox_keeps_the_contract_over_tls_with_signed_bodies(
    start_cloud: StartCloud,
) -> None:
    cloud = await start_cloud(plain_http=False, signed=True)
    secrets = cloud.running.secrets
    results = await run_checks(
        cloud.running.url, secrets.token, cloud.running.ca, signing_secret=secrets.signing_secret
    )
    assert [row for row in results if not row.ok] == []
    assert len(results) > 30
    assert f"{len(results)} checks, 0 failed" in as_table(results)
    assert json.loads(as_json(results))["ok"] is True


async def test_an_oms_that_is_not_there_fails_every_check() -> None:
    results = await run_checks("http://127.0.0.1:9", "token")
    assert all(not row.ok for row in results)


async def _failed(cloud: Cloud) -> set[str]:
    results = await run_checks(cloud.running.url, cloud.running.secrets.token)
    return {row.name for row in results if not row.ok}


def _unmindful_repeat(db: Any, intake: Any, event: Any) -> bool:
    intake.results.append(EventResult(id=event.id, status="duplicate"))
    return True


def _no_holder_check(db: Any, store: str, incarnation: int, token: str) -> Any:
    return sessions.holder_of(db, store)


def _current_levels_only(db: Any, store: str, marks: Any, asked: Any) -> list[int]:
    return []


def _no_id_memory(db: Any, store: str, event_id: str) -> None:
    return None


def _wrong_sha(*given: Any) -> Any:
    return _REAL_WRITE_CHUNK(*given).model_copy(update={"sha256": "0" * 64})


def _from_the_start(db: Any, cursor: str, log: str, life: str) -> int:
    return 0


_REAL_WRITE_CHUNK = datasets._write_chunk

MUTANTS = [
    (events, "_take_repeat", _unmindful_repeat, "a reused sequence is not acked"),
    (routes, "check_session", _no_holder_check, "another box supersedes"),
    (levels, "_events_beyond", _current_levels_only, "digests compare as of the heads"),
    (events, "_event_of_id", _no_id_memory, "an id counts once whatever its source"),
    (datasets, "_write_chunk", _wrong_sha, "snapshots match their manifest"),
]


@pytest.mark.parametrize(("module", "name", "mutant", "check"), MUTANTS)
async def test_a_broken_promise_is_found(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, mutant: Any, check: str
) -> None:
    monkeypatch.setattr(module, name, mutant)
    assert check in await _failed(cloud)


async def test_a_command_log_that_ignores_the_cursor_is_found(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud_link.sandbox.commands.resume_at", _from_the_start)
    assert "commands follow the cursor" in await _failed(cloud)
