"""Under which names and addresses this box is known."""

from __future__ import annotations

import ipaddress

from hub.config import Settings
from hub.discovery import system_addresses


def certificate_names(settings: Settings) -> tuple[list[str], list[str]]:
    """(names, addresses) for the hub's own certificate."""
    store = settings.store
    names = [f"{store.hub_name}.local", store.hub_name, "localhost"]
    addresses = ["127.0.0.1", "::1", *(one.ip for one in system_addresses())]
    for name in settings.web.public_names:
        (addresses if _is_address(name) else names).append(name)
    return names, addresses


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
