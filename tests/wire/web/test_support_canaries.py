"""Nothing that must stay in the shop leaves it with a support bundle.

A canary is planted in every text of the database that isn't meant to be shown, in every secret
setting, and in lines of the log; then the bundle is searched, packed and unpacked.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sqlite3
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub.config import Loaded, Log, load
from hub.config.fields import all_settings
from hub.health import support
from hub.logs import set_up
from hub.storage import commandrows, outbox, websessions
from hub.storage.database import open_database
from hub.storage.rows import Tx
from hub.web.reads import Sources
from tests.fakes import FakeClock
from tests.hubparts import hub_parts
from tests.storage.freeze import trade
from tests.support.canaries import PANS, seen_in
from tests.support.shop import Shop

CANARY = "Canary"
PERSON = "Annabella Bergdorf"
SHOWN = {
    "audit": {"action", "caller"},
    "certificates": {"device_id", "revoke_reason", "serial"},
    "commands": {"command_id", "outcome", "type", "why"},
    "datasets": {"cursor", "dataset", "label", "staging_label"},
    "day_totals": {"business_day"},
    "devices": {
        *("auth", "device_id", "firmware", "kind", "model", "name", "presence", "revoke_reason"),
        "status",
    },
    "hub": {"hub_id", "store", "fence", "clock_suspect", "commands_cursor", "audit_head_day"},
    "parked": {"aggregate", "event_id", "reason", "stream", "type"},
    "sources": {"fork", "uri"},
    "streams": {"stream"},
    "outbox": {"stream", "type"},
    "print_jobs": {"kind", "printer_id", "title", "wanted"},  # a number, and who prints it
}
"""What a bundle may hold, or what the hub couldn't be asked with if it were something else."""
STEERING = {
    ("staff", "role"),
    ("staff", "staff_id"),
    ("sign_ins", "staff_id"),
    ("sign_ins", "device_id"),
    ("roles", "role"),
}
"""Who is who: without them nobody would be signed in."""


@dataclass
class Planted:
    """What was planted, and the settings with their secrets."""

    texts: list[str]
    loaded: Loaded
    secrets: list[str]


def furnish(state: Path) -> None:
    """A day, and a row wherever a day leaves none."""
    shop = Shop(state)
    trade(shop)
    shop.close()
    conn = open_database(state / "hub.db")
    conn.execute("BEGIN")
    tx = Tx(conn, shop.clock.wall_ms(), 0)
    row = outbox.get(tx, outbox.last_id(tx))
    assert row is not None
    outbox.park(tx, row, "marker", "com.storehub.outbox.parked.v1", "{}", "bad: unreadable")
    commandrows.add(tx, [("c1", "count.requested", "done", "")])
    websessions.add(tx, websessions.SessionRow(b"x" * 32, "technician", 1), most=5, most_each=5)
    tx.run(
        "INSERT INTO pairings VALUES ('p1', x'00', x'00', 'till', 'a name', NULL, 5, 1, 'me', 1,"
        " NULL, NULL)"
    )
    tx.run("INSERT INTO policies VALUES (1, 'secret.policy', '\"value\"')")
    tx.run(
        "INSERT INTO approvals VALUES ('a1', 'refund', '{}', 'because', 'pending', 'anna',"
        " 'till-1', NULL, NULL, 1, 1)"
    )
    tx.run(
        "INSERT INTO print_jobs (job_id, device_id, kind, document, made_at_ms, expires_budget_ms)"
        " VALUES ('j', 'till-1', 'receipt', '{}', 1, 1)"
    )
    conn.execute("COMMIT")
    conn.close()


def plant(database: Path) -> list[str]:
    """A canary in every text that isn't meant to be shown; what was planted."""
    conn = sqlite3.connect(database, isolation_level=None)
    conn.execute("PRAGMA foreign_keys = OFF")
    planted = []
    tables = conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    for (table,) in tables:
        for _, column, kind, *_ in conn.execute(f"PRAGMA table_info({table})").fetchall():
            if kind != "TEXT" or column in SHOWN.get(table, ()) or (table, column) in STEERING:
                continue
            canary = f"{CANARY}.{table}.{column}"
            try:
                done = conn.execute(
                    f'UPDATE {table} SET "{column}" = CASE substr("{column}", 1, 1)'
                    f""" WHEN '{{' THEN '{{"{canary}": "{canary}", "closed": false}}'"""
                    f" ELSE coalesce(\"{column}\", '') || '{canary}' END"
                )
            except sqlite3.IntegrityError:
                continue  # one of few words; nothing can hide there
            if done.rowcount:
                planted.append(canary)
    conn.execute("UPDATE staff SET name = ?", (PERSON,))
    conn.execute("UPDATE parked SET reason = reason || ?", (f" of {PERSON}, card {PANS[0]}",))
    conn.close()
    return planted


