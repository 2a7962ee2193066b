"""Announcing the hub on the shop's network by mDNS, whatever happens to names and cables."""

from hub.discovery.addresses import InterfaceAddress, system_addresses
from hub.discovery.advertiser import Advertiser
from hub.discovery.records import Advertisement
from hub.discovery.state import DiscoveryState, Status

__all__ = [
    "Advertisement",
    "Advertiser",
    "DiscoveryState",
    "InterfaceAddress",
    "Status",
    "system_addresses",
]
