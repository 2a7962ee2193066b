"""Keeps the hub announced for as long as it runs."""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from zeroconf import Error

from hub.clock import Randomness
from hub.discovery.addresses import AddressSource, InterfaceAddress, system_addresses
from hub.discovery.publication import OpenStack, Publication, open_stack
from hub.discovery.records import Advertisement
from hub.discovery.state import DiscoveryState, Status

_log = logging.getLogger(__name__)

POLL_S = 3.0
RECHECK_S = 60.0
SETTLE_S = 0.5
MAX_SETTLING = 10
RETRY_BASE_S = 2.0
MAX_DEFENCES = 4

_NO_ADDRESS = "no network interface has an address yet; looking again every few seconds"


class Advertiser:
    """Announces an ``Advertisement`` on every network the box is on.

    Start and stop it with ``async with`` or ``start``/``stop``.  It never fails: what goes wrong
    is in ``state``, is logged once per change, and is tried again by itself, at first after
    ``RETRY_BASE_S``, doubling up to ``retry_s`` with jitter.
    """

    def __init__(
        self,
        advertisement: Advertisement,
        *,
        randomness: Randomness,
        addresses: AddressSource | None = None,
        interfaces: Sequence[str] = (),
        retry_s: float = 30.0,
        poll_s: float = POLL_S,
        recheck_s: float = RECHECK_S,
        make_stack: OpenStack = open_stack,
        on_change: Callable[[DiscoveryState], None] | None = None,
    ) -> None:
        """``addresses`` replaces the system's; ``interfaces`` (by name) restricts them.

        Addresses are looked at every ``poll_s``; every ``recheck_s`` the network is asked whether
        somebody else has our names.
        """
        self._advertisement = advertisement
        self._randomness = randomness
        self._addresses = addresses or functools.partial(system_addresses, tuple(interfaces))
        self._retry_s = retry_s
        self._poll_s = poll_s
        self._polls_per_recheck = max(1, round(recheck_s / poll_s))
        self._make_stack = make_stack
        self._on_change = on_change
        self._state = DiscoveryState(status=Status.STOPPED)
        self._state_changed = asyncio.Event()
        self._renew = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0

    @property
    def state(self) -> DiscoveryState:
        return self._state

    @property
    def advertisement(self) -> Advertisement:
        """What is to be announced."""
        return self._advertisement

    def advertise(self, advertisement: Advertisement) -> None:
        """Announce this from now on: a new name, other ports, another CA."""
        if advertisement != self._advertisement:
            self._advertisement = advertisement
            self._renew.set()

    async def wait_for(self, wanted: Callable[[DiscoveryState], bool]) -> DiscoveryState:
        """The first state from now on for which ``wanted`` is true."""
        while not wanted(self._state):
            await self._state_changed.wait()
        return self._state

    async def start(self) -> None:
        if self._task is not None:
            raise RuntimeError("the advertiser runs already")
        self._task = asyncio.create_task(self._run(), name="discovery")

    async def stop(self) -> None:
        """Say goodbye, so that devices forget the hub at once; takes up to three seconds."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        task, self._task = self._task, None
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _run(self) -> None:
        try:
            while True:
                await self._announce_once()
        finally:
            self._enter(DiscoveryState(status=Status.STOPPED))

    async def _announce_once(self) -> None:
        """From the first address to the moment when what we announce is no longer right."""
        self._renew.clear()
        goodbye = True
        try:
            addresses = await self._settled_addresses()
            self._enter(DiscoveryState(status=Status.CLAIMING))
            publication = await Publication.announce(
                self._advertisement, addresses, self._make_stack
            )
        except (OSError, RuntimeError, Error) as error:
            await self._degrade(error)
            return
        self._failures = 0
        try:
            self._enter(_advertising(publication))
            goodbye = await self._stay(publication, addresses)
        finally:
            await publication.withdraw(goodbye=goodbye)

    async def _stay(self, publication: Publication, addresses: Sequence[InterfaceAddress]) -> bool:
        """Return when the publication must go; True if it may say goodbye."""
        polls = 0
        while not self._renew.is_set():
            await self._first_of(publication.watch.contested, self._renew)
            if publication.watch.contested.is_set():
                if not await self._hold(publication):
                    return False
                continue
            polls += 1
            if polls % self._polls_per_recheck == 0:
                publication.ask_for_others()
            if await self._moved(addresses):
                _log.info("The box's addresses changed: announcing again")
                return True
        return True

    async def _hold(self, publication: Publication) -> bool:
        """Answer a conflict; False if the name is lost."""
        publication.watch.contested.clear()
        publication.defences += 1
        if publication.watch.lost or publication.defences > MAX_DEFENCES:
            _log.warning("Another machine holds %r: renaming", publication.instance)
            return False
        await publication.defend()
        return True

    async def _moved(self, addresses: Sequence[InterfaceAddress]) -> bool:
        try:
            now = await asyncio.to_thread(self._addresses)
        except OSError as error:
            _log.warning("The addresses can't be read, keeping the last ones: %s", error)
            return False
        return tuple(now) != tuple(addresses)

    async def _settled_addresses(self) -> Sequence[InterfaceAddress]:
        """The addresses once there are some and two looks in a row agree.

        An interface that comes up gets its addresses one by one; announcing after each would
        make devices see the hub come and go.  After ``MAX_SETTLING`` looks the last one counts.
        """
        before: Sequence[InterfaceAddress] = ()
        looks = 0
        while True:
            now = await asyncio.to_thread(self._addresses)
            if not now:
                self._enter(DiscoveryState(status=Status.WAITING, reason=_NO_ADDRESS))
                looks = 0
                await asyncio.sleep(self._poll_s)
            elif tuple(now) == tuple(before) or looks >= MAX_SETTLING:
                return now
            else:
                looks += 1
                await asyncio.sleep(min(SETTLE_S, self._poll_s))
            before = now

    async def _degrade(self, error: Exception) -> None:
        self._enter(DiscoveryState(status=Status.DEGRADED, reason=_explain(error)))
        doubled = RETRY_BASE_S * 2 ** min(self._failures, 20)
        self._failures += 1
        await asyncio.sleep(min(self._retry_s, doubled) * self._randomness.uniform(0.5, 1.0))

    async def _first_of(self, *events: asyncio.Event) -> None:
        """Return when one of the events is set, or after one poll interval."""
        waiters = [asyncio.create_task(event.wait()) for event in events]
        try:
            await asyncio.wait(waiters, timeout=self._poll_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()
            await asyncio.gather(*waiters, return_exceptions=True)

    def _enter(self, state: DiscoveryState) -> None:
        if state == self._state:
            return
        self._state = state
        match state.status:
            case Status.DEGRADED:
                _log.warning("Devices can't discover the hub: %s", state.reason)
            case Status.WAITING:
                _log.info("Not announced: %s", state.reason)
            case Status.ADVERTISING:
                _log.info("Announced as %r at %s", state.instance, ", ".join(state.addresses))
            case Status.CLAIMING | Status.STOPPED:
                pass
        self._state_changed.set()
        self._state_changed = asyncio.Event()
        if self._on_change is not None:
            self._on_change(state)


def _advertising(publication: Publication) -> DiscoveryState:
    return DiscoveryState(
        status=Status.ADVERTISING,
        instance=publication.instance,
        host=publication.host,
        names=publication.names,
        addresses=publication.ips,
    )


def _explain(error: Exception) -> str:
    """What is wrong and what to do about it, for a technician."""
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return (
            "UDP port 5353 belongs to another mDNS program that shares it with nobody; if that is"
            " avahi-daemon, set disallow-other-stacks=no in /etc/avahi/avahi-daemon.conf and"
            " restart it"
        )
    return str(error) or type(error).__name__
