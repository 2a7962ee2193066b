"""The kinds of proof, what starts each, and how the time is shared among them.

A kind is a program that prints JSON lines: one object at least every few seconds, with ``kind``,
``trials``, ``unit``, ``faults`` (counters), ``violations`` and ``note``; the last one has
``"done": true``, ``findings`` (``what``, ``replay``), ``figures`` and ``must_fire`` (counters that
have to be above zero).  It ends by itself soon after ``--seconds``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SEEDS_MIN = 500
FIRST = -6
"""Niceness of what the processor bounds; most of the other lane waits for processes and disks."""
MUTANTS_MIN = 20


@dataclass(frozen=True, slots=True)
class Kind:
    """``share``: of its lane's time, never less than ``least_s``, in which all that has to fire
    can.  ``optional``: may be impossible on this machine, and says so in its note.
    ``nice``: as nice(1), where processors are few and the user may."""

    name: str
    what: str
    module: str
    arguments: tuple[str, ...] = ()
    share: float = 1.0
    least_s: float = 0.0
    optional: bool = False
    nice: int = 0


THINKING = (
    Kind(
        "mutants",
        "planted bugs, each of which the simulation has to find",
        "tests.simulation.mutants",
        ("--jobs", "2"),
        share=0.5,
        nice=FIRST,
    ),
    Kind(
        "simulation",
        "whole shops on virtual time, every kind of fault, one seed each",
        "tests.simulation",
        ("--jobs", "2", "--days", "1"),
        share=0.5,
        nice=FIRST,
    ),
)
"""Needs processor time only.  The last one makes use of what the other leaves."""

TOUCHING = (
    Kind(
        "killing",
        "SIGKILL to the real hub, broker and cloud while tills sell",
        "scripts.killing",
        ("--against", "thingsboard"),
        share=0.42,
        least_s=150.0,
    ),
    Kind(
        "printing",
        "receipts counted on emulated printers while the hub is killed",
        "scripts.printing",
        share=0.12,
        least_s=120.0,
    ),
    Kind(
        "usb-vm",
        "USB printers and scanners plugged and unplugged in a virtual machine",
        "scripts.usbvm",
        share=0.10,
        least_s=420.0,
        optional=True,
        nice=FIRST,
    ),
    Kind(
        "payments",
        "stored payments forwarded to a processor that loses, doubles and forgets",
        "tests.flow.processors.forwarding_day",
        share=0.05,
        least_s=40.0,
    ),
    Kind(
        "nth-io",
        "the nth operation on the disk fails, for every n",
        "tests.storage.nthio",
        share=0.10,
        least_s=60.0,
    ),
    Kind(
        "openapi",
        "requests drawn from the published HTTP contracts of hub and cloud",
        "tests.fuzz.openapi",
        share=0.10,
        least_s=60.0,
    ),
    Kind(
        "parsers",
        "bytes drawn for every parser",
        "tests.fuzz.parsers",
        share=0.12,
        least_s=40.0,
    ),
    Kind(
        "slow-clients",
        "connections that say nothing, or too little",
        "tests.fuzz.slow_clients",
        share=0.05,
        least_s=130.0,
    ),
    Kind(
        "doors",
        "every cell of the access matrix, full disks, card numbers everywhere",
        "scripts.campaigns.doors",
        share=0.07,
        least_s=60.0,
    ),
    Kind(
        "power-cut",
        "the power fails between any two writes; NORMAL has to lose sales",
        "tests.storage.powercut",
        share=0.14,
        least_s=40.0,
    ),
)
"""Needs real processes, sockets and disks.  The last one makes use of what the others leave."""

LANES = (THINKING, TOUCHING)
KINDS = {kind.name: kind for lane in LANES for kind in lane}


def shared(kinds: Sequence[Kind], seconds: float) -> dict[str, float]:
    """Seconds by kind.  What one needs at the least is taken from the others; only where the least
    times alone are more than ``seconds``, it takes longer."""
    given: dict[str, float] = {}
    open_to_all = list(kinds)
    while open_to_all:
        left_s = seconds - sum(given.values())
        shares = sum(kind.share for kind in open_to_all)
        parts = {kind.name: left_s * kind.share / shares for kind in open_to_all}
        short = [kind for kind in open_to_all if parts[kind.name] < kind.least_s]
        if not short:
            return given | parts
        given |= {kind.name: kind.least_s for kind in short}
        open_to_all = [kind for kind in open_to_all if kind.name not in given]
    return given
