"""The admin socket, and the commands that use it."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hub.cli import root
from hub.cli.adminclient import AdminClient, AdminRefused
from hub.contract.local import PairRequest
from tests.hubparts import HubParts


@pytest.fixture
def settings_file(tmp_state: Path) -> Path:
    path = tmp_state / "config.toml"
    path.write_text(
        '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
        f'[paths]\nstate = "{tmp_state / "state"}"\nrun = "{tmp_state / "run"}"\n'
    )
    return path


async def store_hub(settings_file: Path, *args: str) -> Result:
    argv = ["--config", str(settings_file), *args]
    return await asyncio.to_thread(CliRunner().invoke, root, argv)


async def test_only_its_owner_may_open_it(hub: HubParts) -> None:
    mode = stat.S_IMODE((hub.run / "admin.sock").stat().st_mode)
    assert mode == 0o600


async def test_a_device_is_paired_listed_renamed_and_revoked(
    hub: HubParts, settings_file: Path
) -> None:
    made = await store_hub(settings_file, "pair", "--kind", "till", "--name", "Front", "--json")
    opened = json.loads(made.stdout)
    assert "qr_svg" not in opened
    request = PairRequest(code=opened["code"], auth="password", csr=None)
    await hub.web.desk.pair(request, "")
    renamed = await store_hub(settings_file, "devices", "rename", "till-01", "Back")
    assert (renamed.exit_code, "Back" in renamed.output) == (0, True)
    revoked = await store_hub(
        settings_file, "devices", "revoke", "till-01", "--reason", "broken", "--yes"
    )
    assert revoked.exit_code == 0, revoked.output
    listed = await store_hub(settings_file, "devices", "list", "--json")
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    assert [(one["name"], one["status"]) for one in found] == [("Back", "revoked")]
    table = await store_hub(settings_file, "devices", "list")
    assert "till-01" in table.output


async def test_pair_prints_code_qr_and_how_to_go_on(hub: HubParts, settings_file: Path) -> None:
    made = await store_hub(settings_file, "pair")
    assert made.exit_code == 0, made.output
    for text in ("code", "storehub://pair?", "█", f"https://127.0.0.1:{hub.web.port}/"):
        assert text in made.output


async def test_the_technicians_code_from_the_shell_opens_the_page(
    hub: HubParts, settings_file: Path
) -> None:
    made = await store_hub(settings_file, "pair", "--technician", "--json")
    code = json.loads(made.stdout)["code"]
    async with hub.client() as http, http.post("/api/1/session", json={"code": code}) as answer:
        assert answer.status == 200


async def test_an_unknown_device_is_refused_in_words(hub: HubParts, settings_file: Path) -> None:
    done = await store_hub(settings_file, "devices", "rename", "till-99", "X")
    assert done.exit_code == 1
    assert "no such device" in done.output


async def test_status_is_told_without_a_sign_in(hub: HubParts) -> None:
    client = AdminClient(hub.run)
    status = await asyncio.to_thread(client.status)
    assert status["store"] == "367"
    with pytest.raises(AdminRefused):
        await asyncio.to_thread(client.call, "sale", "commit")


async def test_a_hub_that_isnt_running_is_named_with_the_next_step(
    settings_file: Path, tmp_state: Path
) -> None:
    done = await store_hub(settings_file, "devices", "list")
    assert done.exit_code == 1
    assert "isn't running" in done.output
    assert "store-hub run" in done.output
