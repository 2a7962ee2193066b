"""A shop in a booted box: its hub, its till, its packages, and what was sold."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.packaging.machine import Machine, repack

WAIT_S = 240.0
HUB = "store-hub.service"
OMS_PORT = 9443

# Faster than a shop's; what is waited for is the same.
HURRY = "[Service]\nRestartSec=1\n"
IMPATIENT = "[Service]\nWatchdogSec=10\n"
CONFIG = f"""
[store]
id = "367"
timezone = "Europe/Berlin"
currency = "EUR"
[discovery]
enabled = false
[cloud]
url = "https://127.0.0.1:{OMS_PORT}"
ca_file = "/etc/store-hub/oms-ca.pem"
retry_max_s = 1
dataset_every_s = 5
"""
TRAINING = """
[store]
id = "367"
timezone = "Europe/Berlin"
currency = "EUR"
training = true
[paths]
state = "/var/lib/store-hub@training"
run = "/run/store-hub@training"
[broker]
password_port = 18883
mtls_port = 18884
[web]
port = 18443
[discovery]
enabled = false
"""
FAR = "[Service]\nReadWritePaths=/mnt/far\n"
REPLICA = '[replica]\nurl = "file:///mnt/far/store-367"\n'
FAILS = """
async def serve(*_, **__):
    raise OSError("this version has a fault")
"""
FAILS_LATE = """
async def serve(settings, *_, **__):
    from hub.app.founding import open_state
    open_state(settings, SystemClock(), SystemRandomness()).conn.close()
    raise OSError("this version has a fault, and has changed the books")
