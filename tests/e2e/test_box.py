"""A shop's box, booted for real: the package is installed, sells, is killed, hangs, is upgraded,
is put back, and is removed.

The tests follow each other in one box.  They take minutes and the right to boot one, so they run
when they are asked for: ``STORE_HUB_BOX=1``, or ``scripts/box``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.packaging.machine import Machine, NoMachine, booted, repack, why_not
from tests.support.boxshop import (
    CONFIG,
    FAILS,
    FAILS_LATE,
    FAR,
    HUB,
    HURRY,
    IMPATIENT,
    REPLICA,
    TRAINING,
    Shop,
)

ROOT = Path(__file__).resolve().parents[2]
LOWER = Path(os.environ.get("STORE_HUB_BOX_ROOT", "/"))
ASKED_FOR = os.environ.get("STORE_HUB_BOX") == "1"

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("box"),
    pytest.mark.may_block,  # the tests wait for a machine; there is no loop
]
long_form = pytest.mark.skipif(not ASKED_FOR, reason="takes longer: STORE_HUB_BOX=1")
if not ASKED_FOR:
    pytest.skip("boots a box, for minutes: sudo ./scripts/box", allow_module_level=True)


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, version 1.0, built from this checkout."""
    if (reason := why_not(LOWER)) and not ASKED_FOR:
        pytest.skip(f"no box can be had here: {reason}")
    if given := os.environ.get("STORE_HUB_BOX_DEB"):
        return repack(Path(given), tmp_path_factory.mktemp("deb") / "first.deb", "1.0", {})
    output = tmp_path_factory.mktemp("deb")
    build = [str(ROOT / "scripts" / "build-deb"), "--version", "1.0", "--output", str(output)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def shop(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The booted box; nothing is installed in it yet."""
    try:
        with booted(LOWER) as machine:
            _can_confine(machine)
            shop = Shop(machine, deb, tmp_path_factory.mktemp("box"))
            machine.put(deb, "/srv/first.deb")
            machine.put(ROOT / "scripts" / "install", "/srv/install")
            yield shop
    except NoMachine as error:
        if ASKED_FOR:
            raise
        pytest.skip(f"no box can be had here: {error}")


def _can_confine(machine: Machine) -> None:
    """Whether services can be shut in here as the hub's unit asks for; that is the kernel's and
    the surrounding sandbox's to allow."""
    asked = [
        *("DynamicUser=yes", "PrivateUsers=yes", "PrivateMounts=yes", "PrivateIPC=yes"),
        *("ProtectSystem=strict", "ProtectProc=invisible", "SystemCallFilter=@system-service"),
        *("MemoryDenyWriteExecute=yes", "DevicePolicy=closed", "NoNewPrivileges=yes"),
    ]
    properties = [f"--property={one}" for one in asked]
    said = machine.run("systemd-run", "--quiet", "--wait", *properties, "/bin/true", code=None)
    journal = machine.run("journalctl", "-q", "-n", "10", "--no-pager", code=None)
    if said.strip():
        raise NoMachine(f"no service can be shut in here: {said}\n{journal}")


def test_a_new_box_is_told_what_it_needs_and_nothing_happens(shop: Shop) -> None:
    told = shop.machine.run("/srv/install", "--deb", "/srv/first.deb", code=1)
    assert "--store, --timezone and --currency" in told
    told = shop.machine.run("/srv/install", "--deb", "/etc/hostname", code=1)
    assert "no package of Store Hub" in told
    assert not (shop.machine.root / "opt/store-hub").exists()


def test_the_package_installs_and_the_hub_becomes_ready(shop: Shop) -> None:
    box = shop.machine
    shop.drop_in("hurry", HURRY)
    arguments = ("--store", "367", "--timezone", "Europe/Berlin", "--currency", "EUR")
    said = box.run("/srv/install", "--deb", "/srv/first.deb", *arguments)
    assert "version 1.0 is ready" in said
    assert shop.show("StatusText") == "store 367 is open"
    assert shop.show("ActiveState", "store-hub-backup.timer") == "active"
    assert shop.show("ActiveState", "store-hub-verify.timer") == "active"


def test_the_log_is_kept_within_bounds_and_the_notes_are_in_the_package(shop: Shop) -> None:
    box = shop.machine
    settings = box.run("systemd-analyze", "cat-config", "systemd/journald.conf")
    assert "Storage=persistent\nSystemMaxUse=1G" in settings
    assert list((box.root / "var/log/journal").iterdir())
    # What a small box was told not to unpack is in the package all the same.
    listed = box.run("dpkg-query", "-L", "store-hub").split()
    notes = box.run(
        *("sh", "-c", "dpkg-deb --fsys-tarfile /srv/first.deb | tar -xO ./$0"),
        "usr/share/doc/store-hub/install.md",
    )
    assert "/usr/share/doc/store-hub/replacement.md" in listed
    assert "nft add rule inet filter input tcp dport { 8443, 8883, 8884 } accept" in notes


def test_debians_own_broker_stays_out_of_the_way(shop: Shop) -> None:
    shop.machine.run("systemctl", "start", "mosquitto.service")
    assert shop.show("ActiveState", "mosquitto.service") == "inactive"
    assert shop.show("ConditionResult", "mosquitto.service") == "no"


def test_a_till_pairs_and_sells_with_the_clouds_data(shop: Shop) -> None:
    box = shop.machine
    shop.open_the_cloud()
    journal = ("journalctl", "-q", "-u", "oms", "-o", "cat")
    line = shop.until(lambda: re.search(r'^\{.*"token".*\}$', box.run(*journal), re.M))
    token = json.loads(line[0])["token"]
    box.write("/etc/credstore/store-hub.cloud.token", token, 0o600)
    box.write("/etc/store-hub/oms-ca.pem", (box.root / "srv/oms/tls/ca.pem").read_text())
    box.write("/etc/store-hub/config.toml", CONFIG)
    box.run("systemctl", "restart", HUB)
    opened = json.loads(box.run("store-hub", "pair", "--kind", "till", "--json"))
    shop.sell("--link", opened["qr"])


def test_a_silent_connection_is_closed_from_within_the_sandbox(shop: Shop) -> None:
    found = shop.till("--silent", "8884")
    assert found["ended"]
    # Mosquitto alone takes 90 s.  What would keep the hub from doing it is said in its log.
    assert "Silent connections" not in shop.log()


def test_a_hub_that_is_killed_comes_back_with_its_books(shop: Shop) -> None:
    shop.drop_in("watchdog", IMPATIENT)  # for the next start, which is the one that will hang
    pid = shop.pid()
    shop.machine.run("kill", "-KILL", pid)
    shop.again(pid)
    shop.has_all_sales()
    shop.sell()


def test_a_hub_that_hangs_is_started_again_by_the_watchdog(shop: Shop) -> None:
    pid = shop.pid()
    shop.machine.run("kill", "-STOP", pid)
    shop.drop_in("watchdog", "")
    shop.again(pid)
    assert "Watchdog timeout" in shop.log()
    shop.sell()


def test_the_nightly_copy_of_a_running_hub_is_made_and_verified(shop: Shop) -> None:
    pid = shop.show("MainPID")
    shop.machine.run("systemctl", "start", "store-hub-backup.service")
    shop.machine.run("systemctl", "start", "store-hub-verify.service")
    assert len(shop.copies()) == 1
    assert shop.show("MainPID") == pid
    said = shop.log("store-hub-verify.service")
    assert "is whole: " in said
    assert "The ledger is whole" in said
    assert "The audit log is whole" in said


def test_the_command_line_knows_the_services_secrets(shop: Shop) -> None:
    oauth = 'client_id = "hub"\ntoken_url = "https://127.0.0.1/token"\n'
    shop.machine.write("/etc/store-hub/oauth.toml", CONFIG + oauth)
    check = ("store-hub", "--config", "/etc/store-hub/oauth.toml", "config", "show")
    assert "cloud.client_secret must be set" in shop.machine.run(*check, code=1)
    secret = "/etc/credstore/store-hub@oauth.cloud.client_secret"
    shop.machine.write(secret, "3f9c0d", 0o600)
    assert "3f9c0d" not in shop.machine.run(*check)


@long_form
def test_a_box_that_is_switched_off_and_on_sells_again(shop: Shop) -> None:
    shop.machine.reboot()
    shop.until(lambda: shop.show("ActiveState") == "active")
    shop.has_all_sales()
    shop.open_the_cloud()
    shop.sell()


@long_form
def test_an_upgrade_copies_the_books_and_ends_when_the_new_version_is_ready(shop: Shop) -> None:
    shop.machine.run("rm", "/etc/default/store-hub")  # somebody tidied up
    said = shop.machine.run("store-hub-upgrade", "--deb", shop.package("1.1"))
    assert "the books are copied: /var/lib/store-hub-backups/" in said
    assert shop.version() == "1.1"
    assert len(shop.copies()) == 2
    shop.sell()


@long_form
def test_a_version_that_does_not_become_ready_is_taken_back(shop: Shop) -> None:
    former, copies = shop.version(), len(shop.copies())
    said = shop.machine.run("store-hub-upgrade", "--deb", shop.package("1.2", FAILS), code=3)
    assert "the books are copied: /var/lib/store-hub-backups/" in said
    assert "this version has a fault" in said
    assert f"version {former} runs again, with all its books" in said
    assert shop.version() == former
    assert len(shop.copies()) == copies + 1
    shop.sell()


@long_form
def test_books_that_the_former_version_cannot_read_are_put_back_from_the_copy(shop: Shop) -> None:
    late = shop.package("1.3", FAILS_LATE)
    said = shop.machine.run("store-hub-upgrade", "--deb", late, code=3)
    assert "putting the copy" in said
    assert shop.version() == "1.1"
    shop.has_all_sales()
    shop.sell()


@long_form
def test_an_upgrade_without_a_copy_of_the_books_does_not_begin(shop: Shop) -> None:
    box = shop.machine
    backup = "store-hub-backup.service"
    shop.drop_in("full", "[Service]\nExecStart=\nExecStart=/bin/false\n", backup)
    said = box.run("store-hub-upgrade", "--deb", "/srv/1.2.deb", code=1)
    assert "--no-backup" in said
    assert shop.version() == "1.1"
    shop.drop_in("full", "", backup)
    shop.until(lambda: shop.show("ActiveState") == "active")
    shop.sell()


@long_form
def test_a_second_hub_runs_beside_for_training(shop: Shop) -> None:
    box = shop.machine
    box.write("/etc/store-hub/training.toml", TRAINING)
    for kind in ("store-hub@training.service", "store-hub-backup@training.timer"):
        box.run("systemctl", "enable", "--now", kind)
    assert shop.show("StatusText", "store-hub@training.service") == "store 367 is open"
    box.run("systemctl", "start", "store-hub-backup@training.service")
    box.run("systemctl", "start", "store-hub-verify@training.service")
    # It is stopped and started with the package.
    pid = shop.show("MainPID", "store-hub@training.service")
    said = box.run("store-hub-upgrade", "--deb", shop.package("1.4"))
    assert "the books are copied: /var/lib/store-hub-backups@training/" in said
    assert shop.show("ActiveState", "store-hub@training.service") == "active"
    assert shop.show("MainPID", "store-hub@training.service") != pid
    shop.sell()


@long_form
def test_a_second_hubs_books_are_put_back_with_the_first_ones(shop: Shop) -> None:
    said = shop.machine.run("store-hub-upgrade", "--deb", shop.package("1.5", FAILS_LATE), code=3)
    for name in ("store-hub-backups", "store-hub-backups@training"):
        assert f"putting the copy /var/lib/{name}/" in said
    assert shop.version() == "1.4"
    assert shop.show("ActiveState", "store-hub@training.service") == "active"
    shop.has_all_sales()
    shop.sell()


@long_form
def test_the_books_are_replicated_from_within_the_sandbox(shop: Shop) -> None:
    box = shop.machine
    box.run("systemctl", "disable", "--now", "store-hub@training.service")
    box.run("mkdir", "--mode=1777", "/mnt/far")
    shop.drop_in("far", FAR)
    box.write("/etc/store-hub/config.toml", CONFIG + REPLICA)
    box.run("systemctl", "restart", HUB)
    box.write("/srv/words", "correct horse battery staple\n", 0o600)
    words = ("--passphrase-file", "/srv/words")
    box.run("store-hub", "escrow", "export", "--out", "/srv/escrow", *words)
    shop.sell()
    shop.until(lambda: shop.replicated(0) == set(shop.sold))


@long_form
def test_another_box_comes_up_from_the_replica(shop: Shop) -> None:
    lived_s = shop.lose_the_box()
    print(f"ended {lived_s:.2f} s after the last answer:", shop.replace_the_box("--from-replica"))
    shop.gets_all_sales_back()
    shop.until(lambda: shop.replicated(1) == set(shop.sold))


@long_form
def test_a_standby_takes_over_though_the_replica_cannot_be_reached(shop: Shop) -> None:
    box, held = shop.machine, "/var/lib/private/store-hub-standby/hub.db"
    for _ in range(2):  # as a service it may be started again
        box.run("systemctl", "restart", "store-hub-standby")
        shop.sell()
        shop.until(lambda: shop.held(held) == set(shop.sold))
    lived_s = shop.lose_the_box()
    box.run("mv", "/mnt/far/store-367", "/mnt/gone")
    box.run("systemctl", "stop", "store-hub-standby")
    took = shop.replace_the_box("--from-database", "/var/lib/store-hub-standby/hub.db")
    print(f"ended {lived_s:.2f} s after the last answer:", took)
    shop.gets_all_sales_back()
    box.write("/etc/store-hub/config.toml", CONFIG)
    shop.drop_in("far", "")
    box.run("systemctl", "restart", HUB)


def test_a_hub_stops_in_order(shop: Shop) -> None:
    shop.machine.run("systemctl", "stop", HUB)
    assert (shop.show("Result"), shop.show("ExecMainStatus")) == ("success", "0")


def test_removal_keeps_the_books_and_purging_deletes_them(shop: Shop) -> None:
    box = shop.machine
    apt = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y")
    said = box.run(*apt, "remove", "store-hub")
    assert "/var/lib/store-hub" in said
    assert not (box.root / "opt/store-hub").exists()
    assert (box.root / "var/lib/private/store-hub/hub.db").exists()
    assert list((box.root / "var/lib/private/store-hub-backups").glob("*/hub.db"))
    assert (box.root / "etc/store-hub/config.toml").exists()
    if ASKED_FOR:
        box.run("apt-get", "-qq", "-y", "install", "/srv/first.deb")
        shop.until(lambda: shop.show("ActiveState") == "active")
        shop.has_all_sales()
    box.run(*apt, "purge", "store-hub")
    shop.drop_in("hurry", "")
    assert shop.traces() == shop.untouched


def test_nothing_of_the_box_is_left_running_when_its_tests_end(tmp_path: Path) -> None:
    """A guard of the guard: the box dies with the process that started it."""
    code = (
        "import os, sys, threading; from pathlib import Path\n"
        "from scripts.packaging.machine import booted\n"
        "with booted(Path(sys.argv[1]), Path(sys.argv[2])) as machine:\n"
        "    print(machine.init, flush=True); os.kill(os.getpid(), 9)\n"
    )
    if reason := why_not(LOWER):
        pytest.skip(f"no box can be had here: {reason}")
    done = subprocess.run(
        [sys.executable, "-c", code, str(LOWER), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if not done.stdout:
        pytest.skip(f"no box can be had here: {done.stderr[-500:]}")
    ended = threading.Event()
    until_s = time.monotonic() + 60
    while Path(f"/proc/{done.stdout.strip()}").exists() and time.monotonic() < until_s:
        ended.wait(0.1)
    assert not Path(f"/proc/{done.stdout.strip()}").exists()
