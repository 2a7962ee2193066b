"""What is read of a box, from files as real boxes have them; what isn't there is no trouble."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.health.facts import Backup, ClockSource, Machine
from hub.health.probes import backup, clock, machine
from hub.health.probes.disk import DiskProbe, wear
from tests.fakes import FakeClock

MEMINFO = """\
MemTotal:        3884096 kB
MemFree:          220340 kB
MemAvailable:    2950144 kB
"""


def put(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_small_board_tells_memory_temperature_and_voltage(tmp_path: Path) -> None:
    root = put(
        tmp_path,
        {
            "proc/meminfo": MEMINFO,
            "proc/self/statm": "52000 30000 9000 700 0 21000 0\n",
            "sys/class/thermal/thermal_zone0/temp": "61234\n",
            "sys/class/thermal/thermal_zone1/temp": "-127000\n",
            "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n",
        },
    )
    found = machine.measure(root)
    assert found.rss_bytes == 30000 * os.sysconf("SC_PAGE_SIZE")
    assert (found.available_bytes, found.total_bytes) == (2950144 << 10, 3884096 << 10)
    assert (found.celsius, found.under_voltage) == (61, True)
    assert (found.on_mains, found.battery_percent) == (None, None)


@pytest.mark.parametrize(
    ("online", "status", "mains"),
    [("1", "Charging", True), ("0", "Discharging", False), (None, "Discharging", False)],
)
def test_a_laptop_tells_what_feeds_it(
    tmp_path: Path, online: str | None, status: str, mains: bool
) -> None:
    supply = "sys/class/power_supply"
    files = {
        f"{supply}/BAT0/type": "Battery",
        f"{supply}/BAT0/status": status,
        f"{supply}/BAT0/capacity": "83",
        f"{supply}/hidpp_battery_0/type": "Battery",
        f"{supply}/hidpp_battery_0/scope": "Device",
        f"{supply}/hidpp_battery_0/capacity": "5",
    }
    if online is not None:
        files |= {f"{supply}/AC/type": "Mains", f"{supply}/AC/online": online}
    found = machine.measure(put(tmp_path, files))
    assert (found.on_mains, found.battery_percent) == (mains, 83)


def test_an_empty_box_tells_nothing_and_is_no_error(tmp_path: Path) -> None:
    assert machine.measure(tmp_path) == Machine()
    assert clock.measure(tmp_path, lambda: None) == ClockSource()
    assert wear(tmp_path, os.makedev(179, 2)) == ("", None)


def test_garbage_in_the_kernels_files_is_no_error(tmp_path: Path) -> None:
    files = ("proc/meminfo", "proc/self/statm", "sys/class/thermal/thermal_zone0/temp")
    root = put(tmp_path, dict.fromkeys(files, "garbage: here\nMemTotal: x y\n\0"))
    assert machine.measure(root) == Machine()


@pytest.mark.parametrize(
    ("files", "kernel", "expected"),
    [
        ({"run/systemd/timesync/synchronized": ""}, None, ClockSource(True, "systemd-timesyncd")),
        ({"run/systemd/timesync/other": ""}, None, ClockSource(False, "systemd-timesyncd")),
        ({"run/chrony/chronyd.pid": "1"}, True, ClockSource(True, "chrony")),
        ({"run/chrony/chronyd.pid": "1"}, None, ClockSource(None, "chrony")),
        ({}, False, ClockSource(False, "")),
    ],
)
def test_who_sets_the_clock(
    tmp_path: Path, files: dict[str, str], kernel: bool | None, expected: ClockSource
) -> None:
    assert clock.measure(put(tmp_path, files), lambda: kernel) == expected


def test_the_kernel_may_be_asked_about_its_clock() -> None:
    assert clock.kernel_is_synchronised() in (True, False, None)


def test_a_worn_memory_card_says_so(tmp_path: Path) -> None:
    block = put(
        tmp_path,
        {
            "sys/devices/mmc0/block/mmcblk0/device/life_time": "0x02 0x09\n",
            "sys/devices/mmc0/block/mmcblk0/mmcblk0p2/partition": "2\n",
        },
    )
    link = block / "sys/dev/block/179:2"
    link.parent.mkdir(parents=True)
    link.symlink_to(block / "sys/devices/mmc0/block/mmcblk0/mmcblk0p2")
    assert wear(tmp_path, os.makedev(179, 2)) == ("mmcblk0", 90)


def test_the_disk_is_measured_where_the_state_lies(tmp_path: Path) -> None:
    probe = DiskProbe(tmp_path, FakeClock(), tmp_path)
    for _ in range(7):
        found = probe.measure()
    assert 0 < found.free_bytes < found.total_bytes
    assert (found.sync_ms, found.sync_error) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["disk-probe"]
    assert (tmp_path / "disk-probe").stat().st_size == 4096


def test_a_disk_that_keeps_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "disk-probe").mkdir()
    found = DiskProbe(tmp_path, FakeClock(), tmp_path).measure()
    assert found.sync_error == "Is a directory"
    assert found.sync_ms is None


def test_the_last_backup_is_known_by_its_note(tmp_path: Path) -> None:
    assert backup.measure(tmp_path) == Backup()
    backup.note(tmp_path, 1_795_226_400_500, "sftp://elsewhere/store-367")
    assert backup.measure(tmp_path) == Backup(1_795_226_400_500, "sftp://elsewhere/store-367")
    for garbage in ("", "[]", '{"made_at_ms": "x", "place": 1}', "{"):
        (tmp_path / backup.NOTE).write_text(garbage)
        assert backup.measure(tmp_path) is None


def test_a_note_that_cannot_be_written_does_not_spoil_the_backup(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backup.note(tmp_path / "gone", 1, "x")
    assert "isn't told" in caplog.text


@pytest.mark.parametrize(
    ("state", "place"),
    [("store-hub", "store-hub-backups"), ("store-hub@fifth", "store-hub-backups@fifth")],
)
def test_copies_are_looked_for_beside_the_state(tmp_path: Path, state: str, place: str) -> None:
    assert backup.copies(tmp_path / state) == []
    for name in ("20261121T020000.500Z", "20261120T020000.000Z", "20261122T020000.000Z.partial"):
        (tmp_path / place / name).mkdir(parents=True)
    names = [path.name for path in backup.copies(tmp_path / state)]
    assert names == ["20261120T020000.000Z", "20261121T020000.500Z"]
