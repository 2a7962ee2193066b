"""A thingsboard-gateway's event storage in a process of its own, driven as the gateway drives it.

``python thingsboard_process.py KIND FOLDER FIRST LINKED``, with the interpreter of an environment
that has thingsboard-gateway and not this project.  It first reads back what an earlier life left
(``R n`` each), says ``READY``, then puts events FIRST, FIRST + 1, ... and says ``A n`` after each
that the storage has accepted (``put`` returned True), ``F n`` after one that it refused.  With
LINKED = 1 another thread takes packs out meanwhile, as the gateway does while its platform is
reached: ``R n`` for each event, and only then is the pack confirmed.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import threading
import time
from typing import Any

STORAGES = {
    "memory": ("memory_event_storage", "MemoryEventStorage"),
    "file": ("file_event_storage", "FileEventStorage"),
    "sqlite": ("sqlite_event_storage", "SQLiteEventStorage"),
}
PUT_EVERY_S = 0.002
_SETTLE_S = 0.3
_PAYLOAD = "x" * 400


def storage_of(kind: str, folder: str, stop: threading.Event) -> Any:
    """As its own service makes it, with the settings of its packaged configuration."""
    settings = {
        "type": kind,
        "read_records_count": 100,
        "max_records_count": 100000,
        "data_folder_path": folder + "/",
        "max_file_count": 10,
        "max_read_records_count": 10,
        "max_records_per_file": 10000,
        "data_file_path": folder + "/",
        "messages_ttl_check_in_hours": 1,
        "messages_ttl_in_days": 7,
    }
    module, name = STORAGES[kind]
    made = getattr(importlib.import_module(f"thingsboard_gateway.storage.{kind}.{module}"), name)
    return made(settings, logging.getLogger("storage"), stop)


def say(text: str) -> None:
    """One line at once: what was said before a kill is in the pipe."""
    os.write(1, f"{text}\n".encode())


def read_pack(storage: Any) -> bool:
    """Take one pack out and confirm it; False if there was none."""
    pack = storage.get_event_pack()
    if not pack:
        return False
    for event in pack:
        say(f"R {json.loads(event)['n']}")
    storage.event_pack_processing_done()
    return True


def read_all(storage: Any) -> None:
    """Until nothing came for 0.3 s."""
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < _SETTLE_S:
        if read_pack(storage):
            quiet_since = time.monotonic()
        else:
            time.sleep(0.01)


def main() -> None:
    """Until killed."""
    kind, folder, first, linked = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "1"
    logging.basicConfig(level=logging.WARNING)
    logging.addLevelName(5, "TRACE")
    logging.Logger.trace = logging.Logger.debug  # type: ignore[attr-defined]  # its own has one
    storage = storage_of(kind, folder, threading.Event())
    read_all(storage)
    say("READY")
    if linked:
        threading.Thread(target=_take_out, args=(storage,), daemon=True).start()
    number = first
    while True:
        event = json.dumps({"n": number, "telemetry": _PAYLOAD}, separators=(",", ":"))
        say(f"{'A' if storage.put(event) else 'F'} {number}")
        number += 1
        time.sleep(PUT_EVERY_S)


def _take_out(storage: Any) -> None:
    while True:
        if not read_pack(storage):
            time.sleep(0.05)


if __name__ == "__main__":
    main()
