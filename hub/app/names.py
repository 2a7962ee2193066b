"""Under which names and addresses this box is known."""

from __future__ import annotations

import ipaddress
from typing import Final

from hub.app.ports import Ports
from hub.config import Settings, Store
from hub.discovery import Advertisement, system_addresses

HOST_LABEL_MAX: Final = 60


def certificate_names(settings: Settings) -> tuple[list[str], list[str]]:
    """(names, addresses) for the hub's own certificate."""
    store = settings.store
    names = [f"{store.hub_name}.local", store.hub_name, "localhost"]
    addresses = ["127.0.0.1", "::1", *(one.ip for one in system_addresses())]
    for name in settings.web.public_names:
        (addresses if _is_address(name) else names).append(name)
    return names, addresses


def advertisement(store: Store, https_port: int, ports: Ports, fingerprint: str) -> Advertisement:
    """What the shop's network is told of this hub."""
    return Advertisement(
        store=store.id,
        name=store.name,
        host_label=store.hub_name[:HOST_LABEL_MAX],
        https_port=https_port,
        mqtt_port=ports.password,
        mtls_port=ports.mtls,
        ca_fingerprint=fingerprint,
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
