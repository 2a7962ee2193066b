"""From what the hub is to the services it announces; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zeroconf import ServiceInfo

from hub.contract.discovery import (
    BROKER_SERVICE,
    HUB_SERVICE,
    MAX_LABEL_BYTES,
    WEB_SERVICE,
    HubTxt,
    cut_utf8,
)

_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?")
_FALLBACK_NAME = "Store Hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """What to announce.

    ``name`` is for people, any text.  ``host_label`` (at most 60 letters, digits and hyphens, in
    lower case) becomes ``host_label.local``, which the server certificate should name.  Ports are
    those really listened on.  ``ca_fingerprint``: SHA-256 of the CA certificate's DER.
    Raises ValueError when it can't be announced.
    """

    store: str
    name: str
    host_label: str
    https_port: int
    mqtt_port: int
    mtls_port: int
    ca_fingerprint: str
    wss_path: str = "/mqtt"

    def __post_init__(self) -> None:
        if not _HOST_LABEL.fullmatch(self.host_label):
            raise ValueError(
                f"host_label {self.host_label!r} must be 1 to 60 of a-z, 0-9 and inner hyphens"
            )
        for port in (self.https_port, self.mqtt_port, self.mtls_port):
            if not 1 <= port <= 65535:
                raise ValueError(f"port {port} is not between 1 and 65535")
        self.txt().properties()

    def txt(self) -> HubTxt:
        return HubTxt(
            store=self.store,
            name=self.name,
            mqtt_port=self.mqtt_port,
            mtls_port=self.mtls_port,
            ca_fingerprint=self.ca_fingerprint,
            wss_path=self.wss_path,
        )


def instance_label(name: str, number: int = 1) -> str:
    """The instance name for the ``number``-th try: ``Name``, ``Name (2)``, ``Name (3)``, …

    At most 63 bytes of UTF-8 (RFC 6763, section 4.1.1).  Control characters go; dots go too,
    because python-zeroconf takes every dot for the end of a label.
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    text = re.sub(r"\.+(?=\s|$)", "", text).replace(".", "-").strip() or _FALLBACK_NAME
    suffix = f" ({number})" if number > 1 else ""
    return cut_utf8(text, MAX_LABEL_BYTES - len(suffix)).rstrip() + suffix


def host_name(label: str, number: int = 1) -> str:
    """The fully qualified host name for the ``number``-th try: ``x.local.``, ``x-2.local.``, …"""
    return f"{label}.local." if number == 1 else f"{label}-{number}.local."


def build_services(
    advertisement: Advertisement, *, instance: str, host: str, ips: Sequence[str]
) -> tuple[ServiceInfo, ...]:
    """The three services under one instance name, in the order of ``SERVICES``."""

    def service(kind: str, port: int, properties: dict[str, str]) -> ServiceInfo:
        return ServiceInfo(
            kind,
            f"{instance}.{kind}",
            port=port,
            properties=properties,
            server=host,
            parsed_addresses=list(ips),
        )

    return (
        service(HUB_SERVICE, advertisement.https_port, advertisement.txt().properties()),
        service(BROKER_SERVICE, advertisement.mqtt_port, {}),
        service(WEB_SERVICE, advertisement.https_port, {"path": "/"}),
    )
