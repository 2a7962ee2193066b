"""Opening the living shop, keeping it open, closing it."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devices.kit import IdentityStore
from hub.clock import SystemClock, SystemRandomness
from scripts.living_shop.stocking import is_stocked, receive_opening_stock
from scripts.living_shop.tally import Tally
from scripts.living_shop.view import Seen
from scripts.rig import Child, Ports, ShopRig, Trouble, free_port
from scripts.rig.shop import HOST, is_free, remembered_ports

STORE = "demo"
SKUS = 300
ORDERS_EVERY_S = 20
HTTPS_PORT = 8443
GIFT_CARDS = {"demo-1": "GC-DEMO-CARD-0001", "demo-2": "GC-DEMO-CARD-0002"}
GIFT_MINOR = 1_000_000
_DATASETS = frozenset({"catalog", "prices", "taxes", "staff"})
_POLL_S = 0.1
_CATALOGUE_S = 120.0
_PAIR_S = 120.0
_TILLS_STOP_S = 10.0
_STATE_MARK = "store-hub-living-shop"

Say = Callable[[str], None]


class NotOurs(Exception):
    """The directory holds something else: nothing is touched."""


class AlreadyOpen(Exception):
    """A living shop runs on this directory already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How the shop is to be; ``rate`` is sales per minute of all tills together."""

    state: Path
    tills: int = 4
    rate: float = 60.0
    port: int | None = None
    bind: str = HOST
    fresh: bool = False


def attached(state: Path) -> dict[str, dict[str, object]]:
    """Simulated twins of what hangs on a shop's box; receipts go to a file."""
    paper = str(state.absolute() / "receipts.txt")
    return {
        "printer-counter": {
            "driver": "simulated-printer",
            "name": "Receipts",
            "options": {"file": paper},
        },
        "drawer-1": {"driver": "simulated-drawer", "name": "Drawer", "via": "printer-counter"},
        "scanner-1": {"driver": "simulated-scanner", "serves": ["till-01"]},
        "scale-1": {"driver": "simulated-scale", "options": {"grams": 455}},
        "display-1": {"driver": "simulated-display"},
    }