def settings_of(tmp_path: Path) -> tuple[Loaded, list[str]]:
    """Settings in which every secret is a canary."""
    rows: dict[str, list[str]] = {"store": ['id = "367"', 'name = "Shop"', 'currency = "EUR"']}
    rows["store"].append('timezone = "Europe/Berlin"')
    rows["broker"] = ['username = "someone"']
    rows["cloud"] = ['url = "https://user:Canary.url@oms.example.com/x"']
    rows["log"] = ['otlp_url = "https://otlp.example.com/v1/logs"']
    rows["traces"] = ['otlp_url = "https://otlp.example.com/v1/traces"']
    secrets = ["Canary.url"]
    for setting in all_settings().values():
        if setting.secret and setting.key != "cloud.client_secret":  # the token's other way
            secret = f'{CANARY}."{setting.key}"\\{"-" * 32}'
            rows.setdefault(setting.section, []).append(f"{setting.name} = {json.dumps(secret)}")
            secrets.append(secret)
    file = tmp_path / "config.toml"
    text = "".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in rows.items())
    file.write_text(text)
    return load(file, env={}), secrets


@pytest.fixture
async def bundle(tmp_path: Path) -> AsyncIterator[tuple[Planted, bytes]]:
    """A bundle of a hub full of canaries."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    await asyncio.to_thread(furnish, state)
    texts = await asyncio.to_thread(plant, state / "hub.db")
    loaded, secrets = await asyncio.to_thread(settings_of, tmp_path)
    logs = set_up(
        Log(format="text"), clock=FakeClock(), secrets=loaded.secrets(), stream=io.StringIO()
    )
    log = logging.getLogger("hub.canaries")
    try:
        for secret in secrets:
            log.warning("the secret is %s", secret, extra={"token": secret})
        log.warning("%s paid with %s", PERSON, PANS[1])
        log.warning("Authorization: Bearer Canary.bearer.token.0123456789")
        log.warning("-----BEGIN EC PRIVATE KEY-----\nCanary.key\n-----END EC PRIVATE KEY-----")
        log.warning("Cookie: __Host-store-hub=Canary.cookie")
        log.warning("$argon2id$v=19$m=19456,t=2$Canary.salt$Canary.hash is a PIN's")
        log.warning("asked mqtts://hub:Canary.password@broker.example for more")
        log.warning("an ordinary line")
        sources = Sources(recent=logs.recent, loaded=loaded)
        async with (
            hub_parts(tmp_path, sources=sources) as hub,
            hub.technician() as (http, _),
            http.get("/api/1/support/bundle") as answer,
        ):
            assert answer.status == 200, await answer.text()
            yield Planted(texts, loaded, secrets), await answer.read()
    finally:
        logs.close()


async def test_no_canary_flies_out(bundle: tuple[Planted, bytes]) -> None:
    planted, raw = bundle
    assert len(planted.texts) > 60
    assert len(planted.secrets) > 2
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    whole = "\n".join(found.values())
    assert [line for line in whole.splitlines() if CANARY in line] == []
    assert PERSON not in whole
    assert "Bergdorf" not in whole
    assert seen_in(whole.encode()) == ""
    assert CANARY.encode() not in raw
    # It is not clean because it is empty.
    assert "an ordinary line" in found["log.txt"]
    assert "till-1" in found["devices.json"]
    assert "unreadable of (left out)" in found["cloud.json"]
    assert json.loads(found["figures.json"])["newest_rows"]["sales"] == 3
    shown = {one["key"]: one for one in json.loads(found["settings.json"])["settings"]}
    for setting in all_settings().values():
        if setting.secret:
            is_set = setting.key != "cloud.client_secret"
            assert (shown[setting.key]["value"], shown[setting.key]["is_set"]) == ("", is_set)
    assert shown["cloud.url"]["value"] == '"https://oms.example.com/x"'


def test_a_bundle_stays_within_its_bounds() -> None:
    from hub.logs import Entry

    lines = [Entry(n, "info", "hub", f"{n} " + "x" * 16_000, "", {}) for n in range(500, 0, -1)]
    parts = support.Parts(
        store="367", version="0", made_at_ms=1, rows=None, settings=None, lines=lines
    )
    (log,) = (one for one in support.files(parts) if one.name == "log.txt")
    assert log.cut
    assert len(log.text) <= support.FILE_MAX_CHARS
    assert log.text.rstrip("x\n").endswith("500 ")
    assert support.zipped(support.files(parts), 1) == support.zipped(support.files(parts), 1)
