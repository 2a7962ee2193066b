"""What runs for which command: one module a subject, put together in :func:`collect`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from hub.contract.peripherals import ConfigurePeripheral
from hub.contract.registry import BY_COMMAND
from hub.contract.staff import DecideApproval, SignIn
from hub.service.gate import Handlers
from hub.service.handlers.peripherals import check_drivable
from hub.service.handlers.signin import PinDesk

MODULES: Final = (
    "baskets",
    "catalog",
    "cloud",
    "datasets",
    "devices",
    "drawers",
    "drill",
    "forwarding",
    "giftcards",
    "history",
    "house",
    "labels",
    "loglevel",
    "mending",
    "mirroring",
    "orders",
    "paying",
    "paymentkeys",
    "payments",
    "peripherals",
    "presence",
    "printing",
    "receivables",
    "recovery",
    "remote",
    "reprints",
    "returns",
    "salequeries",
    "sales",
    "scales",
    "scans",
    "settlement",
    "staff",
    "stock",
    "tillterminals",
    "told",
    "webaccess",
)
"""One a subject; imported when the tables are put together."""


def collect(desk: PinDesk) -> Handlers:
    """All handlers.  Every operation of the registry has exactly one."""
    tables: dict[str, dict[type[Any], Callable[..., Any]]] = {
        "WRITES": {},
        "READS": {},
        "SLOW_READS": {},
        "INTERNAL": {},
        "LIVE": {},
    }
    for subject in MODULES:
        module = import_module(f"{__name__}.{subject}")
        for name, table in tables.items():
            found = getattr(module, name, {})
            assert not table.keys() & found.keys(), f"{module.__name__} handles {name} twice"
            table.update(found)
    handlers = Handlers(
        writes=tables["WRITES"],
        reads=tables["READS"],
        slow_reads=tables["SLOW_READS"],
        internal=tables["INTERNAL"],
        before={
            SignIn: desk.sign_in,
            DecideApproval: desk.decide,
            ConfigurePeripheral: check_drivable,
        },
        live=tables["LIVE"],
    )
    missing = [
        command.__name__
        for command in BY_COMMAND
        if command not in handlers.writes
        and command not in handlers.reads
        and command not in handlers.slow_reads
        and command not in handlers.before
        and command not in handlers.live
    ]
    assert not missing, f"nobody handles {', '.join(missing)}"
    return handlers


__all__ = ["collect"]
