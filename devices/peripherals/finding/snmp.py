"""Printers that answer SNMP (version 1, community ``public``), asked all at once by broadcast.

Two questions: ``sysDescr`` (RFC 1213) and the first ``hrDeviceDescr`` (RFC 2790), each in its own
packet, for an agent that lacks one of them refuses both.  An answer is a claim by whoever answered;
what doesn't call itself something that prints is left out.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Final

import ifaddr

from devices.peripherals.finding.found import Found, How, Unavailable, guess, tidy
from devices.peripherals.model import Category
from devices.peripherals.transports.tcp import DEFAULT_PORT

SYS_DESCR: Final = "1.3.6.1.2.1.1.1.0"
HR_DEVICE_DESCR: Final = "1.3.6.1.2.1.25.3.2.1.3.1"
SNMP_PORT: Final = 161
ANSWER_BYTES_MAX: Final = 2048
ANSWERS_MAX: Final = 512
PRINTERS_MAX: Final = 64
NETWORKS_MAX: Final = 16
ASKS: Final = 2
"""UDP may lose a packet."""

Target = tuple[str, int]
Read = Callable[[bytes], tuple[str, str] | None]


async def snmp_printers(timeout_s: float, targets: Sequence[Target] | None = None) -> list[Found]:
    """Those that answer within ``timeout_s``, at most ``PRINTERS_MAX``.

    ``targets``: instead of the broadcast addresses of the box's networks.  Errors:
    :class:`Unavailable` without pysnmp, OSError when nothing can be sent.
    """
    questions, read = await asyncio.to_thread(_language)
    if targets is None:
        targets = await asyncio.to_thread(broadcasts)
    ears = _Ears(read)
    transport = await _listening(ears)
    try:
        for _ in range(ASKS):
            for target in targets:
                for question in questions:
                    transport.sendto(question, target)
            await asyncio.sleep(timeout_s / ASKS)
    finally:
        transport.close()
    return ears.printers()


def broadcasts() -> list[Target]:
    """Of the box's own IPv4 networks; at most ``NETWORKS_MAX``."""
    found = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            if isinstance(entry.ip, str) and entry.network_prefix < 31:
                network = ipaddress.ip_network(f"{entry.ip}/{entry.network_prefix}", strict=False)
                if not network.is_loopback:
                    found.append((str(network.broadcast_address), SNMP_PORT))
    return sorted(set(found))[:NETWORKS_MAX]


class _Ears(asyncio.DatagramProtocol):
    def __init__(self, read: Read) -> None:
        self._read = read
        self._answers = 0
        self._told: dict[str, dict[str, str]] = {}

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._answers += 1
        if self._answers > ANSWERS_MAX or len(data) > ANSWER_BYTES_MAX:
            return
        answer = self._read(data)
        if answer is not None and (addr[0] in self._told or len(self._told) < PRINTERS_MAX):
            self._told.setdefault(addr[0], {})[answer[0]] = tidy(answer[1])

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there: no printer."""

    def printers(self) -> list[Found]:
        found = []
        for ip in sorted(self._told, key=ipaddress.ip_address):
            system = self._told[ip].get(SYS_DESCR, "")
            model = self._told[ip].get(HR_DEVICE_DESCR, "") or system
            if guess(model, system) is Category.PRINTER:
                address = f"tcp://{ip}:{DEFAULT_PORT}"
                found.append(Found(Category.PRINTER, address, model, model, How.SNMP))
        return found


async def _listening(ears: _Ears) -> asyncio.DatagramTransport:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: ears, sock=sock)
    except BaseException:
        sock.close()
        raise
    return transport


def _language() -> tuple[list[bytes], Read]:
    """The questions, and how to read an answer: OID and text.  Blocks for half a second the first
    time (imports)."""
    try:
        from pyasn1.codec.ber import decoder, encoder
        from pysnmp.proto.api import v1
    except ImportError as error:
        raise Unavailable("pysnmp is missing") from error

    def question(request_id: int, oid: str) -> bytes:
        pdu = v1.GetRequestPDU()
        v1.apiPDU.set_defaults(pdu)
        v1.apiPDU.set_request_id(pdu, request_id)
        v1.apiPDU.set_varbinds(pdu, [(oid, v1.Null(""))])
        message = v1.Message()
        v1.apiMessage.set_defaults(message)
        v1.apiMessage.set_community(message, "public")
        v1.apiMessage.set_pdu(message, pdu)
        return bytes(encoder.encode(message))

    def read(data: bytes) -> tuple[str, str] | None:
        try:
            message, _ = decoder.decode(data, asn1Spec=v1.Message())
            pdu = v1.apiMessage.get_pdu(message)
            if int(v1.apiPDU.get_error_status(pdu)):
                return None
            ((oid, value),) = v1.apiPDU.get_varbinds(pdu)
            return str(oid), bytes(value).decode("utf-8", "replace")
        except Exception:  # whatever the decoder makes of a stranger's bytes: no answer
            return None

    return [question(1, SYS_DESCR), question(2, HR_DEVICE_DESCR)], read