"""


class Shop:
    """The box, its packages, and the sales that were answered."""

    def __init__(self, machine: Machine, deb: Path, scratch: Path) -> None:
        self.machine = machine
        self.deb = deb
        self.scratch = scratch
        self.sold: list[str] = []
        self.untouched = self.traces()

    def show(self, name: str, unit: str = HUB) -> str:
        return self.machine.run("systemctl", "show", "-P", name, unit).strip()

    def pid(self) -> str:
        """The running hub's; 0 would mean whoever asks."""
        found = self.show("MainPID")
        assert int(found) > 1, f"the hub isn't running:\n{self.log()}"
        return found

    def until(self, what: Callable[[], Any]) -> Any:
        """Look until there is something; the hub's log explains a failure."""
        until_s = time.monotonic() + WAIT_S
        while time.monotonic() < until_s:
            if found := what():
                return found
            time.sleep(0.2)
        pytest.fail(f"it never came; the box says:\n{self.log()}")

    def log(self, unit: str = HUB) -> str:
        return self.machine.run("journalctl", "-q", "-u", unit, "-n", "60", "-o", "short-precise")

    def again(self, pid: str) -> str:
        """Wait until the hub is ready as another process; its number."""

        def other() -> str:
            now = self.show("MainPID")
            return now if now not in {"0", pid} and self.show("ActiveState") == "active" else ""

        return str(self.until(other))

    def drop_in(self, name: str, text: str, unit: str = HUB) -> None:
        """Change a unit from its next start on; without a text: no more."""
        place = self.machine.root / f"etc/systemd/system/{unit}.d/{name}.conf"
        if text:
            self.machine.write(f"/etc/systemd/system/{unit}.d/{name}.conf", text)
        else:
            place.unlink()
            with contextlib.suppress(OSError):  # another one is in it
                place.parent.rmdir()
        self.machine.run("systemctl", "daemon-reload")

    def till(self, *more: str) -> dict[str, Any]:
        module = [sys.executable, "-m", "tests.support.boxtill", str(self.scratch / "till"), *more]
        found: dict[str, Any] = json.loads(self.machine.beside(*module).splitlines()[-1])
        return found

    def open_the_cloud(self) -> None:
        oms = ("--state", "/srv/oms", "--port", str(OMS_PORT), "--store", "367", "--seed-demo")
        run = ("systemd-run", "--unit=oms", "store-hub", "sandbox-oms", *oms, "--skus", "40")
        self.machine.run(*run)

    def sell(self, *more: str) -> None:
        """A till sells; from then on that sale has to be in the books."""
        self.sold.append(self.till(*more)["sale_id"])
        self.has_all_sales()

    def sales(self) -> set[str]:
        rows = json.loads(self.machine.run("store-hub", "sales", "list", "--json"))
        return {row["sale_id"] for row in rows}

    def has_all_sales(self) -> None:
        assert self.sales() == set(self.sold)

    def gets_all_sales_back(self) -> None:
        """A till offers again what the hub lacks, while it sells on."""

        def back() -> bool:
            self.sold.append(self.till()["sale_id"])
            return self.sales() == set(self.sold)

        self.until(back)

    def held(self, database: str) -> set[str]:
        """The sales in a database file of the box that somebody else writes; empty: none yet."""
        copy = self.scratch / "held.db"
        try:
            shutil.copyfile(self.machine.root / database.lstrip("/"), copy)
            with contextlib.closing(sqlite3.connect(copy)) as db:
                return {str(row[0]) for row in db.execute("SELECT sale_id FROM sales")}
        except (FileNotFoundError, sqlite3.Error):
            return set()

    def replicated(self, series: int) -> set[str]:
        """The sales that a restore of the replica would give now."""
        url = f"file:///mnt/far/store-367/{series}"
        tool = "/opt/store-hub/venv/bin/litestream"
        self.machine.run("rm", "-f", "/srv/replica.db")
        self.machine.run(tool, "restore", "-o", "/srv/replica.db", url, code=None)
        return self.held("/srv/replica.db")

    def lose_the_box(self) -> float:
        """Sell once more, and end everything at that instant; its state is gone.  How long after
        the answer that was (s)."""
        self.drop_in("lost", "[Service]\nRestart=no\n")
        self.sold.append(self.till()["sale_id"])
        answered_s = time.monotonic()
        self.machine.run("systemctl", "kill", "--kill-whom=all", "--signal=KILL", HUB)
        lived_s = time.monotonic() - answered_s
        self.until(lambda: self.show("ActiveState") in {"failed", "inactive"})
        self.machine.run("find", "/var/lib/private/store-hub", "-mindepth", "1", "-delete")
        self.drop_in("lost", "")
        return lived_s

    def replace_the_box(self, *source: str) -> str:
        """Restore from there, and start; what that took, in words."""
        began_s = time.monotonic()
        keys = ("--escrow", "/srv/escrow", "--passphrase-file", "/srv/words")
        self.machine.run("store-hub", "restore", "--yes", *source, *keys)
        restored_s = time.monotonic()
        self.machine.run("systemctl", "start", HUB)
        ready_s = time.monotonic()
        lost = len(set(self.sold) - self.sales())
        took = f"restored in {restored_s - began_s:.1f} s, ready {ready_s - restored_s:.1f} s later"
        return f"{took}; {lost} of {len(self.sold)} sales not there"

    def copies(self) -> list[str]:
        found: list[str] = json.loads(self.machine.run("store-hub", "backup", "list", "--json"))
        return found

    def traces(self) -> set[str]:
        """Every path that bears the hub's name, but for what is remembered of installations."""
        search = "find /etc /opt /run /usr /var -xdev -name 'store-hub*' 2>/dev/null || true"
        found = self.machine.run("sh", "-c", search).split()
        return {one for one in found if not one.startswith(("/var/cache/apt/", "/var/log/"))}

    def version(self) -> str:
        return self.machine.run("dpkg-query", "-W", "-f", "${Version}", "store-hub")

    def package(self, version: str, source: str = "") -> str:
        """The package as another version, with this for the end of its ``hub/app/service.py``;
        its path in the box."""
        site = self.machine.run("sh", "-c", "echo /opt/store-hub/venv/lib/python3*/site-packages")
        home = site.strip().lstrip("/")
        changes: dict[str, str | None] = {}
        if source:
            service = f"{home}/hub/app/service.py"
            changes[service] = (self.machine.root / service).read_text() + source
        if source == FAILS_LATE:
            have = len(list((self.machine.root / home / "hub/storage/migrations").glob("*.sql")))
            name = f"{home}/hub/storage/migrations/{have + 1:04d}_later.sql"
            changes[name] = "CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT;\n"
        made = repack(self.deb, self.scratch / f"{version}.deb", version, changes)
        self.machine.put(made, f"/srv/{version}.deb")
        made.unlink()
        return f"/srv/{version}.deb"
