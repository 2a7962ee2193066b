"""One claim on the network: names probed, services announced, contested, withdrawn.

A publication lives as long as the addresses it was made for; when they change it is withdrawn and
a new one is made, because a name must be probed for again on a network it wasn't on before
(RFC 6762, section 8).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Self

from zeroconf import (  # type: ignore[attr-defined]
    AddressResolver,
    DNSOutgoing,
    DNSQuestion,
    DNSService,
    Error,
    NonUniqueNameException,
    RecordUpdate,
    RecordUpdateListener,
    ServiceInfo,
    Zeroconf,
)
from zeroconf.asyncio import AsyncZeroconf
from zeroconf.const import _CLASS_IN, _FLAGS_QR_QUERY, _TYPE_SRV

from hub.discovery.addresses import InterfaceAddress, announced_ips, stack_interfaces
from hub.discovery.records import Advertisement, build_services, host_name, instance_label

_log = logging.getLogger(__name__)

OpenStack = Callable[[list[str | int]], AsyncZeroconf]

MAX_NAMES = 20
_HOST_PROBE_MS = 750  # the three probes of RFC 6762, section 8.1, take as long
_WITHDRAW_S = 3.0
_GOODBYE_TTL_S = 1  # what a received TTL of 0 is kept as (RFC 6762, section 10.1)


class NoFreeName(Error):
    """Every name we may use is in use: give the hub another ``store.name`` or ``hub_name``."""


class NoInterface(Error):
    """No interface let us join the mDNS group: check that one is up and allows multicast."""


def open_stack(interfaces: list[str | int]) -> AsyncZeroconf:
    return AsyncZeroconf(interfaces=interfaces)


class Publication:
    """Services on the air.  Made by ``announce``; ended by ``withdraw``, exactly once."""

    def __init__(self, stack: AsyncZeroconf, services: tuple[ServiceInfo, ...]) -> None:
        self._stack = stack
        self.services = services
        self.watch = ConflictWatch(services)
        self.defences = 0

    @classmethod
    async def announce(
        cls,
        advertisement: Advertisement,
        addresses: Sequence[InterfaceAddress],
        make_stack: OpenStack = open_stack,
    ) -> Self:
        """Probe for free names and announce all services together; takes about two seconds.

        Raises OSError (EADDRINUSE when another mDNS stack shares its port with nobody) or
        zeroconf.Error; nothing is left behind then, nor on cancellation.
        """
        stack = make_stack(stack_interfaces(addresses))
        try:
            await stack.zeroconf.async_wait_for_start()
            if not stack.zeroconf.engine.senders:
                raise NoInterface("no interface could join the mDNS group; is one up?")
            services = await _claim(stack.zeroconf, advertisement, announced_ips(addresses))
            publication = cls(stack, services)
            stack.zeroconf.async_add_listener(publication.watch, None)
            # Probed already: announcing one after another would triple the time and the packets.
            sent = await asyncio.gather(
                *(stack.async_register_service(s, cooperating_responders=True) for s in services)
            )
            await asyncio.gather(*sent)
        except BaseException:
            await _close(stack)
            raise
        return publication

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(service.name.removesuffix(".") for service in self.services)

    @property
    def instance(self) -> str:
        first = self.services[0]
        return first.name.removesuffix("." + first.type)

    @property
    def host(self) -> str:
        return (self.services[0].server or "").removesuffix(".")

    @property
    def ips(self) -> tuple[str, ...]:
        return tuple(self.services[0].parsed_addresses())

    async def defend(self) -> None:
        """Announce again, so that everybody forgets what somebody else said under our name."""
        sent = [await self._stack.async_update_service(service) for service in self.services]
        await asyncio.gather(*sent)

    def ask_for_others(self) -> None:
        """Ask who else has our names; ``watch`` notices the answers.

        Announcements are rare and devices' questions are mostly answered to them alone, so two
        networks that were joined after both hubs had started would keep a conflict for hours.
        """
        _ask_everybody(self._stack.zeroconf, self.services)

    async def withdraw(self, *, goodbye: bool = True) -> None:
        """Leave the network within seconds.

        Without ``goodbye`` nothing is said: after a lost conflict the name is somebody else's,
        and our goodbye would make devices forget them.
        """
        self._stack.zeroconf.async_remove_listener(self.watch)
        if not goodbye:
            self._stack.zeroconf.registry.async_remove(list(self.services))
        await _close(self._stack)


class ConflictWatch(RecordUpdateListener):
    """Notices when another machine announces one of our names (RFC 6762, section 9).

    Two hubs that probed at the same moment, or on two networks joined later, find out here.
    Both apply the same rule, so that exactly one gives way: the greater record wins.
    """

    def __init__(self, services: Sequence[ServiceInfo]) -> None:
        self._ours = {
            service.name.lower(): _precedence(service.port or 0, service.server or "")
            for service in services
        }
        self.contested = asyncio.Event()
        self.lost = False

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        for update in records:
            record = update.new
            if not isinstance(record, DNSService) or record.ttl <= _GOODBYE_TTL_S:
                continue
            ours = self._ours.get(record.name.lower())
            theirs = _precedence(record.port, record.server)
            if ours is None or theirs == ours:
                continue
            self.lost = self.lost or theirs > ours
            self.contested.set()


def _precedence(port: int, server: str) -> tuple[int, bytes]:
    """SRV rdata in comparable form; priority and weight are always 0 here."""
    return port, server.lower().encode()


async def _claim(
    zeroconf: Zeroconf, advertisement: Advertisement, ips: Sequence[str]
) -> tuple[ServiceInfo, ...]:
    host, instance = await asyncio.gather(
        _free_host(zeroconf, advertisement.host_label, ips),
        _free_instance(zeroconf, advertisement),
    )
    return build_services(advertisement, instance=instance, host=host, ips=ips)


async def _free_instance(zeroconf: Zeroconf, advertisement: Advertisement) -> str:
    for number in range(1, MAX_NAMES + 1):
        instance = instance_label(advertisement.name, number)
        candidates = build_services(advertisement, instance=instance, host="probe.local.", ips=())
        checks = (zeroconf.async_check_service(c, allow_name_change=False) for c in candidates)
        # The probes are answered to us alone, which a second mDNS program on this box, with the
        # same port, may get instead of us; the answers to this reach all.
        _ask_everybody(zeroconf, candidates)
        results = await asyncio.gather(*checks, return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if not failures and not any(_held(zeroconf, c.name) for c in candidates):
            return instance
        for failure in failures:
            if not isinstance(failure, NonUniqueNameException):
                raise failure
        _log.info("The mDNS name %r is in use on this network", instance)
    raise NoFreeName(f"{advertisement.name!r} and {MAX_NAMES - 1} names like it are in use")


def _ask_everybody(zeroconf: Zeroconf, services: Sequence[ServiceInfo]) -> None:
    question = DNSOutgoing(_FLAGS_QR_QUERY)
    for service in services:
        question.add_question(DNSQuestion(service.name, _TYPE_SRV, _CLASS_IN))
    zeroconf.async_send(question)


def _held(zeroconf: Zeroconf, name: str) -> bool:
    records = zeroconf.cache.entries_with_name(name)
    return any(isinstance(r, DNSService) and r.ttl > _GOODBYE_TTL_S for r in records)


async def _free_host(zeroconf: Zeroconf, label: str, ips: Sequence[str]) -> str:
    for number in range(1, MAX_NAMES + 1):
        host = host_name(label, number)
        resolver = AddressResolver(host)
        if not await resolver.async_request(zeroconf, _HOST_PROBE_MS):
            return host
        # avahi on this box may announce the same name for the same machine: no conflict.
        if not set(ips).isdisjoint(resolver.parsed_addresses()):
            return host
        _log.info("The mDNS host name %r is in use on this network", host)
    raise NoFreeName(f"{label}.local and {MAX_NAMES - 1} names like it are in use")


async def _close(stack: AsyncZeroconf) -> None:
    try:
        await asyncio.wait_for(stack.async_close(), _WITHDRAW_S)
    except TimeoutError:
        _log.warning("mDNS did not close within %s s; devices forget us in minutes", _WITHDRAW_S)
