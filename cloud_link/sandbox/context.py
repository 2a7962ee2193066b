"""What the sandbox's handlers share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from hub.clock import Clock, Ids, Randomness

from .auth import Doorkeeper
from .datasets import Snapshots
from .door import Door, DoorBounds
from .misbehave import Dice, Misbehaviour
from .payments import PaymentFaults
from .store import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a sandbox is started."""

    state: Path
    port: int = 0
    bind: str = "127.0.0.1"
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    stores: tuple[str, ...] = ("demo",)
    plain_http: bool = False
    signed: bool = False
    seed_demo: bool = False
    skus: int = 300
    orders_every_s: float = 0.0
    datasets: Path | None = None
    door: DoorBounds = field(default_factory=DoorBounds)


class Bell:
    """Wakes every long poll that waits."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    def current(self) -> asyncio.Event:
        """Fetch before looking; set when anything happened since."""
        return self._event


@dataclass(slots=True, kw_only=True)
class Context:
    settings: Settings
    clock: Clock
    ids: Ids
    randomness: Randomness
    database: Database
    doorkeeper: Doorkeeper
    snapshots: Snapshots
    door: Door
    misbehaviour: Misbehaviour = field(default_factory=Misbehaviour)
    payment_faults: PaymentFaults = field(default_factory=PaymentFaults)
    payment_dice: Dice = field(default_factory=lambda: Dice(0))
    tasks: set[asyncio.Future[None]] = field(default_factory=set)
    bell: Bell = field(default_factory=Bell)
    snapshot_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    closing: bool = False


CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)
