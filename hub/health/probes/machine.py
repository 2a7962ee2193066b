"""Memory, temperature and power."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Final

from hub.health.facts import Machine
from hub.health.probes import files

SENSORS_MAX: Final = 64
LIKELY: Final = range(-40, 151)


def measure(root: Path = Path("/")) -> Machine:
    """What the box tells."""
    memory = _memory(root)
    on_mains, battery = _supply(root)
    return Machine(
        rss_bytes=_own_bytes(root),
        available_bytes=memory.get("MemAvailable"),
        total_bytes=memory.get("MemTotal"),
        celsius=_hottest(root),
        on_mains=on_mains,
        battery_percent=battery,
        under_voltage=_under_voltage(root),
    )


def _own_bytes(root: Path) -> int | None:
    """Resident pages (proc(5), statm)."""
    fields = (files.text(root / "proc/self/statm") or "").split()
    if len(fields) < 2 or not fields[1].isdigit():
        return None
    return int(fields[1]) * resource.getpagesize()


def _memory(root: Path) -> dict[str, int]:
    found = {}
    for line in (files.text(root / "proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if name in ("MemAvailable", "MemTotal") and words and words[0].isdigit():
            found[name] = int(words[0]) * 1024
    return found


def _hottest(root: Path) -> int | None:
    paths = sorted((root / "sys/class/thermal").glob("thermal_zone*/temp"))[:SENSORS_MAX]
    told = (files.number(path) for path in paths)
    found = [value // 1000 for value in told if value is not None and value // 1000 in LIKELY]
    return max(found, default=None)


def _supply(root: Path) -> tuple[bool | None, int | None]:
    """Whether mains feed the box, and the battery's charge (sysfs-class-power)."""
    online: list[bool] = []
    batteries: list[tuple[str, int | None]] = []
    for path in sorted((root / "sys/class/power_supply").glob("*"))[:SENSORS_MAX]:
        if files.text(path / "scope") == "Device":  # a mouse's, or a scanner's
            continue
        match files.text(path / "type"):
            case "Mains" | "USB" if (there := files.number(path / "online")) is not None:
                online.append(there > 0)
            case "Battery" | "UPS":
                status = files.text(path / "status") or ""
                batteries.append((status, files.number(path / "capacity")))
            case _:
                pass
    charge = min((left for _, left in batteries if left is not None), default=None)
    if any(online):
        return True, charge
    if batteries and (online or any(status == "Discharging" for status, _ in batteries)):
        return False, charge
    return (True if batteries else None), charge


def _under_voltage(root: Path) -> bool | None:
    """The alarm of boards that watch their supply (hwmon, ``in0_lcrit_alarm``)."""
    alarms = sorted((root / "sys/class/hwmon").glob("hwmon*/in*_lcrit_alarm"))[:SENSORS_MAX]
    told = [value for value in map(files.number, alarms) if value is not None]
    return any(told) if told else None
