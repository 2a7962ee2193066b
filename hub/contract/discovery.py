"""What a hub says about itself by mDNS (RFC 6762) and DNS-SD (RFC 6763).

Three services under one instance name: the hub itself, its broker, its web page.  Only the hub's
own service has a TXT record with content.  Nothing of it is proof of anything: whoever is on the
network can announce; a device trusts a hub after pairing, by the CA's fingerprint it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

HUB_SERVICE = "_store-hub._tcp.local."
BROKER_SERVICE = "_secure-mqtt._tcp.local."
WEB_SERVICE = "_https._tcp.local."
SERVICES = (HUB_SERVICE, BROKER_SERVICE, WEB_SERVICE)

TXT_VERSION = "1"
MAX_LABEL_BYTES = 63
MAX_TXT_STRING_BYTES = 255
MAX_TXT_NAME_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTxt:
    """The TXT record of ``_store-hub._tcp``; the SRV record's port is the HTTPS port.

    ``mqtt_port`` takes a password, ``mtls_port`` a certificate; ``wss_path`` is on the HTTPS port;
    ``ca_fingerprint`` is the SHA-256 of the CA certificate's DER.
    """

    store: str
    name: str
    mqtt_port: int
    mtls_port: int
    ca_fingerprint: str
    wss_path: str = "/mqtt"

    def properties(self) -> dict[str, str]:
        """Key and value of each string; ``txtvers`` comes first (RFC 6763, section 6.7)."""
        found = {
            "txtvers": TXT_VERSION,
            "store": self.store,
            "name": cut_utf8(self.name, MAX_TXT_NAME_BYTES),
            "mqtt": str(self.mqtt_port),
            "mtls": str(self.mtls_port),
            "wss": self.wss_path,
            "fp": self.ca_fingerprint,
        }
        for key, value in found.items():
            size = len(f"{key}={value}".encode())
            if size > MAX_TXT_STRING_BYTES:
                raise ValueError(f"TXT {key!r} takes {size} bytes; {MAX_TXT_STRING_BYTES} fit")
        return found

    @classmethod
    def parse(cls, properties: Mapping[bytes, bytes | None]) -> Self:
        """Read a record from the wire; keys are case-insensitive, unknown ones are ignored.

        Raises ValueError that names the first key missing or unreadable, or another version.
        """
        texts = {key.lower(): value for key, value in properties.items()}
        if (version := _text(texts, "txtvers")) != TXT_VERSION:
            raise ValueError(f"TXT 'txtvers' is {version!r}; this side reads {TXT_VERSION!r}")
        wss_path = _text(texts, "wss")
        if not wss_path.startswith("/"):
            raise ValueError(f"TXT 'wss' is {wss_path!r}, not a path")
        return cls(
            store=_text(texts, "store"),
            name=_text(texts, "name"),
            mqtt_port=_port(texts, "mqtt"),
            mtls_port=_port(texts, "mtls"),
            ca_fingerprint=_text(texts, "fp"),
            wss_path=wss_path,
        )


def cut_utf8(text: str, max_bytes: int) -> str:
    """As much of ``text`` as fits into ``max_bytes`` of UTF-8, whole characters only."""
    return text.encode()[:max_bytes].decode(errors="ignore")


def _text(texts: Mapping[bytes, bytes | None], key: str) -> str:
    value = texts.get(key.encode())
    if not value:
        raise ValueError(f"TXT {key!r} is missing or empty")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"TXT {key!r} is not UTF-8") from error


def _port(texts: Mapping[bytes, bytes | None], key: str) -> int:
    text = _text(texts, key)
    if text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535:
        return int(text)
    raise ValueError(f"TXT {key!r} is {text!r}, not a port from 1 to 65535")
