"""Which addresses the box can be reached at, and on which interfaces."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ifaddr

_SIOCGIFFLAGS = 0x8913  # netdevice(7)
_IFF_UP, _IFF_LOOPBACK, _IFF_RUNNING, _IFF_MULTICAST = 0x1, 0x8, 0x40, 0x1000
_USABLE = _IFF_UP | _IFF_RUNNING | _IFF_MULTICAST

_IF_INET6 = Path("/proc/net/if_inet6")
# IFA_F_TEMPORARY, DADFAILED, DEPRECATED, TENTATIVE (linux/if_addr.h): gone soon, or not ours yet.
_IPV6_FLEETING = 0x01 | 0x08 | 0x20 | 0x40

MAX_ADDRESSES = 32


@dataclass(frozen=True, slots=True, order=True)
class InterfaceAddress:
    """An address of an interface; ``ip`` is in its usual text form without a scope."""

    interface: str
    index: int
    ip: str

    @property
    def link_local(self) -> bool:
        return ipaddress.ip_address(self.ip).is_link_local

    @property
    def version(self) -> int:
        return ipaddress.ip_address(self.ip).version


AddressSource = Callable[[], Sequence[InterfaceAddress]]


def system_addresses(interfaces: Sequence[str] = ()) -> tuple[InterfaceAddress, ...]:
    """The addresses of this network namespace that last, sorted; at most ``MAX_ADDRESSES``.

    Only interfaces that are up, have a carrier and do multicast count, and among them only those
    named in ``interfaces`` unless it is empty.  IPv6 addresses still being checked for duplicates,
    deprecated ones and temporary ones are left out.
    """
    fleeting = _fleeting_ipv6()
    found = []
    for adapter in ifaddr.get_adapters():
        if adapter.index is None or (interfaces and adapter.name not in interfaces):
            continue
        if not _usable(adapter.name):
            continue
        for entry in adapter.ips:
            ip = entry.ip[0] if isinstance(entry.ip, tuple) else entry.ip
            if ip not in fleeting:
                found.append(InterfaceAddress(adapter.name, adapter.index, ip))
    return tuple(sorted(found)[:MAX_ADDRESSES])


def announced_ips(addresses: Sequence[InterfaceAddress]) -> tuple[str, ...]:
    """What to tell devices: link-local addresses only of interfaces that have no other."""
    routable = {entry.interface for entry in addresses if not entry.link_local}
    chosen = (e for e in addresses if not e.link_local or e.interface not in routable)
    return tuple(dict.fromkeys(entry.ip for entry in chosen))


def stack_interfaces(addresses: Sequence[InterfaceAddress]) -> list[str | int]:
    """The same as python-zeroconf wants it: IPv4 addresses, and interface indexes for IPv6."""
    ipv4 = (entry.ip for entry in addresses if entry.version == 4)
    ipv6 = (entry.index for entry in addresses if entry.version == 6)
    return list(dict.fromkeys([*ipv4, *ipv6]))


def _usable(interface: str) -> bool:
    request = struct.pack("16sH14x", interface.encode()[:15], 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, _SIOCGIFFLAGS, request)
        except OSError:  # it went away since it was listed
            return False
    (flags,) = struct.unpack_from("H", answer, 16)
    return bool(flags & _USABLE == _USABLE and not flags & _IFF_LOOPBACK)


def _fleeting_ipv6() -> frozenset[str]:
    try:
        lines = _IF_INET6.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:  # a kernel without IPv6
        return frozenset()
    fields = (line.split() for line in lines)
    return frozenset(
        str(ipaddress.IPv6Address(bytes.fromhex(field[0])))
        for field in fields
        if len(field) == 6 and int(field[4], 16) & _IPV6_FLEETING
    )