class LivingShop:
    """``open``, ``look``, ``close``; everything is kept in ``wish.state``."""

    def __init__(self, wish: Wish, say: Say) -> None:
        self._wish = wish
        self._say = say
        self._clock = SystemClock()
        self.tally = Tally()
        self._claim(wish)
        ports = self._ports(wish)
        self.rig = ShopRig(
            wish.state,
            STORE,
            ports,
            settings={
                "store": {"name": "Corner Market (demo)"},
                "printing": {"receipts": True},
                "payments": {"processor": "oms", "tips": True},
                "peripherals": attached(wish.state),
            },
            oms_arguments=(
                *("--seed-demo", "--skus", str(SKUS)),
                *("--orders-every", str(ORDERS_EVERY_S)),
            ),
            bind=wish.bind,
        )
        self._tills: Child | None = None

    @property
    def stores(self) -> list[IdentityStore]:
        """The tills' folders."""
        count = range(1, self._wish.tills + 1)
        return [IdentityStore(self.rig.tills / f"till-{n:02d}") for n in count]

    async def open(self) -> None:
        """Start everything, step by step.  Raises ChildDied, TimeoutError, Trouble."""
        say, rig = self._say, self.rig
        await rig.__aenter__()
        rig.remember_ports()
        await rig.start_oms()
        for account, token in GIFT_CARDS.items():
            await rig.oms_admin.make_card(account, token, GIFT_MINOR)
        rig.write_config()
        say("the sandbox cloud runs")
        await rig.start_hub()
        say("the hub and its MQTT broker run")
        await self._pair()
        await self._catalogue()
        if not is_stocked(self.stores[-1]):
            products = await receive_opening_stock(self.stores[-1], SKUS)
            say(f"the manager received the opening stock of {products} products")
        self._tills = Child(
            "the tills",
            self._tills_command("--json"),
            log=rig.base / "logs" / "tills.log",
            on_line=self.tally.hear,
        )
        await self._tills.start()
        say(f"{self._wish.tills} tills open")

    async def close(self) -> None:
        """Tills first, so that whoever is being served is served; then hub and cloud."""
        if self._tills is not None:
            await self._tills.stop(_TILLS_STOP_S)
        await self.rig.__aexit__()

    async def look(self) -> Seen:
        """One look at hub and cloud."""
        seen = Seen(now_ms=self._clock.wall_ms())
        with suppress(Trouble):
            seen.status = await self.rig.admin.status()
        with suppress(Trouble):
            seen.stats = await self.rig.oms_admin.stats()
        return seen

    def broken(self) -> str:
        """Which part ended by itself; empty when all is well."""
        for child in (self.rig.oms, self.rig.hub, self._tills):
            if child is not None and not child.alive:
                return f"{child.name} ended with status {child.exit_code}:\n{child.tail()}"
        return ""

    # -- steps ---------------------------------------------------------------------------------

    async def _pair(self) -> None:
        missing = [store for store in self.stores if not store.paired]
        if not missing:
            self._say(f"{self._wish.tills} tills are paired already")
            return
        links = self.rig.tills / "links"
        links.touch(mode=0o600)
        opened = [await self.rig.admin.open_pairing(store.folder.name) for store in missing]
        links.write_text("\n".join(opened))
        pairing = Child(
            "the pairing of the tills",
            self._tills_command("--pair-only", "--pairing-file", str(links)),
            log=self.rig.base / "logs" / "pairing.log",
        )
        try:
            await pairing.start()
            async with asyncio.timeout(_PAIR_S):
                code = await pairing.ended()
        finally:
            await pairing.kill()
            links.unlink()
        if code:
            raise Trouble(f"the tills could not be paired:\n{pairing.tail()}")
        self._say(f"{len(missing)} tills are paired over TLS, each with its own certificate")

    def _tills_command(self, *more: str) -> list[str]:
        wish = self._wish
        return [
            *(sys.executable, "-m", "devices.tills", "--state", str(self.rig.tills)),
            *("--count", str(wish.tills), "--rate", str(wish.rate), "--tips"),
            *(word for token in GIFT_CARDS.values() for word in ("--gift-card", token)),
            *more,
        ]

    async def _catalogue(self) -> None:
        try:
            async with asyncio.timeout(_CATALOGUE_S):
                while True:
                    cloud = (await self.rig.admin.status())["cloud"]
                    if cloud.get("datasets", {}).keys() >= _DATASETS:
                        break
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise Trouble(
                f"the catalogue did not come from the cloud; see {self.rig.hub.log}"
            ) from None
        self._say("the catalogue came down from the cloud")

    # -- the directory -------------------------------------------------------------------------

    @staticmethod
    def _claim(wish: Wish) -> None:
        """Make sure that the state directory is empty or a living shop's."""
        mark = wish.state / _STATE_MARK
        if wish.state.exists() and any(wish.state.iterdir()) and not mark.exists():
            raise NotOurs(f"{wish.state} holds something else: name another directory with --state")
        if wish.fresh and mark.exists():
            shutil.rmtree(wish.state)
        wish.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark.touch()

    def _ports(self, wish: Wish) -> Ports:
        """Those of the last time, so that paired tills find the hub again."""
        randomness = SystemRandomness()
        known = remembered_ports(wish.state)
        if known is None:
            web = wish.port or HTTPS_PORT
            if not is_free(web, wish.bind) and wish.port is None:
                web = free_port(randomness, wish.bind)
                self._say(f"port {HTTPS_PORT} is in use, the status page is on {web}")
            known = Ports.choose(randomness, https=web)
        elif wish.port is not None and wish.port != known.https:
            known = Ports(known.oms, wish.port, known.password, known.mtls)
        for what, port, where in (
            ("the sandbox cloud", known.oms, HOST),
            ("the status page", known.https, wish.bind),
            ("the broker", known.mtls, wish.bind),
            ("the broker", known.password, wish.bind),
        ):
            if not is_free(port, where):
                raise OSError(
                    f"port {port} for {what} is in use: stop what uses it (another living shop?),"
                    " choose --port, or begin anew with --fresh"
                )
        return known
